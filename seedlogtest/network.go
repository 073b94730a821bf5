package seedlogtest

import (
	"slices"
	"time"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/simnet"
)

// wire is one direction between two endpoints.
type wire struct{ from, to simnet.End }

// cuts are the links that somebody has cut. They are guarded by the world.
type cuts struct {
	w     *world
	links map[wire]bool
}

func (x *cuts) cut(l wire) {
	if !x.links[l] {
		x.links[l] = true
		x.w.sim.Net().Block(l.from, l.to)
	}
}

func (x *cuts) heal() {
	for l := range x.links {
		x.w.sim.Net().Unblock(l.from, l.to)
	}
	clear(x.links)
}

// Partition cuts the links between brokers that are in different groups of node.ids. A broker in several groups, or in none, still sees
// all: Partition([]int{1}, []int{2, 3}). It takes the place of an earlier Partition. Clients reach every broker: Machine.CutFrom is for
// those. As with TCP, what is sent into a cut waits, and arrives when the cut is healed, unless a side gives up before; who connects waits ten
// seconds.
func (c *Cluster) Partition(groups ...[]int) {
	c.t.Helper()
	for _, g := range groups {
		for _, id := range g {
			c.Node(id)
		}
	}
	c.do(func() {
		c.split.heal()
		for _, a := range c.nodes {
			for _, b := range c.nodes {
				if a != b && parted(groups, a.ID(), b.ID()) {
					c.split.cut(wire{a.end(), b.end()})
				}
			}
		}
	})
}

// parted says whether two brokers are in groups, and in none together.
func parted(groups [][]int, a, b int) bool {
	in := [2]bool{}
	for _, g := range groups {
		x, y := slices.Contains(g, a), slices.Contains(g, b)
		if x && y {
			return false
		}
		in[0], in[1] = in[0] || x, in[1] || y
	}
	return in[0] && in[1]
}

// CutLink lets nothing that one broker sends arrive at another; the other direction stays as it is. Heal undoes it.
func (c *Cluster) CutLink(from, to int) {
	c.t.Helper()
	a, b := c.Node(from), c.Node(to)
	c.do(func() { c.oneWay.cut(wire{a.end(), b.end()}) })
}

// SlowLink makes whatever goes between two brokers, either way, take d longer; 0, or Heal, undoes it.
func (c *Cluster) SlowLink(a, b int, d time.Duration) {
	c.t.Helper()
	x, y := c.Node(a), c.Node(b)
	c.do(func() {
		for _, l := range []wire{{x.end(), y.end()}, {y.end(), x.end()}} {
			c.slow[l] = true
			c.w.sim.Net().Lag(l.from, l.to, clock.Duration(d))
		}
	})
}

// Heal makes the network whole: it undoes Partition, CutLink, SlowLink and every Machine.CutFrom.
func (c *Cluster) Heal() {
	c.do(func() {
		c.split.heal()
		c.oneWay.heal()
		for l := range c.slow {
			c.w.sim.Net().Lag(l.from, l.to, 0)
		}
		clear(c.slow)
		for _, m := range c.machines {
			m.cuts.heal()
		}
	})
}

// CutFrom cuts the machine's links to brokers, both ways: to those with the node.ids, or to all if none is named. Heal undoes it.
func (m *Machine) CutFrom(ids ...int) {
	m.c.t.Helper()
	nodes := m.c.nodes
	if len(ids) > 0 {
		nodes = nil
		for _, id := range ids {
			nodes = append(nodes, m.c.Node(id))
		}
	}
	m.c.do(func() {
		for _, n := range nodes {
			m.cuts.cut(wire{m.end, n.end()})
			m.cuts.cut(wire{n.end(), m.end})
		}
	})
}

// Heal gives the machine its links back.
func (m *Machine) Heal() { m.c.do(func() { m.cuts.heal() }) }
