package workload

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/models"
	"github.com/seedlog/seedlog/sim/history"
)

// play runs a plan on the small broker: a safety phase with lost connections, then healing.
func play(seed uint64, plan Plan, bug string) (*world, bool) {
	w := newWorld(seed, plan)
	w.broker.bug, w.reset = bug, 10
	w.run(15*clock.Second, nil)
	w.reset = 0
	w.rec.Note(history.Nemesis, history.Op{Kind: history.Phase, Meta: "liveness", Offset: history.NoOffset})
	w.set.Healed()
	return w, w.run(120*clock.Second, w.set.Done)
}

func TestClientsFinishOnACorrectBrokerAndTheModelsAcceptWhatTheySaw(t *testing.T) {
	total := map[string]int{}
	for seed := uint64(0); seed < 20; seed++ {
		w, done := play(seed, Draw(prng.New(seed), Hints{L1: seed%2 == 0}), "")
		require.True(t, done, "seed %d: %v", seed, w.set.Waiting())
		for _, e := range w.log {
			total[e.F+" "+e.Type.String()]++
			for _, o := range e.Ops {
				if o.Kind == history.Caught || o.Kind == history.Probe && e.Type == history.Fail {
					t.Fatalf("seed %d: %s", seed, e.AppendJSON(nil))
				}
				if o.Kind == history.Probe {
					total[fmt.Sprint(e.Type, o.Meta)]++
				}
			}
		}
		for _, r := range models.Check(w.log, models.Options{}) {
			require.Equal(t, models.OK, r.Verdict, "seed %d: %+v", seed, r)
		}
	}
	b, _ := json.MarshalIndent(total, "", " ")
	t.Log(string(b))
}

func TestAPlanIsTheSamePlanAfterJSON(t *testing.T) {
	for seed := uint64(0); seed < 50; seed++ {
		p := Draw(prng.New(seed), Hints{L3: true, L1: true})
		b, err := json.Marshal(p)
		require.NoError(t, err)
		var q Plan
		require.NoError(t, json.Unmarshal(b, &q))
		require.Equal(t, p, q)
	}
}
