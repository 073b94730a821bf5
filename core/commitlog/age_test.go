package commitlog

import (
	"math"
	"testing"

	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Segments of three seconds: 1,000,000 to 1,002,000, and so on.
func TestWhatMayNotStayDirtyForLongIsDueAfterARestartToo(t *testing.T) {
	for _, c := range []struct {
		name    string
		now     clock.Wall
		lag     int64
		cleaned int64
		due     bool
	}{
		{"the first record is as old as may be", 1_010_000, 10_000, 0, false},
		{"the first record is too old, the last of its segment is not", 1_010_001, 10_000, 0, true},
		{"the first record is clean already", 1_010_001, 10_000, 3, false},
		{"the first dirty record is too old", 1_013_001, 10_000, 3, true},
		{"nothing is ever due", 1 << 60, math.MaxInt64, 0, false},
	} {
		m := filled(t, func(*Config) {})
		m.l.SyncNow()
		m.w.settle()
		m.cfg.MaxCompactionLagMS = c.lag
		m.w.kill()
		m.w = newWorld(m.w.disk.crash(true))
		if err := m.open(Options{RecoveryPoint: m.l.SyncedEnd(), StartOffset: 0, CleanedTo: c.cleaned}); err != nil {
			t.Fatal(err)
		}
		m.w.env.Now.Wall = c.now
		if m.l.segs[0].firstTimestamp >= 0 {
			t.Fatalf("%s: a start knows the first timestamp: the test is wrong", c.name)
		}
		m.w.do(func(tk *task.Task) {
			if !m.l.LearnAges(tk) {
				t.Errorf("%s: ages could not be learnt", c.name)
			}
		})
		if d := m.l.Dirt(m.l.End()); (d.OverdueMS > 0) != c.due || d.From != c.cleaned || d.From == d.To {
			t.Errorf("%s: %+v, want due %v", c.name, d, c.due)
		}
	}
}

func TestAgesAreReadOnceAndOnlyWhereTheyAreAskedFor(t *testing.T) {
	m := filled(t, func(*Config) {})
	m.l.SyncNow()
	m.w.settle()
	m.w.kill()
	m.w = newWorld(m.w.disk.crash(true))
	if err := m.open(Options{RecoveryPoint: m.l.SyncedEnd(), CleanedTo: 3}); err != nil {
		t.Fatal(err)
	}
	learn := func() (reads int) {
		before := m.w.disk.count[disk.Read]
		m.w.do(func(tk *task.Task) { m.l.LearnAges(tk) })
		return m.w.disk.count[disk.Read] - before
	}
	if n := learn(); n != 0 {
		t.Errorf("without max.compaction.lag.ms %d reads", n)
	}
	cfg := m.l.cfg
	cfg.MaxCompactionLagMS = 1
	m.l.SetConfig(cfg)
	if n := learn(); n == 0 || m.l.segs[0].firstTimestamp >= 0 || m.l.segs[1].firstTimestamp != 1_003_000 {
		t.Errorf("%d reads; the clean segment %d, the dirty one %d", n, m.l.segs[0].firstTimestamp, m.l.segs[1].firstTimestamp)
	}
	if n := learn(); n != 0 {
		t.Errorf("the second time %d reads", n)
	}
}
