package coverage

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func run(marks, cells, work []string) *Run {
	count := func(names []string) map[string]int64 {
		m := map[string]int64{}
		for _, n := range names {
			m[n]++
		}
		return m
	}
	return &Run{Marks: count(marks), Matrix: count(cells), Workload: count(work)}
}

func TestAnEnsembleKnowsWhatNoRunHasHit(t *testing.T) {
	e := NewEnsemble([]string{"a", "c", "log: b", "log: d", "txn: e"})
	e.Add(run([]string{"a"}, []string{Cell("F:D1", "recovery")}, []string{"acks all"}))
	e.Add(run([]string{"a", "a", "c"}, nil, []string{"acks all", "acks 1"}))
	s := e.Summary()
	require.Equal(t, []string{"log: b", "log: d", "txn: e"}, s.Never)
	require.Equal(t, &Reach{Runs: 2, Times: 3, First: 1}, s.Marks["a"])
	require.Equal(t, 1, s.Matrix["F:D1/recovery"].Runs)
	require.Equal(t, 2, s.Workload["acks all"].Runs)
	require.Equal(t, []Point{{1, 1, 2}, {2, 2, 3}}, s.Curve)
	require.Equal(t, 3, s.Singles, "c, the cell, acks 1")
	require.EqualValues(t, 1500, s.Promille)
	require.Equal(t, 2, s.LastMark)
	var out bytes.Buffer
	s.Full(&out, []string{"F:D1"})
	require.Contains(t, out.String(), "never hit, log: b; d\nnever hit, txn: e\n")
	require.Contains(t, out.String(), "14 of 15 cells never seen")
}

func TestRunsThatRepeatEachOtherSaturate(t *testing.T) {
	e := NewEnsemble([]string{"a"})
	for range enough - 1 {
		e.Add(run([]string{"a"}, nil, nil))
	}
	require.False(t, e.Summary().Saturated, "too few runs to say so")
	e.Add(run([]string{"a"}, nil, nil))
	require.True(t, e.Summary().Saturated)
	require.Equal(t, []int{1, 2, 5, 10, 20, 50}, runsOf(e.Summary().Curve))
	for i := range 10 {
		e.Add(run(nil, nil, []string{string(rune('a' + i))}))
	}
	require.False(t, e.Summary().Saturated, "each of the last runs was new")
	require.Equal(t, []int{1, 2, 5, 10, 20, 50, 60}, runsOf(e.Summary().Curve))
}

func TestNewMarksLateAreNoSaturation(t *testing.T) {
	e := NewEnsemble(nil)
	for i := range 100 {
		if i < 51 {
			e.Add(run(nil, nil, nil))
			continue
		}
		e.Add(run([]string{"late"}, nil, nil))
	}
	require.False(t, e.Summary().Saturated)
}

func runsOf(ps []Point) (ns []int) {
	for _, p := range ps {
		ns = append(ns, p.Runs)
	}
	return ns
}

func TestEachPhaseHasAName(t *testing.T) {
	require.Len(t, Phases, int(NPhases))
}
