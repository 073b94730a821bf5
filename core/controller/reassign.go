package controller

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartitionReassignments decides API 45, v0–1 (KIP-455, KIP-860): partitions get other replicas, or, with null, those back that they had
// before. Each is changed or refused by itself. What is added catches up first; the last AlterPartition completes the move.
//
// UNKNOWN_TOPIC_OR_PARTITION; INVALID_REPLICA_ASSIGNMENT; NO_REASSIGNMENT_IN_PROGRESS: nothing to cancel; INVALID_REPLICATION_FACTOR: it
// would change and the request says that it must not; POLICY_VIOLATION: more than 10,000 partitions; INVALID_REQUEST: named twice.
func AlterPartitionReassignments(c *Context, req *kmsg.AlterPartitionAssignmentsRequest) (*kmsg.AlterPartitionAssignmentsResponse, []metadata.Record) {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	resp.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	keep := req.Version >= 1 && !req.AllowReplicationFactorChange
	var records []metadata.Record
	named := make(once[byName])
	for i := range req.Topics {
		rt := &req.Topics[i]
		out := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		out.Topic = rt.Topic
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			var r metadata.Record
			bad := refuse(kerr.InvalidRequest, "A partition is named twice.")
			switch first := named.first(byName{rt.Topic, rp.Partition}); {
			case len(records) >= maxRecords:
				bad = refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
			case first:
				r, bad = c.reassign(rt.Topic, rp.Partition, rp.Replicas, keep)
			}
			if r != nil {
				records = append(records, r)
			}
			op := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			op.Partition, op.ErrorCode, op.ErrorMessage = rp.Partition, int16(bad.code), bad.message()
			out.Partitions = append(out.Partitions, op)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, records
}

// reassign decides one partition; keep: its replication factor must stay.
func (c *Context) reassign(topic string, n int32, target []int32, keep bool) (metadata.Record, refusal) {
	t := c.Image.TopicByName(topic)
	if t == nil {
		return nil, refuse(kerr.UnknownTopicOrPartition, "Unable to find a topic named %s.", topic)
	}
	p := t.Partition(n)
	switch {
	case p == nil:
		return nil, refuse(kerr.UnknownTopicOrPartition, "Unable to find partition %s:%d.", topic, n)
	case target == nil:
		return c.cancelReassignment(t, n)
	}
	if bad := c.checkReplicas(target, 0); bad.code != kerr.None {
		return nil, bad
	}
	if have := len(minus(union(p.Replicas, p.Adding), p.Removing)); keep && have != len(target) {
		return nil, refuse(kerr.InvalidReplicationFactor, "The replication factor is changed from %d to %d", have, len(target))
	}
	sometimes.If(p.Reassigning(), "controller: a reassignment takes the place of another")
	ch := c.change(t, n)
	// What an earlier reassignment was adding and this one does not want goes at once, unless nothing else is in sync.
	old, isr := minus(p.Replicas, minus(p.Adding, target)), minus(p.ISR, minus(p.Adding, target))
	origin := minus(p.Replicas, p.Adding)
	if len(isr) == 0 {
		old, isr, origin = p.Replicas, p.ISR, union(origin, minus(p.Adding, target))
	}
	ch.isr = isr
	ch.setReplicas(union(target, old))
	ch.adding, ch.removing = minus(target, origin), minus(old, target)
	return ch.record(), refusal{}
}

// cancelReassignment gives a partition the replicas back that it had before.
func (c *Context) cancelReassignment(t *metadata.Topic, n int32) (metadata.Record, refusal) {
	p := &t.Partitions[n]
	if !p.Reassigning() {
		return nil, refuse(kerr.NoReassignmentInProgress, "No partition reassignment is in progress.")
	}
	ch := c.change(t, n)
	ch.setReplicas(minus(p.Replicas, p.Adding))
	ch.isr, ch.adding, ch.removing = minus(p.ISR, p.Adding), nil, nil
	sometimes.Hit("controller: a reassignment is cancelled")
	// An unclean election must be allowed, and happen now: the setting may be another when one of those replicas is back.
	if len(ch.isr) == 0 && len(p.ISR) > 0 && len(common(p.ELR, ch.replicas)) == 0 && (ch.elect != electUnclean || !slices.ContainsFunc(ch.replicas, ch.acceptable)) {
		sometimes.Hit("controller: a reassignment cannot be taken back without loss")
		return nil, refuse(kerr.InvalidReplicaAssignment,
			"Unable to revert partition assignment for %s:%d because it would require an unclean leader election.", t.Name, n)
	}
	return ch.record(), refusal{}
}

// ListPartitionReassignments answers API 46, v0: of the named partitions, or of all, those that are being reassigned.
func ListPartitionReassignments(img *metadata.Image, req *kmsg.ListPartitionReassignmentsRequest) *kmsg.ListPartitionReassignmentsResponse {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	resp.Topics = []kmsg.ListPartitionReassignmentsResponseTopic{}
	if req.Topics == nil {
		for _, t := range img.Topics() {
			all := make([]int32, len(t.Partitions))
			for n := range all {
				all[n] = int32(n)
			}
			listReassignments(resp, t, all)
		}
		return resp
	}
	for i := range req.Topics {
		if t := img.TopicByName(req.Topics[i].Topic); t != nil {
			listReassignments(resp, t, req.Topics[i].Partitions)
		}
	}
	return resp
}

func listReassignments(resp *kmsg.ListPartitionReassignmentsResponse, t *metadata.Topic, partitions []int32) {
	out := kmsg.NewListPartitionReassignmentsResponseTopic()
	out.Topic = t.Name
	for _, n := range partitions {
		p := t.Partition(n)
		if p == nil || !p.Reassigning() {
			continue
		}
		op := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
		op.Partition, op.Replicas = n, slices.Clone(p.Replicas)
		op.AddingReplicas, op.RemovingReplicas = listed(p.Adding), listed(p.Removing)
		out.Partitions = append(out.Partitions, op)
	}
	if len(out.Partitions) > 0 {
		resp.Topics = append(resp.Topics, out)
	}
}

// listed gives a list as responses carry it, which know no null here.
func listed(v []int32) []int32 { return append([]int32{}, v...) }
