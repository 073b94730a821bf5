package commitlog

import (
	"fmt"
	"math/rand"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
)

// threadTime is what this thread has used of the processors.
func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var r syscall.Rusage
	if syscall.Getrusage(thread, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkCleanStep cleans batches of 4 MiB of records, and tells for how long the longest of its steps held up the shard, in CPU time.
func BenchmarkCleanStep(b *testing.B) {
	for _, c := range []struct {
		name  string
		codec int8
	}{{"plain", 0}, {"gzip", 1}, {"lz4", 3}, {"zstd", 4}} {
		b.Run(c.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			worst := time.Duration(0)
			for range b.N {
				worst = max(worst, longestStep(b, c.codec))
			}
			b.ReportMetric(float64(worst.Microseconds()), "µs/longest-step")
		})
	}
}

func longestStep(b *testing.B, codec int8) (worst time.Duration) {
	w := newWorld(newMemDisk(prng.New(1)))
	w.disk.fifo, w.disk.bare, w.env.Pool.Mangle = true, true, false
	cfg := DefaultConfig()
	cfg.SegmentBytes = 64 << 20
	m := &twin{w: w, cfg: cfg, seq: map[int64]int32{}}
	if err := m.open(Options{}); err != nil {
		b.Fatal(err)
	}
	rnd, value := rand.New(rand.NewSource(1)), make([]byte, 100)
	for range 4 {
		builder.Reset(records.Options{Codec: codec})
		for size := 0; size < 4<<20; size += 120 {
			rnd.Read(value[:20])
			builder.Add([]byte(fmt.Sprintf("key-%08d", rnd.Intn(40_000))), value, 1)
		}
		m.l.Append(append(records.View(nil), builder.Build()...), 0, nil)
		w.settle()
	}
	m.l.roll(m.l.End())
	w.settle()
	tk := task.Go(w.env, func(t *task.Task) {
		if _, err := m.l.Clean(t, CleanLimits{Stable: m.l.End(), Deletes: m.l.End(), MapBytes: 128 << 20, Room: 1 << 40}); err != nil {
			b.Error(err)
		}
	})
	for !tk.Ended() {
		before := threadTime()
		w.step()
		worst = max(worst, threadTime()-before)
	}
	return worst
}
