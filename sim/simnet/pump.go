package simnet

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
)

const (
	window   = 256 << 10 // bytes in flight where F:N7 says nothing
	maxPiece = 64 << 10
)

// piece is bytes in flight.
type piece struct {
	from *Half
	b    []byte
	fin  bool
	at   clock.Time // when it arrives
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SendFrame queues a frame of a client: its length and its bytes, which are copied. Faults that hit single requests are drawn here.
func (n *Net) SendFrame(h *Half, frame []byte) {
	if h.over || h.closed || h.shut {
		return
	}
	b := n.buffer(4 + len(frame))
	binary.BigEndian.PutUint32(b, uint32(len(frame)))
	copy(b[4:], frame)
	it := item{b: b}
	n.strike(h, &it)
	n.enqueue(h, it)
	if k, ok := n.knob(fault.N8); ok && h.n8.Permille(k.P/40) && !h.over {
		n.ledger.Hit(fault.N8, "half-close")
		h.shut = true
		n.enqueue(h, item{fin: true})
	}
}

// SendBytes queues bytes that hold their own lengths, then an extent; b is copied. tok is answered by Host.Sent, if not 0.
// The extent is pinned by the caller and given back through Host.Unpin.
func (n *Net) SendBytes(h *Half, b []byte, x disk.Extent, tok disk.Token) {
	if h.over || h.closed {
		n.done(h, &item{ext: x, tok: tok})
		return
	}
	c := n.buffer(len(b))
	copy(c, b)
	n.enqueue(h, item{b: c, ext: x, tok: tok})
}

func (n *Net) enqueue(h *Half, it item) {
	h.queue = append(h.queue, it)
	h.unsent += it.left()
	n.pump(h)
}

// strike draws what happens to one request: F:N2, F:N3, F:N4.
func (n *Net) strike(h *Half, it *item) {
	if k, ok := n.knob(fault.N2); ok && h.n2.Permille(k.P) {
		n.ledger.Hit(fault.N2, "in a request")
		if h.n2.Permille(500) || h.peer == nil {
			h.cutAt = h.pos + h.unsent + h.n2.Int63n(int64(len(it.b)))
		} else {
			h.peer.cutAt = h.peer.pos + h.peer.unsent + h.n2.Int63n(200)
		}
	}
	if k, ok := n.knob(fault.N3); ok && h.n3.Permille(k.P) {
		n.ledger.Note(n.eng.Now(), fault.N3, -1, "a late request")
		it.late = clock.Duration(h.n3.Between(k.A, k.B)) * clock.Second
	}
	if k, ok := n.knob(fault.N4); ok && h.n4.Permille(k.P) {
		n.repeat(h, it.b[4:])
	}
}

// wake schedules a pump.
func (n *Net) wake(h *Half, d clock.Duration) {
	if h.pumping || h.head == len(h.queue) {
		return
	}
	h.pumping = true
	n.eng.After(d, n.who, n, kindPump, h.num, 0)
}

func (n *Net) window() int64 {
	if k, ok := n.knob(fault.N7); ok {
		return max(1, k.B)
	}
	return window
}

// pump lets bytes leave, as far as the window and the faults allow.
func (n *Net) pump(h *Half) {
	for h.head < len(h.queue) && !h.over {
		if !h.peer.open || n.block[h.owner][h.peer.owner] > 0 {
			return
		}
		busy := h.flying
		if !h.peer.reading {
			busy += int64(len(h.peer.rx) - h.peer.rxAt)
		}
		room := n.window() - busy
		if room <= 0 {
			if room < 0 || h.flying > 0 {
				n.countClog()
			}
			return
		}
		it := &h.queue[h.head]
		if it.fin {
			n.leave(h, nil, true, 0)
			h.head++
			continue
		}
		if it.ext.Len > 0 {
			if !h.turn {
				n.wake(h, clock.Duration(h.delay.Between(1, 20))*clock.Microsecond)
				return
			}
			h.turn = false
		}
		n.emit(h, it, room)
	}
	if h.head == len(h.queue) {
		h.queue, h.head = h.queue[:0], 0
	}
}

func (n *Net) countClog() {
	if _, ok := n.knob(fault.N7); ok {
		n.ledger.Hit(fault.N7, "")
	}
}

// emit lets one piece of an item leave.
func (n *Net) emit(h *Half, it *item, room int64) {
	size := min(it.left(), room, maxPiece)
	size = n.cutPiece(h, size)
	if h.cutAt >= 0 && h.pos+size >= h.cutAt {
		size = max(0, h.cutAt-h.pos)
	}
	b := n.buffer(int(size))
	k := copy(b, it.b[it.at:])
	it.at += k
	if rest := b[k:]; len(rest) > 0 {
		if err := n.hosts[h.owner].ReadExtent(it.ext, rest, it.ext.Off); err != disk.OK {
			n.Reset(h)
			return
		}
		it.ext.Off += int64(len(rest))
		it.ext.Len -= int32(len(rest))
	}
	h.pos += size
	h.unsent -= size
	n.leave(h, b, false, it.late)
	if h.cutAt >= 0 && h.pos >= h.cutAt {
		n.Reset(h)
		return
	}
	if it.left() == 0 {
		h.head++
		n.done(h, it)
	}
	if h.wants >= 0 && h.unsent <= h.wants {
		h.wants = -1
		n.hosts[h.owner].Readable(h)
	}
}

// cutPiece shortens a piece under F:N8: often to a handful of bytes, so that every boundary of a frame is met.
func (n *Net) cutPiece(h *Half, size int64) int64 {
	k, ok := n.knob(fault.N8)
	if !ok || size <= 1 || !h.cut.Permille(k.P) {
		return size
	}
	n.ledger.Hit(fault.N8, "cut")
	if h.cut.Permille(500) {
		return h.cut.Between(1, min(size, 16))
	}
	return h.cut.Between(1, size)
}

// leave sends a piece on its way. It arrives after what left before it.
func (n *Net) leave(h *Half, b []byte, fin bool, late clock.Duration) {
	d := clock.Duration(h.delay.Between(30, 250))*clock.Microsecond + late + n.lag[[2]End{h.owner, h.peer.owner}]
	if k, ok := n.knob(fault.N1); ok && h.n1.Permille(k.P) {
		n.ledger.Hit(fault.N1, "")
		d += clock.Duration(engine.Exp(&h.n1, k.A*int64(clock.Millisecond)))
	}
	if k, ok := n.knob(fault.N7); ok && k.A > 0 {
		d += clock.Duration(int64(len(b)) * int64(clock.Second) / k.A)
	}
	h.last = max(h.last+1, n.eng.Now().Add(d))
	i := int32(len(n.pieces))
	if k := len(n.free); k > 0 {
		i = n.free[k-1]
		n.free = n.free[:k-1]
		n.pieces[i] = piece{h, b, fin, h.last}
	} else {
		n.pieces = append(n.pieces, piece{h, b, fin, h.last})
	}
	h.flying += int64(len(b))
	h.pieces++
	n.eng.At(h.last, n.who, n, kindArrive, int64(i), h.num)
}

// arrive hands a piece to the other end.
func (n *Net) arrive(i int32) {
	p := n.pieces[i]
	n.pieces[i] = piece{}
	n.free = append(n.free, i)
	from, to := p.from, p.from.peer
	from.pieces--
	from.flying -= int64(len(p.b))
	defer n.retire(from)
	if from.silent {
		n.release(p.b)
		return
	}
	if to.over || to.closed {
		n.release(p.b)
		if p.fin && to.closed && !to.over {
			n.end(from)
			n.end(to)
			return
		}
		n.refuse(from, to)
		return
	}
	n.eng.Trace(n.who, kindBytes, to.num, int64(len(p.b)), int64(crc32.Checksum(p.b, castagnoli)))
	if to.rxAt > 0 && to.rxAt >= len(to.rx)-to.rxAt {
		to.rx = to.rx[:copy(to.rx, to.rx[to.rxAt:])]
		to.rxAt = 0
	}
	to.rx = append(to.rx, p.b...)
	n.release(p.b)
	to.fin = to.fin || p.fin
	if to.open && to.More() {
		n.hosts[to.owner].Readable(to)
	}
	n.wake(from, 0)
}

// refuse answers bytes that came to an end that is gone. A machine without power answers nothing.
func (n *Net) refuse(from, to *Half) {
	if !from.over && !to.mute(n) {
		n.eng.After(clock.Duration(from.delay.Between(30, 250))*clock.Microsecond, n.who, n, kindReset, from.num, 0)
	}
}

func (h *Half) mute(n *Net) bool {
	m, ok := n.hosts[h.owner].(interface{ Dark() bool })
	return ok && m.Dark()
}

// done answers a send and gives its extent back.
func (n *Net) done(h *Half, it *item) {
	n.release(it.b)
	it.b = nil
	if it.ext.File != 0 {
		n.hosts[h.owner].Unpin(it.ext)
	}
	if it.tok != 0 {
		n.hosts[h.owner].Sent(h, it.tok)
	}
}

// buffer and release keep the bytes in flight out of the collector's way.
func (n *Net) buffer(size int) []byte {
	if k := len(n.spare); k > 0 && size <= 4096 {
		b := n.spare[k-1]
		n.spare = n.spare[:k-1]
		return b[:size]
	}
	return make([]byte, size, max(size, 4096))
}

func (n *Net) release(b []byte) {
	if cap(b) == 4096 && len(n.spare) < 1024 {
		n.spare = append(n.spare, b)
	}
}
