package commitlog

import (
	"errors"

	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/disk"
)

// cleanWindow is how many bytes a clean reads, and writes, at a time.
const cleanWindow = 256 << 10

// batchReader gives the batches of a segment whole, one after another, through a file of its own: the log's own may be closed meanwhile.
type batchReader struct {
	c     *cleaner
	s     *segment
	file  disk.File
	lease *buf.Lease
	buf   []byte // of the lease, or larger for a batch that needs it
	win   []byte
	off   int64 // of win
}

// each shows every batch of a segment whole. What is no sound batch is told as damage.
func (c *cleaner) each(s *segment, see func(records.View) error) error {
	r := batchReader{c: c, s: s, file: c.env.File()}
	x := c.t.Disk(disk.Request{Kind: disk.Open, File: r.file, Path: s.name(c.Log), Flags: disk.ReadOnly})
	if x.Err != disk.OK {
		if !c.t.Stopped() {
			c.env.FreeFile(r.file)
		}
		return wrap("open "+s.name(c.Log), &x)
	}
	r.lease = c.env.Pool.Get(cleanWindow)
	r.buf = r.lease.Bytes
	err := r.run(see)
	r.lease.Release()
	closeFile(c.t, c.env, r.file)
	return err
}

func (r *batchReader) run(see func(records.View) error) error {
	c, next := r.c, r.s.base
	for pos := int64(0); pos < r.s.size; {
		v, err := r.batch(pos)
		if err != nil {
			return err
		}
		if v == nil || v.BaseOffset() < next || v.LastOffset() >= r.s.end || v.ComputeCRC() != v.CRC() {
			return c.damaged(next)
		}
		if err := see(v); err != nil {
			return err
		}
		next = v.NextOffset()
		pos += int64(len(v))
		if !c.pace(len(v)) {
			return ErrCleanEnded
		}
	}
	return nil
}

// damaged tells who owns the log that it has rotted.
func (c *cleaner) damaged(offset int64) error {
	c.listener.LogDamaged(c.Log, offset)
	return &Uncleanable{c.dir, offset, errors.New("what stands there is not what was written")}
}

// batch gives the batch at pos; nil if none stands there. Its bytes are valid until the next call.
func (r *batchReader) batch(pos int64) (records.View, error) {
	b, err := r.fill(pos, records.HeaderSize)
	if b == nil {
		return nil, err
	}
	v := records.View(b)
	if v.Magic() != 2 || v.Length() < records.HeaderSize-records.LogOverhead || v.LastOffsetDelta() < 0 || v.BaseOffset() < 0 || v.BaseOffset() > maxOffset ||
		int64(v.Size()) > r.s.size-pos {
		return nil, nil
	}
	size := v.Size()
	if size > maxBatchRead {
		return nil, &Uncleanable{r.c.dir, v.BaseOffset(), errTooLarge}
	}
	if b, err = r.fill(pos, size); b == nil {
		return nil, err
	}
	return records.View(b[:size:size]), nil
}

// fill makes so many bytes at pos present.
func (r *batchReader) fill(pos int64, least int) ([]byte, error) {
	if d := pos - r.off; d >= 0 && d+int64(least) <= int64(len(r.win)) {
		return r.win[d:], nil
	}
	if least > len(r.buf) {
		r.buf = make([]byte, least)
	} else if least <= cleanWindow {
		r.buf = r.lease.Bytes
	}
	n := min(r.s.size-pos, int64(len(r.buf)))
	r.win = nil
	if n < int64(least) {
		return nil, nil
	}
	got := int64(0)
	for got < n { // a large batch is more than one step, too
		piece := min(n-got, cleanWindow)
		x := r.c.t.Disk(disk.Request{Kind: disk.Read, File: r.file, Off: pos + got, Bytes: r.buf[got : got+piece]})
		if x.Err != disk.OK {
			return nil, wrap("read "+r.s.name(r.c.Log), &x)
		}
		got += x.N
		if x.N < piece {
			break
		}
		if got < n {
			if r.c.t.Sleep(0); r.c.over() {
				return nil, ErrCleanEnded
			}
		}
	}
	r.c.done.Read += got
	if got < int64(least) {
		return nil, nil
	}
	r.win, r.off = r.buf[:got], pos
	return r.win, nil
}

// buildMap reads the keys of the dirty section, until the map is full.
func (c *cleaner) buildMap(aborted []Aborted) error {
	c.txns.begin(aborted)
	m := mapper{cleaner: c}
	m.sieve.Pace = c.breathe
	for _, s := range c.segs[c.segmentAt(c.from):] { // of this moment: retention takes segments away while this reads
		if s.base >= c.to || m.full {
			break
		}
		if err := c.each(s, m.batch); err != nil && err != errFull {
			return err
		}
		if c.over() {
			return ErrCleanEnded
		}
	}
	return nil
}

// mapper is the first pass.
type mapper struct {
	*cleaner
	sieve records.Sieve
	full  bool
}

var errFull = errors.New("the map of keys is full")

func (m *mapper) batch(v records.View) error {
	switch {
	case v.LastOffset() < m.from:
		return nil
	case v.IsControl():
		m.txns.marker(v)
	}
	passed := v.Count() == 0 || v.IsControl() && !plant.On(plant.S4) || v.IsTransactional() && !v.IsControl() && m.txns.batch(v).aborted
	if !passed {
		if err := m.sieve.Scan(v, m); err != nil {
			return &Uncleanable{m.dir, v.BaseOffset(), err}
		}
	}
	if m.full {
		return errFull
	}
	m.keys.last = v.LastOffset()
	return nil
}

// Keep is records.Keeper: it takes in each record, and keeps none.
func (m *mapper) Keep(offset int64, rec *records.Record) bool {
	if rec.Key != nil && offset >= m.from && !m.full {
		m.full = !m.keys.put(rec.Key, offset)
	}
	return false
}

// filter is the second pass over one group: what stays of its batches goes to out.
type filter struct {
	*cleaner
	out     *cleanWriter
	sieve   records.Sieve
	expired bool  // the tombstones of the batch may go
	gap     int64 // first offset whose batch is gone and of which no filler speaks, -1: none
	epoch   int32 // of what stood there
	next    int64 // offset after the last batch
	touched bool  // something is not as it was
	aborted []Aborted
}

// batch takes one batch over, or what is left of it.
func (f *filter) batch(v records.View) error {
	for v.BaseOffset() > f.next { // Kafka's cleaner leaves gaps
		f.touched = true
		f.drop(f.next, f.EpochAt(f.next))
		f.next = v.BaseOffset()
	}
	f.next = v.NextOffset()
	switch {
	case v.IsFiller():
		f.drop(v.BaseOffset(), v.LeaderEpoch())
		return f.out.err
	case v.IsControl():
		return f.control(v)
	}
	return f.data(v)
}

// drop notes that the batch at an offset is gone. What goes of one epoch is one filler's.
func (f *filter) drop(offset int64, epoch int32) {
	if f.gap >= 0 && f.epoch == epoch {
		return
	}
	f.keep(f.before(offset))
	f.gap, f.epoch = offset, epoch
}

// before gives the place for a batch that begins at an offset, behind the filler of what is gone before it. Nothing counts before keep.
func (f *filter) before(offset int64) []byte {
	b := f.out.begin()
	if f.gap >= 0 && f.gap < offset {
		b = records.AppendFiller(b, f.gap, offset-1, f.epoch)
	}
	return b
}

// keep takes in what was put behind before.
func (f *filter) keep(b []byte) {
	f.gap = -1
	f.out.add(b)
}

// control judges a control batch: a marker of which nothing is left gets a delete horizon, and goes when that has passed, but for the last
// of a producer that is known by nothing else.
func (f *filter) control(v records.View) error {
	o := f.txns.marker(v)
	_, isMarker := v.Marker()
	gone := o == nil || !o.left
	switch {
	case plant.On(plant.S4) && isMarker:
		return f.sift(v, o, false, f)
	case !isMarker && v.Count() > 0: // of another kind
	case gone && (v.Count() == 0 || f.past(v)) && !f.producers.Holds(v):
		f.touched = true
		f.drop(v.BaseOffset(), v.LeaderEpoch())
		return f.out.err
	case gone && isMarker && !v.HasDeleteHorizon():
		return f.sift(v, nil, true, allRecords{})
	case !gone && o.aborted:
		f.aborted = append(f.aborted, o.entry)
	}
	f.keep(append(f.before(v.BaseOffset()), v...))
	return f.out.err
}

// past says whether what a batch deletes or ends has been gone for long enough everywhere.
func (f *filter) past(v records.View) bool {
	return v.HasDeleteHorizon() && v.DeleteHorizon() <= f.wall && v.LastOffset() < f.lim.Deletes
}

// allRecords is a records.Keeper of all.
type allRecords struct{}

func (allRecords) Keep(int64, *records.Record) bool { return true }

// data judges a batch of records.
func (f *filter) data(v records.View) error {
	var o *cleanTxn
	if v.IsTransactional() {
		o = f.txns.batch(v)
	}
	held := f.producers.Holds(v)
	switch {
	case v.Count() == 0 && held:
		f.left(o)
		f.keep(append(f.before(v.BaseOffset()), v...))
	case v.Count() == 0:
		f.touched = true
		f.drop(v.BaseOffset(), v.LeaderEpoch())
	case o != nil && o.aborted:
		f.empty(v, o, held)
	default:
		return f.sift(v, o, false, f)
	}
	return f.out.err
}

func (f *filter) left(o *cleanTxn) {
	if o != nil {
		o.left = true
	}
}

// empty leaves of a batch whose records go no more than its producer needs.
func (f *filter) empty(v records.View, o *cleanTxn, held bool) {
	f.touched = true
	if !held {
		f.drop(v.BaseOffset(), v.LeaderEpoch())
		return
	}
	f.left(o)
	f.keep(records.AppendEmpty(f.before(v.BaseOffset()), v))
}

// sift takes over the records of a batch that stay. always: it gets a delete horizon, if it has none.
func (f *filter) sift(v records.View, o *cleanTxn, always bool, k records.Keeper) error {
	f.expired = f.past(v)
	horizon := int64(records.NoHorizon)
	if v.LastOffset() <= f.keys.last { // what is above is not clean yet
		horizon = f.wall + min(f.cfg.DeleteRetentionMS, maxOffset)
	}
	b, kept, err := f.sieve.Batch(f.before(v.BaseOffset()), v, horizon, always, k)
	switch {
	case err != nil:
		return &Uncleanable{f.dir, v.BaseOffset(), err}
	case kept.Records == 0:
		f.empty(v, o, f.producers.Holds(v))
		return f.out.err
	}
	f.left(o)
	f.touched = f.touched || !kept.Same
	f.keep(b)
	return f.out.err
}

// Keep is records.Keeper.
func (f *filter) Keep(offset int64, rec *records.Record) bool {
	switch {
	case offset > f.keys.last:
		return true
	case rec.Key == nil:
		return false
	case f.keys.get(rec.Key) > offset:
		return false
	}
	return rec.Value != nil || !f.expired
}
