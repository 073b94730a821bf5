package commitlog

import (
	"runtime"
	"testing"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// filled has twelve batches of one record and 900 bytes in four segments of three, one second apart from 1,000,000 on.
func filled(t *testing.T, change func(*Config)) *twin {
	cfg := smallConfig()
	change(&cfg)
	m := fixed(t, cfg)
	for i := 0; i < 12; i++ {
		m.add(1, 900)
		m.w.settle()
		m.w.env.Now.Wall += 1000
	}
	if m.l.Segments() != 4 {
		t.Fatalf("%d segments", m.l.Segments())
	}
	return m
}

func TestRetention(t *testing.T) {
	size := filled(t, func(*Config) {}).l.Size()
	for _, c := range []struct {
		name   string
		change func(*Config)
		now    clock.Wall
		limit  int64
		start  int64
	}{
		{"nothing is old or large", func(c *Config) {}, 1_012_000, 12, 0},
		{"by time, whole segments", func(c *Config) { c.RetentionMS = 6500 }, 1_012_000, 12, 6},
		{"by time, the active one too", func(c *Config) { c.RetentionMS = 6500 }, 2_000_000, 12, 12},
		{"never above the limit", func(c *Config) { c.RetentionMS = 6500 }, 2_000_000, 7, 6},
		{"by size, not below it", func(c *Config) { c.RetentionBytes = size / 2 }, 1_012_000, 12, 6},
		{"by size, one byte short of a segment", func(c *Config) { c.RetentionBytes = size/2 + 1 }, 1_012_000, 12, 3},
		{"compacted logs are kept", func(c *Config) { c.RetentionMS, c.Delete = 0, false }, 2_000_000, 12, 0},
	} {
		m := filled(t, func(c *Config) {})
		m.l.cfg.RetentionMS = -1
		cfg := m.l.cfg
		c.change(&cfg)
		m.l.SetConfig(cfg)
		m.l.Retain(clock.Now{Mono: 1, Wall: c.now}, c.limit)
		m.w.settle()
		if m.l.Start() != c.start {
			t.Errorf("%s: start %d, want %d", c.name, m.l.Start(), c.start)
		}
		if m.w.disk.names[m.l.path(0, suffixLog)] != nil && c.start > 0 {
			t.Errorf("%s: the first segment is still there", c.name)
		}
	}
}

func TestASegmentRollsByTheTimeOfItsRecords(t *testing.T) {
	cfg := DefaultConfig()
	cfg.SegmentMS = 5000
	m := fixed(t, cfg)
	for i := 0; i < 12; i++ {
		m.add(1, 10)
		m.w.settle()
		m.w.env.Now.Wall += 1000
	}
	if m.l.Segments() != 2 || m.l.active().base != 6 {
		t.Fatalf("%v", segs(m.l))
	}
}

func TestASegmentRollsWhenItsIndexIsFull(t *testing.T) {
	cfg := DefaultConfig()
	cfg.IndexIntervalBytes, cfg.IndexBytes = 10, 8*12
	m := fixed(t, cfg)
	for i := 0; i < 20; i++ {
		m.add(1, 10)
		m.w.settle()
	}
	if m.l.Segments() < 2 || len(m.w.disk.names[m.l.path(0, suffixTimeIndex)].data) > 96 {
		t.Fatalf("%v", segs(m.l))
	}
}

func TestCreatingALogSyncsNothingAndAnIdleOneIsSmall(t *testing.T) {
	w := newWorld(newMemDisk(prng.New(1)))
	w.disk.fifo = true
	var before, after runtime.MemStats
	logs := make([]*Log, 500)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range logs {
		w.do(func(tk *task.Task) {
			l, err := Open(tk, w.env, "data/t-"+string(rune('a'+i%26))+string(rune('a'+i/26)), Options{Config: DefaultConfig(), Listener: quiet{}, Create: true, TopicID: [16]byte{1}})
			if err != nil {
				t.Error(err)
			}
			logs[i] = l
		})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := w.disk.count[disk.Sync] + w.disk.count[disk.SyncDir]; n != 0 {
		t.Errorf("%d syncs", n)
	}
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / int64(len(logs))
	t.Logf("%d bytes a log, with what the test's disk holds of it", each)
	if each > 8<<10 {
		t.Errorf("%d bytes a log", each)
	}
	runtime.KeepAlive(logs)
}

func TestABatchTakenBackLeavesTheProducerAsItWas(t *testing.T) {
	m := fixed(t, smallConfig())
	first := batch(1, 10, 1000, records.Options{HasProducer: true, ProducerID: 7})
	m.l.Append(first, 0, nil)
	m.w.settle()
	next := batch(1, 10, 1000, records.Options{HasProducer: true, ProducerID: 7, BaseSequence: 1})
	m.w.disk.space = 30
	m.batches = []records.View{first}
	m.l.Append(next, 3, nil)
	m.w.settle()
	if m.full != 1 || m.l.End() != 1 || m.l.LatestEpoch() != 0 || m.l.Size() != int64(len(first)) {
		t.Fatalf("full %d end %d epoch %d size %d", m.full, m.l.End(), m.l.LatestEpoch(), m.l.Size())
	}
	m.w.disk.space = -1
	if v := m.l.Producers().Check(next, 0); v.Duplicate || v.Code != 0 {
		t.Fatalf("the batch that was taken back is judged %+v", v)
	}
	m.l.Append(next, 3, nil)
	m.w.settle()
	if m.l.SyncedEnd() != 2 {
		t.Fatalf("synced %d", m.l.SyncedEnd())
	}
}

func TestDeletedSegmentsGoOnlyWhenTheNextOneSurvivesALossOfPower(t *testing.T) {
	cfg := smallConfig()
	cfg.FlushAck = false
	for seed := uint64(0); seed < 400; seed++ {
		m := fixed(t, cfg)
		m.w.disk.rnd, m.w.disk.fifo = prng.New(seed), false
		for i := 0; i < 3; i++ { // a segment that is synced
			m.add(1, 900)
		}
		m.w.settle()
		m.l.SyncNow()
		m.w.settle()
		for i := 0; i < 4; i++ { // one that is not, and the active one
			m.add(1, 900)
		}
		for m.l.WrittenEnd() < 7 {
			m.w.step()
		}
		m.l.DeleteRecords(7)
		for i := m.w.disk.rnd.Intn(60); i > 0; i-- {
			m.w.step()
		}
		synced, said := m.l.SyncedEnd(), int64(0)
		if m.w.disk.rnd.Permille(500) {
			said = m.l.Start() // the checkpoint has been written
		}
		point := m.l.RecoveryPoint() * int64(m.w.disk.rnd.Intn(2))
		m.w.kill()
		m.w = newWorld(m.w.disk.crash(true))
		if err := m.open(Options{RecoveryPoint: point, StartOffset: said}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if m.l.End() < synced || m.l.End() < said || m.l.Start() < said || m.l.Start() > max(said, m.l.segs[0].base) {
			t.Fatalf("seed %d: synced to %d, start said to be %d; recovered %d to %d", seed, synced, said, m.l.Start(), m.l.End())
		}
		m.add(1, 10)
		m.w.settle()
	}
}

func TestALogThatEndsBelowItsStartBeginsAnewThere(t *testing.T) {
	for seed := uint64(0); seed < 60; seed++ {
		m := fixed(t, smallConfig())
		first := batch(1, 10, 1000, records.Options{HasProducer: true, ProducerID: 7})
		m.l.Append(first, 0, nil)
		for i := 0; i < 5; i++ {
			m.add(1, 900)
		}
		m.w.settle()
		m.w.disk.rnd, m.w.disk.fifo = prng.New(seed), false
		for k := 0; k < 2; k++ { // the first may be cut short by another loss of power
			old := m.w
			m.w = newWorld(old.disk.crash(true)) // before kill, which gives back the buffers of writes in flight
			old.kill()
			task.Go(m.w.env, func(t *task.Task) {
				if l, err := Open(t, m.w.env, "data/t-0", Options{Config: m.cfg, Listener: m, TopicID: [16]byte{1, 2, 3}, RecoveryPoint: 6, StartOffset: 9}); err == nil {
					m.l = l
				}
			})
			for i := m.w.disk.rnd.Intn(80); i > 0; i-- {
				m.w.step()
			}
		}
		old := m.w
		m.w = newWorld(old.disk.crash(true))
		old.kill()
		if err := m.open(Options{RecoveryPoint: 6, StartOffset: 9}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if m.l.Start() != 9 || m.l.End() != 9 || m.l.SyncedEnd() != 9 {
			t.Fatalf("seed %d: %d to %d, synced %d", seed, m.l.Start(), m.l.End(), m.l.SyncedEnd())
		}
		if !m.l.Producers().Check(first, 0).Duplicate {
			t.Fatalf("seed %d: the producer is forgotten", seed)
		}
		m.add(1, 10)
		m.w.settle()
		if err := m.reopen(9); err != nil || m.l.Start() != 9 || m.l.End() != 10 {
			t.Fatalf("seed %d: %v, %d to %d", seed, err, m.l.Start(), m.l.End())
		}
		if !m.l.Producers().Check(first, 0).Duplicate {
			t.Fatalf("seed %d: the producer is forgotten after a second recovery", seed)
		}
	}
}
