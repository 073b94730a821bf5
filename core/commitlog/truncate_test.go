package commitlog

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// cutTo is what the twin's batches are once the log is cut at an offset.
func (m *twin) cutTo(to int64) {
	for k := len(m.batches); k > 0 && m.batches[k-1].LastOffset() >= to; k-- {
		m.batches = m.batches[:k-1]
	}
	m.cut = max(m.cut, m.start)
	m.start = min(m.start, to)
	m.resequence()
}

// truncated compares what a truncation has left.
func (m *twin) truncated(to int64) {
	m.check(m.l.End() <= to, "cut at %d, ends at %d", to, m.l.End())
	m.check(m.l.WrittenEnd() == m.l.End() && m.l.SyncedEnd() == m.l.End(), "a truncated log is not synced: %d %d %d", m.l.SyncedEnd(), m.l.WrittenEnd(), m.l.End())
	m.check(m.l.End() == m.end() || len(m.batches) == 0, "cut at %d, ends at %d, want %d", to, m.l.End(), m.end())
	m.forgotten()
	m.recovered()
	for _, e := range m.l.epochs.list {
		m.check(e.start < m.l.End() || m.l.End() == m.l.Start(), "epoch %d begins at %d, the log ends at %d", e.epoch, e.start, m.l.End())
	}
}

// forgotten drops producers all of whose records were deleted, where a loss of power has taken the snapshots that knew them.
func (m *twin) forgotten() {
	for _, v := range m.last() {
		id := v.ProducerID()
		if d := m.l.Producers().Check(v, 0); !d.Duplicate && v.NextOffset() <= m.l.segs[0].base {
			m.batches = slices.DeleteFunc(m.batches, func(b records.View) bool { return b.ProducerID() == id })
		}
	}
	m.resequence()
}

// truncate cuts the log, or is interrupted by a crash on the way.
func (m *twin) truncate(full bool) {
	to := rapid.Int64Range(max(0, m.l.segs[0].base-3), m.l.End()+1).Draw(m.t, "to")
	if full {
		to = rapid.Int64Range(0, m.l.End()+20).Draw(m.t, "start")
	}
	end, synced := m.l.End(), m.synced
	ok, done := false, false
	empties := full || to < m.l.segs[0].base
	tk := task.Go(m.w.env, func(t *task.Task) {
		if full {
			ok = m.l.TruncateFully(t, to)
		} else {
			ok = m.l.TruncateTo(t, to, false)
		}
		done = true
	})
	left := -1
	if rapid.IntRange(0, 2).Draw(m.t, "interrupted") == 0 {
		left = rapid.IntRange(0, 60).Draw(m.t, "steps")
	}
	for !tk.Ended() && left != 0 && m.w.step() {
		left--
	}
	if tk.Ended() {
		m.check(done && ok, "the truncation to %d failed", to)
		switch {
		case empties:
			m.batches, m.start, m.cut = nil, to, 0
			m.resequence()
			m.check(m.l.Start() == to && m.l.End() == to && m.l.Size() == 0, "emptied at %d: %d to %d, %d bytes", to, m.l.Start(), m.l.End(), m.l.Size())
		case to >= end:
			return
		default:
			m.cutTo(to)
		}
		if !empties {
			m.truncated(to)
		}
		m.synced = m.l.SyncedEnd()
		m.said = min(m.said, m.start)
		return
	}
	m.interrupted(rapid.Bool().Draw(m.t, "power"), min(synced, to), empties)
}

// interrupted loses the process while the log is being truncated: what is found is a part of what was there, to the cut at least.
func (m *twin) interrupted(power bool, to int64, full bool) {
	m.w.kill()
	m.w = newWorld(m.w.disk.crash(power))
	m.w.env.Now.Wall = 2_000_000
	err := m.open(Options{RecoveryPoint: m.point, StartOffset: m.said})
	m.check(err == nil, "recovery in the middle of a truncation: %v", err)
	if full {
		to = 0
	}
	for k := len(m.batches); k > 0 && m.batches[k-1].NextOffset() > m.l.End(); k-- {
		m.batches = m.batches[:k-1]
	}
	m.check(full || len(m.batches) == 0 || m.l.End() >= m.batches[max(0, min(m.at(to), len(m.batches))-1)].NextOffset() || m.at(to) == 0, "an interrupted truncation to %d ends at %d", to, m.l.End())
	if full || m.l.Size() == 0 { // which producers are known depends on what was removed: it is done again, as the protocol does
		m.batches, m.cut = nil, 0
		m.w.do(func(t *task.Task) { m.check(m.l.TruncateFully(t, m.l.End()), "emptied again") })
	}
	m.forgotten()
	m.cut = max(m.cut, m.start)
	m.start, m.said = m.l.Start(), min(m.said, m.l.Start())
	m.synced = m.l.SyncedEnd()
	m.recovered()
}

func TestATruncatedLogIsWhatItsTwinKeepsThroughCrashesInTheMiddle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := smallConfig()
		cfg.FlushAck = true
		m := newTwin(t, cfg)
		t.Repeat(map[string]func(*rapid.T){
			"append":   func(*rapid.T) { m.append() },
			"transact": func(*rapid.T) { m.transact() },
			"appendMore": func(*rapid.T) {
				for i := 0; i < 12; i++ {
					m.append()
				}
			},
			"step":       func(*rapid.T) { m.w.step() },
			"settle":     func(*rapid.T) { m.w.settle() },
			"read":       func(*rapid.T) { m.read() },
			"committed":  func(*rapid.T) { m.readCommitted(rapid.Int64Range(m.l.Start(), m.l.End()).Draw(m.t, "from")) },
			"stable":     func(*rapid.T) { m.checkStable() },
			"time":       func(*rapid.T) { m.findTime() },
			"checkpoint": func(*rapid.T) { m.point = m.l.RecoveryPoint() },
			"sayStart": func(*rapid.T) { // while a truncation below the start is not checkpointed, starts count up to there
				if m.said = m.l.Start(); m.l.hasCap {
					m.said = min(m.said, m.l.capped.start)
				}
			},
			"checkpointed": func(*rapid.T) {
				m.point, m.said = m.l.RecoveryPoint(), m.l.Start()
				m.l.Checkpointed(m.point, m.said)
				m.w.settle()
			},
			"powerLoss": func(*rapid.T) { m.crash(true) },
			"kill":      func(*rapid.T) { m.crash(false) },
			"delete": func(*rapid.T) {
				m.l.DeleteRecords(rapid.Int64Range(m.l.Start(), max(m.l.Start(), m.l.WrittenEnd())).Draw(m.t, "to"))
				m.start = m.l.Start()
				m.w.flush()
			},
			"truncate": func(*rapid.T) { m.truncate(false) },
			"empty":    func(*rapid.T) { m.truncate(true) },
			"restart": func(*rapid.T) {
				var err disk.Err
				m.w.do(func(t *task.Task) { err = m.l.Close(t, true) })
				m.check(err == disk.OK, "close: %v", err)
				m.check(m.w.env.Pool.Out == 0, "%d bytes leased after close", m.w.env.Pool.Out)
				m.w = newWorld(m.w.disk.crash(rapid.Bool().Draw(m.t, "power")))
				m.point, m.said = m.end(), m.start
				m.check(m.open(Options{RecoveryPoint: m.point, Clean: true, StartOffset: m.said}) == nil, "clean open")
				m.recovered()
			},
		})
		m.w.settle()
		m.readAll()
		m.readAllCommitted()
		m.check(m.l.SyncedEnd() == m.l.End(), "not all is synced")
	})
}

func TestATruncationWaitsForAResponseThatHoldsWhatItCuts(t *testing.T) {
	w := newWorld(newMemDisk(prng.New(1)))
	m := &twin{w: w, cfg: smallConfig(), seq: map[int64]int32{}}
	if err := m.open(Options{}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 4; i++ {
		m.l.Append(batch(1, 100, int64(i), records.Options{}), 1, nil)
	}
	w.settle()
	sl, where := m.l.Locate(0, 1<<20, 4)
	if where != Found {
		t.Fatal("not found")
	}
	m.l.Pin(sl.Ext.File)
	done := false
	task.Go(w.env, func(t *task.Task) { done = m.l.TruncateTo(t, 2, false) })
	for i := 0; i < 100; i++ {
		w.step()
	}
	if done || len(w.disk.open[sl.Ext.File].data) < int(sl.Ext.Len) {
		t.Fatal("cut under a response")
	}
	if _, where := m.l.Locate(0, 1<<20, 4); where != AtEnd {
		t.Fatalf("found %d while it is truncated", where)
	}
	m.l.Unpin(sl.Ext.File)
	w.settle()
	if !done || m.l.End() != 2 {
		t.Fatalf("ends at %d", m.l.End())
	}
}

// A clean stop asks for syncs while a follower's log is cut.
func TestATruncationIsNotDisturbedByASyncThatAStopAsksFor(t *testing.T) {
	cfg := smallConfig()
	cfg.FlushAck = false
	for seed := range uint64(100) {
		m := &twin{cfg: cfg, seq: map[int64]int32{}, w: newWorld(newMemDisk(prng.New(seed)))}
		if err := m.open(Options{}); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			m.add(1, 100)
		}
		for m.l.WrittenEnd() < 4 {
			m.w.step()
		}
		cut, closed := false, disk.ErrIO
		task.Go(m.w.env, func(t *task.Task) { cut = m.l.TruncateTo(t, 2, false) })
		task.Go(m.w.env, func(t *task.Task) { closed = m.l.Close(t, true) })
		m.w.settle()
		if !cut || closed != disk.OK || m.l.End() != 2 || m.l.SyncedEnd() != 2 {
			t.Fatalf("seed %d: cut %v, closed %v, end %d, synced %d", seed, cut, closed, m.l.End(), m.l.SyncedEnd())
		}
	}
}

// A response that holds what stays leaves at some moment of a truncation: nothing is held afterwards, and the log can be closed.
func TestAResponseThatLeavesDuringATruncationLetsGo(t *testing.T) {
	for steps := range 40 {
		m := fixed(t, smallConfig())
		for range 12 {
			m.add(1, 900)
		}
		m.w.settle()
		var sl Slice
		m.w.do(func(t *task.Task) { sl, _, _ = m.l.LocateSlow(t, 4, 100, 12) })
		m.l.PinExtent(sl.Ext)
		cut, closed := false, disk.ErrIO
		task.Go(m.w.env, func(t *task.Task) { cut = m.l.TruncateTo(t, 11, false) })
		for range steps {
			m.w.step()
		}
		m.l.Unpin(sl.Ext.File)
		m.w.settle()
		if m.l.held() || !cut || m.l.End() != 11 {
			t.Fatalf("after %d steps: held %v, cut %v, end %d", steps, m.l.held(), cut, m.l.End())
		}
		m.w.do(func(t *task.Task) { closed = m.l.Close(t, true) })
		if closed != disk.OK || m.w.disk.open[sl.Ext.File] != nil {
			t.Fatalf("after %d steps: closed %v", steps, closed)
		}
	}
}
