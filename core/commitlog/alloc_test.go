package commitlog

import (
	"testing"

	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/disk"
)

// quiet is a listener that does nothing.
type quiet struct{}

func (quiet) LogWritten(*Log)                  {}
func (quiet) LogSynced(*Log)                   {}
func (quiet) LogFailed(*Log, disk.Err, string) {}
func (quiet) LogFull(*Log, int64)              {}
func (quiet) LogStartMoved(*Log)               {}
func (quiet) LogDamaged(*Log, int64)           {}

var completion disk.Completion // one for all rounds, as a driver has it

// round flushes and completes what the log asked of its own file; it does not store the bytes.
func round(w *world) {
	w.env.FlushDirty()
	for len(w.out.Disk) > 0 {
		r := w.out.Disk[0]
		w.out.Disk = append(w.out.Disk[:0], w.out.Disk[1:]...)
		c := &completion
		*c = disk.Completion{Token: r.Token}
		for _, v := range r.Vec {
			c.N += int64(len(v))
		}
		w.env.Done(c)
		w.env.FlushDirty()
	}
	w.out.Reset()
}

func steady(t testing.TB) (*twin, records.View, *buf.Lease) {
	cfg := DefaultConfig()
	cfg.SnapshotBytes = 1 << 40
	m := fixed(t, cfg)
	v := batch(4, 200, 1000, records.Options{HasProducer: true, ProducerID: 7})
	lease := m.w.env.Pool.Get(len(v))
	v = lease.Bytes[:copy(lease.Bytes, v)]
	m.l.Append(v, 0, lease)
	m.w.settle()
	m.l.listener = quiet{}
	for i := 0; i < 2000; i++ {
		m.l.Append(v, 0, lease)
		round(m.w)
	}
	return m, v, lease
}

func TestAppendingWritingAndSyncingDoesNotAllocate(t *testing.T) {
	m, v, lease := steady(t)
	n := testing.AllocsPerRun(100, func() {
		for i := 0; i < 3; i++ {
			m.l.Append(v, 0, lease)
		}
		round(m.w)
	})
	if n != 0 || m.l.SyncedEnd() != m.l.End() {
		t.Fatalf("%v allocations a round; synced %d of %d", n, m.l.SyncedEnd(), m.l.End())
	}
}

func TestLocatingTheTailDoesNotAllocate(t *testing.T) {
	m, _, _ := steady(t)
	end := m.l.WrittenEnd()
	n := testing.AllocsPerRun(100, func() {
		if _, where := m.l.Locate(end-40, 1<<20, end); where != Found {
			t.Fatal(where)
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkAppendWriteSync(b *testing.B) {
	m, v, lease := steady(b)
	b.ReportAllocs()
	for b.Loop() {
		m.l.Append(v, 0, lease)
		round(m.w)
	}
}
