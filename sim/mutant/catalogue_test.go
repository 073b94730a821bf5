package mutant

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/core/plant"
)

func TestEveryMutantOfTheCoreHasARowAndEveryRowAMutant(t *testing.T) {
	rows := All()
	require.Len(t, rows, int(plant.Count)-1)
	for i, m := range rows {
		require.Equal(t, plant.ID(i+1), m.ID)
		require.NotEmpty(t, m.Name)
		require.NotEmpty(t, m.Bug)
		require.NotEmpty(t, m.Oracles)
		found, ok := Find(m.Name)
		require.True(t, ok)
		require.Equal(t, m.ID, found.ID)
		require.True(t, m.Expects(m.Oracles[0]))
		require.False(t, m.Expects("something else"))
	}
	_, ok := Find("nobody")
	require.False(t, ok)
}
