package cluster

import "github.com/seedlog/seedlog/sim/fault"

// Casting is a judge that knows who plays which part when a scene begins: it gives all nodes, each once.
//
//	0, 1, 2  the replicas of one partition: its leader, who leads next if that one ends, another
//	3, …     who leads the quorum, if it is none of those; the rest
type Casting interface {
	Cast(scene int) []int
}

// played gives a fault with the nodes that play the parts which it names. A scene is cast when its first fault begins, and keeps its nodes
// whatever becomes of them.
func (c *Cluster) played(f *fault.Fault) *fault.Fault {
	if f.Scene == 0 || f.Node < 0 {
		return f
	}
	who := c.scenes[f.Scene]
	if j, ok := c.opt.Judge.(Casting); ok && who == nil {
		if c.scenes == nil {
			c.scenes = map[int][]int{}
		}
		who = j.Cast(f.Scene)
		c.scenes[f.Scene] = who
	}
	if f.Node >= len(who) {
		return f
	}
	g := *f
	g.Node = who[f.Node]
	if f.Class == fault.N5 && f.Verb == "link" {
		g.A = 0
		for part, node := range who {
			g.A |= (f.A >> part & 1) << node
		}
	}
	return &g
}
