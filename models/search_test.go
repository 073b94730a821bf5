package models

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/sim/history"
)

// What porcupine says of a history that was made impossible: the operation that has no place, and an order of what went before it.
func TestAHistoryThatNoOrderExplainsShowsWhereItBreaks(t *testing.T) {
	shown := 0
	for seed := uint64(0); seed < 12; seed++ {
		h := generate(seed, 8, 600)
		if !mutations[0].do(h, prng.New(seed)) {
			continue
		}
		r, found := worst(Check(h, Options{}))
		require.True(t, found)
		w := r.Window
		require.NotNil(t, w, r.Detail)
		shown++
		require.GreaterOrEqual(t, w.Unplaced, 0)
		bad := w.Ops[w.Unplaced]
		require.Contains(t, r.Detail, bad.What)
		require.NotEmpty(t, w.Order)
		require.Less(t, len(w.Order), len(w.Ops))
		placed := map[int]bool{}
		for k, i := range w.Order {
			require.False(t, placed[i], "an operation is placed once")
			placed[i] = true
			for _, j := range w.Order[k+1:] {
				require.Less(t, w.Ops[i].Call, w.Ops[j].Return, "nothing stands before what had ended before it began")
			}
		}
		for _, o := range w.Ops {
			require.Less(t, o.Call, bad.Return, "what was called later has no part in it")
		}
		again, _ := worst(Check(h, Options{}))
		require.Equal(t, w, again.Window)
	}
	require.Greater(t, shown, 6)
}

func TestAHistoryThatHasAnOrderHasNoWindow(t *testing.T) {
	var h []*history.Event
	h = send(h, 1, history.OK, -1, history.Record{Offset: 0, Value: history.MakeValue(1, 0)})
	for _, r := range Check(read(h, 2, 0, history.Record{Offset: 0, Value: history.MakeValue(1, 0)}), Options{}) {
		require.Nil(t, r.Window)
	}
}
