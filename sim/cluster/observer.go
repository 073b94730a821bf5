package cluster

import (
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/simnet"
)

// Observer is told what a trace does not say, for people who read a report of the run. It must change nothing: the trace of a run is the same
// with one and without. It keeps no bytes that it is given.
type Observer interface {
	// Fault says that the i-th fault of the plan, as its scene has cast it, is in force from now on, or is over.
	Fault(i int, f *fault.Fault, on bool)
	// Frame says that a client gives a connection one frame, without its length.
	Frame(h *simnet.Half, frame []byte)
	// Sent says that a node gives a connection b, and then more bytes of a file: frames with their lengths, whole or in several calls.
	Sent(h *simnet.Half, b []byte, more int64)
	// Taken says that the owner of h has taken one frame, without its length.
	Taken(h *simnet.Half, frame []byte)
}

func (c *Cluster) observeFault(i int, f *fault.Fault, on bool) {
	if c.opt.Observer != nil {
		c.opt.Observer.Fault(i, f, on)
	}
}

func (c *Cluster) observeFrame(h *simnet.Half, frame []byte) {
	if c.opt.Observer != nil {
		c.opt.Observer.Frame(h, frame)
	}
}

func (c *Cluster) observeSent(h *simnet.Half, b []byte, more int64) {
	if c.opt.Observer != nil {
		c.opt.Observer.Sent(h, b, more)
	}
}

func (c *Cluster) observeTaken(h *simnet.Half, frame []byte) {
	if c.opt.Observer != nil {
		c.opt.Observer.Taken(h, frame)
	}
}
