package cluster

import (
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/simclock"
	"github.com/seedlog/seedlog/sim/simnet"
)

// clientHost is the world of one client: it implements client.Net for the client and simnet.Host for the network.
type clientHost struct {
	c      *Cluster
	who    engine.Entity
	end    simnet.End
	cl     client.Client
	rand   prng.Source
	conns  []*simnet.Half // by number, from 1; nil once it is gone
	repeat simnet.Repeater
}

var _ client.Net = (*clientHost)(nil)

func (h *clientHost) Now() clock.Time    { return h.c.eng.Now() }
func (h *clientHost) Wall() clock.Wall   { return simclock.Epoch + clock.Wall(h.c.eng.Now()/1e6) }
func (h *clientHost) Rand() *prng.Source { return &h.rand }

func (h *clientHost) Dial(node int) uint64 {
	id := uint64(len(h.conns))
	h.conns = append(h.conns, nil)
	h.conns[id] = h.c.net.Connect(h.end, h.c.nodes[node].end, 0, id)
	return id
}

func (h *clientHost) Send(conn uint64, frame []byte) {
	if x := h.half(conn); x != nil {
		h.c.observeFrame(x, frame)
		h.c.net.SendFrame(x, frame)
	}
}

func (h *clientHost) Close(conn uint64) {
	if x := h.half(conn); x != nil {
		h.conns[conn] = nil
		h.c.net.Close(x)
	}
}

func (h *clientHost) half(conn uint64) *simnet.Half {
	if conn >= uint64(len(h.conns)) {
		return nil
	}
	return h.conns[conn]
}

func (h *clientHost) At(t clock.Time, tag uint64) {
	h.c.eng.At(t, h.who, h, kindTimer, int64(tag), 0)
}

// Fire is the engine's call: a timer, or the client's start.
func (h *clientHost) Fire(k engine.Kind, a, _ int64) {
	if k == kindClient {
		h.cl.Start(h)
	} else {
		h.cl.Timer(uint64(a))
	}
	h.c.heard()
}

// Incoming refuses: nobody dials a client.
func (h *clientHost) Incoming(uint8, uint64) (int, bool) { return 0, false }

// Opened tells the client.
func (h *clientHost) Opened(x *simnet.Half) {
	if h.half(x.Tag) == x {
		h.cl.Opened(x.Tag)
		h.c.heard()
	}
}

// Readable hands over what has come, then the end.
func (h *clientHost) Readable(x *simnet.Half) {
	for h.half(x.Tag) == x {
		b, ok, bad := x.Next()
		if bad {
			h.c.eng.Fail("contract", "frames of 1 to MaxFrame bytes to clients", "a length that no frame can have")
			return
		}
		if !ok {
			break
		}
		h.c.observeTaken(x, b)
		h.cl.Frame(x.Tag, append([]byte(nil), b...))
		h.c.heard()
	}
	if h.half(x.Tag) == x && x.Over() {
		h.conns[x.Tag] = nil
		h.c.net.Close(x)
		h.cl.Closed(x.Tag)
		h.c.heard()
	}
}

// Sent, ReadExtent and Unpin do not concern clients.
func (h *clientHost) Sent(*simnet.Half, disk.Token)                  {}
func (h *clientHost) ReadExtent(disk.Extent, []byte, int64) disk.Err { return disk.ErrIO }
func (h *clientHost) Unpin(disk.Extent)                              {}

// MayRepeat asks the client whether a request may be sent twice (F:N4).
func (h *clientHost) MayRepeat(frame []byte) bool {
	return h.repeat != nil && h.repeat.MayRepeat(frame)
}
