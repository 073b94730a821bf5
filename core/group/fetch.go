package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/offsets"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetFetch handles OffsetFetch v1 to v10: one group up to v7, from v8 on several, each of which belongs to this coordinator's
// partition; from v10 on by topic id.
func (c *Coordinator) OffsetFetch(req *kmsg.OffsetFetchRequest, _ ClientInfo, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(req, code))
		return
	}
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version < 8 {
		c.fetchOldForm(req, resp)
		c.shard.Park(req.Group, w, resp)
		return
	}
	resp.Groups = make([]kmsg.OffsetFetchResponseGroup, len(req.Groups))
	for i := range req.Groups {
		resp.Groups[i] = c.fetchGroup(&req.Groups[i], req.Version >= 10, req.RequireStable)
	}
	if len(req.Groups) == 1 {
		c.shard.Park(req.Groups[0].Group, w, resp)
		return
	}
	c.shard.ParkAll(w, resp)
}

// fetchGroup reads one group. A group that does not exist has no offsets, and that is no error.
func (c *Coordinator) fetchGroup(req *kmsg.OffsetFetchRequestGroup, byID, stable bool) kmsg.OffsetFetchResponseGroup {
	out := kmsg.OffsetFetchResponseGroup{Group: req.Group}
	if g := c.consumers[req.Group]; g != nil {
		if code := mayFetchConsumer(g, req); code != kerr.None {
			out.ErrorCode = int16(code)
			return out
		}
	}
	if req.Topics == nil {
		out.Topics = c.fetchAll(req.Group, byID, stable)
		return out
	}
	out.Topics = make([]kmsg.OffsetFetchResponseGroupTopic, len(req.Topics))
	for i := range req.Topics {
		out.Topics[i] = c.fetchTopic(req.Group, &req.Topics[i], byID, stable)
	}
	return out
}

func (c *Coordinator) fetchTopic(group string, t *kmsg.OffsetFetchRequestGroupTopic, byID, stable bool) kmsg.OffsetFetchResponseGroupTopic {
	out := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic, TopicID: t.TopicID}
	name, id, code := c.resolve(t.Topic, t.TopicID, byID)
	if !byID {
		code = kerr.None // a name that is not known has no offsets, or they wait for the topic's deletion to get here
	}
	for _, p := range t.Partitions {
		o := none(p)
		if code != kerr.None {
			o.ErrorCode = int16(code)
		} else {
			o = c.fetchPartition(group, name, p, id, stable)
		}
		out.Partitions = append(out.Partitions, o)
	}
	return out
}

// none is the answer for a partition without an offset.
func none(p int32) kmsg.OffsetFetchResponseGroupTopicPartition {
	return kmsg.OffsetFetchResponseGroupTopicPartition{Partition: p, Offset: -1, LeaderEpoch: -1, Metadata: new(string)}
}

// fetchPartition reads one offset. One that was committed to a topic of the same name and another id is none.
func (c *Coordinator) fetchPartition(group, topic string, p int32, id [16]byte, stable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	out := none(p)
	if stable && c.offsets.Unstable(group, topic, p) {
		out.ErrorCode = int16(kerr.UnstableOffsetCommit)
		return out
	}
	o := c.offsets.Get(group, topic, p)
	if o == nil || mismatch(o.TopicID, id) {
		return out
	}
	m := o.Metadata
	out.Offset, out.LeaderEpoch, out.Metadata = o.Offset, o.LeaderEpoch, &m
	return out
}

func mismatch(a, b [16]byte) bool { return a != b && a != [16]byte{} && b != [16]byte{} }

// fetchAll reads all offsets of a group. By id, topics that are gone are left out.
func (c *Coordinator) fetchAll(group string, byID, stable bool) []kmsg.OffsetFetchResponseGroupTopic {
	out := []kmsg.OffsetFetchResponseGroupTopic{}
	g := c.offsets.Group(group)
	if g == nil {
		return out
	}
	for _, t := range g.Topics {
		id, ok := c.topics.TopicID(t.Name)
		if byID && !ok {
			continue
		}
		out = append(out, c.fetchWhole(group, t, id, stable))
	}
	return out
}

func (c *Coordinator) fetchWhole(group string, t *offsets.Topic, id [16]byte, stable bool) kmsg.OffsetFetchResponseGroupTopic {
	out := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Name, TopicID: id}
	for i := range t.Partitions {
		if mismatch(t.Partitions[i].TopicID, id) {
			continue
		}
		out.Partitions = append(out.Partitions, c.fetchPartition(group, t.Name, t.Partitions[i].Partition, id, stable))
	}
	return out
}

// fetchOldForm answers in the form up to v7.
func (c *Coordinator) fetchOldForm(req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse) {
	one := kmsg.OffsetFetchRequestGroup{Group: req.Group, MemberEpoch: -1}
	if req.Topics != nil {
		one.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for i := range req.Topics {
		one.Topics = append(one.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: req.Topics[i].Topic, Partitions: req.Topics[i].Partitions})
	}
	got := c.fetchGroup(&one, false, req.RequireStable)
	for _, t := range got.Topics {
		out := kmsg.OffsetFetchResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			out.Partitions = append(out.Partitions, kmsg.OffsetFetchResponseTopicPartition(p))
		}
		resp.Topics = append(resp.Topics, out)
	}
}
