package commitlog

import (
	"errors"
	"sort"

	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/commitlog/producers"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Aborted is a transaction that was aborted.
type Aborted = index.Aborted

// abortedKept is how many aborted transactions of a sealed segment stay in memory; of one with more, all are read from its file.
const abortedKept = 256

// aborted is the aborted transactions whose markers stand in a segment, by marker, ascending. They go to its transaction index before a
// snapshot says that recovery need not look at the markers again, as index entries do; recovery makes those above the snapshot again.
type aborted struct {
	list  []Aborted // nil if released
	n     int
	saved int // the file holds the first so many and no others; -1: not known
}

func (a *aborted) released() bool { return len(a.list) < a.n }

// note adds what a marker has ended.
func (a *aborted) note(x producers.Ended) {
	if x.Abort {
		a.list = append(a.list, Aborted{ProducerID: x.ProducerID, First: x.First, Last: x.Last, Stable: x.Stable})
		a.n++
	}
}

// cut forgets those whose markers stand at or above an offset; none of them is in the file.
func (a *aborted) cut(from int64) {
	for a.n > 0 && !a.released() && a.list[a.n-1].Last >= from {
		a.n--
		a.list = a.list[:a.n]
	}
}

// below is how many have their marker below an offset.
func (a *aborted) below(offset int64) int {
	return sort.Search(len(a.list), func(i int) bool { return a.list[i].Last >= offset })
}

// release gives the memory of a long list back once the file has it.
func (a *aborted) release() {
	if a.saved == a.n && a.n > abortedKept {
		a.list = nil
	}
}

// collect adds those of a list of which something may stand from one offset on and below another. Done says that none of a later segment does.
func collect(dst []Aborted, list []Aborted, from, to int64) (_ []Aborted, done bool) {
	for i := sort.Search(len(list), func(i int) bool { return list[i].Last >= from }); i < len(list); i++ {
		if list[i].First < to {
			dst = append(dst, list[i])
		}
		if list[i].Stable >= to {
			return dst, true
		}
	}
	return dst, false
}

// Aborted adds the aborted transactions that a reader of the offsets from one on and below another must know, as Kafka's collectAbortedTransactions. It
// is false if one of the files must be read first: AbortedSlow in a task.
func (l *Log) Aborted(dst []Aborted, from, to int64) ([]Aborted, bool) {
	for i := l.segmentAt(from); i < len(l.segs); i++ {
		s, done := l.segs[i], false
		if s.aborted.released() {
			return dst, false
		}
		if dst, done = collect(dst, s.aborted.list, from, to); done {
			break
		}
	}
	return dst, true
}

// AbortedSlow is Aborted with reads. The caller has pinned what it reads, so that the segments stay.
func (l *Log) AbortedSlow(t *task.Task, from, to int64) (all []Aborted, err disk.Err) {
	l.pass(t)
	l.readers++
	defer func() { l.readers-- }()
	segs := l.segs[l.segmentAt(from):]
	for i := 0; i < len(segs); i++ {
		list, done := segs[i].aborted.list, false
		if segs[i].aborted.released() {
			if list, err = l.readAborted(t, segs[i]); err != disk.OK {
				return nil, err
			}
		}
		if all, done = collect(all, list, from, to); done {
			break
		}
	}
	return all, disk.OK
}

// readAborted reads the transaction index of a sealed segment, and makes it again where it is damaged.
func (l *Log) readAborted(t *task.Task, s *segment) ([]Aborted, disk.Err) {
	b, c := readFile(t, l.env, l.path(s.base, suffixTxnIndex))
	if t.Stopped() {
		return nil, disk.ErrIO
	}
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return nil, c.Err
	}
	if list, ok := index.ParseAborted(b); ok && len(list) == s.aborted.n {
		return list, disk.OK
	}
	list, err := l.remakeAborted(t, s, s.end)
	if t.Stopped() || err != nil {
		return nil, codeOf(err)
	}
	c = replaceFile(t, l.env, l.dir, fileName(s.base, suffixTxnIndex), index.AppendAborted(nil, list))
	return list, c.Err
}

func codeOf(err error) disk.Err {
	code := disk.ErrIO
	errors.As(err, &code)
	return code
}

// saveAborted makes the file of a segment hold all that is written, durably.
func (l *Log) saveAborted(t *task.Task, s *segment) bool {
	a := &s.aborted
	n := a.below(s.writtenEnd)
	if a.released() || a.saved == n {
		return true
	}
	c := replaceFile(t, l.env, l.dir, fileName(s.base, suffixTxnIndex), index.AppendAborted(nil, a.list[:n]))
	if t.Stopped() {
		return false
	}
	if c.Err != disk.OK {
		l.softFail(&c, "write "+l.path(s.base, suffixTxnIndex))
		return false
	}
	a.saved = n
	return true
}

// loadAborted takes from a segment's transaction index what stands below limit.
func (r *recovery) loadAborted(s *segment, limit int64) error {
	s.aborted = aborted{}
	if !r.txnIndexes[s.base] || limit <= s.base {
		if r.txnIndexes[s.base] {
			s.aborted.saved = -1
		}
		return nil
	}
	path := r.path(s.base, suffixTxnIndex)
	b, c := readFile(r.t, r.env, path)
	if c.Err != disk.OK {
		return wrap("read "+path, &c)
	}
	list, ok := index.ParseAborted(b)
	if n := len(list); n > 0 && (list[0].Last < s.base || s.sealed && list[n-1].Last >= s.end) {
		ok = false
	}
	if !ok {
		var err error
		if list, err = r.remakeAborted(r.t, s, limit); err != nil {
			return err
		}
		sometimes.Hit("log: a list of aborted transactions was damaged")
		r.env.Warnf("%s was damaged and has been made again", path)
	}
	a := &s.aborted
	a.list, a.saved = list, -1
	all := len(list)
	a.n = a.below(limit)
	a.list = a.list[:a.n]
	if ok && a.n == all {
		a.saved = a.n
	}
	if !ok {
		return r.replaceAborted(s)
	}
	return nil
}

// replaceAborted makes the file hold what is in memory.
func (r *recovery) replaceAborted(s *segment) error {
	a := &s.aborted
	if a.saved == a.n {
		return nil
	}
	name := fileName(s.base, suffixTxnIndex)
	if c := replaceFile(r.t, r.env, r.dir, name, index.AppendAborted(nil, a.list)); c.Err != disk.OK {
		return wrap("replace "+r.dir+"/"+name, &c)
	}
	a.saved = a.n
	return nil
}

// remakeAborted finds the aborted transactions whose markers stand in a segment below limit: it reads headers and markers from the last snapshot at or below
// the segment's base on.
func (l *Log) remakeAborted(t *task.Task, s *segment, limit int64) ([]Aborted, error) {
	var table Producers
	from := l.segs[0].base
	for i := len(l.snapshots.list) - 1; i >= 0; i-- {
		o := l.snapshots.list[i]
		if o > s.base || o < from {
			continue
		}
		b, c := readFile(t, l.env, l.path(o, suffixSnapshot))
		if c.Err == disk.OK && table.Load(b, l.env.Now.Wall) {
			from = o
			break
		}
	}
	var found aborted
	for i := l.segmentAt(from); i < len(l.segs) && l.segs[i].ord <= s.ord; i++ {
		err := l.eachBatch(t, l.segs[i], func(v records.View) {
			if v.LastOffset() < from || v.LastOffset() >= limit {
				return
			}
			if _, x, ended := table.Update(v, 0); ended && x.Last >= s.base {
				found.note(x)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found.list, nil
}

// eachBatch shows the headers of a segment's written batches, and markers whole, through a file of its own.
func (l *Log) eachBatch(t *task.Task, s *segment, each func(records.View)) error {
	f := l.env.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: s.name(l), Flags: disk.ReadOnly})
	if c.Err != disk.OK {
		if !t.Stopped() {
			l.env.FreeFile(f)
		}
		return wrap("open "+s.name(l), &c)
	}
	sc := newHopper(t, l.env, f, min(s.written, c.N))
	for pos := int64(0); ; {
		v, ok := sc.batch(pos)
		if !ok {
			break
		}
		each(v)
		pos += int64(v.Size())
	}
	err := sc.err
	sc.close()
	closeFile(t, l.env, f)
	if err != disk.OK || t.Stopped() {
		return wrap("read "+s.name(l), &disk.Completion{Err: max(err, disk.ErrIO)})
	}
	return nil
}
