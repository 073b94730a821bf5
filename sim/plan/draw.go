package plan

import (
	"cmp"
	"slices"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/sim/fault"
)

// Source is where a plan's numbers come from: the keyed generator, or rapid's, whose shrinker prefers small ones.
// Hence small draws stand for few, short and weak faults.
type Source interface {
	Between(lo, hi int64) int64
}

// Menu is what Draw may draw from.
type Menu struct {
	Flush   string        // "": as drawn
	Nodes   int           // 0: one
	Classes []fault.Class // nil: One
	MaxMS   int64         // of the safety phase; 0: 60 s
	Must    []fault.Class // on for certain
	Without []fault.Class // off for certain
}

// One is the classes for a single broker.
var One = []fault.Class{fault.N1, fault.N2, fault.N3, fault.N4, fault.N6, fault.N7, fault.N8, fault.D1, fault.D2, fault.D3,
	fault.D6, fault.P1, fault.P2, fault.P3, fault.C1, fault.C2, fault.L1, fault.L2, fault.L3, fault.D5}

// Many is the classes for a cluster. Those that came later stand at the end, so that what a seed draws before stays.
var Many = []fault.Class{fault.N1, fault.N2, fault.N3, fault.N4, fault.N5, fault.N6, fault.N7, fault.N8, fault.D1, fault.D2, fault.D3,
	fault.D6, fault.P1, fault.P2, fault.P3, fault.P4, fault.C1, fault.C2, fault.L1, fault.L2, fault.L3, fault.M1,
	fault.D7, fault.D8, fault.M2, fault.M3, fault.B1, fault.D4, fault.D5}

// FromSeed draws the plan of a seed.
func FromSeed(seed uint64, m Menu) *Plan {
	return Draw(seed, prng.Keyed(seed, "plan"), m)
}

// Draw draws a plan. Package workload fills in the client programs and the settings that go with L1 and L2.
func Draw(seed uint64, src Source, m Menu) *Plan {
	p := &Plan{Version: Version, Seed: seed, Nodes: max(1, m.Nodes)}
	p.Flush = []string{"ack", "os"}[src.Between(0, 1)]
	if m.Flush != "" {
		p.Flush = m.Flush
	}
	if m.MaxMS == 0 {
		m.MaxMS = 60000
	}
	p.Shards = int(src.Between(1, 4))
	p.SafetyMS = src.Between(min(10000, m.MaxMS), m.MaxMS)
	p.LivenessMS = 120000
	p.MaxRound = int([]int64{1, 4, 16, 64}[src.Between(0, 3)])
	p.Clients = int(src.Between(2, 6))
	classes := m.Classes
	switch {
	case classes == nil && p.Nodes > 1:
		classes = Many
	case classes == nil:
		classes = One
	}
	for _, c := range classes {
		roll := src.Between(0, 99)
		if slices.Contains(m.Without, c) {
			continue
		}
		if roll < int64(chance(c)) || slices.Contains(m.Must, c) {
			draw[c](p, src)
		}
	}
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
	return p
}

// chance is how many runs of a hundred have a class on.
func chance(c fault.Class) int {
	switch c {
	case fault.N8:
		return 90
	case fault.D2, fault.D4, fault.D5, fault.D7, fault.D8:
		return 8
	case fault.D3, fault.N3, fault.N7, fault.P4:
		return 30
	}
	return 50
}

var draw = [fault.Count]func(*Plan, Source){
	fault.N1: knob(fault.N1, func(s Source, k *fault.Knob) { k.P, k.A = int(s.Between(10, 1000)), s.Between(1, 100) }),
	fault.N2: knob(fault.N2, func(s Source, k *fault.Knob) { k.P = int(s.Between(1, 60)) }),
	fault.N3: knob(fault.N3, func(s Source, k *fault.Knob) { k.P, k.A, k.B = int(s.Between(1, 10)), 5, s.Between(5, 120) }),
	fault.N4: knob(fault.N4, func(s Source, k *fault.Knob) { k.P = int(s.Between(1, 200)) }),
	fault.N5: partition,
	fault.N6: clog(fault.N6, 5000),
	fault.N7: knob(fault.N7, func(s Source, k *fault.Knob) { k.A, k.B = s.Between(100, 10000)*1000, 1<<s.Between(8, 16) }),
	fault.N8: knob(fault.N8, func(s Source, k *fault.Knob) { k.P = int(s.Between(10, 400)) }),
	fault.D1: func(p *Plan, s Source) { crash(fault.D1)(p, s); blackout(p, prng.Keyed(p.Seed, "blackout")) },
	fault.D2: func(p *Plan, s Source) {
		for n := s.Between(1, 2); n > 0; n-- {
			f := at(p, s, fault.D2)
			f.Verb, f.A, f.For = "fail", s.Between(1, 2), s.Between(100, 10000)
			if s.Between(0, 2) == 0 {
				f.Verb = "lie"
			}
			p.Faults = append(p.Faults, f)
		}
	},
	fault.D3: func(p *Plan, s Source) {
		for n := s.Between(1, 3); n > 0; n-- {
			f := at(p, s, fault.D3)
			f.Verb, f.For = []string{"full", "full", "read", "write"}[s.Between(0, 3)], s.Between(50, 5000)
			f.A = s.Between(1, 100)
			if f.Verb == "full" {
				f.A = s.Between(0, 1<<18)
			}
			p.Faults = append(p.Faults, f)
		}
	},
	fault.D4: func(p *Plan, s Source) {
		for n := s.Between(1, 3); n > 0; n-- {
			f := at(p, s, fault.D4)
			f.Verb, f.A = []string{".index", ".timeindex", ".snapshot", "checkpoint", ".log", "partition.metadata"}[s.Between(0, 5)], s.Between(0, 1<<40)
			p.Faults = append(p.Faults, f)
		}
	},
	fault.D5: func(p *Plan, s Source) {
		f := at(p, s, fault.D5)
		f.A = 1
		p.Faults = append(p.Faults, f)
	},
	fault.D6: func(p *Plan, s Source) {
		for n := s.Between(1, 4); n > 0; n-- {
			f := at(p, s, fault.D6)
			f.Verb, f.A, f.For = "slow", s.Between(10, 1000), s.Between(1000, 10000)
			if s.Between(0, 1) == 1 {
				f.Verb, f.For = "stall", s.Between(1000, 30000)
			}
			p.Faults = append(p.Faults, f)
		}
	},
	fault.D7: crash(fault.D7),
	fault.D8: crash(fault.D8),
	fault.P1: crash(fault.P1),
	fault.P2: func(p *Plan, s Source) {
		for n := s.Between(1, 4); n > 0; n-- {
			f := at(p, s, fault.P2)
			f.For = s.Between(100, 20000)
			f.Shard = int(s.Between(-1, int64(p.Shards)-1))
			if s.Between(0, 3) == 0 {
				f.Verb = "freeze"
			}
			p.Faults = append(p.Faults, f)
		}
	},
	fault.P3: crash(fault.P3),
	fault.P4: restarts,
	fault.C1: func(p *Plan, s Source) {
		for n := s.Between(1, 4); n > 0; n-- {
			f := at(p, s, fault.C1)
			f.Verb, f.A, f.For = "skew", s.Between(-3*3600000, 3*3600000), s.Between(1000, 20000)
			if s.Between(0, 1) == 1 {
				f.Verb, f.A = "rate", s.Between(512, 2048)
			}
			p.Faults = append(p.Faults, f)
		}
	},
	fault.C2: knob(fault.C2, func(Source, *fault.Knob) {}),
	fault.L1: knob(fault.L1, func(s Source, k *fault.Knob) { k.P = int(s.Between(1, 1000)) }),
	fault.L2: knob(fault.L2, func(s Source, k *fault.Knob) { k.P = int(s.Between(1, 1000)) }),
	fault.L3: knob(fault.L3, func(s Source, k *fault.Knob) { k.P = int(s.Between(1, 300)) }),
	fault.B1: knob(fault.B1, func(s Source, k *fault.Knob) { k.P = int(s.Between(10, 250)) }),
	fault.M1: orders(fault.M1, 6, []string{"add", "remove", "swap", "any", "order", "cancel", "any", "grow", "preferred", "recreate", "recreate", "unclean"}),
	fault.M3: orders(fault.M3, 4, []string{"voter", "voter", "kill", "kill", "pause", "cut"}),
	fault.M2: orders(fault.M2, 5, []string{"minisr", "minisr", "segment", "retention", "policy"}),
}

func at(p *Plan, s Source, c fault.Class) fault.Fault {
	return fault.Fault{At: s.Between(500, p.SafetyMS-1), Class: c, Node: int(s.Between(0, int64(p.Nodes)-1)), Shard: -1, B: -1}
}

func knob(c fault.Class, set func(Source, *fault.Knob)) func(*Plan, Source) {
	return func(p *Plan, s Source) {
		k := fault.Knob{Class: c, Node: -1}
		set(s, &k)
		p.Swarm = append(p.Swarm, k)
	}
}

// crash draws 1 to 4 ends of a process. Every other one is followed by a second while the node recovers.
func crash(c fault.Class) func(*Plan, Source) {
	return func(p *Plan, s Source) {
		for n := s.Between(1, 4); n > 0; n-- {
			f := at(p, s, c)
			f.For = s.Between(1, 3000)
			if (c == fault.P1 || c == fault.D1) && s.Between(0, 1) == 1 {
				f.Verb, f.A = "mid", s.Between(0, 30)
			}
			p.Faults = append(p.Faults, f)
			if s.Between(0, 1) == 1 {
				again := f
				again.Verb, again.At = "", f.At+f.For+s.Between(0, 30)
				p.Faults = append(p.Faults, again)
			}
		}
	}
}

// restarts draws a crash loop, and in a cluster, from a stream of its own, what an operator or a fleet does to all nodes: a rolling restart, a
// storm of crashes, all killed at once.
func restarts(p *Plan, s Source) {
	first := at(p, s, fault.P4)
	for n := s.Between(3, 10); n > 0; n-- {
		f := first
		f.For = s.Between(0, 50)
		first.At += s.Between(5, 400)
		p.Faults = append(p.Faults, f)
	}
	if p.Nodes == 1 {
		return
	}
	own := prng.Keyed(p.Seed, "restarts")
	begin := at(p, own, fault.P4).At
	switch own.Between(0, 3) {
	case 1: // each is back, more or less, before the next one goes
		one, down, apart := own.Intn(p.Nodes), own.Between(1, 3000), own.Between(-500, 5000)
		for i := range p.Nodes {
			p.Faults = append(p.Faults, fault.Fault{At: begin + int64(i)*max(1, down+apart), Class: fault.P4, Verb: "stop", Node: (one + i) % p.Nodes, Shard: -1, B: -1, For: down})
		}
	case 2:
		for n := own.Between(5, 15); n > 0; n-- {
			p.Faults = append(p.Faults, fault.Fault{At: begin, Class: fault.P4, Node: own.Intn(p.Nodes), Shard: -1, B: -1, For: own.Between(0, 500)})
			begin += own.Between(1, 300)
		}
	case 3:
		together(p, own, fault.P4, begin)
	}
}

// blackout now and then has all nodes of a cluster lose their power together.
func blackout(p *Plan, own *prng.Source) {
	if p.Nodes > 1 && own.Permille(200) {
		together(p, own, fault.D1, at(p, own, fault.D1).At)
	}
}

// together ends all nodes within a few milliseconds.
func together(p *Plan, own *prng.Source, c fault.Class, begin int64) {
	within, down := own.Between(0, 20), own.Between(1, 3000)
	for n := range p.Nodes {
		p.Faults = append(p.Faults, fault.Fault{At: begin + own.Between(0, within), Class: c, Node: n, Shard: -1, B: -1, For: own.Between(1, down)})
	}
}

func clog(c fault.Class, most int64) func(*Plan, Source) {
	return func(p *Plan, s Source) {
		for n := s.Between(1, 5); n > 0; n-- {
			f := at(p, s, c)
			f.Verb, f.For = []string{"in", "out", "both", "swizzle"}[s.Between(0, 3)], s.Between(10, most)
			if p.Clients > 0 && s.Between(0, 1) == 1 {
				f.B = s.Between(0, int64(p.Clients)-1)
			}
			p.Faults = append(p.Faults, f)
		}
	}
}

// orders draws what an operator is to do. A third concerns __consumer_offsets, where that can be.
func orders(c fault.Class, most int64, verbs []string) func(*Plan, Source) {
	return func(p *Plan, s Source) {
		for n := s.Between(1, most); n > 0; n-- {
			f := at(p, s, c)
			f.Node = -1
			f.Verb, f.For = verbs[s.Between(0, int64(len(verbs))-1)], s.Between(1000, 20000)
			f.A, f.B = s.Between(0, 1000), s.Between(0, 1<<40)
			if s.Between(0, 2) == 0 {
				f.A = -1
			}
			p.Faults = append(p.Faults, f)
		}
	}
}

// partition draws cuts between nodes. The long ones outlast a session.
func partition(p *Plan, s Source) {
	if p.Nodes == 1 {
		return
	}
	for n := s.Between(1, 4); n > 0; n-- {
		f := at(p, s, fault.N5)
		f.Verb = []string{"isolate", "halves", "bridge", "ring", "controller", "client"}[s.Between(0, 5)]
		f.A, f.B, f.For = s.Between(1, 1<<p.Nodes-2), s.Between(0, 1), s.Between(200, 25000)
		p.Faults = append(p.Faults, f)
	}
}
