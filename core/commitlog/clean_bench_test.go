package commitlog

import (
	"fmt"
	"math/rand"
	"syscall"
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
)

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkClean cleans a log in memory of which half is superseded: bytes of the log by the CPU time that it takes to read them twice and to write
// what stays.
func BenchmarkClean(b *testing.B) {
	for _, c := range []struct {
		name  string
		codec int8
		value int
	}{{"plain-100", 0, 100}, {"plain-1000", 0, 1000}, {"lz4-100", 3, 100}, {"zstd-100", 4, 100}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(newMemDisk(prng.New(1)))
			w.disk.fifo, w.env.Pool.Mangle = true, false
			cfg := DefaultConfig()
			cfg.SegmentBytes = 16 << 20
			m := &twin{w: w, cfg: cfg, seq: map[int64]int32{}}
			if err := m.open(Options{}); err != nil {
				b.Fatal(err)
			}
			const total = 300_000
			rnd := rand.New(rand.NewSource(1))
			value := make([]byte, c.value)
			for n := 0; n < total; {
				builder.Reset(records.Options{Codec: c.codec})
				for range 100 {
					rnd.Read(value[:c.value/3])
					builder.Add([]byte(fmt.Sprintf("key-%08d", rnd.Intn(total/2))), value, int64(n))
					n++
				}
				m.l.Append(append(records.View(nil), builder.Build()...), 0, nil)
				w.settle()
			}
			m.l.roll(m.l.End())
			w.settle()
			size := m.l.Size()
			b.SetBytes(size)
			b.ResetTimer()
			spent := time.Duration(0)
			for range b.N {
				d := w.disk.crash(false)
				d.fifo, d.bare = true, true
				x := newWorld(d)
				x.env.Pool.Mangle = false
				again := &twin{w: x, cfg: cfg, seq: map[int64]int32{}}
				b.StopTimer()
				if err := again.open(Options{RecoveryPoint: m.l.End(), Clean: true}); err != nil {
					b.Fatal(err)
				}
				names := map[string]*inode{}
				for p, n := range d.names {
					names[p] = n
				}
				b.StartTimer()
				before := cpuTime()
				x.do(func(t *task.Task) {
					done, err := again.l.Clean(t, CleanLimits{Stable: m.l.End(), Deletes: m.l.End(), MapBytes: 128 << 20, Room: 1 << 40})
					if err != nil || done.To != m.l.End() || again.l.Size() > size*4/5 {
						b.Errorf("%+v %v", done, err)
					}
				})
				spent += cpuTime() - before
				b.StopTimer()
				w.disk.names = names
				b.StartTimer()
			}
			b.ReportMetric(float64(size)*float64(b.N)/1e6/spent.Seconds(), "MB/cpu-s")
		})
	}
}
