package fault

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachWayOfAClassIsAKindOfItsOwn(t *testing.T) {
	all := Kinds()
	require.GreaterOrEqual(t, len(all), 35)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(all))), len(all))
	var l Ledger
	for c, ws := range ways {
		require.LessOrEqual(t, len(ws), mostWays, Class(c).String())
		if c > 0 && len(ws) == 0 {
			l.Hit(Class(c), "whatever")
		}
		for _, w := range ws {
			l.Note(0, Class(c), 0, "of something: "+w)
			l.Hit(Class(c), w)
		}
	}
	l.Hit(D4, "a file of no name that counts")
	got := l.Kinds()
	for _, k := range all {
		require.Positive(t, got[k], k)
	}
	require.Len(t, got, len(all))
	require.Equal(t, int64(2), got["F:D3 a directory's EIO"])
	require.Equal(t, int64(2), got["F:D3 EIO"])
	require.Equal(t, int64(13), l.Hits(D4))
}
