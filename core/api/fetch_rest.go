package api

import (
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/io/clock"
)

// A follower's session that is idle costs nothing by its partitions: one of which everything is told rests (replica.Rest), and a request does
// not look at it again until something changes that an answer would say. Only partitions of the session's own shard rest.
//
//	active ──a request waits, and all is told──▶ resting ──it changes, or the follower names it──▶ active

// begin is a request of the session. A follower that has registered anew counts anew everywhere.
func (x *session) begin(replica int64) {
	if x.replica != replica {
		x.wakeAll()
		x.replica = replica
	}
	x.polls++
	x.clearStirred()
}

func (x *session) clearStirred() {
	clear(x.stirred)
	x.stirred = x.stirred[:0]
}

// wake makes a part active.
func (x *session) wake(p *sessionPart) {
	if p.in.In(&x.resting) {
		p.rest.End()
		x.resting.Remove(&p.in)
		x.active.Push(p, &p.in)
	}
}

func (x *session) wakeAll() {
	for p := x.resting.First(); p != nil; p = x.resting.First() {
		x.wake(p)
	}
}

// rests lets item i of a request that waits rest, if it can.
func (r *Request) rests(i int32, p *replica.Partition) bool {
	f, it := &r.fetch, &r.items[i]
	sp := f.parts[i].sess
	switch {
	case sp == nil || !f.reads.follows() || f.reads.commits || sp.sess.dropped:
		return false
	case sp.in.In(&sp.sess.resting):
		return true
	case !sp.in.In(&sp.sess.active) || sp.named || sp.hw != it.HW || sp.start != it.Start || !p.Rest(&sp.rest, f.reads.replica, f.reads.epoch):
		return false
	}
	sp.sess.active.Remove(&sp.in)
	sp.sess.resting.Push(sp, &sp.in)
	return true
}

// Asked is replica.RestOwner.
func (p *sessionPart) Asked() clock.Time { return p.sess.used }

// Stirred is replica.RestOwner.
func (p *sessionPart) Stirred(wake bool) {
	x := p.sess
	if !p.in.In(&x.resting) { // the follower has just named it
		return
	}
	x.wake(p)
	x.stirred = append(x.stirred, p)
	if r := x.waiter; r != nil && wake {
		x.waiter = nil
		r.endWait(nil)
		r.part()
	}
}

// readStirred adds what was resting when the request began, and is not any more.
func (r *Request) readStirred() {
	x := r.fetch.ctx.sess
	if x == nil {
		return
	}
	for _, p := range x.stirred {
		if p.poll != x.polls && p.in.In(&x.active) {
			r.readPart(p)
		}
	}
	x.clearStirred()
}

// waits has whatever stirs end the wait of r. A session has one request at a time; of a client that sends more the newest one waits.
func (x *session) waits(r *Request) {
	if x == nil || x.dropped {
		return
	}
	if old := x.waiter; old != nil {
		old.fetchTimedOut()
	}
	x.waiter = r
	r.remain++
}

// waitsNot takes that back.
func (x *session) waitsNot(r *Request) {
	if x != nil && x.waiter == r {
		x.waiter = nil
		r.remain--
	}
}
