package commitlog

import (
	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// A recovery begins at the newest snapshot of producer state, so what it would have to read before that must stand on the disk
// when the snapshot appears. Hence the order, here and in seal: index entries, sync, leader epochs, then the snapshot.
const (
	indexPage   = 256      // index entries that are kept in memory before they go to the file
	persistMost = 64 << 20 // bytes without a snapshot, at most
	persistGap  = clock.Second
)

// persist takes a snapshot when enough has been appended since the last.
func (l *Log) persist() {
	if l.failed || l.closing || l.cutting || l.persisting {
		return
	}
	s := l.active()
	grown := l.appended - l.persistedAt
	due := grown >= persistMost || grown >= l.cfg.SnapshotBytes && l.env.Now.Mono.Sub(l.persistedTime) >= persistGap
	if due && l.synced > l.snapshots.newest() {
		l.persisting, l.persistedAt, l.persistedTime = true, l.appended, l.env.Now.Mono
		l.spawn(func(t *task.Task) {
			l.snapshotNow(t)
			l.persisting = false
		})
		return
	}
	if len(s.tail.entries) >= indexPage && !s.tail.flushing {
		l.spawn(func(t *task.Task) { l.flushIndex(t, s, false) })
	}
}

// snapshotNow writes the producer state of this moment's end, once all below that is written.
func (l *Log) snapshotNow(t *task.Task) {
	s, end := l.active(), l.end
	s.tail.noteTime(s) // should the segment end here, its time index is whole
	state := l.producers.AppendSnapshot(nil)
	for l.written < end && !l.failed && !t.Stopped() && l.end >= end {
		t.Sleep(clock.Millisecond)
	}
	if l.failed || t.Stopped() || l.end < end || s.sealed && l.active() != s && end == s.end {
		return // a roll writes the same snapshot
	}
	if !l.flushIndex(t, s, true) || !l.saveEpochs(t) || l.end < end || !l.sealedBefore(t, s) {
		return
	}
	l.saveSnapshot(t, end, state)
}

func (l *Log) saveSnapshot(t *task.Task, offset int64, state []byte) bool {
	c := writeFile(t, l.env, l.path(offset, suffixSnapshot), state, true)
	if t.Stopped() {
		return false
	}
	if c.Err != disk.OK {
		l.softFail(&c, "write "+l.path(offset, suffixSnapshot))
		return false
	}
	l.snapshots.add(offset)
	return l.pruneSnapshots(t)
}

// pruneSnapshots removes those that neither stand at a segment's base nor are among the newest two; a recovery needs the one
// at the base of the first segment that it finds, which may be one that is on its way out.
func (l *Log) pruneSnapshots(t *task.Task) bool {
	for i := 0; i < len(l.snapshots.list)-2; {
		o := l.snapshots.list[i]
		if k := l.segmentAt(o); o < l.segs[0].base || l.segs[k].base == o { // the former go with their segment
			i++
			continue
		}
		l.snapshots.remove(o)
		t.Disk(disk.Request{Kind: disk.Remove, Path: l.path(o, suffixSnapshot)})
		if t.Stopped() {
			return false
		}
	}
	return true
}

// softFail judges an error on a file that can be made again: a full disk is survived, anything else takes the log offline.
func (l *Log) softFail(c *disk.Completion, what string) {
	if c.Err != disk.ErrNoSpace {
		l.fail(c.Err, what+": "+c.Detail)
		return
	}
	l.env.Warnf("%s: no space; recovery will read more of the log until this can be written", what)
}

// flushIndex moves the index entries of written batches from memory to the files, and syncs them if asked.
func (l *Log) flushIndex(t *task.Task, s *segment, sync bool) bool {
	x := s.tail
	if x == nil {
		return true
	}
	for x.flushing && !t.Stopped() {
		t.Sleep(clock.Millisecond)
	}
	x.flushing = true
	ok := l.flushEntries(t, s, sync)
	x.flushing = false
	return ok && !t.Stopped()
}

func (l *Log) flushEntries(t *task.Task, s *segment, sync bool) bool {
	x := s.tail
	var b []byte
	n := 0
	for n < len(x.entries) && int64(x.entries[n].Pos) < s.written {
		b = x.entries[n].Append(b)
		n++
	}
	if !l.appendFile(t, l.path(s.base, suffixIndex), int64(x.n)*index.EntrySize, b, sync && (n > 0 || x.dirty)) {
		return false
	}
	x.entries = append(x.entries[:0], x.entries[n:]...)
	x.n += n
	var tb []byte
	tn := 0
	for tn < len(x.times) && s.base+int64(x.times[tn].Rel) < s.writtenEnd {
		tb = x.times[tn].Append(tb)
		tn++
	}
	if tn > 0 {
		x.fileTime = x.times[tn-1].Timestamp
	}
	if !l.appendFile(t, l.path(s.base, suffixTimeIndex), int64(x.tn)*index.TimeEntrySize, tb, sync && (tn > 0 || x.dirty)) {
		return false
	}
	x.times = append(x.times[:0], x.times[tn:]...)
	x.tn += tn
	x.dirty = !sync && (x.dirty || n+tn > 0)
	return !sync || l.saveAborted(t, s)
}

// appendFile writes bytes at off into a file that is opened for it.
func (l *Log) appendFile(t *task.Task, path string, off int64, b []byte, sync bool) bool {
	if len(b) == 0 && !sync {
		return true
	}
	f := l.env.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: path, Flags: disk.Create})
	if c.Err == disk.OK {
		if len(b) > 0 {
			c = t.Disk(disk.Request{Kind: disk.Write, File: f, Off: off, Vec: [][]byte{b}})
		}
		if c.Err == disk.OK && sync {
			c = t.Disk(disk.Request{Kind: disk.Sync, File: f})
		}
		closeFile(t, l.env, f)
	} else if !t.Stopped() {
		l.env.FreeFile(f)
	}
	if t.Stopped() {
		return false
	}
	if c.Err != disk.OK {
		l.softFail(&c, "write "+path)
	}
	return c.Err == disk.OK
}

// seal completes the indexes of a segment that takes no more batches, and writes the snapshot that stands at its end.
func (l *Log) seal(s *segment) {
	if s.sealing {
		return
	}
	s.sealing = true
	l.spawn(func(t *task.Task) { l.sealNow(t, s) })
}

func (l *Log) sealNow(t *task.Task, s *segment) {
	s.tail.noteTime(s)
	ok := l.flushIndex(t, s, true) && l.saveEpochs(t) && l.sealedBefore(t, s)
	if ok && s.snapshot != nil {
		ok = l.saveSnapshot(t, s.end, s.snapshot)
	}
	if t.Stopped() {
		return
	}
	if !ok {
		s.sealing = false // Retain tries again
		return
	}
	s.snapshot, s.tail = nil, nil
	s.aborted.release()
	l.cool(t)
}

// sealedBefore waits until the segments before s are sealed, since a snapshot vouches for their indexes too. It gives up on one
// that found no space.
func (l *Log) sealedBefore(t *task.Task, s *segment) bool {
	for i := 0; i < len(l.segs) && l.segs[i].ord < s.ord && !l.failed && !t.Stopped(); {
		switch e := l.segs[i]; {
		case e.tail == nil:
			i++
		case !e.sealing:
			return false
		default:
			t.Sleep(pollGap)
			i = 0
		}
	}
	return !l.failed && !t.Stopped()
}

// snapshots is the offsets at which snapshot files stand, ascending.
type snapshots struct{ list []int64 }

func (s *snapshots) newest() int64 {
	if len(s.list) == 0 {
		return -1
	}
	return s.list[len(s.list)-1]
}

func (s *snapshots) add(o int64) {
	i := len(s.list)
	for i > 0 && s.list[i-1] >= o {
		i--
	}
	if i < len(s.list) && s.list[i] == o {
		return
	}
	s.list = append(s.list, 0)
	copy(s.list[i+1:], s.list[i:])
	s.list[i] = o
}

func (s *snapshots) remove(o int64) {
	for i, v := range s.list {
		if v == o {
			s.list = append(s.list[:i], s.list[i+1:]...)
			return
		}
	}
}
