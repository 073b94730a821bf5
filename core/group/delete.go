package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/offsets"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tombstonesPerBatch bounds the batches that delete: what is deleted together need not vanish together.
const tombstonesPerBatch = 500

// DeleteGroups handles DeleteGroups v0 to v2 for groups of this coordinator's partition, which must have no members.
func (c *Coordinator) DeleteGroups(req *kmsg.DeleteGroupsRequest, _ ClientInfo, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(req, code))
		return
	}
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	for _, id := range req.Groups {
		resp.Groups = append(resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: int16(c.deleteGroup(id))})
	}
	c.parkFor(req.Groups, w, resp)
}

// parkFor answers once everything that was replayed for these groups is below the high watermark.
func (c *Coordinator) parkFor(ids []string, w coordinator.Waiter, resp kmsg.Response) {
	if len(ids) == 1 {
		c.shard.Park(ids[0], w, resp)
		return
	}
	c.shard.ParkAll(w, resp)
}

func (c *Coordinator) deleteGroup(id string) kerr.Code {
	code, record := c.mayDelete(id)
	if code != kerr.None {
		return code
	}
	var recs []coordinator.Record
	if o := c.offsets.Group(id); o != nil {
		recs = appendTombstones(recs, id, o)
	}
	c.offsets.Pending(id, func(_ int64, o *offsets.Group) { recs = appendTombstones(recs, id, o) })
	return c.writeTombstones(id, append(recs, record...))
}

// mayDelete says whether a group can be deleted, and gives what deletes it once its offsets are gone.
func (c *Coordinator) mayDelete(id string) (kerr.Code, []coordinator.Record) {
	if g := c.consumers[id]; g != nil {
		if g.Len() > 0 {
			return kerr.NonEmptyGroup, nil
		}
		return kerr.None, c.emptied(id)
	}
	g := c.groups[id]
	switch {
	case g == nil:
		return kerr.GroupIDNotFound, nil
	case g.State != classic.Empty:
		return kerr.NonEmptyGroup, nil
	}
	return kerr.None, []coordinator.Record{groupRecord(id, nil)}
}

func appendTombstones(recs []coordinator.Record, id string, o *offsets.Group) []coordinator.Record {
	for _, t := range o.Topics {
		for i := range t.Partitions {
			recs = append(recs, offsetRecord(id, t.Name, t.Partitions[i].Partition, nil))
		}
	}
	return recs
}

func (c *Coordinator) writeTombstones(id string, recs []coordinator.Record) kerr.Code {
	for len(recs) > 0 {
		n := min(len(recs), tombstonesPerBatch)
		if _, code := c.write(id, recs[:n]...); code != kerr.None {
			return code
		}
		recs = recs[n:]
	}
	return kerr.None
}

// OffsetDelete handles OffsetDelete v0 (KIP-496). A live group must be one of consumers, none of which reads the topic.
func (c *Coordinator) OffsetDelete(req *kmsg.OffsetDeleteRequest, _ ClientInfo, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(req, code))
		return
	}
	if code := c.admitDelete(req.Group); code != kerr.None {
		c.shard.Park(req.Group, w, ErrorResponse(req, code))
		return
	}
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	var recs []coordinator.Record
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
		for j := range t.Partitions {
			p := t.Partitions[j].Partition
			code, exists := c.deleteOffset(req.Group, t.Topic, p)
			if exists {
				recs = append(recs, offsetRecord(req.Group, t.Topic, p, nil))
			}
			out.Partitions = append(out.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p, ErrorCode: int16(code)})
		}
		resp.Topics = append(resp.Topics, out)
	}
	if code := c.writeTombstones(req.Group, recs); code != kerr.None {
		c.Refuse(resp, code)
	}
	c.shard.Park(req.Group, w, resp)
}

func (c *Coordinator) admitDelete(id string) kerr.Code {
	if id == "" {
		return kerr.InvalidGroupID
	}
	if c.consumers[id] != nil {
		return kerr.None
	}
	g := c.groups[id]
	if g == nil {
		return kerr.GroupIDNotFound
	}
	if g.State != classic.Empty && !g.IsConsumer() {
		return kerr.NonEmptyGroup
	}
	return kerr.None
}

func (c *Coordinator) deleteOffset(id, topic string, p int32) (code kerr.Code, exists bool) {
	switch {
	case !c.partitionExists(topic, p):
		return kerr.UnknownTopicOrPartition, false
	case c.isSubscribed(id, topic):
		return kerr.GroupSubscribedToTopic, false
	}
	return kerr.None, c.offsets.Get(id, topic, p) != nil || c.offsets.Unstable(id, topic, p)
}

// isSubscribed says whether a member of a group that exists reads the topic.
func (c *Coordinator) isSubscribed(id, topic string) bool {
	if g := c.consumers[id]; g != nil {
		return g.IsSubscribed(topic)
	}
	return c.groups[id].IsSubscribed(topic)
}

// TopicDeleted forgets what all groups committed for a topic.
func (c *Coordinator) TopicDeleted(topic string) {
	if !c.Active() {
		return
	}
	for _, id := range c.groupIDs() {
		var recs []coordinator.Record
		add := func(_ int64, g *offsets.Group) {
			for _, t := range g.Topics {
				if t.Name == topic {
					recs = appendTombstones(recs, id, &offsets.Group{Topics: []*offsets.Topic{t}})
				}
			}
		}
		if o := c.offsets.Group(id); o != nil {
			add(-1, o)
		}
		c.offsets.Pending(id, add)
		if code := c.writeTombstones(id, recs); code != kerr.None {
			c.env.Warnf("group %s: offsets of the deleted topic %s stay until they expire: %s", id, topic, code)
		}
	}
}
