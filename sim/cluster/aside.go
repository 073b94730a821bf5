package cluster

import (
	"errors"
	"fmt"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
)

// Aside makes a world of its own in which a node stands before a copy of its disk, with the same wall time and no fault: what happens
// there leaves no trace here. The plan says what the world is like; only its node of that index is to be booted.
func (c *Cluster) Aside(node int, p *plan.Plan, factory NodeFactory) *Cluster {
	a := New(p, Options{Factory: factory})
	from, to := c.nodes[node], a.nodes[node]
	to.disk.Copy(from.disk)
	ahead := from.clock.Wall(c.eng.Now()) - to.clock.Wall(a.eng.Now())
	to.clock.Skew(a.eng.Now(), clock.Duration(ahead)*clock.Millisecond)
	return a
}

// Boot runs a world aside until the node serves; an error says why it does not within so many events.
func (c *Cluster) Boot(node int, events int64) error {
	n := c.nodes[node]
	if n.life == 0 {
		n.start()
	}
	for end := c.eng.Events + events; !c.Ready(node); {
		if c.eng.Events >= end {
			return fmt.Errorf("not ready after %d events", events)
		}
		if !c.eng.Step() {
			if v := c.eng.Failed(); v != nil {
				return fmt.Errorf("%s: was %s, is %s", v.Property, v.Was, v.Is)
			}
			return errors.New("not ready, and nothing happens any more")
		}
	}
	return nil
}

// Fell ends the process of a node in a world aside, with the machine's power or without, after so many effects from now on, or at the
// latest when it serves; 0: at once. Boot brings it back.
func (c *Cluster) Fell(node int, power bool, effects int, events int64) error {
	n := c.nodes[node]
	if effects > 0 {
		n.start()
		n.crashIn, n.power, n.downFor = effects, power, clock.Millisecond
		if err := c.Boot(node, events); err != nil || n.life > 1 {
			return err
		}
	}
	class := fault.P1
	if power {
		class = fault.D1
	}
	n.crash(power, class, clock.Millisecond)
	return nil
}
