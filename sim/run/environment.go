package run

import (
	"cmp"
	"slices"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
)

// environment draws what brokers support beside the plainest installation, and the faults that concern that alone. Each has a stream of its own, so
// that a run without it is what it was.
func environment(p *plan.Plan, menu *plan.Menu) {
	e := surroundings{p: p, menu: menu}
	e.directories(prng.Keyed(p.Seed, "directories"))
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// surroundings is what environment adds to a plan.
type surroundings struct {
	p    *plan.Plan
	menu *plan.Menu
}

// add adds a fault, unless its class is none that the run may have.
func (e *surroundings) add(f fault.Fault) {
	if e.menu.Allows(f.Class) {
		f.Shard, f.B = -1, -1
		e.p.Faults = append(e.p.Faults, f)
	}
}

// directoriesPermille is how likely brokers have two log directories.
const directoriesPermille = 150

// directories gives each broker two log directories, of which the second fails by itself, is replaced, or comes back old, and mostly is there again
// after a restart.
func (e *surroundings) directories(s *prng.Source) {
	if !s.Permille(directoriesPermille) {
		return
	}
	p := e.p
	p.Settings["log.dirs"] = cluster.DataDir + "," + cluster.SecondDir
	at := func() int64 { return s.Between(1000, max(1001, p.SafetyMS-1)) }
	for n := s.Between(0, 3); n > 0; n-- {
		f := fault.Fault{Class: fault.D3, Verb: []string{"second", "dead"}[s.Intn(2)], At: at(), Node: s.Intn(p.Nodes), For: s.Between(100, 15000)}
		e.add(f)
		again := fault.Fault{Class: []fault.Class{fault.P3, fault.P1, fault.D1}[s.Intn(3)], At: f.At + s.Between(1, f.For+5000), Node: f.Node, For: s.Between(1, 3000)}
		if s.Permille(700) {
			e.add(again)
		}
	}
	for _, x := range []struct {
		class  fault.Class
		chance int
	}{{fault.D7, 400}, {fault.D8, 150}} {
		f := fault.Fault{Class: x.class, Verb: "second", At: at(), Node: s.Intn(p.Nodes), A: s.Between(0, 1), For: s.Between(1, 5000)}
		if s.Permille(x.chance) && p.Nodes > 1 {
			e.add(f)
		}
	}
}
