package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/oracle"
)

func TestAListOfSeedsHasNumbersAndRanges(t *testing.T) {
	seeds, err := seedList("3-5, 9\n18446744073709551615 7-7")
	require.NoError(t, err)
	require.Equal(t, []uint64{3, 4, 5, 9, 1<<64 - 1, 7}, seeds)
	for _, bad := range []string{"x", "5-3", "1-", "-1", "1-99999999999"} {
		_, err := seedList(bad)
		require.Error(t, err, bad)
	}
}

// A property of which many runs gave no check is looked at by nobody; few runs, and runs that give it nothing to look at, prove nothing.
func TestAPropertyThatManyRunsDidNotCheckIsTold(t *testing.T) {
	with := func(alone, three int) []string {
		s := &summary{Checked: map[string]int64{}, Faults: map[string]int64{}}
		for i := range alone + three {
			l := line{Verdict: pass, Nodes: 1, Checked: map[string]int64{"I:S1": 1, "I:I3": 0, "I:S2": 0, "I:K5": 0, "fenced-in-vain": 0}}
			if i >= alone {
				l.Nodes = 3
			}
			s.add(&l)
		}
		return s.idle()
	}
	enough := oracle.Enough("I:I3", true)
	require.Empty(t, with(enough-1, enough-1))
	require.Equal(t, []string{"I:I3", "I:S2"}, with(enough, 0))
	require.Equal(t, []string{"I:I3", "I:K5"}, with(0, enough))
}
