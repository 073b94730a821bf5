package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATestStandsForAMutantOnlyIfItFailsWithItAndPassesWithoutIt(t *testing.T) {
	t.Chdir("../..")
	for _, c := range []struct {
		test, mutant string
		want         bool
	}{
		{"core/txn TestOneRequestAtATimeToAnotherNode", "T5", true},
		{"core/txn TestOneRequestAtATimeToAnotherNode", "P9", false},
		{"core/txn TestThatIsNotThere", "T5", false},
	} {
		got, err := tested(c.test, c.mutant)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%v", c)
	}
	_, err := tested("core/nowhere TestX", "T5")
	require.Error(t, err)
	_, err = tested("TestX", "T5")
	require.Error(t, err)
}
