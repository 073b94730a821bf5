package commitlog

import (
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Kinds of the log's own requests.
const (
	opWrite    uint8 = iota + 1 // A = bytes
	opSync                      // A = ord of the segment
	opTruncate                  // after a write that found no space
	opSettle                    // the sync of that truncation
)

const (
	maxVec   = 1000     // slices in one write: IOV_MAX is 1024
	maxWrite = 16 << 20 // bytes in one write, so that a lease is not held for long
)

// Flush turns what was appended since the last round into at most one write and one sync. The shard calls it (env.Flusher).
func (l *Log) Flush() {
	l.marked = false
	if l.startMoved {
		l.startMoved = false
		l.listener.LogStartMoved(l)
	}
	l.write()
	l.sync()
}

// write puts the queue's head into the file of its segment. One write is in flight a log, so that what is written is a prefix.
func (l *Log) write() {
	if l.writing || l.failed || l.filling || l.queue.len() == 0 {
		return
	}
	s := l.queue.at(0).seg
	if !s.opened {
		l.openAgain(s)
		return
	}
	l.vec = l.vec[:0]
	bytes, n := 0, 0
	for n < l.queue.len() && n < maxVec {
		p := l.queue.at(n)
		if p.seg != s || n > 0 && bytes+len(p.view) > maxWrite {
			break
		}
		l.vec = append(l.vec, p.view)
		bytes += len(p.view)
		n++
	}
	l.queue.inflight = n
	l.writing = true
	l.env.Disk(disk.Request{Kind: disk.Write, File: s.file, Off: s.written, Vec: l.vec}, env.Op{Owner: l, Kind: opWrite, A: int64(bytes)})
}

// openAgain asks again for the file of a segment that found no space for it, now that there is something to write.
func (l *Log) openAgain(s *segment) {
	if s.refused {
		s.refused = false
		l.spawn(func(t *task.Task) { l.openSegment(t, s) })
	}
}

// DiskDone is the shard's call when a request of the log has completed.
func (l *Log) DiskDone(op env.Op, c *disk.Completion) {
	switch op.Kind {
	case opWrite:
		l.onWrite(op.A, c)
	case opSync:
		l.onSync(c)
	case opTruncate:
		l.onTruncate(c)
	case opSettle:
		l.onSettled(c)
	}
}

func (l *Log) onWrite(bytes int64, c *disk.Completion) {
	l.writing = false
	clear(l.vec)
	err := c.Err
	if err == disk.OK && c.N != bytes {
		err = disk.ErrIO
	}
	if l.failed {
		l.dropQueue()
		return
	}
	if err == disk.ErrNoSpace {
		l.takeBack()
		return
	}
	if err != disk.OK && !plant.On(plant.S3) {
		l.queue.inflight = 0
		l.fail(err, "write "+l.active().name(l)+": "+c.Detail)
		return
	}
	n := l.queue.inflight
	last := l.queue.at(n - 1)
	s := last.seg
	s.written += bytes
	s.writtenEnd = last.view.NextOffset()
	l.written = s.writtenEnd
	l.queue.inflight = 0
	l.queue.pop(n)
	if l.queue.len() > 0 {
		l.mark()
	}
	l.afterWrite(s)
	l.listener.LogWritten(l)
}

func (l *Log) afterWrite(s *segment) {
	if s.sealed && s.written == s.size {
		l.seal(s)
	}
	switch unsynced := l.Unsynced(); {
	case l.cfg.FlushAck, l.cfg.FlushBytes > 0 && unsynced >= l.cfg.FlushBytes:
		l.SyncNow()
	case l.cfg.FlushAge > 0 && !l.age.IsSet():
		l.env.After(&l.age, l.cfg.FlushAge)
	}
}

// fail stops the log for good: after an I/O error nothing may be assumed of its file.
func (l *Log) fail(err disk.Err, what string) {
	if l.failed {
		return
	}
	l.failed = true
	l.env.Timers.Cancel(&l.age)
	sometimes.Hit("log: a log fails, and is offline")
	if !l.writing && !l.filling {
		l.dropQueue()
	}
	l.listener.LogFailed(l, err, what)
}

func (l *Log) dropQueue() {
	l.queue.inflight = 0
	l.queue.pop(l.queue.len())
}

func (s *segment) name(l *Log) string { return l.path(s.base, suffixLog) }
