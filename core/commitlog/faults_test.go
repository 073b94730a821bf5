package commitlog

import (
	"errors"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// fixed makes a twin without rapid.
func fixed(t testing.TB, cfg Config) *twin {
	m := &twin{cfg: cfg, seq: map[int64]int32{}}
	m.w = newWorld(newMemDisk(prng.New(1)))
	m.w.disk.fifo = true
	if err := m.open(Options{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// add appends a batch of n records of about size bytes.
func (m *twin) add(n, size int) {
	v := batch(n, size, int64(m.w.env.Now.Wall), records.Options{})
	m.l.Append(v, 0, nil)
	m.batches = append(m.batches, append(records.View(nil), v...))
}

// reopen is what the next process does after a loss of power.
func (m *twin) reopen(point int64) error {
	m.w = newWorld(m.w.disk.crash(true))
	return m.open(Options{RecoveryPoint: point})
}

func TestASyncCoversOnlyWhatWasWrittenWhenItWasAsked(t *testing.T) {
	m := fixed(t, smallConfig())
	m.add(1, 10)
	m.w.settle()
	m.add(1, 10)
	m.w.step() // written; the sync is asked
	if m.l.WrittenEnd() != 2 || m.l.SyncedEnd() != 1 {
		t.Fatalf("written %d synced %d", m.l.WrittenEnd(), m.l.SyncedEnd())
	}
	m.w.disk.fifo = true
	m.add(1, 10)
	m.w.flush() // the write of the third is behind the sync of the second
	d := m.w.disk
	if len(d.pending) != 2 || d.pending[0].Kind != disk.Sync {
		t.Fatalf("%d requests pending", len(d.pending))
	}
	d.pending[0], d.pending[1] = d.pending[1], d.pending[0]
	m.w.step()
	m.w.step()
	if m.l.WrittenEnd() != 3 || m.l.SyncedEnd() != 2 {
		t.Fatalf("written %d synced %d, want 3 and 2", m.l.WrittenEnd(), m.l.SyncedEnd())
	}
}

func TestNothingInANewSegmentIsSyncedBeforeItsName(t *testing.T) {
	for seed := uint64(0); seed < 30; seed++ {
		m := fixed(t, smallConfig())
		m.w.disk.rnd, m.w.disk.fifo = prng.New(seed), false
		for i := 0; i < 12; i++ {
			m.add(1, 900)
			for k := 0; k < 6; k++ {
				m.w.step()
			}
		}
		synced := m.l.SyncedEnd()
		if err := m.reopen(0); err != nil || m.l.End() < synced {
			t.Fatalf("seed %d: %v; %d was synced and %d is left", seed, err, synced, m.l.End())
		}
	}
}

func TestAfterAnIOErrorTheLogTakesNoMore(t *testing.T) {
	for _, kind := range []disk.Kind{disk.Write, disk.Sync} {
		m := fixed(t, smallConfig())
		m.add(1, 10)
		m.w.settle()
		m.w.disk.fault = func(r *disk.Request) (disk.Err, bool) { return disk.ErrIO, r.Kind == kind }
		m.add(1, 10)
		m.w.settle()
		if !m.failed || !m.l.Failed() || m.l.SyncedEnd() != 1 {
			t.Fatalf("kind %d: told %v, failed %v, synced %d", kind, m.failed, m.l.Failed(), m.l.SyncedEnd())
		}
	}
}

func TestRecoveryCutsATailWithABadCRC(t *testing.T) {
	m := fixed(t, smallConfig())
	m.add(1, 10)
	m.add(1, 10)
	m.w.settle()
	f := m.w.disk.names["data/t-0/00000000000000000000.log"]
	f.data[len(f.data)-1] ^= 1
	m.w = newWorld(m.w.disk.crash(false))
	if err := m.open(Options{RecoveryPoint: 1}); err != nil || m.l.End() != 1 {
		t.Fatalf("%v, end %d, want 1", err, m.l.End())
	}
}

func TestRecoveryRefusesDamageBelowTheRecoveryPoint(t *testing.T) {
	m := fixed(t, smallConfig())
	m.add(1, 10)
	m.add(1, 10)
	m.w.settle()
	f := m.w.disk.names["data/t-0/00000000000000000000.log"]
	f.data[len(f.data)-1] ^= 1
	m.w = newWorld(m.w.disk.crash(false))
	err := m.open(Options{RecoveryPoint: 2})
	var c *Corrupt
	if !errors.As(err, &c) || c.End != 1 || c.RecoveryPoint != 2 {
		t.Fatalf("got %v, want damage at 1 below 2", err)
	}
	m.w.settle()
	if len(m.w.disk.open) != 0 {
		t.Fatalf("%d files left open", len(m.w.disk.open))
	}
}

func TestRecoveryKeepsWhatStandsAboveTheRecoveryPoint(t *testing.T) {
	m := fixed(t, smallConfig())
	for i := 0; i < 5; i++ {
		m.add(1, 10)
	}
	m.w.settle()
	if err := m.reopen(2); err != nil {
		t.Fatal(err)
	} else if m.l.End() != 5 {
		t.Fatalf("end %d, want 5", m.l.End())
	}
}

// A loss of power may keep the names of segments and a snapshot between them, and take the records.
func TestASnapshotBehindAGapTellsNothingOfProducers(t *testing.T) {
	m := fixed(t, smallConfig())
	lost := batch(1, 10, 1000, records.Options{HasProducer: true, ProducerID: 7})
	m.l.Append(lost, 0, nil)
	for i := 0; i < 5; i++ {
		m.add(1, 900)
	}
	m.w.settle()
	if n := len(m.l.snapshots.list); n == 0 || len(m.l.segs) < 2 {
		t.Fatalf("%d segments and %d snapshots: the test is wrong", len(m.l.segs), n)
	}
	f := m.w.disk.names["data/t-0/00000000000000000000.log"]
	f.data = f.data[:0]
	m.w = newWorld(m.w.disk.crash(false))
	if err := m.open(Options{}); err != nil {
		t.Fatal(err)
	}
	if d := m.l.Producers().Check(lost, 0); m.l.End() != 0 || d.Duplicate || m.l.Producers().Len() != 0 {
		t.Fatalf("a log that ends at %d takes a batch of offset 0 for a duplicate: %+v", m.l.End(), d)
	}
}

func TestAPinnedSegmentIsClosedOnlyWhenItIsLetGo(t *testing.T) {
	m := fixed(t, smallConfig())
	for i := 0; i < 12; i++ {
		m.add(1, 900)
	}
	m.w.settle()
	var sl Slice
	m.w.do(func(t *task.Task) { sl, _, _ = m.l.LocateSlow(t, 0, 100, 12) })
	m.l.Pin(sl.Ext.File)
	m.l.DeleteRecords(12)
	for i := 0; i < 200; i++ {
		m.w.step()
	}
	if m.w.disk.open[sl.Ext.File] == nil {
		t.Fatal("the file of an extent on its way was closed")
	}
	m.l.Unpin(sl.Ext.File)
	m.w.settle()
	if m.w.disk.open[sl.Ext.File] != nil || m.w.disk.names["data/t-0/00000000000000000000.log"] != nil {
		t.Fatal("the removed segment is still there")
	}
}

func TestEachOffsetIsFoundThroughTheIndex(t *testing.T) {
	m := fixed(t, smallConfig())
	for i := 0; i < 300; i++ {
		m.add(1+i%3, 20)
		m.w.settle()
	}
	for o := m.l.End() - 1; o >= 0; o-- {
		m.l.forgetChunks()
		m.l.recent.n, m.l.coarse.n = 0, 0
		reads := m.w.disk.count[disk.Read]
		if m.readAt(o, 1, int64(m.at(m.l.WrittenEnd()-1))) <= o {
			t.Fatalf("offset %d not found", o)
		}
		if n := m.w.disk.count[disk.Read] - reads; n > 5 {
			t.Fatalf("offset %d took %d reads", o, n)
		}
	}
}

func TestASequentialReaderBehindTheTailNeedsAReadOnlyNowAndThen(t *testing.T) {
	cfg := DefaultConfig()
	m := fixed(t, cfg)
	m.w.disk.space = -1
	for i := 0; i < 600; i++ {
		m.add(1, 32<<10)
		m.w.settle()
	}
	slow, all := 0, 0
	for o := int64(0); o < 300; all++ {
		sl, where := m.l.Locate(o, 256<<10, 600)
		if where == NeedRead {
			slow++
			m.w.do(func(t *task.Task) { sl, where, _ = m.l.LocateSlow(t, o, 256<<10, 600) })
		}
		if where != Found || sl.First != o {
			t.Fatalf("offset %d: %v %+v", o, where, sl)
		}
		o = sl.Next
	}
	if slow*8 > all {
		t.Fatalf("%d of %d lookups had to read", slow, all)
	}
}

func TestRecoveryNeverCutsWhatASnapshotVouchesFor(t *testing.T) {
	m := fixed(t, smallConfig())
	m.add(1, 10)
	m.add(1, 10)
	m.w.do(func(t *task.Task) { m.l.Close(t, true) })
	before := len(m.w.disk.names[m.l.path(0, suffixTimeIndex)].data)
	if err := m.reopen(2); err != nil {
		t.Fatal(err)
	}
	if n := len(m.w.disk.names[m.l.path(0, suffixTimeIndex)].data); n < before || n == 0 {
		t.Fatalf("the time index has %d bytes, had %d, and the snapshot at its end is still there", n, before)
	}
}

// A roll that finds no space is tried again by the next append, whether a write was in flight then or not.
func TestARollWithoutSpaceIsTriedAgainWhenThereIsSome(t *testing.T) {
	for _, inFlight := range []bool{false, true} {
		m := fixed(t, smallConfig())
		m.add(1, 900)
		m.add(1, 900)
		m.w.settle()
		m.w.disk.fault = func(r *disk.Request) (disk.Err, bool) {
			return disk.ErrNoSpace, r.Kind == disk.Open && strings.HasSuffix(r.Path, ".log")
		}
		if inFlight {
			m.add(1, 900)
			m.w.flush()
		}
		end := m.l.End()
		for range 3 {
			m.add(1, 1900)
			m.w.settle()
			if m.l.Failed() || m.l.End() != end || m.l.WrittenEnd() != end {
				t.Fatalf("in flight %v: failed %v, end %d, written %d, want %d", inFlight, m.l.Failed(), m.l.End(), m.l.WrittenEnd(), end)
			}
		}
		if m.full != 3 {
			t.Fatalf("in flight %v: the disk was full %d times, want 3", inFlight, m.full)
		}
		m.w.disk.fault = nil
		m.add(1, 1900)
		m.w.settle()
		if m.l.SyncedEnd() != end+1 || m.l.Segments() != 2 {
			t.Fatalf("in flight %v: %d synced in %d segments, want %d in 2", inFlight, m.l.SyncedEnd(), m.l.Segments(), end+1)
		}
		if err := m.reopen(0); err != nil || m.l.End() != end+1 {
			t.Fatalf("in flight %v: %v, end %d after a crash, want %d", inFlight, err, m.l.End(), end+1)
		}
	}
}
