package run

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/coverage"
	"github.com/seedlog/seedlog/sim/history"
)

func covered(t *testing.T, name string) *coverage.Run {
	t.Helper()
	run, err := Prepare(keptPlan(t, name))
	require.NoError(t, err)
	require.Nil(t, cluster.New(keptPlan(t, name), run.Options).Run().Violation)
	return run.Coverage()
}

func TestACrashCountsInThePhaseBeforeIt(t *testing.T) {
	c := covered(t, "delete-records-then-power-loss")
	require.Equal(t, c, covered(t, "delete-records-then-power-loss"), "a plan reaches the same each time")
	for cell := range c.Matrix {
		_, phase, ok := strings.Cut(cell, "/")
		require.True(t, ok && slices.Contains(coverage.Phases[:], phase), cell)
	}
	require.EqualValues(t, 1, c.Matrix["F:D1/steady"], "the plan's one loss of power, not counted for the recovery that follows")
	require.Positive(t, c.Workload["told Produce NONE"])
}

func TestAPhaseOfAClientLastsFromItsCallToTheAnswer(t *testing.T) {
	x := &phases{waits: map[int32]waiting{}}
	tell := func(process int32, typ history.Type, op history.Op) {
		x.heard(&history.Event{Process: process, Type: typ, Ops: []history.Op{op}})
	}
	join, end := history.Op{Kind: history.Join}, history.Op{Kind: history.TxnCall, Meta: "commit"}
	tell(1, history.Invoke, join)
	tell(2, history.Invoke, end)
	tell(3, history.Invoke, history.Op{Kind: history.TxnCall, Meta: "init"})
	tell(1, history.Info, history.Op{Kind: history.Caught}) // a note
	require.Equal(t, 1, x.waited[coverage.Rebalance])
	require.Equal(t, 1, x.waited[coverage.TransactionEnd])
	tell(1, history.Info, join)
	tell(2, history.OK, end)
	tell(3, history.OK, history.Op{Kind: history.TxnCall, Meta: "init"})
	require.Zero(t, x.waited[coverage.Rebalance])
	require.Zero(t, x.waited[coverage.TransactionEnd])
	require.Empty(t, x.waits)
}
