package commitlog

import (
	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

const (
	chunkBytes = 256 << 10 // a chunk's size, if its reader takes so much
	chunkAhead = 32        // chunks that one LocateSlow prepares
	warmFiles  = 3         // sealed segments whose file stays open
)

// LocateSlow is Locate with reads: of the index, of at most one interval of the log to find the batch, and of the headers at
// which the next slices of a reader that goes on will end, so that those need none.
func (l *Log) LocateSlow(t *task.Task, offset int64, maxBytes int32, limit int64) (Slice, Where, disk.Err) {
	out, where := l.Locate(offset, maxBytes, limit)
	if where != NeedRead {
		return out, where, disk.OK
	}
	limit = min(limit, l.written)
	s, err := l.hold(t, offset)
	if err != disk.OK {
		return Slice{}, NeedRead, err
	}
	defer l.release(s)
	end := s.writtenEnd
	sc := newHopper(t, l.env, s.file, s.written)
	defer sc.close()
	from, err := l.seek(t, sc, s, offset)
	to := from
	if err == disk.OK {
		to = l.prepare(t, sc, s, from, maxBytes, limit)
	}
	switch {
	case t.Stopped():
		return Slice{}, NeedRead, disk.ErrIO
	case offset < l.start:
		return Slice{}, OutOfRange, disk.OK
	case to.pos <= from.pos && max(err, sc.err) != disk.OK:
		return Slice{}, NeedRead, max(err, sc.err)
	case to.pos > from.pos:
	case int64(from.pos) == sc.size && s.sealed: // compaction has taken its last batches
		return l.LocateSlow(t, end, maxBytes, limit)
	case l.damagedAt(sc, from, end):
		l.listener.LogDamaged(l, offset)
		return Slice{}, Damaged, disk.OK
	default:
		return Slice{}, AtEnd, disk.OK // limit stands within the batch
	}
	return Slice{Ext: s.extent(int64(from.pos), int64(to.pos)), First: from.offset, Next: to.offset}, Found, disk.OK
}

// damagedAt says whether no batch of the log stands at a place: it is none, or ends beyond the segment.
func (l *Log) damagedAt(sc *scanner, m mark, end int64) bool {
	v, ok := sc.header(int64(m.pos))
	return sc.err == disk.OK && (!ok || v.NextOffset() > end)
}

// hold opens the segment that holds offset and keeps it from being closed until release.
func (l *Log) hold(t *task.Task, offset int64) (*segment, disk.Err) {
	l.pass(t)
	if l.removed || l.cutting {
		return nil, disk.ErrNotExist
	}
	i := l.segmentAt(offset)
	if s := l.segs[i]; offset >= s.end && i+1 < len(l.segs) {
		i++ // the segment's last offsets are gone
	}
	s := l.segs[i]
	s.pins++
	l.readers++
	l.tick++
	s.used = l.tick
	if err := l.openFile(t, s); err != disk.OK {
		l.release(s)
		return nil, err
	}
	return s, disk.OK
}

// pass waits while a clean puts new files in the place of old ones.
func (l *Log) pass(t *task.Task) {
	for l.gated && !t.Stopped() {
		t.Sleep(pollGap)
	}
}

func (l *Log) release(s *segment) {
	s.pins--
	l.readers--
}

// openFile opens the file of a sealed segment that was closed.
func (l *Log) openFile(t *task.Task, s *segment) disk.Err {
	for s.opening && !t.Stopped() {
		t.Sleep(pollGap)
	}
	if s.opened || t.Stopped() {
		return disk.OK
	}
	s.opening = true
	f := l.env.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: s.name(l)})
	s.opening = false
	if t.Stopped() {
		return disk.ErrIO
	}
	if c.Err != disk.OK {
		l.env.FreeFile(f)
		return c.Err
	}
	s.file, s.opened = f, true
	l.cool(t)
	return disk.OK
}

// cool closes the files of sealed segments beyond the few read last.
func (l *Log) cool(t *task.Task) {
	for !t.Stopped() {
		n := 0
		var oldest *segment
		for _, s := range l.segs[:len(l.segs)-1] {
			if !s.opened || s.tail != nil || s.synced < s.size {
				continue
			}
			n++
			if s.pins == 0 && (oldest == nil || s.used < oldest.used) {
				oldest = s
			}
		}
		if n <= warmFiles || oldest == nil {
			return
		}
		f := oldest.file
		oldest.file, oldest.opened = 0, false
		closeFile(t, l.env, f)
	}
}

// seek finds the batch of segment s that holds offset, or the first after it.
func (l *Log) seek(t *task.Task, sc *scanner, s *segment, offset int64) (mark, disk.Err) {
	if m, ok := l.begin(offset); ok && m.ord == s.ord {
		return m, disk.OK
	}
	e, err := l.floor(t, s, offset)
	if err != disk.OK {
		return mark{}, err
	}
	v, ok := sc.header(int64(e.Pos))
	pos := int64(e.Pos)
	if !ok || e.Rel >= 0 && v.LastOffset() != s.base+int64(e.Rel) || v.BaseOffset() > offset && pos > 0 && !plant.On(plant.P11) {
		pos = 0 // the index is damaged: the file says it all
	}
	v, pos, ok = sc.walk(pos, offset)
	if !ok {
		return mark{offset: offset, pos: int32(pos), ord: s.ord}, sc.err // nothing is there: prepare finds the same
	}
	return mark{offset: v.BaseOffset(), pos: int32(pos), ord: s.ord}, disk.OK
}

// floor gives the last index entry at or below offset; Rel is -1 if there is none, and Pos 0.
func (l *Log) floor(t *task.Task, s *segment, offset int64) (index.Entry, disk.Err) {
	rel := offset - s.base
	if x := s.tail; x != nil {
		for i := len(x.entries) - 1; i >= 0; i-- {
			if int64(x.entries[i].Rel) <= rel && int64(x.entries[i].Pos) < s.written {
				if plant.On(plant.P11) && i+1 < len(x.entries) && int64(x.entries[i+1].Pos) < s.written {
					i++
				}
				return x.entries[i], disk.OK
			}
		}
		if x.n == 0 {
			return index.Entry{Rel: -1}, disk.OK
		}
	}
	b, c := readFile(t, l.env, l.path(s.base, suffixIndex))
	if c.Err == disk.ErrNotExist {
		return index.Entry{Rel: -1}, disk.OK
	}
	if c.Err != disk.OK {
		return index.Entry{}, c.Err
	}
	b = b[:len(b)/index.EntrySize*index.EntrySize]
	if i := index.Floor(b, rel); i >= 0 {
		if e := index.At(b, i); e.Pos >= 0 && e.Rel >= 0 {
			return e, disk.OK
		}
	}
	return index.Entry{Rel: -1}, disk.OK
}

// prepare walks from the batch at from and notes chunks of up to maxBytes, until limit, the window's end or enough of them.
// It gives the end of the first; from itself if limit stands within the first batch.
func (l *Log) prepare(t *task.Task, sc *scanner, s *segment, from mark, maxBytes int32, limit int64) mark {
	size := int64(min(max(maxBytes, 1), chunkBytes))
	first, start, at := from, from, from
	done := func() {
		if first == from {
			first = at
		}
		l.chunks.put(start, at)
		start = at
	}
	for n := 0; n < chunkAhead; {
		v, ok := sc.header(int64(at.pos))
		if !ok || v.NextOffset() > limit {
			break
		}
		next := mark{offset: v.NextOffset(), pos: at.pos + int32(v.Size()), ord: at.ord}
		if int64(next.pos-start.pos) > size && at != start {
			done()
			n++
		}
		at = next
	}
	if at != start && !t.Stopped() {
		done()
	}
	return first
}

// ReadBatches reads whole batches from offset on, below limit: at least one, else no more than max bytes. None: offset is at
// limit. The first may begin below offset. The bytes are the caller's.
func (l *Log) ReadBatches(t *task.Task, offset, limit int64, max int) ([]byte, disk.Err) {
	sl, where, err := l.LocateSlow(t, offset, int32(min(int64(max), 1<<30)), limit)
	if err != disk.OK || where != Found {
		return nil, err
	}
	s := l.byFile(sl.Ext.File)
	s.pins++
	l.readers++
	defer l.release(s)
	b := make([]byte, sl.Ext.Len)
	c := t.Disk(disk.Request{Kind: disk.Read, File: sl.Ext.File, Off: sl.Ext.Off, Bytes: b})
	if c.Err == disk.OK && c.N != int64(len(b)) {
		c.Err = disk.ErrIO
	}
	if c.Err != disk.OK {
		return nil, c.Err
	}
	return b, disk.OK
}
