package controller

import (
	"strconv"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/sometimes"
)

const (
	minISR  = "min.insync.replicas"
	unclean = "unclean.leader.election.enable"
)

// commonMinISR makes min.insync.replicas a setting of the cluster: the controller's ELR and the leaders' high watermarks must go by the same
// number, whatever each node's file says (KIP-966 does so when it is switched on).
func (c *Context) commonMinISR() []metadata.Record {
	if _, ok := c.Image.ConfigsOf(metadata.ResourceBroker, "").Get(minISR); ok {
		return nil
	}
	v := strconv.Itoa(int(c.Node.Topic.MinInsyncReplicas))
	out := []metadata.Record{&metadata.ConfigRecord{ResourceType: metadata.ResourceBroker, Key: minISR, Value: &v}}
	for _, r := range c.Image.Resources() {
		if _, ok := r.Configs.Get(minISR); ok && r.Type == metadata.ResourceBroker {
			out = append(out, &metadata.ConfigRecord{ResourceType: r.Type, Name: r.Name, Key: minISR})
		}
	}
	return out
}

// checkMinISR keeps it one number.
func (c *Context) checkMinISR(id resource, records []metadata.Record) refusal {
	if !c.Clustered || id.kind != metadata.ResourceBroker {
		return refusal{}
	}
	for _, r := range records {
		switch r := r.(*metadata.ConfigRecord); {
		case r.Key != minISR:
		case id.name != "":
			return refuse(kerr.InvalidConfig, "Broker-level %s cannot be altered while ELR is enabled.", minISR)
		case r.Value == nil:
			return refuse(kerr.InvalidConfig, "Cluster-level %s cannot be removed while ELR is enabled.", minISR)
		}
	}
	return refusal{}
}

// configured gives what follows from changed settings. Another min.insync.replicas clears the ELR, since its members were chosen by the old
// number (KIP-966). Where nobody is in sync they stay: no high watermark moves there, and they are the way back without loss. The partition
// epoch moves where nobody is eligible too: a leader that goes by the old number could else have the ISR shrunk, and commit alone what the
// new number makes the others eligible for.
// Where unclean elections become allowed, partitions without a leader get one.
func (c *Context) configured(records []metadata.Record) []metadata.Record {
	concerned := false
	for _, r := range records {
		x := r.(*metadata.ConfigRecord)
		concerned = concerned || x.Key == minISR || x.Key == unclean
	}
	if !concerned {
		return nil
	}
	next := c.after(records)
	var out []metadata.Record
	for _, t := range next.Image.Topics() {
		was, is := *c.topic(c.Image.TopicByID(t.ID)), *next.topic(t)
		for n := range t.Partitions {
			p := &t.Partitions[n]
			switch {
			case was.MinInsyncReplicas != is.MinInsyncReplicas && len(p.ISR) > 0 && len(p.Replicas) > 1:
				sometimes.If(len(p.ELR) > 0, "controller: another min.insync.replicas clears an ELR")
				out = append(out, &metadata.PartitionChangeRecord{TopicID: t.ID, Partition: int32(n), Leader: metadata.Unchanged, ELR: []int32{}, LastKnownELR: []int32{}})
			case p.Leader == metadata.NoLeader && is.UncleanLeaderElection && !was.UncleanLeaderElection:
				if r := next.change(t, int32(n)).record(); r != nil {
					out = append(out, r)
				}
			}
		}
	}
	return out
}
