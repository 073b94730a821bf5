package commitlog

import (
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

func TestAfterARestartAllFiveBatchesOfAProducerAreKnown(t *testing.T) {
	short, rolling := DefaultConfig(), smallConfig()
	rolling.SegmentBytes = 1000
	for _, c := range []struct {
		name          string
		cfg           Config
		size          int // of a record
		before, after int // batches without a producer around the five
	}{
		{"alone", short, 10, 0, 0},
		{"in a long log", short, 10, 20_000, 3},
		{"far before its end", short, 100, 5_000, 1_000},
		{"large", short, 700_000, 20, 30},
		{"over a roll", rolling, 300, 10, 0},
		{"over a roll that just was", rolling, 180, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := fixed(t, c.cfg)
			fill := func(n int) {
				for i := range n {
					m.add(1, c.size)
					if i%100 == 99 {
						m.w.settle()
					}
				}
			}
			fill(c.before)
			var five []records.View
			for seq := range int32(5) {
				v := batch(1, c.size, 1000, records.Options{HasProducer: true, ProducerID: 7, ProducerEpoch: 2, BaseSequence: seq})
				m.l.Append(v, 0, nil)
				five = append(five, append(records.View(nil), v...))
				m.w.settle()
			}
			fill(c.after)
			m.w.settle()
			for life := range 3 { // Recovery leaves what it finds again; the last one knows no recovery point, and meets the snapshot on its way.
				m.w.do(func(t *task.Task) { m.check(m.l.Close(t, true) == disk.OK, "close") })
				m.w = newWorld(m.w.disk)
				opt := Options{RecoveryPoint: m.l.End(), Clean: true}
				if life == 2 {
					opt = Options{}
				}
				if err := m.open(opt); err != nil {
					t.Fatal(err)
				}
				for i, v := range five {
					d := m.l.Producers().Check(v, 0)
					if !d.Duplicate || d.Base != v.BaseOffset() || d.Last != v.LastOffset() {
						t.Errorf("batch %d at %d, sent again, is judged %+v", i, v.BaseOffset(), d)
					}
				}
			}
			next := batch(1, 10, 1000, records.Options{HasProducer: true, ProducerID: 7, ProducerEpoch: 2, BaseSequence: 5})
			if d := m.l.Producers().Check(next, 0); d.Duplicate || d.Code != kerr.None {
				t.Errorf("the next batch is judged %+v", d)
			}
		})
	}
}

func TestEpochsAreKnownFromTheLogStartOnThoughTheirFileWasSavedWithALaterOne(t *testing.T) {
	m := fixed(t, DefaultConfig())
	for epoch := range int32(4) {
		for range 3 {
			m.l.Append(batch(1, 10, 1000, records.Options{}), epoch, nil)
		}
	}
	m.w.settle()
	m.l.DeleteRecords(8) // and the log start that was saved is that of before
	m.w.do(func(t *task.Task) { m.check(m.l.Close(t, true) == disk.OK, "close") })
	for _, start := range []int64{8, 7, 4, 0, 0} {
		m.w = newWorld(m.w.disk)
		if err := m.open(Options{RecoveryPoint: 12, StartOffset: start, Clean: true}); err != nil {
			t.Fatal(err)
		}
		for o := start; o < 12; o++ {
			if is := m.l.EpochAt(o); is != int32(o/3) {
				t.Errorf("with the log start at %d the epoch at %d is %d", start, o, is)
			}
		}
		m.w.do(func(t *task.Task) { m.check(m.l.Close(t, true) == disk.OK, "close") })
	}
}

func TestATornBatchBehindTheSnapshotIsNotRecalled(t *testing.T) {
	m := fixed(t, DefaultConfig())
	of := func(seq int32) records.View {
		return batch(1, 100, 1000, records.Options{HasProducer: true, ProducerID: 7, ProducerEpoch: 2, BaseSequence: seq})
	}
	for seq := range int32(3) {
		m.l.Append(of(seq), 0, nil)
		m.w.settle()
	}
	path := m.l.active().name(m.l)
	m.w.do(func(t *task.Task) { m.check(m.l.Close(t, true) == disk.OK, "close") })
	file := m.w.disk.names[path]
	torn := of(3) // whole but for its base offset, which no CRC covers
	torn.SetBaseOffset(0)
	file.data = append(file.data[:len(file.data):len(file.data)], torn...)
	file.durable = append([]byte(nil), file.data...)
	m.w = newWorld(m.w.disk)
	if err := m.open(Options{RecoveryPoint: 3}); err != nil {
		t.Fatal(err)
	}
	if m.l.End() != 3 {
		t.Fatalf("the log ends at %d", m.l.End())
	}
	if d := m.l.Producers().Check(of(3), 0); d.Duplicate || d.Code != kerr.None {
		t.Errorf("the batch that was cut, sent again, is judged %+v", d)
	}
}
