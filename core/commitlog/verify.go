package commitlog

import (
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Verify reads the batches from the last index entry at or below an offset on, and gives where the log is damaged: the offset at which the
// first batch should begin that is not whole, -1 if there is none up to the one that holds the offset. Where batches leave a gap, the rest of
// the segment is read too, since compaction leaves gaps, but nothing else among its batches; then sparse is the end of that segment. Else it is 0.
func (l *Log) Verify(t *task.Task, offset int64) (damaged, sparse int64, err disk.Err) {
	v := verifier{offset: offset, at: offset}
	for offset >= l.start && v.at < l.written && !v.done {
		s, err := l.hold(t, v.at)
		if err != disk.OK {
			return -1, 0, err
		}
		damaged, err := v.segment(t, l, s)
		l.release(s)
		if err != disk.OK || damaged >= 0 {
			return damaged, 0, err
		}
	}
	if v.gap {
		return -1, v.at, disk.OK
	}
	return -1, 0, disk.OK
}

// verifier is the work of Verify: segment by segment, until one has a batch that holds the offset, or comes after it.
type verifier struct {
	offset, at int64 // at: where the next segment begins
	gap, done  bool
}

// segment reads one, as far as needed. It gives the offset from which on it is damaged, or -1.
func (v *verifier) segment(t *task.Task, l *Log, s *segment) (damaged int64, err disk.Err) {
	sealed, size, end := s.sealed, s.written, s.writtenEnd
	sc := newScanner(t, l.env, s.file, size, scanWindow)
	defer sc.close()
	pos, next, err := l.known(t, sc, s, v.offset)
	if err != disk.OK {
		return -1, err
	}
	for pos < size && (v.gap || next <= v.offset) {
		n, base, after := sc.whole(pos)
		switch {
		case t.Stopped():
			return -1, disk.ErrIO
		case sc.err != disk.OK:
			return -1, sc.err
		case n == 0 || base < next || after > end:
			return next, disk.OK
		}
		v.gap = v.gap || base > next
		next, pos = after, pos+n
	}
	v.done, v.at = next > v.offset, end
	if !v.done && !sealed {
		return next, disk.OK // its last batches are not there
	}
	v.gap = v.gap || !v.done
	return -1, disk.OK
}

// known gives where a batch begins at or below an offset: that of the last index entry, if the file says the same, else the segment's first.
func (l *Log) known(t *task.Task, sc *scanner, s *segment, offset int64) (pos, next int64, err disk.Err) {
	e, err := l.floor(t, s, offset)
	if err != disk.OK || e.Rel < 0 {
		return 0, s.base, err
	}
	v, ok := sc.header(int64(e.Pos))
	if !ok || v.LastOffset() != s.base+int64(e.Rel) || v.BaseOffset() > offset {
		return 0, s.base, sc.err
	}
	return int64(e.Pos), v.BaseOffset(), disk.OK
}

// whole checks the batch at pos: its bytes and its offsets, no bytes if it is not whole.
func (s *scanner) whole(pos int64) (n, base, next int64) {
	v, ok := s.header(pos)
	if !ok {
		return 0, 0, 0
	}
	var head [records.HeaderSize]byte
	copy(head[:], v)
	v = head[:]
	if !s.intact(pos, v) {
		return 0, 0, 0
	}
	return int64(v.Size()), v.BaseOffset(), v.NextOffset()
}
