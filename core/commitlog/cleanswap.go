package commitlog

import (
	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// How new files take the place of old ones, whatever crash comes between; B is the first base of the group:
//
//	write and sync B.index.cleaned, .timeindex.cleaned, .txnindex.cleaned, B.log.cleaned ─▶ sync the directory        undone by a start
//	rename B.log.cleaned to B.log.swap ─▶ sync the directory                                                         from here on finished by a start
//	rename the indexes to their names; remove the other segments' files ─▶ sync the directory
//	rename B.log.swap to B.log ─▶ sync the directory
//
// While .log.swap stands, the old files are of no account: a start does the last two lines again. It knows which segments are replaced by
// the last batch of the new one, since cleaned segments have no gaps.
//
// In memory the new segment takes the old ones' place after the commit, between two looks of readers that open files by name. Responses keep
// the old files, not the names.

// cleanWriter gathers the new segment of a group.
type cleanWriter struct {
	c        *cleaner
	s        *segment
	lease    *buf.Lease
	buf      []byte // of the lease, or larger; its first noted bytes are batches that count
	noted    int
	unsynced int64
	err      error
}

// cleanSync is how many bytes of a new segment go between two syncs: one sync of it all would hold up those of producers.
const cleanSync = 8 << 20

// begin gives the place for the next batches.
func (w *cleanWriter) begin() []byte { return w.buf[:w.noted] }

// add takes in the batches that were put behind begin.
func (w *cleanWriter) add(b []byte) {
	w.buf = b
	for rest := b[w.noted:]; len(rest) > 0; {
		v := records.View(rest[:records.View(rest).Size()])
		if w.s.size+int64(len(v)) > 1<<31-1 {
			w.fail(&Uncleanable{w.c.dir, v.BaseOffset(), errTooLarge})
			return
		}
		w.s.note(v)
		w.s.tail.note(w.s, v, w.c.cfg.IndexIntervalBytes)
		rest = rest[len(v):]
	}
	w.noted = len(b)
	if len(b) >= cleanWindow {
		w.flush()
	}
}

func (w *cleanWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// flush writes what has been gathered.
func (w *cleanWriter) flush() {
	c, s, n := w.c, w.s, int64(w.noted)
	if w.err == nil && s.written+n > c.lim.Room {
		w.fail(errNoRoom)
	}
	for rest := w.buf[:n]; w.err == nil && len(rest) > 0; {
		piece := rest[:min(len(rest), cleanWindow)]
		x := c.t.Disk(disk.Request{Kind: disk.Write, File: s.file, Off: s.written, Vec: [][]byte{piece}})
		if x.Err != disk.OK {
			w.fail(c.broken("write", suffixLog, s, &x))
		}
		s.written += int64(len(piece))
		w.unsynced += int64(len(piece))
		c.unpaid += int64(len(piece))
		if rest = rest[len(piece):]; len(rest) > 0 {
			if c.t.Sleep(0); c.over() {
				w.fail(ErrCleanEnded)
			}
		}
	}
	w.buf, w.noted = w.lease.Bytes[:0], 0
	if w.unsynced >= cleanSync {
		w.sync()
	}
}

func (w *cleanWriter) sync() {
	if w.unsynced = 0; w.err != nil {
		return
	}
	if x := w.c.t.Disk(disk.Request{Kind: disk.Sync, File: w.s.file}); x.Err != disk.OK {
		w.fail(w.c.broken("sync", suffixLog, w.s, &x))
	}
}

// broken judges an error on a new file: without space the log goes on as it was, anything else takes it offline.
func (c *cleaner) broken(what, suffix string, s *segment, x *disk.Completion) error {
	path := c.path(s.base, suffix)
	if x.Err != disk.ErrNoSpace && !c.over() {
		c.fail(x.Err, what+" "+path+suffixCleaned+": "+x.Detail)
	}
	return wrap(what+" "+path+suffixCleaned, x)
}

// cleanGroup makes one segment of a group, if anything of it has gone.
func (c *cleaner) cleanGroup(g []*segment) error {
	c.committed = false
	first, last := g[0], g[len(g)-1]
	s := newSegment(first.base, first.ord, 0)
	s.tail, s.file = newTail(), c.env.File()
	x := c.t.Disk(disk.Request{Kind: disk.Open, File: s.file, Path: c.path(s.base, suffixLog) + suffixCleaned, Flags: disk.Create})
	if x.Err != disk.OK {
		if !c.t.Stopped() {
			c.env.FreeFile(s.file)
		}
		return c.broken("create", suffixLog, s, &x)
	}
	lease := c.env.Pool.Get(cleanWindow)
	f := filter{cleaner: c, gap: -1, next: first.base, out: &cleanWriter{c: c, s: s, lease: lease, buf: lease.Bytes[:0]}}
	f.sieve.Pace = c.breathe
	if x.N > 0 {
		x = c.t.Disk(disk.Request{Kind: disk.Truncate, File: s.file, Size: 0})
	}
	err := f.run(g, &x)
	lease.Release()
	if err == nil && !c.t.Stopped() && (f.touched || len(g) > 1) {
		s.end = last.end
		if err = c.swap(g, s, f.aborted); err == nil {
			return nil
		}
	}
	closeFile(c.t, c.env, s.file)
	if !c.committed {
		c.removeCleaned(s.base)
	}
	return err
}

// run takes over what stays of a group's segments.
func (f *filter) run(g []*segment, opened *disk.Completion) error {
	if opened.Err != disk.OK {
		return f.broken("truncate", suffixLog, f.out.s, opened)
	}
	end := g[len(g)-1].end
	for _, s := range g {
		f.out.s.created = max(f.out.s.created, s.created)
		f.done.Before += s.size
		if err := f.each(s, f.batch); err != nil {
			return err
		}
	}
	if f.next < end {
		f.touched = true
		f.drop(f.next, f.EpochAt(f.next))
	}
	f.keep(f.before(end))
	f.out.flush()
	f.out.sync()
	f.done.After += f.out.s.size
	return f.out.err
}

// removeCleaned takes away what a group that was given up has left. What cannot be removed goes at the next start.
func (c *cleaner) removeCleaned(base int64) {
	for _, suffix := range [...]string{suffixLog, suffixIndex, suffixTimeIndex, suffixTxnIndex} {
		c.t.Disk(disk.Request{Kind: disk.Remove, Path: c.path(base, suffix) + suffixCleaned})
	}
}

// swap puts a whole new segment in the place of a group.
func (c *cleaner) swap(g []*segment, s *segment, aborted []Aborted) error {
	s.writtenEnd, s.syncedEnd, s.synced = s.end, s.end, s.written
	s.tail.noteTime(s)
	if err := c.dropSnapshots(s); err != nil {
		return err
	}
	if err := c.writeIndexes(g, s, aborted); err != nil {
		return err
	}
	s.aborted = inFile(aborted)
	s.tail, s.opened, s.sealed, s.sealing, s.named = nil, true, true, true, true
	if c.over() || !c.stand(g) {
		return ErrCleanEnded
	}
	c.swapping = true
	defer func() { c.swapping = false }()
	name := c.path(s.base, suffixLog)
	x := c.t.Disk(disk.Request{Kind: disk.Rename, Path: name + suffixCleaned, NewPath: name + suffixSwap})
	c.committed = x.Err != disk.ErrNoSpace // after any other error the next start decides
	if x.Err != disk.OK {
		return c.broken("rename", suffixLog, s, &x)
	}
	if x = c.t.Disk(disk.Request{Kind: disk.SyncDir, Path: c.dir}); x.Err != disk.OK {
		if x.Err == disk.ErrNoSpace && !c.over() {
			c.fail(x.Err, "sync directory "+c.dir+": "+x.Detail) // whether the new name stands nobody knows
		}
		return c.broken("sync directory of", suffixLog, s, &x)
	}
	sometimes.Hit("log: a cleaned segment takes the place of others")
	return c.finish(g, s)
}

// dropSnapshots takes away the snapshots of producers below the end of a new segment: they tell of transactions as open whose markers go with
// this clean. A start that finds none reads the log from its begin, and takes up the first one that it meets. Their end is durable before
// the commit is, since writeIndexes syncs the directory.
func (c *cleaner) dropSnapshots(s *segment) error {
	for len(c.snapshots.list) > 0 && c.snapshots.list[0] < s.end {
		o := c.snapshots.list[0]
		c.snapshots.remove(o)
		if x := c.t.Disk(disk.Request{Kind: disk.Remove, Path: c.path(o, suffixSnapshot)}); x.Err != disk.OK && x.Err != disk.ErrNotExist {
			return c.broken("remove", suffixSnapshot, s, &x)
		}
	}
	return nil
}

// inFile is a list that stands in the file.
func inFile(list []Aborted) aborted {
	a := aborted{list: list, n: len(list), saved: len(list)}
	a.release()
	return a
}

// writeIndexes writes and syncs the indexes of the new segment. Names are durable when it returns.
func (c *cleaner) writeIndexes(g []*segment, s *segment, list []Aborted) error {
	var entries, times []byte
	for _, e := range s.tail.entries {
		entries = e.Append(entries)
	}
	for _, e := range s.tail.times {
		times = e.Append(times)
	}
	write := func(suffix string, b []byte) error {
		if x := writeFile(c.t, c.env, c.path(s.base, suffix)+suffixCleaned, b, true); x.Err != disk.OK {
			return c.broken("write", suffix, s, &x)
		}
		return nil
	}
	err := write(suffixIndex, entries)
	if err == nil {
		err = write(suffixTimeIndex, times)
	}
	had := len(list) > 0
	for _, o := range g {
		had = had || o.aborted.n > 0 || o.aborted.saved != 0
	}
	if err == nil && had {
		err = write(suffixTxnIndex, index.AppendAborted(nil, list))
	}
	if err != nil {
		return err
	}
	if x := c.t.Disk(disk.Request{Kind: disk.SyncDir, Path: c.dir}); x.Err != disk.OK {
		return c.broken("sync directory of", suffixLog, s, &x)
	}
	return nil
}

// stand says whether a group is still in the log: retention may have taken some of it.
func (c *cleaner) stand(g []*segment) bool {
	i := c.segmentAt(g[0].base)
	if i+len(g) >= len(c.segs) {
		return false
	}
	for k, s := range g {
		if c.segs[i+k] != s {
			return false
		}
	}
	return true
}

// finish follows the commit. It ends only with the process, the log's end or its failure: whoever opens the log then does the rest.
func (c *cleaner) finish(g []*segment, s *segment) error {
	t := c.t
	for i := 0; c.readers > 0 && i < gateAfter && !t.Stopped(); i++ {
		t.Sleep(pollGap)
	}
	c.gated = true // who opens files by name waits
	for c.readers > 0 && !t.Stopped() {
		t.Sleep(pollGap)
	}
	ok := c.until(s, func() error { return c.nameIndexes(t, s.base) })
	if ok {
		c.replace(g, s)
	}
	c.gated = false
	if !ok {
		return ErrCleanEnded
	}
	s.pins++
	for _, o := range g {
		c.retire(t, o)
	}
	ok = c.until(s, func() error { return c.nameLog(t, s.base, g[1:]) })
	if s.pins--; ok {
		c.cool(t)
	}
	if c.swapping = false; !t.Stopped() {
		c.removeBelowStart()
	}
	return nil // s is in the log, and its file is the log's
}

// gateAfter is how often a swap looks for a moment without readers before it makes one.
const gateAfter = 200

// until does what must be done, again and again while the disk is full.
func (c *cleaner) until(s *segment, do func() error) bool {
	for !c.t.Stopped() && !c.failed && !c.removed {
		err := do()
		if err == nil || c.t.Stopped() {
			return !c.t.Stopped()
		}
		if code := codeOf(err); code != disk.ErrNoSpace {
			c.fail(code, "finish the clean of "+c.path(s.base, suffixLog)+": "+err.Error())
			return false
		}
		if c.closing {
			return false
		}
		c.t.Sleep(clock.Second)
	}
	return false
}

// nameIndexes gives the new indexes their names, those that have not theirs yet.
func (l *Log) nameIndexes(t *task.Task, base int64) error {
	for _, suffix := range [...]string{suffixIndex, suffixTimeIndex, suffixTxnIndex} {
		path := l.path(base, suffix)
		x := t.Disk(disk.Request{Kind: disk.Rename, Path: path + suffixCleaned, NewPath: path})
		if x.Err != disk.OK && x.Err != disk.ErrNotExist {
			return wrap("rename "+path+suffixCleaned, &x)
		}
	}
	return nil
}

// nameLog removes the files of the other segments, and once that is durable gives the new one its name.
func (l *Log) nameLog(t *task.Task, base int64, others []*segment) error {
	for _, o := range others {
		for _, suffix := range [...]string{suffixIndex, suffixTimeIndex, suffixTxnIndex, suffixLog} {
			x := t.Disk(disk.Request{Kind: disk.Remove, Path: l.path(o.base, suffix)})
			if x.Err != disk.OK && x.Err != disk.ErrNotExist {
				return wrap("remove "+l.path(o.base, suffix), &x)
			}
		}
	}
	if x := t.Disk(disk.Request{Kind: disk.SyncDir, Path: l.dir}); x.Err != disk.OK {
		return wrap("sync directory "+l.dir, &x)
	}
	path := l.path(base, suffixLog)
	if x := t.Disk(disk.Request{Kind: disk.Rename, Path: path + suffixSwap, NewPath: path}); x.Err != disk.OK && x.Err != disk.ErrNotExist {
		return wrap("rename "+path+suffixSwap, &x)
	}
	if x := t.Disk(disk.Request{Kind: disk.SyncDir, Path: l.dir}); x.Err != disk.OK {
		return wrap("sync directory "+l.dir, &x)
	}
	return nil
}

// replace has the log hold the new segment instead of a group. What was known of places in the old files is forgotten.
func (l *Log) replace(g []*segment, s *segment) {
	i := l.segmentAt(s.base)
	l.segs = append(append(append([]*segment(nil), l.segs[:i]...), s), l.segs[i+len(g):]...)
	l.size += s.size
	for _, o := range g {
		l.size -= o.size
		o.doomed, o.nameless = true, true
	}
	last := g[len(g)-1].ord
	l.recent.forget(last)
	l.coarse.forget(last)
	l.forgetChunks()
}

// retire closes the file of a segment that was replaced, once no response holds it.
func (l *Log) retire(t *task.Task, o *segment) {
	switch f := o.file; {
	case f == 0:
	case o.pins > 0:
		sometimes.Hit("log: a response holds a segment that a clean has replaced")
		l.doomed = append(l.doomed, o)
		task.Go(l.env, func(t *task.Task) { l.letGo(t, o) })
	default:
		o.file, o.opened = 0, false
		closeFile(t, l.env, f)
	}
}

// finishSwaps does what a crash has left undone of cleans that were committed, and gives the names that are then in the directory.
func (l *Log) finishSwaps(t *task.Task, names []string) ([]string, error) {
	found := false
	for _, n := range names {
		if base, suffix, ok := parseName(n); ok && suffix == suffixLog+suffixSwap {
			found = true
			sometimes.Hit("log: a start finishes an interrupted clean")
			if err := l.finishSwap(t, base, names); err != nil || t.Stopped() {
				return nil, err
			}
		}
	}
	if !found {
		return names, nil
	}
	c := t.Disk(disk.Request{Kind: disk.List, Path: l.dir})
	if c.Err != disk.OK {
		return nil, wrap("list "+l.dir, &c)
	}
	return c.Names, nil
}

func (l *Log) finishSwap(t *task.Task, base int64, names []string) error {
	end, err := l.swapEnd(t, base)
	if err != nil || t.Stopped() {
		return err
	}
	var others []*segment
	for _, n := range names {
		if o, suffix, ok := parseName(n); ok && suffix == suffixLog && o > base && o < end {
			others = append(others, &segment{base: o})
		}
	}
	if err := l.nameIndexes(t, base); err != nil {
		return err
	}
	return l.nameLog(t, base, others)
}

// swapEnd gives where the batches of a committed segment end.
func (l *Log) swapEnd(t *task.Task, base int64) (int64, error) {
	path := l.path(base, suffixLog) + suffixSwap
	f := l.env.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: path, Flags: disk.ReadOnly})
	if c.Err != disk.OK {
		if !t.Stopped() {
			l.env.FreeFile(f)
		}
		return 0, wrap("open "+path, &c)
	}
	sc := newHopper(t, l.env, f, c.N)
	end := base
	for pos := int64(0); ; {
		v, ok := sc.header(pos)
		if !ok || v.BaseOffset() < end {
			break
		}
		end = v.NextOffset()
		pos += int64(v.Size())
	}
	err := sc.err
	sc.close()
	closeFile(t, l.env, f)
	if err != disk.OK {
		return 0, wrap("read "+path, &disk.Completion{Err: err})
	}
	return end, nil
}
