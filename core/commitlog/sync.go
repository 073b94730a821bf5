package commitlog

import (
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/disk"
)

// SyncNow asks that everything written so far becomes durable. LogSynced tells when.
func (l *Log) SyncNow() { l.syncTo(l.written) }

// syncTo asks for what is below an offset that has been written.
func (l *Log) syncTo(offset int64) {
	if l.syncGoal < offset {
		l.syncGoal = offset
		l.mark()
	}
}

// TimerFired is the shard's call: what is unsynced has reached its age.
func (l *Log) TimerFired(*timer.Timer) { l.SyncNow() }

// sync requests at most one Sync, of the oldest segment that has unsynced bytes. It covers what was written by now, no more. A truncation
// closes the files, and syncs what it leaves by itself.
func (l *Log) sync() {
	if l.syncing || l.cutting || l.failed || l.syncGoal <= l.synced {
		return
	}
	s := l.unsyncedSegment()
	if s == nil {
		return
	}
	if !l.born {
		l.birth()
	}
	l.syncing, l.syncSeg, l.syncPos, l.syncEnd = true, s, s.written, s.writtenEnd
	l.env.Disk(disk.Request{Kind: disk.Sync, File: s.file}, env.Op{Owner: l, Kind: opSync})
}

func (l *Log) unsyncedSegment() *segment {
	for i := l.segmentAt(l.synced); i < len(l.segs); i++ {
		if s := l.segs[i]; s.synced < s.written {
			return s
		}
	}
	return nil
}

func (l *Log) onSync(c *disk.Completion) {
	l.syncing = false
	s := l.syncSeg
	l.syncSeg = nil
	if l.failed {
		return
	}
	if c.Err != disk.OK && !plant.On(plant.S3) {
		sometimes.Hit("log: a sync fails")
		l.fail(c.Err, "sync "+s.name(l)+": "+c.Detail)
		return
	}
	s.synced, s.syncedEnd = l.syncPos, l.syncEnd
	if plant.On(plant.P1) {
		s.synced, s.syncedEnd = s.written, s.writtenEnd
	}
	l.advanceSynced()
	if l.syncGoal > l.synced {
		l.mark()
	}
}

// advanceSynced moves the synced end over what is synced without a gap, in files whose names are durable.
func (l *Log) advanceSynced() {
	if l.failed || !l.born {
		return
	}
	end := l.synced
	for i := l.segmentAt(l.synced); i < len(l.segs); i++ {
		s := l.segs[i]
		if !s.named {
			break
		}
		end = max(end, s.syncedEnd)
		if !s.sealed || s.syncedEnd < s.end {
			break
		}
	}
	if end > l.synced {
		l.syncedTo(end)
	}
	l.removeBelowStart()
}

func (l *Log) syncedTo(end int64) {
	l.synced = end
	if l.synced >= l.written {
		l.env.Timers.Cancel(&l.age)
	} else if l.cfg.FlushAge > 0 && !l.age.IsSet() {
		l.env.After(&l.age, l.cfg.FlushAge)
	}
	l.listener.LogSynced(l)
	l.persist()
}

// birth makes durable what the first synced byte of a new log depends on: partition.metadata, the directory and its name.
// An empty log needs none of it, which is why it is not done at creation.
func (l *Log) birth() {
	if l.birthing {
		return
	}
	l.birthing = true
	if plant.On(plant.P2) {
		l.born = true
		return
	}
	l.spawn(func(t *task.Task) {
		what := "sync " + l.dir + "/" + nameMetadata
		err := disk.OK
		if l.topicID != ([16]byte{}) {
			err = l.syncFile(t, l.dir+"/"+nameMetadata)
		}
		if err == disk.OK {
			what = "sync directory " + l.dir
			for _, c := range t.All(disk.Request{Kind: disk.SyncDir, Path: l.dir}, disk.Request{Kind: disk.SyncDir, Path: parent(l.dir)}) {
				err = max(err, c.Err)
			}
		}
		if t.Stopped() {
			return
		}
		if err != disk.OK {
			l.fail(err, what)
			return
		}
		l.born = true
		l.advanceSynced()
	})
}

// syncFile syncs a file that is not open.
func (l *Log) syncFile(t *task.Task, path string) disk.Err {
	f := l.env.File()
	if c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: path}); c.Err != disk.OK {
		if !t.Stopped() {
			l.env.FreeFile(f)
		}
		return c.Err
	}
	err := t.Disk(disk.Request{Kind: disk.Sync, File: f}).Err
	t.Disk(disk.Request{Kind: disk.Close, File: f})
	if !t.Stopped() {
		l.env.FreeFile(f)
	}
	return err
}
