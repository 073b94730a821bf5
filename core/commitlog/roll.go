package commitlog

import (
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// mustRoll says whether the batch needs a new segment (Kafka's LogSegment.shouldRoll): by size, by time, because an index is
// full, or because its offsets are too far from the base for a relative int32.
func (l *Log) mustRoll(v records.View) bool {
	s := l.active()
	if v.LastOffset()-s.base > 1<<31-1 || s.size+int64(len(v)) > 1<<31-1 {
		return true
	}
	if s.size == 0 {
		return false
	}
	return s.size+int64(len(v)) > int64(l.cfg.SegmentBytes) || s.tail.full(l.cfg.IndexBytes) ||
		l.waited(s, v.MaxTimestamp()) > l.cfg.SegmentMS-s.jitterMS
}

// waited gives how long the segment has been filled, in milliseconds: by the records' time if they have one.
func (l *Log) waited(s *segment, timestamp int64) int64 {
	if s.firstTimestamp >= 0 && timestamp >= 0 {
		return timestamp - s.firstTimestamp
	}
	return int64(l.env.Now.Wall - s.created)
}

// roll seals the active segment and adds the next, whose file is opened in the background; batches queue meanwhile.
func (l *Log) roll(base int64) {
	old := l.active()
	old.sealed = true
	old.snapshot = l.producers.AppendSnapshot(nil)
	sometimes.If(l.writing, "log: a segment is rolled while it is being written")
	sometimes.If(l.syncing, "log: a segment is rolled while it is being synced")
	s := l.addSegment(base)
	if old.written == old.size {
		l.seal(old)
	}
	if !l.born {
		l.birth()
	}
	l.spawn(func(t *task.Task) { l.openSegment(t, s) })
}

// addSegment adds an empty segment at the end.
func (l *Log) addSegment(base int64) *segment {
	s := newSegment(base, l.nextOrd, l.env.Now.Wall)
	s.tail = newTail()
	if j := min(l.cfg.SegmentJitterMS, l.cfg.SegmentMS); j > 0 {
		s.jitterMS = l.env.Rand.Int63n(j)
	}
	l.nextOrd++
	l.segs = append(l.segs, s)
	m := mark{offset: base, pos: 0, ord: s.ord}
	l.recent.push(m)
	l.coarse.push(m)
	return s
}

// openSegment makes the file of a new segment, and its name durable: nothing in it counts as synced before. It comes into being after the
// first segment's name is durable: a loss of power that took that name and left this one would make a log that begins here, though nobody
// has removed what was before.
func (l *Log) openSegment(t *task.Task, s *segment) {
	for (!l.born && !l.failed || l.leavingName(s)) && !s.doomed && !t.Stopped() {
		t.Sleep(pollGap)
	}
	if s.doomed && !t.Stopped() {
		l.buried(s)
		return
	}
	s.file = l.env.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: s.file, Path: s.name(l), Flags: disk.Create})
	if t.Stopped() {
		return
	}
	if c.Err != disk.OK {
		l.env.FreeFile(s.file)
		s.file = 0
		l.openFailed(s, &c)
		return
	}
	s.opened = true
	if s.doomed {
		l.drop(t, s, true)
		return
	}
	l.mark()
	if !plant.On(plant.P2) {
		if c := t.Disk(disk.Request{Kind: disk.SyncDir, Path: l.dir}); c.Err != disk.OK {
			if !t.Stopped() {
				l.fail(c.Err, "sync directory "+l.dir+": "+c.Detail)
			}
			return
		}
	}
	s.named = true
	l.advanceSynced()
}

// leavingName says whether a file of the segment's name is on its way out: a full disk has taken a roll at this offset back.
func (l *Log) leavingName(s *segment) bool {
	for _, d := range l.doomed {
		if d != s && d.base == s.base && !d.nameless {
			return true
		}
	}
	return false
}

func (l *Log) openFailed(s *segment, c *disk.Completion) {
	switch {
	case s.doomed:
		l.buried(s)
	case l.failed:
	case c.Err == disk.ErrNoSpace && (l.writing || l.filling):
		s.refused = true // what is in flight goes first; then the file is asked for again
	case c.Err == disk.ErrNoSpace:
		sometimes.Hit("log: a full disk has no room for a new segment")
		s.refused = true
		l.rewind()
	default:
		l.fail(c.Err, "create "+s.name(l)+": "+c.Detail)
	}
}
