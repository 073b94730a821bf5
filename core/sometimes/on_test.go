//go:build marks

package sometimes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMarksAreCountedByNameAndBeginAnewWithEachRun(t *testing.T) {
	before := Counts()
	defer Set(before)
	Set(nil)
	require.Empty(t, Counts())
	Hit(Names[0])
	If(true, Names[len(Names)-1])
	If(true, Names[len(Names)-1])
	If(false, Names[1])
	kept := Counts()
	require.Equal(t, map[string]int64{Names[0]: 1, Names[len(Names)-1]: 2}, kept)
	Hit(Names[1])
	Set(kept)
	require.Equal(t, kept, Counts())
	require.Panics(t, func() { Hit("nobody listed this") })
	require.Zero(t, testing.AllocsPerRun(100, func() { Hit(Names[7]) }))
}
