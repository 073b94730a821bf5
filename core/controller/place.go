package controller

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/prng"
)

// place gives n partitions, from first on, replicas on rf brokers each, spread over racks (see placer). Who is fenced is in no ISR.
func (c *Context) place(id [16]byte, first int32, n int, rf int16) ([]metadata.Record, refusal) {
	pl := newPlacer(c.Image.Brokers(), c.Rand)
	switch {
	case pl.unfenced == 0:
		return nil, refuse(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): All brokers are currently fenced.", rf)
	case int(rf) > pl.total:
		return nil, refuse(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only %d broker(s) are registered.",
			rf, rf, pl.total)
	}
	out := make([]metadata.Record, 0, n)
	for i := range n {
		r := c.partition(id, first+int32(i), pl.next(int(rf)))
		if r == nil {
			return nil, refuse(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): All brokers are currently fenced or in controlled shutdown.", rf)
		}
		out = append(out, r)
	}
	return out, refusal{}
}

// partition gives the record of a new partition, or nil if none of its replicas is active.
func (c *Context) partition(id [16]byte, n int32, replicas []int32) metadata.Record {
	var isr []int32
	dirs := make([][16]byte, len(replicas))
	for i, r := range replicas {
		dirs[i] = c.defaultDir(r)
		if c.Image.Broker(r).Active() {
			isr = append(isr, r)
		}
	}
	if len(isr) == 0 {
		return nil
	}
	return &metadata.PartitionRecord{TopicID: id, Partition: n, Replicas: replicas, ISR: isr, Leader: isr[0], Dirs: dirs}
}

// assignedPartition is partition for a manual assignment.
func (c *Context) assignedPartition(id [16]byte, n int32, replicas []int32) (metadata.Record, refusal) {
	if r := c.partition(id, n, slices.Clone(replicas)); r != nil {
		return r, refusal{}
	}
	return nil, refuse(kerr.InvalidReplicaAssignment,
		"All brokers specified in the manual partition assignment for partition %d are fenced or in controlled shutdown.", n)
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

// placer deals replicas (KIP-36, as Kafka's StripedReplicaPlacer): racks take turns, one further for each partition, and in a rack its
// brokers, beginning one further for each partition. Unfenced brokers of a rack come before fenced ones, the first replica is unfenced, and
// brokers that shut down get none. After as many partitions as there are unfenced brokers all lists are shuffled.
type placer struct {
	rand            *prng.Source
	racks           []*rack
	total, unfenced int
	offset          int // of the rack that begins
	round           int // partitions dealt
	fresh           int // since the last shuffle
}

type rack struct {
	name             string
	unfenced, fenced ring
}

// ring is a list that is dealt from once a round, beginning one further each time.
type ring struct {
	ids           []int32
	dealt, offset int
	round         int
}

func (r *ring) next(round int) (int32, bool) {
	if len(r.ids) == 0 {
		return 0, false
	}
	if r.round != round {
		r.round, r.dealt, r.offset = round, 0, (r.offset+1)%len(r.ids)
	}
	if r.dealt >= len(r.ids) {
		return 0, false
	}
	r.dealt++
	return r.ids[(r.dealt-1+r.offset)%len(r.ids)], true
}

func (k *rack) next(round int) (int32, bool) {
	if id, ok := k.unfenced.next(round); ok {
		return id, true
	}
	return k.fenced.next(round)
}

func newPlacer(brokers []*metadata.Broker, rand *prng.Source) *placer {
	pl := &placer{rand: rand}
	for _, b := range brokers {
		if b.InShutdown {
			continue
		}
		name := ""
		if b.Rack != nil {
			name = *b.Rack
		}
		i, ok := slices.BinarySearchFunc(pl.racks, name, func(k *rack, n string) int { return strings.Compare(k.name, n) })
		if !ok {
			pl.racks = slices.Insert(pl.racks, i, &rack{name: name})
		}
		pl.total++
		if b.Fenced {
			pl.racks[i].fenced.ids = append(pl.racks[i].fenced.ids, b.ID)
		} else {
			pl.unfenced++
			pl.racks[i].unfenced.ids = append(pl.racks[i].unfenced.ids, b.ID)
		}
	}
	for _, k := range pl.racks {
		k.unfenced.start(rand)
		k.fenced.start(rand)
	}
	if len(pl.racks) > 0 {
		pl.offset = rand.Intn(len(pl.racks))
	}
	return pl
}

func (r *ring) start(rand *prng.Source) {
	if len(r.ids) > 0 {
		r.offset = rand.Intn(len(r.ids))
	}
}

// next deals the replicas of a partition. There are unfenced brokers, and at least rf in all.
func (pl *placer) next(rf int) []int32 {
	if pl.fresh == pl.unfenced && pl.unfenced > 1 {
		shuffle(pl.racks, pl.rand)
		for _, k := range pl.racks {
			shuffle(k.unfenced.ids, pl.rand)
			shuffle(k.fenced.ids, pl.rand)
		}
		pl.fresh = 0
	}
	pl.offset %= len(pl.racks)
	first := pl.offset
	leader, ok := pl.racks[first].unfenced.next(pl.round)
	for !ok {
		first = (first + 1) % len(pl.racks)
		leader, ok = pl.racks[first].unfenced.next(pl.round)
	}
	out := append(make([]int32, 0, rf), leader)
	for at := pl.offset; len(out) < rf; at = (at + 1) % len(pl.racks) {
		if at == first {
			first = -1 // the leader's rack has had its turn
			continue
		}
		if id, ok := pl.racks[at].next(pl.round); ok {
			out = append(out, id)
		}
	}
	pl.round++
	pl.fresh++
	pl.offset++
	return out
}

func shuffle[T any](v []T, rand *prng.Source) {
	for i := len(v) - 1; i > 0; i-- {
		j := rand.Intn(i + 1)
		v[i], v[j] = v[j], v[i]
	}
}
