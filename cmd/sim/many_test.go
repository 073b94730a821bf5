package main

import (
	"testing"

	"github.com/stretchr/testify/require"
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

// An oracle of which many runs gave no check looks at nothing; few runs, and runs of one broker where it is one of clusters, prove nothing.
func TestAPropertyThatManyRunsDidNotCheckIsTold(t *testing.T) {
	with := func(alone, three int) []string {
		s := &summary{Checked: map[string]int64{}, Faults: map[string]int64{}}
		for i := range alone + three {
			l := line{Verdict: pass, Nodes: 1, Checked: map[string]int64{"I:S1": 1, "I:S2": 0, "I:K5": 0}}
			if i >= alone {
				l.Nodes, l.Checked["I:S2"] = 3, 1
			}
			s.add(&l)
		}
		return s.idle()
	}
	require.Empty(t, with(enoughSeeds-1, 0))
	require.Equal(t, []string{"I:S2"}, with(enoughSeeds, 0))
	require.Empty(t, with(enoughSeeds, enoughSeeds-1))
	require.Equal(t, []string{"I:K5"}, with(0, enoughSeeds))
}
