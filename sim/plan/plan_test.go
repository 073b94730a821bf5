package plan

import (
	"bytes"
	"slices"
	"testing"

	"github.com/seedlog/seedlog/sim/fault"
	"pgregory.net/rapid"
)

// rapidSource draws a plan's numbers from rapid, whose shrinker then works on plans.
type rapidSource struct{ t *rapid.T }

func (r rapidSource) Between(lo, hi int64) int64 { return rapid.Int64Range(lo, hi).Draw(r.t, "n") }

func TestAPlanIsTheSameAfterItsFileIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Draw(rapid.Uint64().Draw(t, "seed"), rapidSource{t}, Menu{})
		q, err := Decode(p.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.Encode(), q.Encode()) || p.Sum() != q.Sum() {
			t.Fatalf("got\n%s\nwant\n%s", q.Encode(), p.Encode())
		}
	})
}

func TestASeedIsOnePlan(t *testing.T) {
	for seed := uint64(0); seed < 50; seed++ {
		if a, b := FromSeed(seed, Menu{}), FromSeed(seed, Menu{}); a.Sum() != b.Sum() {
			t.Fatalf("seed %d: two plans", seed)
		}
	}
	a, b := FromSeed(3, Menu{Flush: "ack"}), FromSeed(3, Menu{Flush: "os"})
	b.Flush = "ack"
	if a.Sum() != b.Sum() {
		t.Fatal("the flush policy moved other draws")
	}
}

func TestAPlanOfAnotherVersionOrWithUnknownFieldsIsRefused(t *testing.T) {
	for _, s := range []string{`{"Version":2}`, `{"Version":1,"Bogus":1}`, `{"Version":1,"Nodes":0}`, `[]`, ``,
		`{"Version":1,"Nodes":1,"Shards":1,"Flush":"ack","SafetyMS":1,"LivenessMS":1,"MaxRound":1,"Faults":[{"Class":"F:P1","Node":3}]}`,
		`{"Version":1,"Swarm":[{"Class":"F:Z9"}]}`} {
		if _, err := Decode([]byte(s)); err == nil {
			t.Errorf("accepted %s", s)
		}
	}
}

func TestShrinkingKeepsOnlyWhatTheFailureNeeds(t *testing.T) {
	hard := 0
	for seed := uint64(1); seed < 40; seed++ {
		p := FromSeed(seed, Menu{})
		needs := func(p *Plan) Outcome {
			var power, pause bool
			for _, f := range p.Faults {
				if f.At > p.SafetyMS {
					continue
				}
				power = power || f.Class == fault.D1 && f.For > 3
				pause = pause || f.Class == fault.P2
			}
			if power && pause && p.Clients >= 2 && p.Swarm.On(fault.N1) {
				return Outcome{"x", p.SafetyMS}
			}
			return Outcome{}
		}
		if needs(p).Property == "" {
			continue
		}
		hard++
		s := Shrinker{Try: needs}
		q := s.Shrink(p, needs(p))
		if len(q.Faults) != 2 || len(q.Swarm) != 1 || q.Clients != 2 || q.Shards != 1 {
			t.Fatalf("seed %d: after %d tries left\n%s", seed, s.Tries, q.Encode())
		}
	}
	if hard == 0 {
		t.Fatal("no seed drew what the test needs")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(FromSeed(1, Menu{}).Encode())
	f.Add([]byte(`{"Version":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		if _, err := Decode(p.Encode()); err != nil {
			t.Fatalf("own encoding refused: %v", err)
		}
	})
}

func TestAClusterIsRestartedInEachWayAndNowAndThenLosesItsPowerAsAWhole(t *testing.T) {
	drawn := map[string]int{}
	for seed := range uint64(300) {
		p := FromSeed(seed, Menu{Nodes: 3, Must: []fault.Class{fault.P4, fault.D1}})
		kills := map[int]int{}
		var dark [3]int64 // when each node's power fails for the last time
		for _, f := range p.Faults {
			switch {
			case f.Class == fault.P4 && f.Verb == "stop":
				drawn["rolling"]++
			case f.Class == fault.P4:
				kills[f.Node]++
			case f.Class == fault.D1:
				dark[f.Node] = f.At
			}
		}
		if len(kills) == 3 {
			drawn["all"]++
		}
		if len(kills) == 1 {
			drawn["loop alone"]++
		}
		if a, b := slices.Min(dark[:]), slices.Max(dark[:]); a > 0 && b-a <= 20 {
			drawn["dark"]++
		}
	}
	for _, k := range []string{"rolling", "all", "loop alone", "dark"} {
		if drawn[k] == 0 {
			t.Errorf("%s is never drawn: %v", k, drawn)
		}
	}
}
