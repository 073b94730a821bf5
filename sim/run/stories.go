package run

import (
	"cmp"
	"slices"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
)

// Stories are faults that hang together: what mutant.Hints ask for, beside what a seed draws.

// follow adds the second fault of each pair close behind each one of the first.
func follow(src *prng.Source, p *plan.Plan, pairs [][2]string) {
	for _, pair := range pairs {
		cs := classes(pair[:])
		for _, f := range p.Faults {
			if f.Class != cs[0] {
				continue
			}
			again := f
			again.Class, again.Verb = cs[1], ""
			again.At = f.At + f.For + src.Between(0, 80)
			p.Faults = append(p.Faults, again)
		}
	}
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// storm adds short ends of processes, pauses and partitions all through the safety phase; with power, some of the ends lose it.
func storm(src *prng.Source, p *plan.Plan, power bool) {
	for at := int64(1000); at < p.SafetyMS; at += src.Between(300, 3000) {
		f := fault.Fault{Class: fault.P1, At: at, Node: src.Intn(p.Nodes), Shard: -1, B: -1, For: src.Between(1, 1500)}
		switch src.Intn(6) {
		case 0:
			f.Class, f.For = fault.P2, src.Between(100, 12000)
		case 1:
			f.Class, f.Verb, f.B, f.For = fault.N5, []string{"isolate", "controller"}[src.Intn(2)], src.Between(0, 1), src.Between(200, 12000)
		case 2:
			f.Class = fault.P3
		case 3, 4:
			if power {
				f.Class = fault.D1
			}
		}
		p.Faults = append(p.Faults, f)
	}
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// blackout adds times in which one node is away, and at whose end all others end at once: some come back before it, some much later.
func blackout(src *prng.Source, p *plan.Plan) {
	for at := int64(3000); at < p.SafetyMS; at += src.Between(6000, 15000) {
		first := src.Intn(p.Nodes)
		kill := func(node int, at, away int64) {
			p.Faults = append(p.Faults, fault.Fault{Class: fault.P1, At: at, Node: node, Shard: -1, B: -1, For: away})
		}
		all := at + src.Between(500, 5000)
		kill(first, at, all-at+src.Between(1, 1500))
		for n := range p.Nodes {
			if n != first {
				kill(n, all, src.Between(1, 1000)+src.Between(0, 1)*src.Between(1000, 5000))
			}
		}
	}
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// resets adds moments at which every connection between one node and the others breaks, far enough apart to be calm in between.
func resets(src *prng.Source, p *plan.Plan) {
	for at := int64(5000); at < p.SafetyMS; at += src.Between(1000, 8000) {
		p.Faults = append(p.Faults, fault.Fault{Class: fault.N2, At: at, Node: src.Intn(p.Nodes), Shard: -1, B: -1})
	}
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// relays adds handovers: a leader, which one of its followers hears better than the other, ends, comes back, leads again, and ends again, all
// while what the broker that leads in between sends to the first of those is held up. What it had to say of its first epoch, where to cut the
// log, arrives in its second.
func relays(src *prng.Source, p *plan.Plan) {
	const leader, next, third = 0, 1, 2 // parts: package cluster, cast.go
	p.Shards, p.SafetyMS = 1, max(p.SafetyMS, 40000)
	scene := 0
	for at := int64(4000); at < p.SafetyMS-4000; at += src.Between(5000, 7000) {
		scene++
		again, lag := src.Between(1200, 3500), src.Between(50, 400)
		p.Faults = append(p.Faults,
			fault.Fault{Class: fault.N5, Verb: "link", At: at - lag, Node: leader, Shard: -1, A: 1 << next, B: 1, For: lag, Scene: scene},
			fault.Fault{Class: fault.N5, Verb: "link", At: at - 2, Node: next, Shard: -1, A: 1 << third, B: 1, For: again + src.Between(100, 600), Scene: scene},
			fault.Fault{Class: fault.P1, At: at, Node: leader, Shard: -1, B: -1, For: src.Between(20, 150), Scene: scene},
			fault.Fault{Class: fault.P1, At: at + again, Node: leader, Shard: -1, B: -1, For: src.Between(20, 400), Scene: scene})
	}
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// stale adds handovers that a replica does not hear of: it leaves the ISR while another broker leads, and goes on with an epoch that is over
// when the first one leads again.
func stale(src *prng.Source, p *plan.Plan) {
	const leader, third = 0, 2 // parts: package cluster, cast.go
	p.SafetyMS = max(p.SafetyMS, 40000)
	scene := 0
	for at := int64(4000); at < p.SafetyMS-4000; at += src.Between(8000, 10000) {
		scene++
		p.Faults = append(p.Faults,
			fault.Fault{Class: fault.N5, Verb: "deaf", At: at, Node: third, Shard: -1, B: 1, For: src.Between(4000, 8000), Scene: scene},
			fault.Fault{Class: fault.P1, At: at + src.Between(10, 300), Node: leader, Shard: -1, B: -1, For: src.Between(20, 150), Scene: scene})
	}
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// rebirths adds followers that come back twice: one that had ended catches up, and before the controller hears that it has, its machine loses
// power and with it what is not synced. Its leader's proposal speaks of the life before; and it does not reach its leader until that has been
// decided. A second end, one that connections tell of, gets it fenced, so that it need not wait for the end of its session to register anew.
func rebirths(src *prng.Source, p *plan.Plan) {
	const leader, follower = 0, 1 // parts: package cluster, cast.go
	p.SafetyMS = max(p.SafetyMS, 40000)
	scene := 0
	for at := int64(4000); at < p.SafetyMS-4000; at += src.Between(6000, 8000) {
		scene++
		unheard, caughtUp := src.Between(100, 450), src.Between(500, 1200)
		second := caughtUp + src.Between(100, 500)
		heard := second + src.Between(500, 4000)
		p.Faults = append(p.Faults,
			fault.Fault{Class: fault.P1, At: at, Node: follower, Shard: -1, B: -1, For: src.Between(1, 200), Scene: scene},
			fault.Fault{Class: fault.N5, Verb: "unheard", At: at + unheard, Node: leader, Shard: -1, B: 1, For: heard - unheard, Scene: scene},
			fault.Fault{Class: fault.D1, At: at + caughtUp, Node: follower, Shard: -1, B: -1, For: src.Between(1, 30), Scene: scene},
			fault.Fault{Class: fault.N5, Verb: "link", At: at + caughtUp, Node: follower, Shard: -1, A: 1 << leader, For: heard - caughtUp + src.Between(20, 400), Scene: scene},
			fault.Fault{Class: fault.P1, At: at + second, Node: follower, Shard: -1, B: -1, For: src.Between(1, 200), Scene: scene})
	}
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}
