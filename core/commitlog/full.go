package commitlog

import (
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// takeBack begins when a write found no space: the partial write is truncated away first, then every batch that is not written
// gives its offset back. Batches that are appended meanwhile share their fate.
func (l *Log) takeBack() {
	sometimes.Hit("log: a write finds the disk full")
	s := l.queue.at(0).seg
	l.queue.inflight = 0
	l.filling = true
	l.env.Disk(disk.Request{Kind: disk.Truncate, File: s.file, Size: s.written}, env.Op{Owner: l, Kind: opTruncate})
}

func (l *Log) onTruncate(c *disk.Completion) {
	if l.failed || c.Err != disk.OK {
		l.filling = false
	}
	if l.failed {
		l.dropQueue()
		return
	}
	if c.Err != disk.OK {
		l.fail(c.Err, "truncate "+l.dir+" after a full disk: "+c.Detail)
		return
	}
	l.env.Disk(disk.Request{Kind: disk.Sync, File: l.queue.at(0).seg.file}, env.Op{Owner: l, Kind: opSettle})
}

// onSettled follows the sync of that truncation: what was refused does not come back after a loss of power.
func (l *Log) onSettled(c *disk.Completion) {
	l.filling = false
	switch {
	case l.failed:
		l.dropQueue()
	case c.Err != disk.OK:
		l.fail(c.Err, "sync "+l.dir+" after a full disk: "+c.Detail)
	default:
		l.rewind()
	}
}

// rewind undoes every queued batch, newest first, so that the log is again what is written.
func (l *Log) rewind() {
	from := l.end
	for i := l.queue.len() - 1; i >= 0; i-- {
		p := l.queue.at(i)
		from = p.view.BaseOffset()
		l.producers.Restore(p.undo)
		if p.newEpoch {
			sometimes.Hit("log: a full disk takes back the begin of a leader epoch")
			l.epochs.removeLast()
		}
		s := p.seg
		s.aborted.cut(from)
		l.size -= int64(len(p.view))
		s.size -= int64(len(p.view))
		s.maxTimestamp, s.maxTSOffset = p.maxTimestamp, p.maxTSOffset
		if s.size == 0 {
			s.firstTimestamp = -1
		}
	}
	l.queue.pop(l.queue.len())
	l.dropNewSegments()
	s := l.active()
	s.end = s.writtenEnd
	l.end = s.end
	s.tail.cut(s)
	l.recent.cut(l.end, s.ord)
	l.coarse.cut(l.end, s.ord)
	l.forgetChunks()
	l.listener.LogFull(l, from)
}

// dropNewSegments takes back rolls: segments in which nothing is written, but the first.
func (l *Log) dropNewSegments() {
	for len(l.segs) > 1 && l.active().written == 0 && !l.segs[len(l.segs)-2].sealing {
		s := l.active()
		l.segs[len(l.segs)-1] = nil
		l.segs = l.segs[:len(l.segs)-1]
		l.nextOrd = s.ord // ordinals have no gaps
		s.doomed = true
		l.doomed = append(l.doomed, s)
		sometimes.Hit("log: a full disk takes back a roll")
		if s.opened {
			l.spawn(func(t *task.Task) { l.drop(t, s, true) })
		}
		l.active().sealed, l.active().snapshot = false, nil
	}
	// If the segment before is sealed for good, the new one stays. If it got no file, the next append asks for one again.
}
