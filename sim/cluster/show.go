package cluster

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/simnet"
)

// Process is how a node's process stands, for people.
type Process struct {
	Up, Ready bool
	Dark      bool // the machine has no power
	Paused    bool
	Frozen    bool // its monotonic time stands
	Stopping  bool // it was told to stop
	Skewed    bool // its clock does not keep time
	Life      int  // starts until now
	Now       clock.Now
	Lanes     []Lane
}

// Lane is one of its Steppers: the shards, then the quorum's.
type Lane struct {
	Paused   bool
	Inputs   int        // that wait for a round
	Conns    int        // connections
	Deadline clock.Time // in the node's monotonic time; 0: none
	Mail     int        // items that other lanes have sent to it and that have not arrived
}

// Process shows a node. It changes nothing.
func (c *Cluster) Process(node int) Process {
	n := c.nodes[node]
	p := Process{Up: n.up, Ready: c.Ready(node), Dark: n.dark, Paused: n.paused, Frozen: n.clock.Frozen(), Stopping: n.stop, Skewed: !n.clock.True(), Life: n.life,
		Now: n.clock.Now(c.eng.Now())}
	for i, s := range n.shards {
		l := Lane{Paused: s.paused, Inputs: len(s.inbox) - s.head, Deadline: s.out.Deadline}
		for k := range s.conns {
			if s.conns[k].h != nil {
				l.Conns++
			}
		}
		for _, from := range n.shards {
			l.Mail += len(from.mailOut[i])
		}
		p.Lanes = append(p.Lanes, l)
	}
	return p
}

// Links shows the connections.
func (c *Cluster) Links() []simnet.Link { return c.net.Links() }
