package workload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/models/anomaly"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
)

// played is one run on the small broker with all oracles watching.
type played struct {
	w     *world
	suite *oracle.Suite
	done  bool
	err   error
	live  []*history.Event // as the clients left them; w.log is as they were recorded
}

// play runs a plan: a safety phase with lost connections, then healing. It stops at the first failure.
func play(seed uint64, plan Plan, bug string) *played {
	p := &played{w: newWorld(seed, plan), suite: oracle.NewSuite()}
	w, v := p.w, &view{w: newWorld(seed, plan)}
	v.w = w
	sink := w.rec.Sink
	w.rec.Sink = func(e *history.Event) {
		sink(e)
		p.live = append(p.live, e)
		if err := p.suite.Event(e); err != nil && p.err == nil {
			p.err = err
		}
	}
	w.broker.bug, w.reset = bug, 10
	steps := 0
	broken := func() bool {
		if steps++; steps%50 == 0 && p.err == nil {
			p.err = p.suite.Step(v)
		}
		return p.err != nil
	}
	w.rec.Note(history.Nemesis, history.Op{Kind: history.Config, Meta: "flush=ack", Offset: history.NoOffset})
	w.run(15*clock.Second, broken)
	w.reset, v.healed = 0, w.now
	w.rec.Note(history.Nemesis, history.Op{Kind: history.Phase, Meta: "liveness", Offset: history.NoOffset})
	w.set.Healed()
	w.run(120*clock.Second, func() bool { return broken() || w.set.Done() })
	p.done = w.set.Done()
	if p.err == nil {
		p.err = p.suite.End(v)
	}
	return p
}

func TestClientsFinishOnACorrectBrokerAndEveryCheckAcceptsWhatTheySaw(t *testing.T) {
	total, virtual := map[string]int64{}, clock.Time(0)
	for seed := uint64(0); seed < 20; seed++ {
		p := play(seed, Draw(prng.New(seed), Hints{L1: seed%2 == 0, L3: true}), "")
		require.NoError(t, p.err, "seed %d", seed)
		require.True(t, p.done, "seed %d: %v", seed, p.w.set.Waiting())
		require.NoError(t, p.suite.Alive())
		checks, unchecked := p.suite.Checked()
		require.Zero(t, unchecked)
		for k, n := range checks {
			total[k] += n
		}
		for i, e := range p.w.log {
			total[e.F+" "+e.Type.String()]++
			if at := i - len(p.w.log) + len(p.live); at >= 0 {
				require.Equal(t, string(e.AppendJSON(nil)), string(p.live[at].AppendJSON(nil)), "an event does not change once it is recorded")
			}
		}
		virtual += p.w.now
	}
	b, err := json.MarshalIndent(total, "", " ")
	require.NoError(t, err)
	t.Log(virtual/clock.Time(clock.Second), "virtual seconds", string(b))
}

// bugs of the small broker, and the properties that may be the first to say so.
var bugs = map[string][]string{
	"":                         nil,
	"silence":                  {"every-request-answered"},
	"pid reused":               {"producer-id-unique"},
	"no dedup":                 {"I:T1", "exact-errors", "history:M2"},
	"out of order for a retry": {"exact-errors", "history:M2"},
	"one cached":               {"exact-errors", "history:M2"},
	"no wrap":                  {"exact-errors", "history:M2"},
	"acked before written":     {"I:I3", "I:I5", "I:I13", "exact-errors", "history:"},
	"corrupt":                  {"I:S1", "I:I3"},
	"crc":                      {"exact-errors", "I:S1", "I:I3"},
	"hole":                     {"dense-offsets", "I:S1"},
	"zero offset":              {"I:I5", "I:T1", "exact-errors", "I:I3"},
	"index":                    {"dense-offsets", "I:S1"},
	"latest lags":              {"I:I13"},
	"two owners":               {"I:G2"},
	"lost commit":              {"I:G7", "history:M3"},
}

func TestEveryBugOfTheSmallBrokerIsFound(t *testing.T) {
	for bug, want := range bugs {
		if bug == "" {
			continue
		}
		t.Run(bug, func(t *testing.T) {
			for seed := uint64(0); seed < 12; seed++ {
				h := Hints{L3: true}
				if bug == "two owners" || bug == "lost commit" {
					h.Focus = "groups"
				}
				p := play(seed, Draw(prng.New(seed), h), bug)
				if p.err == nil {
					continue
				}
				var f *oracle.Failure
				require.ErrorAs(t, p.err, &f)
				for _, w := range want {
					if len(f.Property) >= len(w) && f.Property[:len(w)] == w {
						t.Logf("seed %d, %d ms: %v", seed, p.w.now/1e6, p.err)
						return
					}
				}
				t.Fatalf("seed %d: found by %v", seed, p.err)
			}
			t.Fatal("not found")
		})
	}
}

func TestTheHistoryOfARunIsValidAfterJSONToo(t *testing.T) {
	p := play(3, Draw(prng.New(3), Hints{L3: true}), "")
	require.NoError(t, p.err)
	var lines []byte
	for _, e := range p.w.log {
		lines = append(e.AppendJSON(lines), '\n')
	}
	r, err := anomaly.CheckHistory(bytes.NewReader(lines))
	require.NoError(t, err)
	require.Equal(t, true, r.Valid, fmt.Sprintf("%+v", r.Checkers))
}

func TestTheSameSeedGivesTheSameHistory(t *testing.T) {
	text := func() string {
		p := play(5, Draw(prng.New(5), Hints{L1: true, L3: true}), "")
		var lines []byte
		for _, e := range p.w.log {
			lines = append(e.AppendJSON(lines), '\n')
		}
		return string(lines)
	}
	require.Equal(t, text(), text())
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

func TestAPlanOfAnotherVersionIsRefused(t *testing.T) {
	p := Draw(prng.New(1), Hints{})
	p.Version = 99
	_, err := p.Build(history.NewRecorder(nil, nil))
	require.ErrorContains(t, err, "version 99")
}
