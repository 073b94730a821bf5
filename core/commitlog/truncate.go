package commitlog

import (
	"errors"
	"slices"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// A truncation is a recovery that ends early: what it leaves is what a restart would find. It counts when it is synced.
//
//	wait for writes, syncs, tasks and readers ─▶ cap ─▶ recover up to the offset: cut files, indexes, epochs, producers, snapshots ─▶ sync
//
// The cap (truncation-checkpoint) says that the recovery point of the directory's checkpoint, which is written later, counts only up to
// here: without it a crash in between would look like the loss of synced bytes.

// capRetry is how long a truncation waits for space for the few bytes that it must write first.
const capRetry = clock.Second

// TruncateTo makes the log end at an offset, or before it if that stands within a batch (KIP-101: what a leader does not have).
// Nothing may be appended until it returns, and reads find nothing meanwhile. Responses that hold bytes behind the offset have left before
// anything is cut. Damage that is met below fails the log, unless the replica is expendable, counted on by nobody: then the log ends there. Producers all of whose records were deleted before may be forgotten, if a loss of power has taken older snapshots. False: the log has failed, is being closed or the task was stopped.
func (l *Log) TruncateTo(t *task.Task, to int64, expendable bool) bool {
	assert.That(!l.cutting, "commitlog: two truncations at a time")
	if to >= l.end { // no batch goes, but maybe an epoch that was begun and never used
		if l.epochs.cutEnd(l.end); !l.epochs.saved {
			l.spawn(func(t *task.Task) { l.saveEpochs(t) })
		}
		return !l.failed
	}
	if to < l.segs[0].base {
		sometimes.Hit("log: a truncation reaches below the begin of the log")
		return l.TruncateFully(t, to)
	}
	l.cutting = true
	defer l.whole()
	if !l.quiet(t, to) {
		return false
	}
	c := lowered{point: min(l.synced, l.boundaryBelow(to).offset), start: noCap}
	start := l.start
	if to < start {
		start, c.start = to, to
	}
	if !l.saveCap(t, c) {
		return false
	}
	r := recovery{Log: l, t: t, limited: true, limit: to}
	r.opt = Options{Config: l.cfg, Listener: l.listener, RecoveryPoint: min(l.synced, to), StartOffset: start, CleanedTo: min(l.cleaned, to), TopicID: l.topicID}
	l.leave(t)
	l.written, l.synced, l.end = min(l.written, to), min(l.synced, to), to
	if !l.recoverAgain(t, &r, expendable) {
		return false
	}
	l.epochs.cutEnd(l.end)
	l.syncGoal = l.synced
	if !l.epochs.saved {
		l.spawn(func(t *task.Task) { l.saveEpochs(t) })
	}
	return true
}

// whole ends a truncation. What asked for a sync meanwhile gets it, if there is still something to sync.
func (l *Log) whole() {
	l.cutting = false
	l.mark()
}

// boundaryBelow gives a place at or below an offset at which a batch begins, the nearest that is known without reading.
func (l *Log) boundaryBelow(offset int64) mark {
	for _, r := range [...]*marks{&l.recent, &l.coarse} {
		if i := r.after(offset); i > 0 {
			return *r.at(i - 1)
		}
	}
	s := l.segs[l.segmentAt(offset)]
	return mark{offset: s.base, ord: s.ord}
}

// TruncateFully makes the log empty: it begins and ends at start, as that of a replica whose leader has nothing that this log has.
func (l *Log) TruncateFully(t *task.Task, start int64) bool {
	assert.That(!l.cutting, "commitlog: two truncations at a time")
	l.cutting = true
	defer l.whole()
	c := lowered{start: noCap}
	if start < l.start {
		c.start = start
	}
	if !l.quiet(t, maxOffset) || !l.saveCap(t, c) {
		return false
	}
	old := l.segs
	l.leave(t)
	l.written, l.synced, l.end, l.start = start, start, start, start
	l.epochs.list, l.epochs.saved = nil, false
	r := recovery{Log: l, t: t, limited: true, from: start}
	err := r.removeAll(old)
	if err == nil && !t.Stopped() {
		err = l.firstSegment(t, start)
	}
	if err == nil && !t.Stopped() {
		err = r.makeDurable()
	}
	if !l.survived(t, err) {
		return false
	}
	l.syncGoal = start
	l.startMoved = true
	l.mark()
	return l.saveEpochs(t)
}

// removeAll unlinks every snapshot, and once they cannot come back every segment, the newest first: a snapshot without what it was taken of
// would look like a loss.
func (r *recovery) removeAll(old []*segment) error {
	for _, o := range r.forgotten {
		if c := r.t.Disk(disk.Request{Kind: disk.Remove, Path: r.path(o, suffixSnapshot)}); c.Err != disk.OK && c.Err != disk.ErrNotExist {
			return wrap("remove "+r.path(o, suffixSnapshot), &c)
		}
	}
	if err := r.syncDir(); err != nil {
		return err
	}
	for i := len(old) - 1; i >= 0 && !r.t.Stopped(); i-- {
		s := *old[i]
		s.file = 0 // leave has closed it, or a response holds it
		if err := r.removeSegment(&s); err != nil {
			return err
		}
	}
	return r.syncDir()
}

func (r *recovery) syncDir() error {
	if c := r.t.Disk(disk.Request{Kind: disk.SyncDir, Path: r.dir}); c.Err != disk.OK {
		return wrap("sync directory "+r.dir, &c)
	}
	return nil
}

// quiet waits until nothing works on the log's files, and no response holds bytes of a segment that is to be cut at to.
func (l *Log) quiet(t *task.Task, to int64) bool {
	for !l.failed && !l.closing && !t.Stopped() {
		busy := l.queue.len() > 0 || l.writing || l.syncing || l.filling || l.jobs > 0 || l.readers > 0
		if !busy && !l.holds(to) {
			l.env.Timers.Cancel(&l.age)
			return true
		}
		sometimes.If(!busy, "log: a truncation waits for a response that holds what it cuts")
		t.Sleep(pollGap)
	}
	return false
}

// holds says whether a response holds the segment in which the log is cut; those after it are unlinked, and their bytes stay while held.
func (l *Log) holds(to int64) bool {
	m := l.boundaryBelow(to)
	for _, s := range l.segs {
		pos := int64(0)
		if m.ord == s.ord {
			pos = int64(m.pos)
		}
		if s.pins > 0 && s.base <= to && to < s.end && s.pinnedTo > pos && !plant.On(plant.P4) {
			return true
		}
	}
	return false
}

// leave takes every segment out of the log. Their files are closed once no response holds them; by name they belong to nobody.
func (l *Log) leave(t *task.Task) {
	old := l.segs
	l.segs, l.size = nil, 0
	l.recent.n, l.coarse.n = 0, 0
	l.forgetChunks()
	l.born, l.birthing = false, false
	l.producers.Reset()
	l.forgotten, l.snapshots = l.snapshots.list, snapshots{}
	for _, s := range old { // before the first wait: a response that leaves meanwhile must find what it holds
		if s.file == 0 {
			continue
		}
		s.doomed, s.nameless = true, true
		if s.pins > 0 {
			l.doomed = append(l.doomed, s)
			task.Go(l.env, func(t *task.Task) { l.letGo(t, s) })
		}
	}
	for _, s := range old {
		if s.file == 0 || slices.Contains(l.doomed, s) {
			continue
		}
		f := s.file
		s.file, s.opened = 0, false
		closeFile(t, l.env, f)
	}
}

// lent says whether a response holds bytes of a segment that has left the log.
func (l *Log) lent() bool {
	for _, s := range l.doomed {
		if s.pins > 0 && !l.removed {
			return true
		}
	}
	return false
}

// letGo closes the file of a segment that has left the log, once no response holds it.
func (l *Log) letGo(t *task.Task, s *segment) {
	for s.pins > 0 && !l.removed && !t.Stopped() {
		t.Sleep(pollGap)
	}
	if t.Stopped() || l.removed && s.pins > 0 {
		return // Remove closes it
	}
	f := s.file
	s.file, s.opened = 0, false
	closeFile(t, l.env, f)
	l.buried(s)
}

// recoverAgain runs a recovery on the log as it stands.
func (l *Log) recoverAgain(t *task.Task, r *recovery, expendable bool) bool {
	c := t.Disk(disk.Request{Kind: disk.List, Path: l.dir})
	if c.Err != disk.OK {
		return l.survived(t, wrap("list "+l.dir, &c))
	}
	err := r.run(c.Names)
	if bad := (*Corrupt)(nil); errors.As(err, &bad) && expendable && !t.Stopped() {
		l.env.Errorf("%s has lost records: offsets %d to %d are damaged; what its leader has is fetched again", l.dir, bad.End, bad.RecoveryPoint-1)
		again := recovery{Log: l, t: t, limited: true, limit: r.limit, opt: r.opt, accept: true}
		again.opt.RecoveryPoint = 0
		l.leave(t)
		if c = t.Disk(disk.Request{Kind: disk.List, Path: l.dir}); c.Err != disk.OK {
			return l.survived(t, wrap("list "+l.dir, &c))
		}
		err = again.run(c.Names)
	}
	return l.survived(t, err)
}

// survived takes the log offline if a truncation has ended with an error.
func (l *Log) survived(t *task.Task, err error) bool {
	if t.Stopped() {
		return false
	}
	if err != nil && !l.failed {
		code := disk.ErrIO
		errors.As(err, &code)
		l.fail(code, "truncate "+l.dir+": "+err.Error())
	}
	return !l.failed
}
