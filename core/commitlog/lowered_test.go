package commitlog

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
)

func TestACapIsTextAndADamagedOneCapsEverything(t *testing.T) {
	c := lowered{point: 17, start: 3}
	require.Equal(t, "0\n1\n17 3", strings.TrimRight(string(c.appendText(nil)), " \t\n"))
	require.Equal(t, c, parseLowered(c.appendText(nil)))
	require.Equal(t, c, parseLowered([]byte("0\n1\n17 3\n")))
	for _, bad := range []string{"", "0\n", "1\n1\n17 3\n", "0\n1\n17\n", "0\n2\n17 3\n", "0\n1\n-1 3\n", "0\n1\n17 x\n"} {
		require.Equal(t, lowered{}, parseLowered([]byte(bad)), "%q", bad)
	}
}

func FuzzACapIsReadWithoutPanicAndNeverBelowNothing(f *testing.F) {
	f.Add([]byte("0\n1\n17 3\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c := parseLowered(b); c.point < 0 || c.start < 0 {
			t.Fatalf("%+v", c)
		}
	})
}

func TestACapGoesOnceTheCheckpointsHoldWhatTheLogHas(t *testing.T) {
	w := newWorld(newMemDisk(prng.New(1)))
	m := &twin{w: w, cfg: smallConfig(), seq: map[int64]int32{}}
	require.NoError(t, m.open(Options{}))
	for i := range 4 {
		m.l.Append(batch(1, 100, int64(i), records.Options{}), 1, nil)
	}
	w.settle()
	w.do(func(tk *task.Task) { require.True(t, m.l.TruncateTo(tk, 2, false)) })
	require.True(t, m.l.Capped())
	m.l.Checkpointed(4, 0) // gathered before
	w.settle()
	require.True(t, m.l.Capped())
	require.NotNil(t, w.disk.names["data/t-0/"+nameLowered])
	m.l.Checkpointed(2, 0)
	w.settle()
	require.False(t, m.l.Capped())
	require.Nil(t, w.disk.names["data/t-0/"+nameLowered])
}
