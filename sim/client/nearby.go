package client

import (
	"slices"

	"github.com/seedlog/seedlog/io/clock"
)

// nearby is the follower that a leader has sent a reader to, since it is in the reader's rack (KIP-392). The reader goes there until it is refused, gets
// no answer, or some time is over; then it asks the leader again.
type nearby struct {
	node  int        // valid until it expires
	until clock.Time // 0: there is none
	at    int        // who was asked last, plus one
	away  bool       // that was no leader
	since int        // the assignment under which a fetch is under way, plus one; 0: none is
}

// source is the node that a position is read from. A fetch that is under way is waited for; what only the leader can say is asked there.
func (f *fetcher) source(p *position, leader int) int {
	n := &p.near
	switch {
	case f.cfg.Rack == "" || leader < 0:
		return leader
	case n.since == f.gen+1:
		return n.at - 1
	case n.until <= f.b.n.Now() || p.lost || f.unproven(p):
		return leader
	}
	return n.node
}

// leave notes that positions are asked for at a node. Sessions that have a position which is read elsewhere, or is not read now, are given up.
func (f *fetcher) leave(pos []*position, node int) {
	if f.cfg.Rack == "" {
		return
	}
	for _, p := range f.pos {
		n, here := &p.near, slices.Contains(pos, p)
		if here != (n.at == node+1) {
			f.noSession()
		}
		switch {
		case here:
			n.at, n.since, n.away = node+1, f.gen+1, node != p.topic.lead[p.part]
		case n.at == node+1:
			n.at = 0
		}
	}
}

// back notes that the answer is there, or that there will be none.
func (f *fetcher) back(pos []*position, gen int, failed bool) {
	for _, p := range pos {
		if p.near.since == gen+1 {
			p.near.since = 0
		}
		if failed {
			p.near.until = 0
		}
	}
}

// prefer has a position read from a follower for some seconds more than a fetch there may already be waiting.
func (f *fetcher) prefer(p *position, node int) {
	p.near.node, p.near.until = node, f.b.n.Now().Add(clock.MS(int64(f.cfg.MaxWaitMS))+f.b.jitter(5*clock.Second))
	f.noSession()
}
