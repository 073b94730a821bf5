package simnet

import (
	"slices"

	"github.com/seedlog/seedlog/io/clock"
)

// Link is one connection, as nobody in the run sees it: both ends, and what is under way between them.
type Link struct {
	Port     uint8
	From, To Side // From dialled
}

// Side is one end of a connection. What it has sent and the other end's owner has not taken is, in this order, Arrived, Flying, Unsent.
type Side struct {
	Num     int64
	Owner   End
	Open    bool // its owner was told that the connection is there
	Closed  bool // its owner has closed it
	Over    bool // it is reset, refused, or its machine is gone
	Reads   bool // its owner takes what comes
	Blocked bool // a fault holds back what it sends

	Arrived, Flying, Unsent int64      // bytes
	Next                    clock.Time // when the next bytes in flight arrive; 0: none are
	Stream                  []byte     // those bytes, up to the first that are still on a disk
}

// Links gives the connections that at least one end still knows, in the order in which they were dialled. It changes nothing.
func (n *Net) Links() (all []Link) {
	for _, h := range n.halves {
		if h == nil || !h.Dial && n.halves[h.peer.num] != nil {
			continue // the other end shows it
		}
		from := h
		if !h.Dial {
			from = h.peer
		}
		all = append(all, Link{Port: from.Port, From: n.side(from), To: n.side(from.peer)})
	}
	slices.SortFunc(all, func(a, b Link) int { return int(a.From.Num - b.From.Num) })
	return all
}

func (n *Net) side(h *Half) Side {
	to := h.peer
	s := Side{Num: h.num, Owner: h.owner, Open: h.open, Closed: h.closed, Over: h.over, Reads: h.reading, Blocked: n.block[h.owner][to.owner] > 0,
		Arrived: int64(len(to.rx) - to.rxAt), Flying: h.flying, Unsent: h.unsent}
	s.Stream = append(s.Stream, to.rx[to.rxAt:]...)
	for _, p := range n.flights(h) {
		if s.Next == 0 {
			s.Next = p.at
		}
		s.Stream = append(s.Stream, p.b...)
	}
	for i := h.head; i < len(h.queue); i++ {
		it := &h.queue[i]
		s.Stream = append(s.Stream, it.b[it.at:]...)
		if it.ext.Len > 0 {
			break
		}
	}
	return s
}

// flights are the pieces that a half has sent and that have not arrived, in order.
func (n *Net) flights(h *Half) (ps []piece) {
	for _, p := range n.pieces {
		if p.from == h {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, func(a, b piece) int { return int(a.at - b.at) })
	return ps
}
