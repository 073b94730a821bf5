package simnet

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
)

// connectTimeout is how long a dial tries through a partition.
const connectTimeout = 10 * clock.Second

// Connect dials. The half is the dialler's own at once; Host.Opened or Host.Readable (with Over) follows.
func (n *Net) Connect(from, to End, lane int, tag uint64) *Half {
	n.dials[from]++
	return n.connect(from, to, lane, tag, n.key.Sub(int64(from)).Sub(n.dials[from]))
}

func (n *Net) connect(from, to End, lane int, tag uint64, key engine.Key) *Half {
	h := n.newHalf(from, key)
	h.Tag, h.Lane, h.Dial = tag, lane, true
	h.peer = n.newHalf(to, key.Sub(2))
	h.peer.peer = h
	n.eng.After(n.hop(h), n.who, n, kindSyn, h.num, int64(n.eng.Now().Add(connectTimeout)))
	return h
}

// Aim says which port of the other host a dial that has just begun goes to; 0 unless it is called.
func (h *Half) Aim(port uint8) { h.Port, h.peer.Port = port, port }

func (n *Net) hop(h *Half) clock.Duration {
	d := clock.Duration(h.delay.Between(30, 250))*clock.Microsecond + n.lag[[2]End{h.owner, h.peer.owner}]
	if k, ok := n.knob(fault.N1); ok && h.n1.Permille(k.P) {
		n.ledger.Hit(fault.N1, "")
		d += clock.Duration(engine.Exp(&h.n1, k.A*int64(clock.Millisecond)))
	}
	return d
}

// syn reaches the other side, or tries again later.
func (n *Net) syn(h *Half, until clock.Time) {
	if h.closed || h.over {
		n.end(h)
		return
	}
	from, to := h.owner, h.peer.owner
	dark := h.peer.mute(n)
	if dark || n.block[from][to] > 0 || n.block[to][from] > 0 {
		if n.eng.Now() >= until {
			n.end(h)
			return
		}
		n.eng.After(clock.Second, n.who, n, kindSyn, h.num, int64(until))
		return
	}
	lane, ok := n.hosts[to].Incoming(h.Port, h.delay.Uint64())
	if !ok {
		h.peer.over, h.peer.told = true, true
		n.eng.After(n.hop(h), n.who, n, kindRefused, h.num, 0)
		return
	}
	h.peer.Lane, h.peer.open = lane, true
	n.hosts[to].Opened(h.peer)
	n.eng.After(n.hop(h), n.who, n, kindOpened, h.num, 0)
}

func (n *Net) opened(h *Half) {
	if h.over {
		return
	}
	h.open = true
	if h.closed {
		n.pump(h)
		return
	}
	n.hosts[h.owner].Opened(h)
	n.pump(h)
	n.pump(h.peer)
	if h.More() && !h.over {
		n.hosts[h.owner].Readable(h)
	}
}

// Close is the owner's: what it has queued still leaves, then the peer learns of it. No call but Sent follows for this half.
func (n *Net) Close(h *Half) {
	if h.closed {
		return
	}
	h.closed, h.told = true, true
	h.rx, h.rxAt = nil, 0
	if h.over {
		n.retire(h)
		return
	}
	h.queue = append(h.queue, item{fin: true})
	n.pump(h)
}

// Drop is Close for an owner that does not wait: what has not left is dropped, its tokens are answered at once.
func (n *Net) Drop(h *Half) {
	if h.closed {
		return
	}
	n.flush(h)
	n.Close(h)
}

// flush answers what has not left, without sending it.
func (n *Net) flush(h *Half) {
	for ; h.head < len(h.queue); h.head++ {
		n.done(h, &h.queue[h.head])
	}
	h.queue, h.head, h.unsent = h.queue[:0], 0, 0
}

// Reset breaks the connection: this end knows at once, the other soon; bytes that have left may still arrive there first.
func (n *Net) Reset(h *Half) {
	peer := h.peer
	if !peer.over {
		at := max(h.last+1, n.eng.Now().Add(n.hop(h)))
		n.eng.At(at, n.who, n, kindReset, peer.num, 0)
	}
	n.end(h)
}

// Sever resets every connection between two endpoints: somebody on the way has forgotten them.
func (n *Net) Sever(a, b End) {
	for _, h := range append([]*Half(nil), n.live...) {
		if h.owner == a && h.peer != nil && h.peer.owner == b && !h.over {
			n.Reset(h)
		}
	}
}

// end ends one half: its sends are answered, its owner is told.
func (n *Net) end(h *Half) {
	if h.over {
		return
	}
	h.over = true
	n.flush(h)
	if h.Dial && !h.open && h.peer != nil && !h.peer.open {
		h.peer.over, h.peer.told = true, true
		n.retire(h.peer)
	}
	if h.closed || h.told {
		n.retire(h)
		return
	}
	n.hosts[h.owner].Readable(h)
}

// Die ends all connections of an endpoint whose process is gone. If its machine lost power, the others hear nothing until they send, and
// what was under way is lost: an answer that arrives just before the power goes tells the same story, and leaves no doubt about when
// the loss may be excused.
func (n *Net) Die(at End, power bool) {
	halves := append([]*Half(nil), n.live...)
	for _, h := range halves {
		if h.owner != at || h.over {
			continue
		}
		h.closed, h.told, h.over, h.silent = true, true, true, power
		h.queue, h.head, h.unsent = nil, 0, 0
		if !power && !h.peer.over {
			n.eng.At(max(h.last+1, n.eng.Now().Add(n.hop(h))), n.who, n, kindReset, h.peer.num, 0)
		}
	}
}
