package toy

import (
	"runtime"
	"testing"

	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
)

func run(p *plan.Plan, bug string) *cluster.Result {
	opt, _ := Options(p, bug, 60, 3000)
	return cluster.New(p, opt).Run()
}

func drawn(seed uint64) *plan.Plan {
	return plan.FromSeed(seed, plan.Menu{Flush: "ack", Classes: Survives(), MaxMS: 20000})
}

func TestASoundToySurvivesEveryFaultThatItPromisesToSurvive(t *testing.T) {
	total := map[string]int64{}
	for seed := uint64(1); seed <= 60; seed++ {
		r := run(drawn(seed), "")
		if r.Violation != nil || r.Harness != "" {
			for _, l := range r.Last {
				t.Log(l)
			}
			t.Fatalf("seed %d: %v %s\n%s", seed, r.Violation, r.Harness, r.Stack)
		}
		for k, n := range r.Faults {
			total[k] += n
		}
	}
	for _, c := range plan.One {
		switch c {
		case fault.D2, fault.D5, fault.L1, fault.L2, fault.L3: // not drawn here; the broker's and the clients' own
		default:
			if total[c.String()] == 0 {
				t.Errorf("fault %s never fired", c)
			}
		}
	}
}

func TestEachPlantedBugIsFound(t *testing.T) {
	for bug, property := range map[string]string{
		EarlyAck: "", NoSync: Lost, NoSyncDir: Lost, NoCut: Lost, FreeEarly: "", Deaf: "liveness", TwoWrites: "contract", Panic: "assert",
	} {
		found := uint64(0)
		for seed := uint64(1); seed <= 200 && found == 0; seed++ {
			r := run(drawn(seed), bug)
			if r.Violation != nil {
				found = seed
				t.Logf("%s: seed %d: %v", bug, seed, r.Violation)
				if property != "" && r.Violation.Property != property {
					t.Errorf("%s: found as %s, want %s", bug, r.Violation.Property, property)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s: not found in 200 seeds", bug)
		}
	}
}

func TestOneSeedIsOneHistoryAtAnyNumberOfProcessors(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		var first string
		for _, procs := range []int{1, 4, 1} {
			old := runtime.GOMAXPROCS(procs)
			r := run(drawn(seed), "")
			runtime.GOMAXPROCS(old)
			if first == "" {
				first = r.Trace
			}
			if r.Trace != first {
				t.Fatalf("seed %d: trace %s, want %s", seed, r.Trace, first)
			}
		}
	}
}

func BenchmarkVirtualSecond(b *testing.B) {
	p := drawn(5)
	for i := 0; i < b.N; i++ {
		r := run(p, "")
		b.ReportMetric(float64(r.Virtual)/1e9/b.Elapsed().Seconds()*float64(i+1), "virtual-s/s")
		b.ReportMetric(float64(r.Events)*float64(i+1)/b.Elapsed().Seconds(), "events/s")
	}
}
