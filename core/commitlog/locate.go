package commitlog

import (
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/io/disk"
)

// Slice is a range of whole batches. First is the base offset of the first, Next the base offset of the batch after the last.
type Slice struct {
	Ext         disk.Extent
	First, Next int64
}

// Where says what became of a lookup.
type Where uint8

// The answers of Locate.
const (
	Found      Where = iota + 1
	AtEnd            // offset >= limit: nothing to read yet
	OutOfRange       // offset < Start or > End
	NeedRead         // the index or the log must be read first: LocateSlow in a task
	Damaged          // the file does not hold there what was written; the listener has been told
)

// Locate finds the batches from offset on, without I/O: at least one whole batch, else no more than maxBytes, ending at a batch
// boundary at or below limit. It knows every boundary of the tail, and those at which earlier slices ended: a reader that goes
// on where its last slice ended needs no read, but one for each some MiB far behind the tail.
func (l *Log) Locate(offset int64, maxBytes int32, limit int64) (Slice, Where) {
	if offset < l.start || offset > l.end {
		return Slice{}, OutOfRange
	}
	limit = min(limit, l.written)
	if offset >= limit || l.cutting {
		return Slice{}, AtEnd
	}
	if plant.On(plant.R8) {
		limit = l.written
	}
	l.limit = max(l.limit, limit)
	from, ok := l.begin(offset)
	if !ok {
		return Slice{}, NeedRead
	}
	s := l.byOrd(from.ord)
	if s == nil || s.file == 0 || !s.opened {
		return Slice{}, NeedRead
	}
	to, ok := l.boundary(from, maxBytes, limit)
	if !ok {
		return Slice{}, NeedRead
	}
	l.tick++
	s.used = l.tick
	l.chunks.noteEnd(to)
	return Slice{Ext: s.extent(int64(from.pos), int64(to.pos)), First: offset, Next: to.offset}, Found
}

// begin finds the batch that begins at exactly offset.
func (l *Log) begin(offset int64) (mark, bool) {
	if m, ok := l.recent.find(offset); ok {
		return m, true
	}
	if m, ok := l.coarse.find(offset); ok {
		return m, true
	}
	return l.chunks.begin(offset)
}

// boundary finds where a slice from m may end: as far as maxBytes and limit allow among the boundaries known.
func (l *Log) boundary(m mark, maxBytes int32, limit int64) (mark, bool) {
	maxPos := int64(m.pos) + int64(maxBytes)
	if to, ok := l.recent.last(m.ord, limit, maxPos); ok && to.pos > m.pos {
		return to, true
	}
	if to, ok := l.coarse.last(m.ord, limit, maxPos); ok && to.pos > m.pos {
		return to, true
	}
	if l.recent.covers(m.offset) { // one batch alone is larger than maxBytes
		if to, ok := l.recent.next(m.offset, m.ord); ok && to.offset <= limit {
			return to, true
		}
		return mark{}, false
	}
	return l.chunks.follow(m, maxPos, limit)
}
