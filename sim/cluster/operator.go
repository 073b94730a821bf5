package cluster

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/fault"
)

// lasting are the orders that are taken back when their fault ends.
var lasting = map[string]bool{"unclean": true, "retention": true, "policy": true, "voter": true, "throttle": true}

// beginOrder hands a fault to the operator among the clients, and gives back whether it is one for it.
func (c *Cluster) beginOrder(i int, f *fault.Fault) bool {
	switch {
	case f.Class == fault.M3 && f.Verb != "voter":
		c.beginController(i, f)
		return true
	case f.Class != fault.M1 && f.Class != fault.M2 && f.Class != fault.M3:
		return false
	}
	o := c.operator()
	if o == nil {
		return true
	}
	x := client.Order{Verb: f.Verb, A: f.A, B: f.B}
	x.Did = func(what string) { c.ledger.Note(c.eng.Now(), f.Class, f.Node, what+": "+f.Verb) }
	o.Order(x)
	if lasting[f.Verb] {
		c.undo[i] = func() { o.Order(client.Order{Verb: f.Verb, A: f.A, B: f.B, Undo: true}) }
		c.eng.After(clock.Duration(f.For)*clock.Millisecond, c.who, c, kindUndo, int64(i), 0)
	}
	return true
}

// beginController kills, pauses or cuts off the node that leads the quorum when the fault begins.
func (c *Cluster) beginController(i int, f *fault.Fault) {
	r, ok := c.opt.Judge.(Roles)
	if !ok || r.Controller() < 0 {
		return
	}
	n := c.nodes[r.Controller()]
	span := clock.Duration(f.For) * clock.Millisecond
	switch f.Verb {
	case "kill":
		n.crash(false, f.Class, span)
	case "pause":
		c.ledger.Note(c.eng.Now(), f.Class, n.index, "pause of the controller")
		n.pause(-1, span, f.A%2 == 0)
	case "cut":
		cut := *f
		cut.Verb, cut.Node, cut.B = "isolate", n.index, f.B%2
		c.beginPartition(i, &cut, n)
		c.eng.After(span, c.who, c, kindUndo, int64(i), 0)
	}
}

func (c *Cluster) operator() *client.Operator {
	for _, h := range c.clients {
		if o, ok := h.cl.(*client.Operator); ok {
			return o
		}
	}
	return nil
}
