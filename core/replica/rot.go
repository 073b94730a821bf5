package replica

import (
	"slices"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// A leader sends the bytes of its log unread, and followers check them. What a follower refuses, the leader looks at on its own disk; so it
// does where it cannot find a batch itself. If its log is damaged there, and others are in sync, they have what it has lost: it leaves the ISR,
// with which it leads no more and is in no ELR, cuts its log before the damage and fetches the rest again.
//
//	sound ──refused, or nothing found──▶ disputed ──whole──▶ sound: gaps up to the end of the segment are compaction's
//	                                        └──damaged──▶ rotten ──in neither ISR nor ELR──▶ cut ─▶ sound
//
// Without another member in sync it goes on leading, and serves what can be read: consumers see what is wrong, as with Kafka. What is known is
// forgotten with the process, and found again by the next who reads it.
type rot struct {
	looking  bool  // a task reads the log
	disputed int64 // leading: where a follower has refused what it was sent, or nothing could be found; -1 nowhere
	at       int64 // the log is damaged from here on, -1 nowhere
	sparse   int64 // leading: gaps below are known to be compaction's
	alone    bool  // it was said that nobody else is in sync
}

// cut follows a truncation, and says whether it was for the damage.
func (r *rot) cut(to int64) bool {
	damaged := r.at >= 0 && to <= r.at
	if damaged {
		*r = rot{looking: r.looking, disputed: -1, at: -1}
	}
	r.sparse = min(r.sparse, to)
	return damaged
}

// Refused says that a follower could not take what it was sent from an offset on.
func (p *Partition) Refused(offset int64) { p.look(offset) }

// LogDamaged is the log's call: what should stand at an offset could not be found.
func (p *Partition) LogDamaged(_ *commitlog.Log, offset int64) {
	if p.IsLeader() {
		p.look(offset)
	}
}

// Withholds says whether a follower that asks for an offset is to wait: it has refused what stands there, and would again.
func (p *Partition) Withholds(offset int64) bool {
	return p.rot.disputed == offset && (p.rot.looking || p.rot.at >= 0)
}

// SparseTo is the offset below which gaps between batches are compaction's, 0 if that is not known of any.
func (p *Partition) SparseTo() int64 { return p.rot.sparse }

// Rotten says whether the log is known to be damaged, and from which offset on.
func (p *Partition) Rotten() (at int64, yes bool) { return p.rot.at, p.rot.at >= 0 }

// look has the log read where something is disputed.
func (p *Partition) look(offset int64) {
	r := &p.rot
	switch {
	case r.at >= 0:
		p.giveUp()
		return
	case r.looking || p.failed || p.closed || p.truncating:
		return
	}
	r.looking, r.disputed = true, offset
	task.Go(p.env, func(t *task.Task) {
		at, sparse, err := p.Log.Verify(t, offset)
		if t.Stopped() {
			return
		}
		r.looking = false
		if err != disk.OK || at < 0 {
			r.disputed, r.sparse = -1, max(r.sparse, sparse)
		} else if !p.truncating && at < p.Log.End() {
			p.damaged(at)
		}
		p.fireAll()
	})
}

// damaged notes where the log is.
func (p *Partition) damaged(at int64) {
	p.rot.at = at
	sometimes.Hit("replica: a log is found damaged on the disk")
	p.env.Errorf("%s is damaged at offset %d: what stands there on the disk is not what was written", p.Log.Dir(), at)
	p.giveUp()
	p.cutRot()
}

// giveUp has a leader with a damaged log ask that another leads. What was cut off the log's front meanwhile does not matter any more.
func (p *Partition) giveUp() {
	r := &p.rot
	if r.at < 0 || p.failed || p.closed || p.truncating {
		return
	}
	if r.at < p.Log.Start() {
		*r = rot{disputed: -1, at: -1, sparse: r.sparse}
		return
	}
	if p.role == leading && (p.isr.pending != nil || p.isr.asked) {
		return
	}
	var others []int32
	for _, node := range p.state.ISR {
		if p.role == leading && node != p.state.Me && p.alive(node) {
			others = append(others, node)
		}
	}
	if len(others) > 0 {
		sometimes.Hit("replica: a leader with a damaged log gives up")
		p.propose(others)
		return
	}
	if p.IsLeader() && !r.alone {
		r.alone = true
		sometimes.Hit("replica: a damaged log has no other copy in sync")
		p.env.Errorf("%s: no other replica in sync has what is damaged at offset %d; restore the records from where they came, or have another replica elected (an unclean election)", p.Log.Dir(), r.at)
	}
}

func (p *Partition) alive(node int32) bool {
	_, alive := p.state.BrokerEpochs(node)
	return alive
}

// cutRot cuts a damaged log of a follower on which nobody counts: its leader has what is fetched again.
func (p *Partition) cutRot() {
	if p.rot.at < 0 || p.role != following || p.truncating || p.mayBeElected() {
		return
	}
	sometimes.Hit("replica: a damaged log is cut, to be fetched again")
	p.truncate(max(p.rot.at, p.Log.Start()), false)
	p.Observer.FollowerReady(p) // not any more: whoever fetches it must not ask where to go on
}

// mayBeElected says whether this replica is counted on to have all that is committed. While its log is cut it cannot come to be.
func (p *Partition) mayBeElected() bool {
	s := &p.state
	return slices.Contains(s.ISR, s.Me) || slices.Contains(s.ELR, s.Me) || slices.Contains(s.LastKnownELR, s.Me)
}
