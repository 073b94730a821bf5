package oracle

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/sim/history"
)

// A million operations a minute is what a history's checks are held to; the processor's time counts, since others may have it.
func BenchmarkCheckHistory(b *testing.B) {
	files, err := filepath.Glob("../corruption/testdata/*.jsonl.gz")
	require.NoError(b, err)
	var histories [][]*history.Event
	operations := 0
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(b, err)
		z, err := gzip.NewReader(f)
		require.NoError(b, err)
		events, err := history.ReadAll(z)
		require.NoError(b, err)
		require.NoError(b, f.Close())
		for _, e := range events {
			if e.Type == history.Invoke {
				operations++
			}
		}
		histories = append(histories, events)
	}
	require.Positive(b, operations)
	used := func() float64 {
		var u syscall.Rusage
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return float64(u.Utime.Nano() + u.Stime.Nano())
	}
	before, n := used(), 0
	for b.Loop() {
		for _, h := range histories {
			CheckHistory(h)
		}
		n += operations
	}
	b.ReportMetric(float64(n)/(used()-before)*60e9, "operations/cpu-min")
}
