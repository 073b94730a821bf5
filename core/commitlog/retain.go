package commitlog

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

const pollGap = clock.Millisecond // of a task that waits for another of the same log

// DeleteRecords moves the start up to an offset, at most End; the caller keeps it at or below the high watermark. Segments
// below are removed.
func (l *Log) DeleteRecords(to int64) {
	assert.That(to <= l.end, "commitlog: records deleted beyond the end")
	if to > l.start {
		l.moveStart(to)
		l.removeBelowStart()
	}
}

func (l *Log) moveStart(to int64) {
	l.start = to
	l.producers.Start = to
	l.epochs.cutStart(to)
	l.startMoved = true
	l.mark()
}

// Retain applies retention by time and by size to segments below limit, the high watermark; expires producers; and gives
// memory back that a busy time has left. The broker calls it each log.retention.check.interval.ms.
func (l *Log) Retain(now clock.Now, limit int64) {
	if l.failed || l.closing || l.cutting {
		return
	}
	l.producers.Expire(now.Wall, l.cfg.ProducerExpiryMS)
	if l.cfg.Delete {
		if n := l.expired(now.Wall, limit); n > 0 {
			if n == len(l.segs) {
				l.roll(l.end)
			}
			if to := l.segs[n].base; to > l.start {
				l.moveStart(to)
			}
		}
	}
	l.removeBelowStart()
	l.trim()
}

// expired gives how many of the oldest segments retention lets go: all of them, if the active one is not empty and old too.
func (l *Log) expired(now clock.Wall, limit int64) int {
	n, excess := 0, l.size-l.cfg.RetentionBytes
	for ; n < len(l.segs); n++ {
		s := l.segs[n]
		if s.end > limit || s.size == 0 && !s.sealed || s.written < s.size {
			break
		}
		newest := int64(s.created)
		if s.maxTimestamp >= 0 {
			newest = s.maxTimestamp
		}
		old := l.cfg.RetentionMS >= 0 && int64(now)-newest > l.cfg.RetentionMS
		large := l.cfg.RetentionBytes >= 0 && excess-s.size >= 0
		if !old && !large {
			break
		}
		excess -= s.size
	}
	return n
}

// removeBelowStart takes segments that end at or below start out of the log and unlinks them, oldest first.
//
// A loss of power may keep any of the names that were taken away and any that were made, and recovery ends the log where its
// segments stop to follow on each other. So a segment goes only once all of it is synced and the next one's name is durable:
// whatever is left then ends at or above the synced end. What is not there yet is asked for, and advanceSynced comes back here.
func (l *Log) removeBelowStart() {
	if l.failed || l.closing || l.cutting || l.swapping {
		return
	}
	n := 0
	for n < len(l.segs)-1 && l.segs[n+1].base <= l.start && l.born && l.synced >= l.segs[n].end && l.segs[n+1].named {
		n++
	}
	if n < len(l.segs)-1 && l.segs[n+1].base <= l.start {
		sometimes.Hit("log: retention waits until what goes is synced")
		l.syncTo(min(l.segs[n].end, l.written))
	}
	if n == 0 {
		return
	}
	gone := append([]*segment(nil), l.segs[:n]...)
	l.segs = append([]*segment(nil), l.segs[n:]...)
	for _, s := range gone {
		s.doomed = true
		l.size -= s.size
	}
	l.doomed = append(l.doomed, gone...)
	l.leaving = append(l.leaving, gone...)
	if len(l.leaving) == len(gone) {
		l.spawn(l.dropLeaving)
	}
}

// dropLeaving unlinks what retention has taken out, one after another and oldest first, so that a crash leaves no hole.
func (l *Log) dropLeaving(t *task.Task) {
	for ok := true; len(l.leaving) > 0; l.leaving = l.leaving[1:] {
		s := l.leaving[0]
		ok = l.drop(t, s, ok) && l.dropSnapshots(t, s.base) && ok
		if t.Stopped() {
			return
		}
	}
	l.leaving = nil
}

// drop unlinks a segment that has left the log, once no response holds it, nor the log's own tasks: the snapshot at its end is
// what remains of its producers. It is gone durably when this returns true. Without unlink its files are only closed.
func (l *Log) drop(t *task.Task, s *segment, unlink bool) bool {
	for (s.pins > 0 && !l.removed && !plant.On(plant.P4) || s.opening || s.tail != nil && (s.tail.flushing || s.sealing && !l.failed) || s == l.syncSeg) && !t.Stopped() {
		sometimes.If(s.pins > 0, "log: retention waits for a response that holds a segment")
		t.Sleep(pollGap)
	}
	if l.removed && s.pins > 0 {
		return false // Remove closes it
	}
	if f := s.file; f != 0 && !t.Stopped() {
		s.file, s.opened = 0, false
		closeFile(t, l.env, f)
	}
	// The name of the snapshot at its end, which the seal has left to the next SyncDir, must not be less durable than the removal. Two indexes go
	// first, since a full disk may have no room for that snapshot, and are made again should the segment come back. The third goes last:
	// without it that segment would be one in which no transaction was aborted.
	ok := unlink && l.unlink(t, s, suffixIndex, suffixTimeIndex) && l.saveLast(t, s) && t.Disk(disk.Request{Kind: disk.SyncDir, Path: l.dir}).Err == disk.OK && l.unlink(t, s, suffixLog)
	if c := t.Disk(disk.Request{Kind: disk.SyncDir, Path: l.dir}); c.Err != disk.OK || t.Stopped() {
		ok = false
	}
	if ok {
		l.unlink(t, s, suffixTxnIndex) // if it stays, it goes at the next start
		l.saveEpochs(t)
	}
	if t.Stopped() {
		return false
	}
	l.buried(s)
	return ok
}

// dropSnapshots unlinks those at or below an offset: no recovery can begin there any more.
func (l *Log) dropSnapshots(t *task.Task, to int64) bool {
	for len(l.snapshots.list) > 0 && l.snapshots.list[0] <= to && l.snapshots.list[0] < l.segs[0].base && !t.Stopped() {
		o := l.snapshots.list[0]
		l.snapshots.remove(o)
		t.Disk(disk.Request{Kind: disk.Remove, Path: l.path(o, suffixSnapshot)})
	}
	return !t.Stopped()
}

// unlink removes files of a segment.
func (l *Log) unlink(t *task.Task, s *segment, suffixes ...string) bool {
	for _, suffix := range suffixes {
		c := t.Disk(disk.Request{Kind: disk.Remove, Path: l.path(s.base, suffix)})
		if t.Stopped() {
			return false
		}
		if c.Err != disk.OK && c.Err != disk.ErrNotExist {
			l.env.Warnf("remove %s: %v; it goes at the next start", l.path(s.base, suffix), c.Err)
			return false
		}
	}
	return true
}

// saveLast writes the snapshot at the end of a segment that goes, if its roll found no space for it, and syncs it, which a process that was
// killed may not have done. Without it a crash would forget the producers whose records go, so the segment stays until there is space or the
// log is closed.
func (l *Log) saveLast(t *task.Task, s *segment) bool {
	for s.snapshot != nil && !l.failed {
		if l.saveSnapshot(t, s.end, s.snapshot) {
			s.snapshot = nil
			return true
		}
		if t.Stopped() || l.closing {
			return false
		}
		t.Sleep(clock.Second)
	}
	err := l.syncFile(t, l.path(s.end, suffixSnapshot))
	return (err == disk.OK || err == disk.ErrNotExist) && !t.Stopped()
}

// buried forgets a segment of which nothing is left.
func (l *Log) buried(s *segment) {
	for i, d := range l.doomed {
		if d == s {
			l.doomed = append(l.doomed[:i], l.doomed[i+1:]...)
			return
		}
	}
}

// trim gives back what a busy time has left in an idle log, and takes up again what a full disk has interrupted.
func (l *Log) trim() {
	for _, s := range l.segs {
		if s.sealed && !s.sealing && s.tail != nil && s.written == s.size {
			l.seal(s)
		}
	}
	if l.queue.len() > 0 || l.writing || l.appended != l.trimmedAt {
		l.trimmedAt = l.appended
		return
	}
	l.queue.items, l.vec = nil, nil
	if l.recent.n > recentKept {
		l.recent.resize(recentKept)
	}
	if l.coarse.n > recentKept {
		l.coarse.resize(recentKept)
	}
	if s := l.active(); len(s.tail.entries) > recentKept && !s.tail.flushing {
		l.spawn(func(t *task.Task) {
			l.flushIndex(t, s, false)
			s.tail.entries, s.tail.times = append(s.tail.entries[:0:0], s.tail.entries...), append(s.tail.times[:0:0], s.tail.times...)
		})
	}
}

// recentKept is how many marks an idle log keeps.
const recentKept = 32

// Pin holds a file of which something is on its way out: no truncation cuts it before Unpin.
func (l *Log) Pin(f disk.File) { l.PinExtent(disk.Extent{File: f, Off: 1 << 31}) }

// PinExtent is Pin for a known extent: a truncation behind it need not wait.
func (l *Log) PinExtent(x disk.Extent) {
	if s := l.byFile(x.File); s != nil {
		s.pins++
		s.pinnedTo = max(s.pinnedTo, x.Off+int64(x.Len))
	}
}

// Unpin lets go of what Pin held.
func (l *Log) Unpin(f disk.File) {
	if s := l.byFile(f); s != nil {
		assert.That(s.pins > 0, "commitlog: unpinned more often than pinned")
		if s.pins--; s.pins == 0 {
			s.pinnedTo = 0
		}
	}
}

func (l *Log) byFile(f disk.File) *segment {
	for i := len(l.segs) - 1; i >= 0; i-- {
		if l.segs[i].file == f {
			return l.segs[i]
		}
	}
	for _, s := range l.doomed {
		if s.file == f {
			return s
		}
	}
	return nil
}
