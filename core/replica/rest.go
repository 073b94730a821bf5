package replica

import (
	"slices"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/io/clock"
)

// Rest stands for a replica in sync that was told all there is, in the session in which it goes on asking. While it rests its requests need not
// name the partition, nor look at it: nothing of what an answer would say has changed, and it has all that the leader has.
type Rest struct {
	Owner RestOwner
	p     *Partition // nil: it does not rest
	node  int32
	epoch int64
}

// RestOwner is told when a rest has ended by a change.
type RestOwner interface {
	// Asked is when the replica asked last: up to then it had everything.
	Asked() clock.Time
	// Stirred says that the partition must be looked at again; with wake, that there may be something to answer now.
	Stirred(wake bool)
}

// Rest begins a rest of a replica, which has fetched under that broker epoch; false if there is, or may soon be, something to do for it.
func (p *Partition) Rest(r *Rest, node int32, brokerEpoch int64) bool {
	assert.That(r.p == nil, "replica: it rests already")
	f := p.follower(node)
	switch {
	case p.role != leading || p.failed || p.closed || p.truncating || f == nil || f.epoch != brokerEpoch:
		return false
	case p.isr.pending != nil || p.isr.asked || p.isr.again || !slices.Contains(p.state.ISR, node):
		return false
	case f.end != p.Log.WrittenEnd() || p.hw != f.end || p.Log.End() != f.end:
		return false
	}
	r.p, r.node, r.epoch = p, node, brokerEpoch
	p.resting = append(p.resting, r)
	return true
}

// End ends a rest without a word. What was known of the replica at its last request is still so.
func (r *Rest) End() {
	p := r.p
	if p == nil {
		return
	}
	p.awake(r)
	i := slices.Index(p.resting, r)
	p.resting = slices.Delete(p.resting, i, i+1)
}

// awake counts the replica as one that fetched when it asked last.
func (p *Partition) awake(r *Rest) {
	r.p = nil
	if f := p.follower(r.node); f != nil && f.epoch == r.epoch {
		at := r.Owner.Asked()
		f.caughtUp, f.fetched = max(f.caughtUp, at), max(f.fetched, at)
	}
}

// stir ends all rests: something has changed.
func (p *Partition) stir(wake bool) {
	if len(p.resting) == 0 {
		return
	}
	rs := p.resting
	p.resting = nil
	for _, r := range rs {
		p.awake(r)
	}
	for i, r := range rs {
		rs[i] = nil
		if r.p == nil { // else whoever was told before has let it rest again
			r.Owner.Stirred(wake)
		}
	}
	if p.resting == nil {
		p.resting = rs[:0]
	}
}
