package run

import (
	"testing"

	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/mutant"
	"github.com/seedlog/seedlog/sim/plan"
)

func TestLimitsAndMisbehaviourAreCountedWhenTheyActAndOnlyWhereTheyAreOn(t *testing.T) {
	three := []fault.Class{fault.L1, fault.L2, fault.L3}
	for _, on := range []bool{true, false} {
		menu := plan.Menu{Classes: three, Must: three}
		if !on {
			menu.Must, menu.Without = nil, three
		}
		hits := map[string]int64{}
		for seed := uint64(1); seed <= 4; seed++ {
			p := draw(seed, menu, mutant.Hints{})
			r, err := Prepare(p)
			if err != nil {
				t.Fatal(err)
			}
			res := cluster.New(p, r.Options).Run()
			if res.Violation != nil || res.Harness != "" {
				t.Fatalf("seed %d: %v %s", seed, res.Violation, res.Harness)
			}
			for c, n := range res.Faults {
				hits[c] += n
			}
		}
		for _, c := range three {
			if n := hits[c.String()]; n > 0 != on {
				t.Errorf("%s is on: %v; it acted %d times in 4 runs", c, on, n)
			}
		}
	}
}
