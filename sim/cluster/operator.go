package cluster

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/fault"
)

// lasting are the orders that are taken back when their fault ends.
var lasting = map[string]bool{"unclean": true}

// beginOrder hands a fault to the operator among the clients, and gives back whether it is one for it.
func (c *Cluster) beginOrder(i int, f *fault.Fault) bool {
	switch f.Class {
	case fault.M1:
	default:
		return false
	}
	o := c.operator()
	if o == nil {
		return true
	}
	x := client.Order{Verb: f.Verb, A: f.A, B: f.B}
	x.Did = func(what string) { c.ledger.Note(c.eng.Now(), f.Class, f.Node, what) }
	o.Order(x)
	if lasting[f.Verb] {
		c.undo[i] = func() { o.Order(client.Order{Verb: f.Verb, A: f.A, B: f.B, Undo: true}) }
		c.eng.After(clock.Duration(f.For)*clock.Millisecond, c.who, c, kindUndo, int64(i), 0)
	}
	return true
}

func (c *Cluster) operator() *client.Operator {
	for _, h := range c.clients {
		if o, ok := h.cl.(*client.Operator); ok {
			return o
		}
	}
	return nil
}
