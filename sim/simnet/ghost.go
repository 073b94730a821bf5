package simnet

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
)

// ghost is a request that is sent once more on a connection of its own (F:N4). Nobody reads the answer.
type ghost struct {
	to    End
	port  uint8
	frame []byte
	half  *Half
	num   int64
	key   engine.Key
}

// ghostLife is how long a ghost waits for its answer.
const ghostLife = 20 * clock.Second

// nodesLateMore is how much more often a request of a node is late than one of a client: few may be.
const nodesLateMore = 10

// SendRequest is SendBytes of one whole request with its length before it, where the host says what the network may do to it: it may arrive late (F:N3),
// with all that is sent behind it, or once more on a second connection (F:N4).
func (n *Net) SendRequest(h *Half, b []byte, tok disk.Token) {
	if h.over || h.closed {
		n.done(h, &item{tok: tok})
		return
	}
	c := n.buffer(len(b))
	copy(c, b)
	it := item{b: c, tok: tok}
	if k, ok := n.knob(fault.N3); ok && h.n3.Permille(k.P*nodesLateMore) && n.mayRepeat(h, b[4:]) {
		n.ledger.Note(n.eng.Now(), fault.N3, -1, "a late request of a node")
		it.late = clock.Duration(h.n3.Between(k.A, k.B)) * clock.Second
	}
	n.enqueue(h, it)
	if k, ok := n.knob(fault.N4); ok && !h.over && h.n4.Permille(k.P) {
		n.repeat(h, b[4:])
	}
}

func (n *Net) mayRepeat(h *Half, frame []byte) bool {
	r, ok := n.hosts[h.owner].(Repeater)
	return ok && r.MayRepeat(frame)
}

func (n *Net) repeat(h *Half, frame []byte) {
	if !n.mayRepeat(h, frame) {
		return
	}
	n.ledger.Note(n.eng.Now(), fault.N4, -1, "a repeated request")
	g := &ghost{to: h.peer.owner, port: h.Port, frame: append([]byte(nil), frame...), num: int64(len(n.ghosts)), key: engine.Key(h.n4.Uint64())}
	n.ghosts = append(n.ghosts, g)
	wait := clock.Duration(h.n4.Between(0, 5000)) * clock.Millisecond
	if h.n4.Permille(500) {
		wait = clock.Duration(h.n4.Between(0, 5000)) * clock.Microsecond
	}
	n.eng.After(wait, n.who, n, kindGhost, g.num, 0)
}

func (g *ghost) start(n *Net) {
	if n.ghostEnd < 0 {
		n.ghostEnd = n.Add(ghosts{})
	}
	g.half = n.connect(n.ghostEnd, g.to, 0, 0, g.key)
	g.half.Aim(g.port)
	b := make([]byte, 4, 4+len(g.frame))
	binary.BigEndian.PutUint32(b, uint32(len(g.frame)))
	n.SendBytes(g.half, append(b, g.frame...), disk.Extent{}, 0)
	g.frame = nil
	n.eng.After(ghostLife, n.who, n, kindGhostEnd, g.num, 0)
}

func (g *ghost) end(n *Net) {
	n.Close(g.half)
	n.ghosts[g.num] = nil
}

// ghosts is the host of all ghosts: it takes what comes and does nothing with it.
type ghosts struct{}

func (ghosts) Incoming(uint8, uint64) (int, bool)             { return 0, false }
func (ghosts) Opened(*Half)                                   {}
func (ghosts) Sent(*Half, disk.Token)                         {}
func (ghosts) ReadExtent(disk.Extent, []byte, int64) disk.Err { return disk.ErrIO }
func (ghosts) Unpin(disk.Extent)                              {}
func (ghosts) Readable(h *Half) {
	for {
		if _, ok, _ := h.Next(); !ok {
			return
		}
	}
}
