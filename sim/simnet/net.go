package simnet

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
)

// Kinds of trace lines.
const (
	kindPump engine.Kind = 100 + iota
	kindArrive
	kindBytes
	kindSyn
	kindOpened
	kindRefused
	kindReset
	kindGhost
	kindGhostEnd
)

var _ = engine.Describe(kindPump, "net pump half=%d") &&
	engine.Describe(kindArrive, "net arrive piece=%d") &&
	engine.Describe(kindBytes, "net bytes half=%d len=%d sum=%#x") &&
	engine.Describe(kindSyn, "net syn half=%d") &&
	engine.Describe(kindOpened, "net opened half=%d") &&
	engine.Describe(kindRefused, "net refused half=%d") &&
	engine.Describe(kindReset, "net reset half=%d") &&
	engine.Describe(kindGhost, "net repeats a request ghost=%d") &&
	engine.Describe(kindGhostEnd, "net ghost ends ghost=%d")

// End is one endpoint: nodes first, then clients, then whatever else was added.
type End int

// Host is who sits at an endpoint. All calls come from the main loop.
type Host interface {
	// Incoming says whether a connection to a port is accepted now, and by which lane (shard). pick is a draw of the connection's own.
	Incoming(port uint8, pick uint64) (lane int, ok bool)
	// Opened: an accepted half, or one that this host dialled.
	Opened(h *Half)
	// Readable: Next has a frame, or says that the connection has ended. Also when Unsent has fallen below the limit.
	Readable(h *Half)
	// Sent: the bytes of the send with this token have left, or the connection is gone. Each token once.
	Sent(h *Half, tok disk.Token)
	// ReadExtent reads bytes as they leave; Unpin says that an extent is done with.
	ReadExtent(x disk.Extent, p []byte, off int64) disk.Err
	Unpin(x disk.Extent)
}

// Repeater is a host that says which of its requests may be sent once more on a second connection (F:N4). A node's may arrive late too (F:N3), those
// of clients may all.
type Repeater interface{ MayRepeat(frame []byte) bool }

// Net is the network of one run.
type Net struct {
	eng      *engine.Engine
	who      engine.Entity
	swarm    fault.Swarm
	ledger   *fault.Ledger
	hosts    []Host
	dials    []int64                   // by End
	block    [][]int                   // [from][to]: how many faults hold bytes back
	lag      map[[2]End]clock.Duration // [from, to]: what each piece takes longer
	halves   []*Half                   // by number; nil once both ends are gone
	live     []*Half                   // in order of making
	pieces   []piece
	free     []int32
	spare    [][]byte
	ghosts   []*ghost
	ghostEnd End
	key      engine.Key
	quiet    bool // the liveness phase: no fault any more
}

// New makes a network without endpoints.
func New(e *engine.Engine, swarm fault.Swarm, ledger *fault.Ledger) *Net {
	return &Net{eng: e, who: e.Entity("net"), swarm: swarm, ledger: ledger, key: e.Key("net"), ghostEnd: -1}
}

// Add gives a host an endpoint.
func (n *Net) Add(h Host) End {
	n.hosts = append(n.hosts, h)
	n.dials = append(n.dials, 0)
	for i := range n.block {
		n.block[i] = append(n.block[i], 0)
	}
	n.block = append(n.block, make([]int, len(n.hosts)))
	return End(len(n.hosts) - 1)
}

// Block holds back what goes from one end to another until as many Unblocks; bytes wait, as TCP's do.
func (n *Net) Block(from, to End) { n.block[from][to]++ }

// Unblock undoes one Block.
func (n *Net) Unblock(from, to End) {
	n.block[from][to]--
	if n.block[from][to] > 0 {
		return
	}
	for _, h := range n.live {
		if h.owner == from && h.peer.owner == to {
			n.pump(h)
		}
	}
}

// Lag makes all that goes from one end to another take that much longer from now on; 0 undoes it.
func (n *Net) Lag(from, to End, d clock.Duration) {
	if n.lag == nil {
		n.lag = map[[2]End]clock.Duration{}
	}
	n.lag[[2]End{from, to}] = d
}

// Blocked says whether a Block is in force.
func (n *Net) Blocked(from, to End) bool { return n.block[from][to] > 0 }

// lateAtMost is how much delay a connection may take into the liveness phase.
const lateAtMost = 2 * clock.Second

// Quiet ends all fault draws: delays are short, nothing is cut off any more. Held bytes still arrive when they were to.
// A connection on which a late request (F:N3) is still under way is reset: the request arrives all the same, and nobody waits behind it.
// Whoever still holds a connection whose other end is gone, since the machine lost power or the reset met a partition, hears of it now.
func (n *Net) Quiet() {
	n.quiet = true
	for _, h := range append([]*Half(nil), n.live...) {
		switch {
		case h.over:
		case h.peer.over:
			n.eng.After(n.hop(h), n.who, n, kindReset, h.num, 0)
		case !h.closed && h.last > n.eng.Now().Add(lateAtMost):
			n.Reset(h)
		}
	}
}

func (n *Net) knob(c fault.Class) (fault.Knob, bool) {
	if n.quiet {
		return fault.Knob{}, false
	}
	return n.swarm.Knob(c, -1)
}

// Halves is the number of halves alive.
func (n *Net) Halves() int { return len(n.live) }

// Fire is the engine's call.
func (n *Net) Fire(k engine.Kind, a, b int64) {
	switch k {
	case kindArrive:
		n.arrive(int32(a))
	case kindGhost:
		n.ghosts[a].start(n)
	case kindGhostEnd:
		n.ghosts[a].end(n)
	default:
		if h := n.halves[a]; h != nil {
			n.fireHalf(k, h, b)
		}
	}
}

func (n *Net) fireHalf(k engine.Kind, h *Half, b int64) {
	switch k {
	case kindPump:
		h.pumping = false
		h.turn = true
		n.pump(h)
		h.turn = false
	case kindSyn:
		n.syn(h, clock.Time(b))
	case kindOpened:
		n.opened(h)
	case kindRefused:
		h.refused = !h.over
		n.end(h)
	case kindReset:
		// A reset that meets a partition is lost; who still sends learns of it by the answer to that.
		if n.block[h.peer.owner][h.owner] == 0 {
			n.end(h)
		}
	}
}
