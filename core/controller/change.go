package controller

import (
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/sometimes"
)

// nobody stands where a change concerns no broker in particular.
const nobody int32 = -1

// partitionChange is what shall become of one partition. Who decides sets the fields that it wants otherwise; record elects a leader where the state
// needs one, keeps ISR, ELR and LastKnownELR in step, completes a reassignment that is done, and gives the record, if anything differs
// (Kafka's PartitionChangeBuilder; KIP-966, KIP-455, KIP-704; design.md, Replication, where it differs).
type partitionChange struct {
	c *Context
	t *metadata.Topic
	n int32
	p *metadata.Partition // as it is

	isr, replicas, adding, removing []int32
	elr, lastKnown                  []int32
	dirs                            [][16]byte // by place in replicas
	recovering                      bool
	leader                          int32
	elect                           election
	without                         int32 // no leader and in no ISR, though the image has it active
	lost                            int32 // its former incarnation ended uncleanly, so it is in no ELR any more
	intact                          bool  // of lost: its disk has all that it had synced
}

// change begins a change of partition n that changes nothing yet.
func (c *Context) change(t *metadata.Topic, n int32) *partitionChange {
	p := &t.Partitions[n]
	ch := &partitionChange{c: c, t: t, n: n, p: p, isr: p.ISR, replicas: p.Replicas, adding: p.Adding, removing: p.Removing, elr: p.ELR, lastKnown: p.LastKnownELR,
		dirs: p.Dirs, recovering: p.Recovering, leader: p.Leader, without: nobody, lost: nobody}
	if c.topic(t).UncleanLeaderElection {
		ch.elect = electUnclean
	}
	return ch
}

// acceptable says whether a replica can lead now.
func (ch *partitionChange) acceptable(r int32) bool {
	b := ch.c.Image.Broker(r)
	return b.Active() && r != ch.without && r != ch.lost && b.HasDir(ch.dirOf(r))
}

func (ch *partitionChange) dirOf(r int32) [16]byte {
	if i := slices.Index(ch.replicas, r); i >= 0 && i < len(ch.dirs) {
		return ch.dirs[i]
	}
	return [16]byte{}
}

// setReplicas wants other replicas. Those that stay keep their directory.
func (ch *partitionChange) setReplicas(replicas []int32) {
	dirs := make([][16]byte, len(replicas))
	for i, r := range replicas {
		if j := slices.Index(ch.replicas, r); j >= 0 && j < len(ch.dirs) {
			dirs[i] = ch.dirs[j]
		} else {
			dirs[i] = ch.c.defaultDir(r)
		}
	}
	ch.replicas, ch.dirs = replicas, dirs
}

// required is the size of ISR from which there is no ELR.
func (ch *partitionChange) required() int {
	p := metadata.Partition{Replicas: ch.replicas, Adding: ch.adding}
	return p.RequiredISR(ch.c.topic(ch.t).MinInsyncReplicas)
}

// record gives what changes the partition to what is wanted, or nil if that is what it is.
func (ch *partitionChange) record() metadata.Record {
	ch.complete()
	ch.eligible()
	ch.election()
	ch.settle()
	r := &metadata.PartitionChangeRecord{TopicID: ch.t.ID, Partition: ch.n, Leader: metadata.Unchanged}
	p := ch.p
	if ch.leader != p.Leader || !subset(p.Replicas, ch.replicas) {
		// Who is taken out of the replicas must not go on being counted: a new epoch, even under the same leader (KIP-455).
		r.Leader = ch.leader
	}
	r.ISR = differs(p.ISR, ch.isr)
	r.Replicas = differs(p.Replicas, ch.replicas)
	r.ELR = differs(p.ELR, ch.elr)
	r.LastKnownELR = differs(p.LastKnownELR, ch.lastKnown)
	r.Adding = differs(p.Adding, ch.adding)
	r.Removing = differs(p.Removing, ch.removing)
	if !slices.Equal(p.Dirs, ch.dirs) {
		r.Dirs = ch.dirs
	}
	if ch.recovering != p.Recovering {
		r.RecoveryState = metadata.Recovered
		if ch.recovering {
			r.RecoveryState = metadata.Recovering
		}
	}
	if noChange(r) {
		return nil
	}
	return r
}

func noChange(r *metadata.PartitionChangeRecord) bool {
	return r.Leader == metadata.Unchanged && r.ISR == nil && r.Replicas == nil && r.Dirs == nil && r.ELR == nil && r.LastKnownELR == nil &&
		r.Adding == nil && r.Removing == nil && r.RecoveryState == metadata.RecoveryUnchanged
}

// differs gives is, not nil, if it is another list than was; else nil.
func differs(was, is []int32) []int32 {
	if slices.Equal(was, is) {
		return nil
	}
	return append(make([]int32, 0, len(is)), is...)
}

// complete ends a reassignment once all replicas that stay are in sync.
func (ch *partitionChange) complete() {
	if len(ch.adding) == 0 && len(ch.removing) == 0 {
		return
	}
	replicas, isr := minus(ch.replicas, ch.removing), minus(ch.isr, ch.removing)
	if len(replicas) == 0 || len(isr) == 0 || !subset(replicas, isr) {
		return
	}
	sometimes.Hit("controller: a reassignment is complete")
	ch.setReplicas(replicas)
	ch.isr, ch.adding, ch.removing = isr, nil, nil
}

// minus gives what of a is not in b, in a's order; it shares nothing with a.
func minus(a []int32, b ...[]int32) []int32 {
	var out []int32
	for _, x := range a {
		if !slices.ContainsFunc(b, func(l []int32) bool { return slices.Contains(l, x) }) {
			out = append(out, x)
		}
	}
	return out
}

// common gives what of a is in b too, in a's order.
func common(a, b []int32) []int32 {
	var out []int32
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// union gives a and then what b adds.
func union(a, b []int32) []int32 { return append(slices.Clone(a), minus(b, a)...) }

// subset says whether all of a is in b.
func subset(a, b []int32) bool { return len(minus(a, b)) == 0 }
