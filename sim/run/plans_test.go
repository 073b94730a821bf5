package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/mutant"
	"github.com/seedlog/seedlog/sim/plan"
)

// Each plan that has found a bug is run again, for ever. One that finds a mutant (m-NAME.json) passes without it. Those of clusters repeat
// only in a build with the overlay and a process each, and some are of another system: .ci/run runs them all.
func TestEachPlanThatFoundABugPassesNow(t *testing.T) {
	files, err := filepath.Glob("../testdata/plans/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d plans: %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			p, err := plan.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			m, _ := mutant.Find(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "m-"), ".json"))
			if Quorum(p) || m.System != "" {
				t.Skip("a cluster's, or the quorum's: build/sim plans")
			}
			r, err := Prepare(p)
			if err != nil {
				t.Fatal(err)
			}
			res := cluster.New(p, r.Options).Run()
			if v := res.Violation; v != nil {
				t.Errorf("seed %d broke %s: was %s, is %s; make sim PLAN=sim/testdata/plans/%s", p.Seed, v.Property, v.Was, v.Is, filepath.Base(f))
			}
			if res.Harness != "" {
				t.Errorf("seed %d: %s\n%s", p.Seed, res.Harness, res.Stack)
			}
			if n := r.Judge.Unchecked(); n > 0 {
				t.Errorf("seed %d: %d checks were not decided", p.Seed, n)
			}
		})
	}
}
