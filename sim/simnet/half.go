package simnet

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
	"github.com/seedlog/seedlog/sim/engine"
)

// Half is one end of a connection. Tag, Lane and Held are its owner's.
type Half struct {
	Tag  uint64
	Lane int
	Dial bool  // this end dialled
	Port uint8 // which of the accepting host's listeners; set by Aim, before the dial arrives

	num   int64
	owner End
	peer  *Half

	rx      []byte // arrived and not taken
	rxAt    int
	fin     bool // the peer has closed; what is in rx comes first
	over    bool // reset, refused, or gone: nothing comes or goes any more
	open    bool // Opened was called
	closed  bool // the owner has closed
	told    bool // the owner knows that it is over
	refused bool // of a dial: nobody listens there
	shut    bool // half-closed by F:N8: nothing more is sent, answers may come
	reading bool
	silent  bool // its machine lost power: what was under way from here is lost too

	queue   []item
	head    int
	unsent  int64
	flying  int64 // bytes that have left and not arrived
	pos     int64 // bytes that have left, in all
	cutAt   int64 // the connection is reset when so many have left; -1: never
	last    clock.Time
	pumping bool
	wants   int64 // call Readable when unsent is at most this; -1: no wish
	turn    bool  // within the pump's own event: an extent may leave
	pieces  int   // pieces in flight from here

	delay, cut, n1, n2, n3, n4, n8 prng.Source
}

// item is one queued send: bytes, then an extent.
type item struct {
	b    []byte
	at   int
	ext  disk.Extent
	tok  disk.Token
	late clock.Duration
	fin  bool
}

func (i *item) left() int64 { return int64(len(i.b)-i.at) + int64(i.ext.Len) }

// Owner is the endpoint of this half, Peer that of the other.
func (h *Half) Owner() End { return h.owner }

// Refused says why a dial is over: the other machine is there, and nobody listens.
func (h *Half) Refused() bool { return h.refused }

// Broken says that the connection has ended otherwise than by the peer's close.
func (h *Half) Broken() bool { return h.over }

// Peer is the endpoint at the other side.
func (h *Half) Peer() End { return h.peer.owner }

// Num is the half's number in the trace.
func (h *Half) Num() int64 { return h.num }

// PeerNum is the number of the half at the other side.
func (h *Half) PeerNum() int64 { return h.peer.num }

// Unsent is how many bytes wait to leave.
func (h *Half) Unsent() int64 { return h.unsent }

// Over says that the connection has ended for this owner, and Next has no further frame.
func (h *Half) Over() bool { return h.over || h.fin && !h.whole() }

// whole says whether rx begins with a complete frame, or with a length that cannot be.
func (h *Half) whole() bool {
	b := h.rx[h.rxAt:]
	if len(b) < 4 {
		return false
	}
	n := int32(binary.BigEndian.Uint32(b))
	return n < 1 || n > network.MaxFrame || len(b)-4 >= int(n)
}

// Next takes one frame. ok is false if none is complete; bad says that the stream holds a length that no frame can have.
// The bytes are valid until the next call that concerns this half.
func (h *Half) Next() (frame []byte, ok, bad bool) {
	if h.over || !h.whole() {
		return nil, false, false
	}
	b := h.rx[h.rxAt:]
	n := int32(binary.BigEndian.Uint32(b))
	if n < 1 || n > network.MaxFrame {
		return nil, false, true
	}
	h.rxAt += 4 + int(n)
	return b[4 : 4+n], true, false
}

// More says whether Next would give another frame, or the end.
func (h *Half) More() bool { return h.over || h.whole() || h.fin }

// Read says whether the owner reads this half: if not, bytes pile up on the other side.
func (n *Net) Read(h *Half, on bool) {
	h.reading = on
	if on && h.peer != nil && !h.peer.over {
		n.wake(h.peer, 0)
	}
}

// Wants asks for Readable once Unsent has fallen to limit.
func (n *Net) Wants(h *Half, limit int64) { h.wants = limit }

func (n *Net) newHalf(owner End, key engine.Key) *Half {
	h := &Half{num: int64(len(n.halves)), owner: owner, cutAt: -1, reading: true, wants: -1}
	h.delay, h.cut = key.Sub(1).Source(), key.Sub(8).Source()
	h.n1, h.n2, h.n3, h.n4 = key.Sub(11).Source(), key.Sub(12).Source(), key.Sub(13).Source(), key.Sub(14).Source()
	h.n8 = key.Sub(18).Source()
	n.halves = append(n.halves, h)
	n.live = append(n.live, h)
	return h
}

// retire forgets a half that nothing will touch again.
func (n *Net) retire(h *Half) {
	if !h.over || h.pieces > 0 || h.peer != nil && (!h.peer.over || h.peer.pieces > 0) {
		return
	}
	if !h.told && !h.closed {
		return
	}
	n.halves[h.num] = nil
	h.rx = nil
	for i, x := range n.live {
		if x == h {
			n.live = append(n.live[:i], n.live[i+1:]...)
			break
		}
	}
}

// Told says that the owner has taken note of the end.
func (n *Net) Told(h *Half) {
	h.told = true
	n.retire(h)
}
