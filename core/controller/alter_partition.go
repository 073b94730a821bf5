package controller

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartition decides API 56, v2–3: a leader wants another ISR, or says that it recovered (KIP-497, KIP-704, KIP-841, KIP-903). A change
// that brings the last replica of a reassignment in sync completes it.
//
// STALE_BROKER_EPOCH: the whole request. Of a partition: UNKNOWN_TOPIC_ID; UNKNOWN_TOPIC_OR_PARTITION; NOT_CONTROLLER: the leader
// knows a newer state; FENCED_LEADER_EPOCH; INVALID_UPDATE_VERSION: the partition epoch is old; INVALID_REQUEST: not the leader, or an ISR
// that cannot be; INELIGIBLE_REPLICA: a member is fenced, shutting down or in another broker epoch;
// NEW_LEADER_ELECTED: it was done, and moved the leader. One whose own log is damaged asks for that: it is left in neither ISR nor ELR.
func AlterPartition(c *Context, req *kmsg.AlterPartitionRequest) (*kmsg.AlterPartitionResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.AlterPartitionResponse)
	if c.staleBroker(req.BrokerID, req.BrokerEpoch) {
		resp.ErrorCode = int16(kerr.StaleBrokerEpoch)
		return resp, nil
	}
	var records []metadata.Record
	named := make(once[byID])
	for i := range req.Topics {
		rt := &req.Topics[i]
		out := kmsg.NewAlterPartitionResponseTopic()
		out.TopidID = rt.TopicID // kmsg's spelling
		t := c.Image.TopicByID(rt.TopicID)
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			op := kmsg.NewAlterPartitionResponseTopicPartition()
			op.Partition, op.ErrorCode = rp.Partition, int16(kerr.UnknownTopicID)
			if t != nil {
				if !named.first(byID{t.ID, rp.Partition}) {
					op.ErrorCode = int16(kerr.InvalidRequest)
				} else if r := c.alterPartition(req, t, rp, &op); r != nil {
					records = append(records, r)
				}
			}
			out.Partitions = append(out.Partitions, op)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, records
}

// SetDamaged says of a partition that its leader's own log is damaged: the ISR that it asks for is without it, and another is to lead.
func SetDamaged(p *kmsg.AlterPartitionRequestTopicPartition) { p.UnknownTags.Set(tagDamaged, nil) }

func damaged(p *kmsg.AlterPartitionRequestTopicPartition) bool {
	found := false
	p.UnknownTags.Each(func(tag uint32, _ []byte) { found = found || tag == tagDamaged })
	return found
}

func (c *Context) alterPartition(req *kmsg.AlterPartitionRequest, t *metadata.Topic, rp *kmsg.AlterPartitionRequestTopicPartition, op *kmsg.AlterPartitionResponseTopicPartition) metadata.Record {
	isr := rp.NewEpochISR
	if req.Version < 3 {
		isr = nil
		for _, id := range rp.NewISR {
			isr = append(isr, kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: id, BrokerEpoch: -1})
		}
	}
	p := t.Partition(rp.Partition)
	code := c.checkAlter(req, p, rp, isr)
	op.ErrorCode = int16(code)
	if code != kerr.None {
		return nil
	}
	ch := c.change(t, rp.Partition)
	ch.isr = members(isr)
	if damaged(rp) {
		ch.lost = req.BrokerID
	}
	ch.recovering = rp.LeaderRecoveryState == recoveryRecovering
	record := ch.record()
	after := *p
	if record != nil {
		after = p.After(record.(*metadata.PartitionChangeRecord))
	}
	if after.Leader != req.BrokerID {
		sometimes.Hit("controller: a change of the ISR moves the leader")
		op.ErrorCode = int16(kerr.NewLeaderElected)
		return record
	}
	op.LeaderID, op.LeaderEpoch, op.ISR, op.PartitionEpoch = after.Leader, after.LeaderEpoch, after.ISR, after.PartitionEpoch
	if after.Recovering {
		op.LeaderRecoveryState = recoveryRecovering
	}
	return record
}

// recoveryRecovering is LeaderRecoveryState RECOVERING on the wire; 0 is RECOVERED.
const recoveryRecovering int8 = 1

func members(isr []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR) []int32 {
	out := make([]int32, 0, len(isr))
	for i := range isr {
		out = append(out, isr[i].BrokerID)
	}
	return out
}

func (c *Context) checkAlter(req *kmsg.AlterPartitionRequest, p *metadata.Partition, rp *kmsg.AlterPartitionRequestTopicPartition, isr []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR) kerr.Code {
	switch {
	case p == nil:
		return kerr.UnknownTopicOrPartition
	case rp.LeaderEpoch > p.LeaderEpoch || rp.PartitionEpoch > p.PartitionEpoch:
		return kerr.NotController // the leader knows more than this node, which then is not the controller any more
	case rp.LeaderEpoch < p.LeaderEpoch:
		return kerr.FencedLeaderEpoch
	case req.BrokerID != p.Leader:
		return kerr.InvalidRequest
	case rp.PartitionEpoch < p.PartitionEpoch:
		sometimes.Hit("controller: a leader's partition epoch is old")
		return kerr.InvalidUpdateVersion
	}
	ids := members(isr)
	if !plant.On(plant.R16) && !subset(ids, p.Replicas) {
		return kerr.InvalidRequest
	}
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return kerr.InvalidRequest
		}
	}
	switch recovering := rp.LeaderRecoveryState; {
	case len(ids) == 0, slices.Contains(ids, p.Leader) == damaged(rp),
		recovering < 0 || recovering > recoveryRecovering,
		recovering == recoveryRecovering && (len(ids) > 1 || !p.Recovering):
		return kerr.InvalidRequest
	}
	for i := range isr {
		b := c.Image.Broker(isr[i].BrokerID)
		if !b.Active() || isr[i].BrokerEpoch != -1 && isr[i].BrokerEpoch != b.Epoch && !plant.On(plant.R6) {
			return kerr.IneligibleReplica
		}
	}
	return kerr.None
}
