package controller

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// place gives n partitions, from first on, replicas on rf brokers each: leaders go round the brokers from a random one, and followers
// start one further away each time round, so that what one broker led is spread over all others when it fails.
func (c *Context) place(id [16]byte, first int32, n int, rf int16) ([]metadata.Record, refusal) {
	brokers := c.Image.Brokers()
	if int(rf) > len(brokers) {
		return nil, refuse(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only %d broker(s) are registered.",
			rf, rf, len(brokers))
	}
	start, shift := c.Rand.Intn(len(brokers)), 0
	out := make([]metadata.Record, 0, n)
	for i := range n {
		if i > 0 && i%len(brokers) == 0 {
			shift++
		}
		replicas := make([]int32, 0, rf)
		at := (start + i) % len(brokers)
		replicas = append(replicas, brokers[at].ID)
		for k := 1; k < int(rf); k++ {
			step := 1 + (shift+k-1)%(len(brokers)-1)
			replicas = append(replicas, brokers[(at+step)%len(brokers)].ID)
		}
		out = append(out, c.partition(id, first+int32(i), replicas))
	}
	return out, refusal{}
}

func (c *Context) partition(id [16]byte, n int32, replicas []int32) metadata.Record {
	dirs := make([][16]byte, len(replicas))
	for i, r := range replicas {
		if b := c.Image.Broker(r); b != nil && len(b.LogDirs) == 1 {
			dirs[i] = b.LogDirs[0]
		}
	}
	return &metadata.PartitionRecord{TopicID: id, Partition: n, Replicas: replicas, ISR: slices.Clone(replicas), Leader: replicas[0], Dirs: dirs}
}

// checkReplicas checks one manual assignment; rf 0: any number of replicas.
func (c *Context) checkReplicas(replicas []int32, rf int) refusal {
	if len(replicas) == 0 {
		return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	s := slices.Clone(replicas)
	slices.Sort(s)
	for i, r := range s {
		if c.Image.Broker(r) == nil {
			return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", r)
		}
		if i > 0 && s[i-1] == r {
			return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", r)
		}
	}
	if rf != 0 && len(replicas) != rf {
		return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes a partition with %d replica(s), but this is not consistent with previous partitions, which have %d replica(s).", len(replicas), rf)
	}
	return refusal{}
}
