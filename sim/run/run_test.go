package run

import (
	"testing"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/plan"
)

func TestBrokerRunsWithoutFaults(t *testing.T) {
	for seed := uint64(1); seed < 4; seed++ {
		p := Draw(seed, plan.Menu{Flush: "ack", Nodes: 1})
		p.Swarm, p.Faults, p.SafetyMS = nil, nil, 10000
		r, err := Prepare(p)
		if err != nil {
			t.Fatal(err)
		}
		r.Options.Log = func(n int, l *step.LogLine) { t.Log(n, l.Text) }
		res := cluster.New(p, r.Options).Run()
		if res.Violation != nil || res.Harness != "" {
			dump(t, r.Judge, 40)
			for _, l := range res.Last[:0] {
				t.Log(l)
			}
			t.Fatalf("seed %d: %v %s\n%s", seed, res.Violation, res.Harness, res.Stack)
		}
		t.Log(seed, len(r.Judge.Events), res.Events, res.Virtual)
	}
}

func dump(t *testing.T, j *Judge, n int) {
	for i, e := range j.Events {
		if i < n && e.Err != "" {
			t.Logf("%d %v %s %s %+v", e.Process, e.Type, e.F, e.Err, e.Ops)
		}
	}
}
