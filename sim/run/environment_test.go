package run

import (
	"strings"
	"testing"

	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
)

func TestEachEnvironmentIsDrawnNowAndThenAndOnlyWithClassesThatARunMayHave(t *testing.T) {
	drawn := map[string]int{}
	for seed := range uint64(300) {
		p := Draw(seed, plan.Menu{Nodes: 3})
		if _, err := Prepare(p); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if p.Settings["log.dirs"] != "" {
			drawn["two directories"]++
		}
		if p.Settings[rackOf] != "" {
			drawn["racks"]++
		}
		for _, f := range p.Faults {
			kind, _, _ := strings.Cut(f.Verb, " ")
			drawn[f.Class.String()+" "+kind]++
		}
		for _, f := range Draw(seed, plan.Menu{Nodes: 3, Classes: []fault.Class{fault.P3}}).Faults {
			if f.Class != fault.P3 {
				t.Fatalf("seed %d: %s was not asked for", seed, f.Class)
			}
		}
	}
	for _, want := range []string{"two directories", "racks", "F:D3 second", "F:D3 dead", "F:D7 second", "F:D8 second", "F:M2 throttle", "F:D3 full", "F:D4 .txnindex"} {
		if drawn[want] == 0 {
			t.Errorf("%s is never drawn", want)
		}
	}
}

func TestEachNodeIsInItsRackAndReadersAreInThose(t *testing.T) {
	for seed := range uint64(100) {
		p := Draw(seed, plan.Menu{Nodes: 3})
		racks := strings.Split(p.Settings[rackOf], ",")
		if len(racks) != 3 {
			continue
		}
		for id := 1; id <= 3; id++ {
			n, err := nodeConfig(p, id, addresses(p, 9092), addresses(p, 9093))
			if err != nil || n.Rack != racks[id-1] || !n.RackAwareReads {
				t.Fatalf("seed %d, node %d: rack %q of %v, %v", seed, id, n.Rack, racks, err)
			}
		}
		if !strings.Contains(string(p.Workload), `"rack":"`+racks[0]) && !strings.Contains(string(p.Workload), `"rack":"`+racks[1]) && !strings.Contains(string(p.Workload), `"rack":"`+racks[2]) {
			t.Fatalf("seed %d: no reader is in a rack", seed)
		}
		return
	}
	t.Fatal("no seed has racks")
}
