package controller

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kinds of ElectLeaders.
const (
	preferredElection int8 = 0
	uncleanElection   int8 = 1
)

// ElectLeaders decides API 43, v0–2: preferred leaders, or any leader where there is none, records lost or not (KIP-183, KIP-460). Topics nil
// asks for every partition, and those that need nothing are not told.
//
// INVALID_REQUEST: another kind. Of a partition: UNKNOWN_TOPIC_OR_PARTITION; ELECTION_NOT_NEEDED; PREFERRED_LEADER_NOT_AVAILABLE;
// ELIGIBLE_LEADERS_NOT_AVAILABLE; POLICY_VIOLATION: more than 10,000 partitions.
func ElectLeaders(c *Context, req *kmsg.ElectLeadersRequest) (*kmsg.ElectLeadersResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	kind := req.ElectionType
	if req.Version < 1 {
		kind = preferredElection
	}
	if kind != preferredElection && kind != uncleanElection {
		resp.ErrorCode = int16(kerr.InvalidRequest)
		return resp, nil
	}
	var records []metadata.Record
	one := func(out *kmsg.ElectLeadersResponseTopic, name string, n int32, all bool) {
		r, bad := c.electLeader(name, n, kind, len(records))
		if r != nil {
			records = append(records, r)
		}
		if all && bad.code == kerr.ElectionNotNeeded {
			return
		}
		op := kmsg.NewElectLeadersResponseTopicPartition()
		op.Partition, op.ErrorCode, op.ErrorMessage = n, int16(bad.code), bad.message()
		out.Partitions = append(out.Partitions, op)
	}
	if req.Topics == nil {
		for _, t := range c.Image.Topics() {
			out := kmsg.NewElectLeadersResponseTopic()
			out.Topic = t.Name
			for n := range t.Partitions {
				one(&out, t.Name, int32(n), true)
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp, records
	}
	named := make(once[byName])
	for i := range req.Topics {
		out := kmsg.NewElectLeadersResponseTopic()
		out.Topic = req.Topics[i].Topic
		for _, n := range req.Topics[i].Partitions {
			if named.first(byName{out.Topic, n}) { // a partition that is named twice is answered once
				one(&out, out.Topic, n, false)
			}
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, records
}

func (c *Context) electLeader(topic string, n int32, kind int8, have int) (metadata.Record, refusal) {
	t := c.Image.TopicByName(topic)
	if t == nil {
		return nil, refuse(kerr.UnknownTopicOrPartition, "No such topic as %s", topic)
	}
	p := t.Partition(n)
	switch {
	case p == nil:
		return nil, refuse(kerr.UnknownTopicOrPartition, "No such partition as %s-%d", topic, n)
	case kind == preferredElection && p.Leader == p.Replicas[0] || kind == uncleanElection && p.Leader != metadata.NoLeader:
		return nil, refusal{kerr.ElectionNotNeeded, "Leader election not needed for topic partition."}
	case have >= maxRecords:
		return nil, refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	}
	ch := c.change(t, n)
	ch.elect = electPreferred
	if kind == uncleanElection {
		ch.elect = electUnclean
	}
	r := ch.record()
	switch {
	case r != nil:
		return r, refusal{}
	case kind == preferredElection:
		return nil, refusal{kerr.PreferredLeaderNotAvailable, "The preferred leader was not available."}
	}
	return nil, refusal{kerr.EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available."}
}

// balance gives at most limit elections that bring leadership back to preferred replicas (auto.leader.rebalance.enable).
func (c *Context) balance(limit int) []metadata.Record {
	var out []metadata.Record
	for _, t := range c.Image.Topics() {
		for n := range t.Partitions {
			p := &t.Partitions[n]
			if len(out) >= limit || p.Leader == metadata.NoLeader || p.Leader == p.Replicas[0] {
				continue
			}
			ch := c.change(t, int32(n))
			ch.elect = electPreferred
			if r := ch.record(); r != nil {
				sometimes.Hit("controller: leadership goes back to a preferred replica")
				out = append(out, r)
			}
		}
	}
	return out
}

// uncleanLeaders gives at most limit elections for partitions without a leader whose topic allows unclean ones.
func (c *Context) uncleanLeaders(limit int) []metadata.Record {
	var out []metadata.Record
	for _, t := range c.Image.Topics() {
		for n := range t.Partitions {
			if len(out) < limit && t.Partitions[n].Leader == metadata.NoLeader && c.topic(t).UncleanLeaderElection {
				if r := c.change(t, int32(n)).record(); r != nil {
					out = append(out, r)
				}
			}
		}
	}
	return out
}
