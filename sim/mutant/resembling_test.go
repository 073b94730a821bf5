package mutant

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a resemblance goes by is what the scoreboard says, no more and no less.
func TestWhatBrokeFirstIsWhatTheScoreboardSays(t *testing.T) {
	own, three := pageRows(t)
	said := map[string][]string{}
	for _, rows := range []map[string]string{own, three} {
		for name, row := range rows {
			if !strings.Contains(row, byTest) && !strings.Contains(row, notKilled) {
				said[name] = append(said[name], strings.TrimSpace(strings.Split(row, "|")[3]))
			}
		}
	}
	for name, properties := range said {
		for _, p := range properties {
			require.Contains(t, broke[name], p, "m:%s", name)
		}
	}
	for name, properties := range broke {
		_, ok := Find(name)
		require.True(t, ok, name)
		for _, p := range properties {
			require.Contains(t, said[name], p, "m:%s", name)
		}
	}
}

func TestWhatNeedsMoreThanARunHadIsNoLikeness(t *testing.T) {
	names := func(s Signs) (all []string) {
		for _, l := range Resembling(&s, 100) {
			all = append(all, l.Name)
		}
		return all
	}
	alone := names(Signs{Property: "I:I3", Nodes: 1, Flush: "ack", Faults: map[string]int64{"F:D1": 3, "F:D6": 1}})
	require.Equal(t, "P1", alone[0])
	require.NotContains(t, alone, "R1")
	require.NotContains(t, alone, "M1", "it is not of the broker")
	several := names(Signs{Property: "I:I12", Nodes: 5, Elections: true})
	require.Contains(t, several[:2], "R5")
	require.Empty(t, names(Signs{Property: "no such property", Nodes: 3}))
	calm := names(Signs{Property: "I:I3", Nodes: 1, Flush: "ack"})
	require.Greater(t, index(calm, "S7"), index(calm, "B2"), "no process ended, so no recovery went wrong")
}

func index(all []string, name string) int {
	for i, n := range all {
		if n == name {
			return i
		}
	}
	return -1
}
