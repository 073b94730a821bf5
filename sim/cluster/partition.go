package cluster

import (
	"slices"

	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/simnet"
)

// The shapes of F:N5 between nodes. A is a set of nodes, a bit each; the fault's Node is who is cut off, or the bridge. B = 1 cuts one
// direction only: what the one side sends does not arrive.
//
//	"isolate"     Node against all other nodes         "client"  Node against all clients, which the other nodes still reach
//	"halves"      the nodes of A against the rest
//	"bridge"      the nodes of A against the rest, but Node sees both
//	"ring"        each node sees its two neighbours only, so that every majority is another one
//	"link"        Node against the nodes of A
//	"controller"  the node that leads the quorum when the fault begins, against all others
//	"unheard"     Node against that one
//	"deaf"        the same, but B = 1 keeps what that one sends to Node

// Roles tells a cluster who plays a part at the moment, as a node's index, or -1.
type Roles interface {
	Controller() int
}

// beginPartition cuts links, and gives back whether it knew the shape.
func (c *Cluster) beginPartition(i int, f *fault.Fault, n *Node) bool {
	at := n.index
	var cut func(from, to int) bool
	in := func(k int) bool { return f.A>>k&1 == 1 }
	switch f.Verb {
	case "unheard":
		to := c.controller(at)
		cut = func(x, y int) bool { return x == at && y == to || x == to && y == at && f.B != 1 }
	case "deaf":
		from := c.controller(at)
		cut = func(x, y int) bool { return x == from && y == at || x == at && y == from && f.B != 1 }
	case "controller":
		at = c.controller(at)
		cut = func(from, to int) bool { return from == at || to == at && f.B != 1 }
	case "isolate":
		cut = func(from, to int) bool { return from == at || to == at && f.B != 1 }
	case "link":
		cut = func(from, to int) bool { return from == at && in(to) || to == at && in(from) && f.B != 1 }
	case "halves":
		cut = func(from, to int) bool { return in(from) != in(to) && (f.B != 1 || in(from)) }
	case "bridge":
		cut = func(from, to int) bool {
			return from != at && to != at && in(from) != in(to) && (f.B != 1 || in(from))
		}
	case "ring":
		k := len(c.nodes)
		cut = func(from, to int) bool { return (from+1)%k != to && (to+1)%k != from }
	case "client":
		c.cut(i, f, func(do func(from, to simnet.End)) {
			for _, h := range c.clients {
				do(h.end, n.end)
				if f.B != 1 {
					do(n.end, h.end)
				}
			}
		})
		return true
	default:
		return false
	}
	c.cut(i, f, func(do func(from, to simnet.End)) {
		for _, x := range c.nodes {
			for _, y := range c.nodes {
				if x != y && cut(x.index, y.index) {
					do(x.end, y.end)
				}
			}
		}
	})
	return true
}

// controller is the node that leads the quorum, other if none is known.
func (c *Cluster) controller(other int) int {
	if r, ok := c.opt.Judge.(Roles); ok {
		if k := r.Controller(); k >= 0 {
			return k
		}
	}
	return other
}

// cut blocks what each names until the fault ends.
func (c *Cluster) cut(i int, f *fault.Fault, each func(do func(from, to simnet.End))) {
	c.ledger.Note(c.eng.Now(), f.Class, f.Node, f.Verb)
	var links [][2]simnet.End
	each(func(from, to simnet.End) {
		links = append(links, [2]simnet.End{from, to})
		c.net.Block(from, to)
	})
	touched := c.between(links)
	for _, n := range touched {
		n.cut++
	}
	c.undo[i] = func() {
		for _, l := range links {
			c.net.Unblock(l[0], l[1])
		}
		for _, n := range touched {
			n.cut--
		}
	}
}

// between gives the nodes that have a link to another node among those.
func (c *Cluster) between(links [][2]simnet.End) (touched []*Node) {
	for _, n := range c.nodes {
		for _, o := range c.nodes {
			if n != o && (slices.Contains(links, [2]simnet.End{n.end, o.end}) || slices.Contains(links, [2]simnet.End{o.end, n.end})) {
				touched = append(touched, n)
				break
			}
		}
	}
	return touched
}
