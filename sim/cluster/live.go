package cluster

import (
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/simclock"
	"github.com/seedlog/seedlog/sim/simnet"
)

// A cluster may be lived with instead of Run: somebody else has the clock, dials it, and says what goes wrong when. The plan is then only
// what the cluster is like; its faults and its end are not looked at. All calls come from one thread, or under one lock.
//
//	Open(wall) ─▶ Until(t) ─▶ Kill, Start, Pause … Dial ─▶ Until(t') ─▶ … ─▶ End

// Open starts all nodes, whose clocks show that wall time.
func (c *Cluster) Open(wall clock.Wall) {
	for _, n := range c.nodes {
		n.clock.Skew(c.eng.Now(), clock.Duration(wall-simclock.Epoch)*clock.Millisecond)
		n.start()
	}
}

// Until lets everything happen up to t, and gives the time of what comes next; 0: nothing does.
func (c *Cluster) Until(t clock.Time) (next clock.Time) {
	for next = c.eng.Next(); next != 0 && next <= t; next = c.eng.Next() {
		if !c.eng.Step() {
			return 0
		}
	}
	c.eng.Advance(t)
	return next
}

// End ends every process, and with it what it was doing.
func (c *Cluster) End() {
	c.ended = true
	for _, n := range c.nodes {
		if n.up {
			n.crash(false, fault.P1, never)
		}
	}
}

// Start begins a new process of a node that is down.
func (c *Cluster) Start(node int) { c.nodes[node].start() }

// Kill ends the process of a node, with the machine's power or without. It stays down until Start.
func (c *Cluster) Kill(node int, power bool) {
	class := fault.P1
	if power {
		class = fault.D1
	}
	c.nodes[node].crash(power, class, never)
}

// Stop asks the process of a node to end in good order. It stays down until Start.
func (c *Cluster) Stop(node int) { c.nodes[node].halt(fault.P3, never) }

// Pause lets no thread of a node run until Resume; its clock goes on. What peers send fills their windows.
func (c *Cluster) Pause(node int) {
	if n := c.nodes[node]; n.up && !n.paused {
		n.pause(-1, never, false)
		n.read(false)
	}
}

// Resume undoes Pause.
func (c *Cluster) Resume(node int) {
	if n := c.nodes[node]; n.up && n.paused {
		n.resume(-1, int64(n.life))
		n.read(true)
	}
}

// read says whether the node's machine takes what comes; a connection that its shard does not want to read stays as it is.
func (n *Node) read(on bool) {
	for _, s := range n.shards {
		for i := range s.conns {
			if x := &s.conns[i]; x.h != nil && !x.held && !x.choked {
				n.c.net.Read(x.h, on)
			}
		}
	}
}

// Skew moves the wall clock of a node.
func (c *Cluster) Skew(node int, d clock.Duration) {
	c.nodes[node].clock.Skew(c.eng.Now(), d)
}

// Post gives mail from Outside to a lane of a node, if the process with that incarnation still runs.
func (c *Cluster) Post(node, incarnation int, m step.Mail) {
	if n := c.nodes[node]; n.up && n.life == incarnation {
		m.From = step.Outside
		n.shards[m.To].push(input{kind: step.MailArrived, mail: m})
	}
}

// Addrs are the nodes' addresses.
func (c *Cluster) Addrs() []string { return c.addrs }

// Net is the network, for whoever sits at an endpoint that was attached.
func (c *Cluster) Net() *simnet.Net { return c.net }

// Attach gives a host an endpoint; name is what nodes are told of it.
func (c *Cluster) Attach(h simnet.Host, name string) simnet.End {
	c.names = append(c.names, name)
	return c.net.Add(h)
}

// Endpoint is a node's.
func (c *Cluster) Endpoint(node int) simnet.End { return c.nodes[node].end }

// Dial connects an endpoint to a node's listener; nil: nobody has the address.
func (c *Cluster) Dial(from simnet.End, addr string, tag uint64) *simnet.Half {
	to, port, ok := c.find(addr)
	if !ok {
		return nil
	}
	h := c.net.Connect(from, to, 0, tag)
	h.Aim(port)
	return h
}
