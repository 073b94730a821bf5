package commitlog

import (
	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// maxBatchRead bounds the batch that a lookup by time reads whole.
const maxBatchRead = 128 << 20

// OffsetForTime gives the first record at or above Start and below limit whose timestamp is at least ts: its offset, timestamp
// and leader epoch; -1 for all three if there is none.
func (l *Log) OffsetForTime(t *task.Task, ts, limit int64) (offset, timestamp int64, epoch int32, err disk.Err) {
	limit = min(limit, l.written)
	for from := l.start; from < limit && !t.Stopped(); {
		s := l.segs[l.segmentAt(from)]
		next := s.end
		if s.maxTimestamp >= ts {
			offset, timestamp, epoch, err = l.timeInSegment(t, s, ts, from, limit)
			if offset >= 0 || err != disk.OK {
				return offset, timestamp, epoch, err
			}
		}
		if s == l.active() || next <= from {
			break
		}
		from = next
	}
	return -1, -1, -1, disk.OK
}

// MaxTimestamp gives the first record below limit that has the greatest timestamp; -1 for all three if there is none.
func (l *Log) MaxTimestamp(t *task.Task, limit int64) (offset, timestamp int64, epoch int32, err disk.Err) {
	best := int64(-1)
	for _, s := range l.segs {
		if s.base < limit && s.end > l.start {
			best = max(best, s.maxTimestamp)
		}
	}
	if best < 0 {
		return -1, -1, -1, disk.OK
	}
	// Beyond limit or below start there may stand greater ones: then the greatest of what can be read is searched batch by batch.
	offset, timestamp, epoch, err = l.OffsetForTime(t, best, limit)
	if offset >= 0 || err != disk.OK {
		return offset, timestamp, epoch, err
	}
	if best, err = l.greatest(t, limit); err != disk.OK || best < 0 {
		return -1, -1, -1, err
	}
	return l.OffsetForTime(t, best, limit)
}

// greatest reads the headers between start and limit for their greatest timestamp, and the records of a batch that start stands in.
func (l *Log) greatest(t *task.Task, limit int64) (best int64, err disk.Err) {
	best, limit = -1, min(limit, l.written)
	for from := l.start; from < limit && !t.Stopped(); {
		s, err := l.hold(t, from)
		if err != disk.OK {
			return -1, err
		}
		sc := newScanner(t, l.env, s.file, s.written, scanWindow)
		m, err := l.seek(t, sc, s, from)
		for err == disk.OK {
			v, ok := sc.header(int64(m.pos))
			if !ok || v.LastOffset() >= limit {
				err = sc.err
				break
			}
			size := int32(v.Size())
			switch {
			case v.BaseOffset() < l.start:
				err = l.eachTime(t, s, int64(m.pos), int64(size), l.start, func(_, at int64) bool {
					best = max(best, at)
					return true
				})
			case v.Count() > 0:
				best = max(best, v.MaxTimestamp())
			}
			m.pos += size
		}
		from = max(from+1, s.end)
		sc.close()
		l.release(s)
		if err != disk.OK {
			return -1, err
		}
	}
	return best, disk.OK
}

// timeInSegment searches one segment from the last time index entry below ts on, batch by batch.
func (l *Log) timeInSegment(t *task.Task, s *segment, ts, from, limit int64) (offset, timestamp int64, epoch int32, err disk.Err) {
	s, err = l.hold(t, from)
	if err != disk.OK {
		return -1, -1, -1, err
	}
	defer l.release(s)
	hint, err := l.floorTime(t, s, ts)
	if err != disk.OK {
		return -1, -1, -1, err
	}
	sc := newScanner(t, l.env, s.file, s.written, scanWindow)
	defer sc.close()
	m, err := l.seek(t, sc, s, max(from, min(hint, limit-1)))
	if err != disk.OK {
		return -1, -1, -1, err
	}
	for pos := int64(m.pos); ; {
		v, ok := sc.header(pos)
		if !ok || v.BaseOffset() >= limit {
			return -1, -1, -1, sc.err
		}
		size := int64(v.Size())
		if v.MaxTimestamp() >= ts && v.LastOffset() >= from && v.Count() > 0 {
			o, at, err := l.timeInBatch(t, s, pos, size, ts, from)
			if o >= 0 && o < limit || err != disk.OK {
				return o, at, l.EpochAt(o), err
			}
		}
		pos += size
	}
}

// timeInBatch reads the batch at pos and gives its first record from offset from on with a timestamp of at least ts.
func (l *Log) timeInBatch(t *task.Task, s *segment, pos, size, ts, from int64) (offset, timestamp int64, err disk.Err) {
	offset, timestamp = -1, -1
	err = l.eachTime(t, s, pos, size, from, func(o, at int64) bool {
		if at >= ts {
			offset, timestamp = o, at
		}
		return offset < 0
	})
	if err != disk.OK {
		return -1, -1, err
	}
	return offset, timestamp, disk.OK
}

// eachTime reads the batch at pos and shows offset and timestamp of its records from an offset on, until see has enough.
func (l *Log) eachTime(t *task.Task, s *segment, pos, size, from int64, see func(offset, timestamp int64) bool) disk.Err {
	if size > maxBatchRead {
		return disk.ErrUnsupported
	}
	lease := l.env.Pool.Get(int(size))
	defer lease.Release()
	b := lease.Bytes[:size]
	c := t.Disk(disk.Request{Kind: disk.Read, File: s.file, Off: pos, Bytes: b})
	if c.Err != disk.OK || c.N != size {
		return max(c.Err, disk.ErrIO)
	}
	v := records.View(b)
	if v.Size() != len(b) || v.ComputeCRC() != v.CRC() {
		l.listener.LogDamaged(l, from)
		return disk.ErrIO
	}
	var scratch records.Scratch
	for r := records.NewReader(v, &scratch); ; {
		rec, ok, bad := r.Next()
		if bad != nil {
			return disk.ErrIO
		}
		if !ok {
			return disk.OK
		}
		at := v.BaseTimestamp() + rec.TimestampDelta
		if v.IsLogAppendTime() {
			at = v.MaxTimestamp()
		}
		if o := v.BaseOffset() + int64(rec.OffsetDelta); o >= from && !see(o, at) {
			return disk.OK
		}
	}
}

// floorTime gives an offset such that no record before it has a timestamp of at least ts, but those at that timestamp exactly
// in the same batch.
func (l *Log) floorTime(t *task.Task, s *segment, ts int64) (int64, disk.Err) {
	if x := s.tail; x != nil {
		for i := len(x.times) - 1; i >= 0; i-- {
			if x.times[i].Timestamp <= ts {
				return s.base + int64(x.times[i].Rel), disk.OK
			}
		}
		if x.tn == 0 {
			return s.base, disk.OK
		}
	}
	b, c := readFile(t, l.env, l.path(s.base, suffixTimeIndex))
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return 0, c.Err
	}
	b = b[:index.ValidTime(b, index.TimeEntry{Timestamp: -1, Rel: -1}, 1<<31-1)*index.TimeEntrySize]
	if i := index.FloorTime(b, ts); i >= 0 {
		return s.base + int64(index.TimeAt(b, i).Rel), disk.OK
	}
	return s.base, disk.OK
}
