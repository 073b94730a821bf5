package jepsen

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// noNetwork says why faults of the network cannot be done.
func noNetwork(c *Cluster) string {
	if c.net == nil {
		return "there are no namespaces: " + c.alone
	}
	return ""
}

// shape is a form of partition: it cuts links between nodes, which are drawn in random order, from 0.
type shape struct {
	name string
	cut  func(x *Nemesis, of []*Node) error
}

// leaf is a node's place in the network; that of clients is 0.
func (n *Node) leaf() int { return n.id + 1 }

func (x *Nemesis) both(a, b *Node) error { return x.c.net.Both(a.leaf(), b.leaf()) }

// apart cuts two groups of nodes from each other.
func (x *Nemesis) apart(a, b []*Node) (err error) {
	for _, n := range a {
		for _, m := range b {
			err = errors.Join(err, x.both(n, m))
		}
	}
	return err
}

// shapes are all of them. In a ring each node sees its two neighbours; of three nodes each does anyway, so there it is a chain.
var shapes = []shape{
	{"isolated node", func(x *Nemesis, of []*Node) error { return x.apart(of[:1], of[1:]) }},
	{"isolated node, of which clients see nothing either", func(x *Nemesis, of []*Node) error {
		return errors.Join(x.apart(of[:1], of[1:]), x.c.net.Both(of[0].leaf(), 0))
	}},
	{"halves", func(x *Nemesis, of []*Node) error { return x.apart(of[:len(of)/2], of[len(of)/2:]) }},
	{"bridge: two sides that only one node joins", func(x *Nemesis, of []*Node) error {
		rest := of[1:]
		return x.apart(rest[:len(rest)/2], rest[len(rest)/2:])
	}},
	{"ring", func(x *Nemesis, of []*Node) (err error) {
		for i := range of {
			for j := i + 2; j < len(of); j++ {
				if i > 0 || j < len(of)-1 || len(of) == 3 {
					err = errors.Join(err, x.both(of[i], of[j]))
				}
			}
		}
		return err
	}},
	{"one way: what a node sends to others is lost", func(x *Nemesis, of []*Node) (err error) {
		for _, n := range of[1:] {
			err = errors.Join(err, x.c.net.Cut(of[0].leaf(), n.leaf()))
		}
		return err
	}},
	{"one way: what a node is sent by others is lost", func(x *Nemesis, of []*Node) (err error) {
		for _, n := range of[1:] {
			err = errors.Join(err, x.c.net.Cut(n.leaf(), of[0].leaf()))
		}
		return err
	}},
	{"one way: what a node sends to another is lost", func(x *Nemesis, of []*Node) error { return x.c.net.Cut(of[0].leaf(), of[1].leaf()) }},
	{"nobody sees anybody", func(x *Nemesis, of []*Node) (err error) {
		for i := range of {
			err = errors.Join(err, x.apart(of[:i], of[i:i+1]))
		}
		return err
	}},
}

// partitionFault cuts links; bytes are lost without a word. All shapes have their turn before one comes again.
var partitionFault = &fault{kind: "partition", weak: true, lacks: noNetwork, begin: func(x *Nemesis) (string, func() error, error) {
	if len(x.shapes) == 0 {
		x.shapes = x.rnd.Perm(len(shapes))
	}
	s := shapes[x.shapes[0]]
	x.shapes = x.shapes[1:]
	of := x.some(len(x.c.nodes))
	var order []string
	for _, n := range of {
		order = append(order, n.name())
	}
	return s.name + " (" + strings.Join(order, " ") + ")", x.c.net.Heal, s.cut(x, of)
}}

// slowFault makes what one node or all send slow: late and sometimes lost where the kernel has netem, through a narrow link where it has not.
var slowFault = &fault{kind: "slow", weak: true, lacks: noSlow, begin: func(x *Nemesis) (string, func() error, error) {
	of := x.some(1)
	if x.rnd.IntN(3) == 0 {
		of = x.c.nodes
	}
	ms := 50 + x.rnd.IntN(400)
	how := []string{"netem", "delay", fmt.Sprintf("%dms", ms), fmt.Sprintf("%dms", ms/4), "loss", "1%"}
	if !x.netem {
		how = []string{"tbf", "rate", fmt.Sprintf("%dkbit", 50+x.rnd.IntN(300)), "burst", "4kb", "latency", fmt.Sprintf("%dms", 4*ms)}
	}
	var err error
	for _, n := range of {
		err = errors.Join(err, x.c.net.Slow(n.leaf(), how...))
	}
	return names(of) + ": " + strings.Join(how, " "), x.c.net.Heal, err
}}

// noSlow says why links cannot be made slow.
func noSlow(c *Cluster) string {
	if why := noNetwork(c); why != "" {
		return why
	}
	if _, err := exec.LookPath("tc"); err != nil {
		return "tc is missing"
	}
	if hasQdisc(c, "netem", "delay", "10ms") || hasQdisc(c, "tbf", "rate", "1mbit", "burst", "4kb", "latency", "100ms") {
		return ""
	}
	return "the kernel has neither netem nor tbf"
}

// hasQdisc tries a way to slow the clients' link, which is then healed.
func hasQdisc(c *Cluster, how ...string) bool {
	err := c.net.Slow(0, how...)
	return err == nil && c.net.Heal() == nil
}

// clockFault would set a node's wall clock.
var clockFault = &fault{kind: "clock", lacks: func(*Cluster) string {
	return "Linux has no namespace of the wall clock, programs in Go do not ask the C library that libfaketime stands in for, and the machine's own clock is not ours to set"
}, begin: func(*Nemesis) (string, func() error, error) { return "", nil, nil }, lasts: time.Second}
