package group

import (
	"math"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/offsets"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetCommit handles OffsetCommit v2 to v10, v10 by topic id. What one request commits stands in one batch.
func (c *Coordinator) OffsetCommit(req *kmsg.OffsetCommitRequest, _ ClientInfo, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		sometimes.If(code == kerr.CoordinatorLoadInProgress, "group: a commit arrives while the coordinator loads")
		coordinator.Reply(w, ErrorResponse(req, code))
		return
	}
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	code := c.admitCommit(req)
	recs := c.commitRecords(req, resp, code)
	if len(recs) > 0 {
		if _, code := c.write(req.Group, recs...); code != kerr.None {
			c.Refuse(resp, code)
		}
	}
	c.shard.Park(req.Group, w, resp)
}

// admitCommit says whether the sender may commit, and keeps its session alive.
func (c *Coordinator) admitCommit(req *kmsg.OffsetCommitRequest) kerr.Code {
	if g := c.consumers[req.Group]; g != nil {
		return c.mayCommitConsumer(g, req)
	}
	g := c.groups[req.Group]
	if g == nil {
		switch {
		case req.Generation >= 0 && req.Version >= 9:
			return kerr.GroupIDNotFound
		case req.Generation >= 0:
			return kerr.IllegalGeneration
		case len(c.groups)+len(c.consumers) >= c.cfg.MaxGroups:
			return kerr.CoordinatorNotAvailable
		}
		return kerr.None // a simple group, which the first commit makes
	}
	code := mayCommit(g, req.MemberID, req.InstanceID, req.Generation)
	if code != kerr.None {
		return code
	}
	if m := g.Member(req.MemberID); m != nil && (g.State == classic.Stable || g.State == classic.PreparingRebalance) {
		g.KeepAlive(m, m.SessionTimeoutMS)
	}
	return kerr.None
}

// mayCommit: without members anybody may, who claims no generation; with members only they. Source: validateOffsetCommit.
func mayCommit(g *classic.Group, memberID string, instanceID *string, generation int32) kerr.Code {
	if generation < 0 && g.State == classic.Empty {
		return kerr.None
	}
	if generation < 0 && memberID == "" && instanceID == nil {
		return kerr.UnknownMemberID
	}
	if _, code := memberOf(g, memberID, instanceID); code != kerr.None {
		return code
	}
	if generation != g.Generation {
		return kerr.IllegalGeneration
	}
	if g.State == classic.CompletingRebalance {
		return kerr.RebalanceInProgress
	}
	return kerr.None
}

// commitRecords fills the response and gives what is to be written; code, if any, stands for every partition.
func (c *Coordinator) commitRecords(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, code kerr.Code) []coordinator.Record {
	var recs []coordinator.Record
	now := int64(c.env.Now.Wall)
	expire := expireAt(req, now)
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		name, id, topicCode := c.resolve(t.Topic, t.TopicID, req.Version >= 10)
		out := kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
		out.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(t.Partitions))
		for j := range t.Partitions {
			p := &t.Partitions[j]
			pc := c.checkCommit(name, p, code, topicCode)
			out.Partitions[j] = kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: int16(pc)}
			if pc != kerr.None {
				continue
			}
			o := offsets.Offset{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, CommitMS: now, ExpireMS: expire, TopicID: id}
			if p.Metadata != nil {
				o.Metadata = *p.Metadata
			}
			recs = append(recs, offsetRecord(req.Group, name, p.Partition, &o))
		}
		resp.Topics[i] = out
	}
	return recs
}

// checkCommit gives the code of one partition.
func (c *Coordinator) checkCommit(topic string, p *kmsg.OffsetCommitRequestTopicPartition, code, topicCode kerr.Code) kerr.Code {
	switch {
	case topicCode != kerr.None:
		return topicCode
	case !c.partitionExists(topic, p.Partition):
		return kerr.UnknownTopicOrPartition
	case code != kerr.None:
		return code
	case p.Metadata != nil && c.metadataTooLarge(*p.Metadata):
		return kerr.OffsetMetadataTooLarge
	}
	return kerr.None
}

// resolve finds a topic by name, or by id in requests that name ids.
func (c *Coordinator) resolve(name string, id [16]byte, byID bool) (string, [16]byte, kerr.Code) {
	if byID {
		name, ok := c.topics.TopicName(id)
		if !ok {
			return "", id, kerr.UnknownTopicID
		}
		return name, id, kerr.None
	}
	id, ok := c.topics.TopicID(name)
	if !ok {
		return name, id, kerr.UnknownTopicOrPartition
	}
	return name, id, kerr.None
}

func (c *Coordinator) partitionExists(topic string, p int32) bool {
	return p >= 0 && p < c.topics.Partitions(topic)
}

// expireAt is when the offsets go if the request says so (v2 to v4), otherwise -1. A time below -1 has passed already. One that goes beyond the end
// of time never comes: Kafka's sum overflows, and has passed.
func expireAt(req *kmsg.OffsetCommitRequest, nowMS int64) int64 {
	if req.Version > 4 || req.RetentionTimeMillis == -1 {
		return -1
	}
	return max(nowMS+min(req.RetentionTimeMillis, math.MaxInt64-nowMS), 0)
}
