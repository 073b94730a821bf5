package commitlog

import (
	"strings"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// RecoveryPoint is what recovery-point-offset-checkpoint may hold of this log: everything below is synced.
func (l *Log) RecoveryPoint() int64 { return l.synced }

// Close ends the log. Clean: everything is written and synced first, and a snapshot at the end spares the next Open its scan.
// Otherwise what is queued is written and no more. Responses that hold extents must have left, or it waits for them. The
// result is not OK if the log cannot be called clean.
func (l *Log) Close(t *task.Task, clean bool) disk.Err {
	for l.queue.len() > 0 && !l.failed && !t.Stopped() {
		t.Sleep(pollGap)
	}
	for clean && !l.failed && l.synced < l.end && !t.Stopped() {
		l.SyncNow()
		t.Sleep(pollGap)
	}
	l.closing = true
	l.env.Timers.Cancel(&l.age)
	for (l.jobs > 0 || l.writing || l.syncing || l.filling || l.cutting || l.held()) && !t.Stopped() {
		t.Sleep(pollGap)
	}
	if t.Stopped() {
		return disk.ErrIO
	}
	ok := !l.failed
	for i := 0; clean && ok && i < len(l.segs)-1; i++ {
		if s := l.segs[i]; s.tail != nil { // a full disk has kept it from being sealed
			s.sealing = true
			l.sealNow(t, s)
			ok = s.tail == nil
		}
	}
	if clean && ok && l.end > 0 {
		s := l.active()
		s.tail.noteTime(s)
		ok = l.flushIndex(t, s, true) && l.saveEpochs(t)
		if ok && l.snapshots.newest() != l.end {
			ok = l.saveSnapshot(t, l.end, l.producers.AppendSnapshot(nil))
		}
		ok = ok && t.Disk(disk.Request{Kind: disk.SyncDir, Path: l.dir}).Err == disk.OK
	}
	l.closeFiles(t)
	if !ok {
		return disk.ErrIO
	}
	return disk.OK
}

// held says whether a response or a task still reads one of the files.
func (l *Log) held() bool {
	for _, s := range l.segs {
		if s.pins > 0 {
			return true
		}
	}
	return len(l.doomed) > 0
}

func (l *Log) closeFiles(t *task.Task) {
	for _, s := range l.segs {
		if s.file != 0 && !t.Stopped() {
			f := s.file
			s.file, s.opened = 0, false
			closeFile(t, l.env, f)
		}
	}
}

// deleteSuffix ends the name of a directory whose log is being removed; what a crash leaves of it goes with RemoveDir.
const deleteSuffix = "-delete"

// IsRemoved says whether a directory's name, without its path, is that of a log whose removal was interrupted.
func IsRemoved(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(name, "/"), deleteSuffix)
}

// Remove closes the log and unlinks its directory. The directory is renamed first, so that a crash leaves all of it or a name
// that IsRemoved knows, and a new log of the same name finds no old file. Responses that still hold extents keep the files, not the
// name: renamed is called once that is free, or is known not to become so.
func (l *Log) Remove(t *task.Task, renamed func()) disk.Err {
	l.failed, l.removed = true, true // nothing more is written, and nothing read but what has been found
	l.dropUnwritten()
	l.closing = true
	l.env.Timers.Cancel(&l.age)
	for (l.jobs > 0 || l.writing || l.syncing || l.filling || l.cutting || l.readers > 0) && !t.Stopped() {
		t.Sleep(pollGap)
	}
	if t.Stopped() {
		return disk.ErrIO
	}
	gone, err := SetAside(t, l.env, l.dir)
	if t.Stopped() {
		return disk.ErrIO
	}
	renamed()
	for l.pinned() && !t.Stopped() {
		t.Sleep(pollGap)
	}
	l.closeFiles(t)
	for _, s := range l.doomed {
		if s.file != 0 && !t.Stopped() {
			closeFile(t, l.env, s.file)
			s.file = 0
		}
	}
	if t.Stopped() || err != disk.OK {
		return max(err, disk.ErrNotExist)
	}
	return RemoveDir(t, l.env, gone)
}

// maxName is the longest name that file systems take, in bytes.
const maxName = 255

// SetAside gives the directory of a log that is to be removed a name that IsRemoved knows, durably.
func SetAside(t *task.Task, e *env.Env, dir string) (gone string, err disk.Err) {
	above := parent(dir)
	name := dir[len(above)+1:]
	end := "." + hexDigits(e.Rand.Uint64()) + deleteSuffix
	gone = above + "/" + name[:min(len(name), maxName-len(end))] + end
	if c := t.Disk(disk.Request{Kind: disk.Rename, Path: dir, NewPath: gone}); c.Err != disk.OK {
		return "", c.Err
	}
	return gone, t.Disk(disk.Request{Kind: disk.SyncDir, Path: above}).Err
}

// pinned says whether a response still holds one of the files.
func (l *Log) pinned() bool {
	for _, list := range [...][]*segment{l.segs, l.doomed} {
		for _, s := range list {
			if s.pins > 0 {
				return true
			}
		}
	}
	return false
}

func (l *Log) dropUnwritten() {
	if !l.writing && !l.filling {
		l.dropQueue()
	}
}

// RemoveDir unlinks a log's directory with all that is in it.
func RemoveDir(t *task.Task, _ *env.Env, dir string) disk.Err {
	c := t.Disk(disk.Request{Kind: disk.List, Path: dir})
	if c.Err != disk.OK {
		return c.Err
	}
	for _, n := range c.Names {
		if c := t.Disk(disk.Request{Kind: disk.Remove, Path: dir + "/" + n}); c.Err != disk.OK {
			return c.Err
		}
	}
	return t.Disk(disk.Request{Kind: disk.Remove, Path: dir}).Err
}

func hexDigits(v uint64) string {
	var b [16]byte
	for i := range b {
		b[i] = "0123456789abcdef"[v>>60]
		v <<= 4
	}
	return string(b[:])
}
