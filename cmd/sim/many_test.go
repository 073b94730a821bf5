package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/fault"
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
		s := newSummary()
		for i := range alone + three {
			l := line{Verdict: pass, Nodes: 1, Checked: map[string]int64{"I:S1": 1, "I:I3": 0, "I:S2": 0, "I:K5": 0, "fenced-in-vain": 0}}
			if i >= alone {
				l.Nodes = 3
			}
			s.add(&l)
		}
		s.Idle = s.idle()
		if len(s.Idle) > 0 {
			require.Equal(t, exitHarness, s.exit(exitPass))
			require.Equal(t, exitBroken, s.exit(exitBroken))
		} else {
			require.Equal(t, exitPass, s.exit(exitPass))
		}
		return s.Idle
	}
	enough := oracle.Enough("I:I3", true)
	require.Empty(t, with(enough-1, enough-1))
	require.Equal(t, []string{"I:I3", "I:S2"}, with(enough, 0))
	require.Equal(t, []string{"I:I3", "I:K5"}, with(0, enough))
}

func TestASummaryTellsWhatWasCheckedAndWhichKindsOfFaultNeverFired(t *testing.T) {
	s := newSummary()
	s.add(&line{Verdict: unchecked, Unchecked: 2, Operations: 500, JudgedUS: 30000, Checked: map[string]int64{"I:S1": 7, "history:M1": 5, "history:M1 weak reads": 3},
		Kinds: map[string]int64{"F:N5 ring": 3, "F:D5": 1}})
	s.Rate = 1000000
	var b strings.Builder
	s.numbers(&b)
	require.Contains(t, b.String(), "12 checks of 2 properties; 2 windows of histories undecided; histories of 500 operations checked at 1,000,000 a minute")
	require.Contains(t, b.String(), fmt.Sprintf("2 of %d kinds of fault fired; never: F:N1", len(fault.Kinds())))
	require.NotContains(t, b.String(), "F:N5 ring")
	require.Contains(t, b.String(), "F:N5 bridge")
}
