package commitlog

import (
	"fmt"

	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/commitlog/producers"
	"github.com/seedlog/seedlog/io/disk"
)

// A snapshot knows one batch of a producer, and a client may have five in flight: those whose answers it lost with the broker it
// sends again, and the first of them must be known for a duplicate. So what stands in the log before the snapshot is looked at once
// more: the headers of the last recallBytes, or of as many batches as that has index entries if they are larger.
const (
	recallBytes = 256 << 10
	recallGap   = 4 << 10 // index entries are taken to be no closer
)

// recallTail looks at a segment in which the snapshot's offset stands, or which ends there. ib is its index file.
func (r *recovery) recallTail(s *segment, ib []byte) error {
	if r.producers.Len() == 0 {
		return nil
	}
	pos, last := int64(0), int64(-1)
	n := index.Valid(ib, index.Entry{Rel: -1, Pos: -1}, int32(min(r.from-s.base-1, 1<<31-1)), s.written)
	back := max(1, recallBytes/max(int(r.cfg.IndexIntervalBytes), recallGap))
	switch {
	case n > back:
		e := index.At(ib, n-back)
		pos, last = int64(e.Pos), s.base+int64(e.Rel)
	case n == 0 && s.written > recallBytes:
		return nil // a damaged index
	}
	sc := newHopper(r.t, r.env, s.file, s.written)
	defer sc.close()
	for at := s.base; ; {
		v, ok := sc.header(pos)
		if !ok || v.BaseOffset() < at || v.LastOffset() >= r.from || last >= 0 && v.LastOffset() != last {
			break // behind the snapshot a torn batch may have any offset
		}
		r.producers.Recall(v)
		pos, at, last = pos+int64(v.Size()), v.NextOffset(), -1
	}
	if sc.err != disk.OK {
		return fmt.Errorf("read %s: %w", s.name(r.Log), sc.err)
	}
	return nil
}

// recallBefore looks at segment i, before the first that is scanned, if those after it are so few and short that the last batches may not all
// be in them.
func (r *recovery) recallBefore(i, first int) error {
	between := int64(0)
	for k := i + 1; k <= first && between < recallBytes; k++ {
		between += r.segs[k].written
	}
	if r.producers.Len() == 0 || first-i >= producers.Cached || between >= recallBytes {
		return nil
	}
	s := r.segs[i]
	ib, c := readFile(r.t, r.env, r.path(s.base, suffixIndex))
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return wrap("read "+r.path(s.base, suffixIndex), &c)
	}
	return r.recallTail(s, ib)
}

// recallEpochs reads headers from the log start up to the first epoch that is known, if it begins later: deletion moves both, but each is
// saved in its own time, and the end of a process may leave the log start that was before.
func (r *recovery) recallEpochs() error {
	known, start, first := r.epochs.list, max(r.opt.StartOffset, r.segs[0].base), r.from
	if len(known) > 0 {
		first = known[0].start
	}
	if first <= start {
		return nil
	}
	r.epochs.list = nil
	for i := r.segmentAt(start); i < len(r.segs) && r.segs[i].base < first; i++ {
		if err := r.recallEpochsOf(r.segs[i], start, first); err != nil {
			return err
		}
	}
	for _, e := range known {
		r.epochs.add(e.epoch, e.start)
	}
	return nil
}

// recallEpochsOf takes the epochs of a segment's batches between two offsets. What is no batch ends it: the scan judges that.
func (r *recovery) recallEpochsOf(s *segment, from, to int64) error {
	sc := newHopper(r.t, r.env, s.file, s.size)
	defer sc.close()
	for pos, at := int64(0), s.base; pos < s.size; {
		v, ok := sc.header(pos)
		if !ok || v.BaseOffset() < at || v.BaseOffset() >= to {
			break
		}
		if v.LastOffset() >= from {
			r.epochs.add(v.LeaderEpoch(), v.BaseOffset())
		}
		pos, at = pos+int64(v.Size()), v.NextOffset()
	}
	if sc.err != disk.OK {
		return fmt.Errorf("read %s: %w", s.name(r.Log), sc.err)
	}
	return nil
}
