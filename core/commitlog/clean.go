package commitlog

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// A clean is Kafka's log compaction: of each key the last record below the clean's end stays.
//
//	segments:   0 ── clean ── cleaned ── dirty ── dirtyEnd ── too young, undecided, active ── end
//	pass 1      keys of the dirty section ─▶ a keyMap; if it is full, the pass ends there
//	pass 2      all segments below, grouped up to segment.bytes: what the map has a later record of goes ─▶ one new segment a group
//
// A clean log has no gaps: where whole batches went, a batch without records (a filler) holds the place of their offsets, up to the next batch or
// leader epoch. So batches follow on each other in every log, whoever cleaned it, and what does not is damage. Offsets never change.
//
// The last batches of each producer that is known stay as headers, so that the log tells the same of producers afterwards; a marker stays while anything of its transaction
// does, and delete.retention.ms after that, as tombstones do after the pass that first cleaned them (KIP-534). The records of aborted transactions
// go. Read next: cleanpass.go (the passes), cleanswap.go (how the new files take the place of the old).

// CleanLimits are what a clean must keep to.
type CleanLimits struct {
	Stable    int64                            // the last stable offset: nothing from there on is cleaned
	MapBytes  int64                            // of the map of keys
	Room      int64                            // bytes that new segments may take beside the old ones
	Spend     func(bytes int64) clock.Duration // how long to wait after so many bytes were read or written; nil: not at all
	Cancelled func() bool                      // the clean is not wanted any more; nil: it is
	// Deletes is where tombstones and markers whose time has passed stay from on: a replica may not have them yet, and would keep for ever what
	// they delete or end if it found them gone.
	Deletes int64
}

// Cleaned says what a clean has done.
type Cleaned struct {
	From, To      int64 // the dirty section that is clean now
	Before, After int64 // bytes of the segments that were read, and of what took their place
	Read          int64 // bytes read in both passes
	MapPPM        int64 // how much of the map of keys was used, in millionths
}

// Why a clean ends early. Its log is as before, but for groups that were finished.
var (
	ErrCleanEnded = errors.New("commitlog: the clean was ended")     // the log is closed, truncated or failed, or the clean is not wanted
	errNoRoom     = errors.New("no room for the new segment")        // told as disk.ErrNoSpace
	errTooLarge   = errors.New("a batch is too large to be cleaned") // uncleanable
	errMapSmall   = errors.New("the keys of one batch do not fit into the map; raise log.cleaner.dedupe.buffer.size")
)

// Uncleanable says that the log cannot be cleaned before something is done about it.
type Uncleanable struct {
	Dir    string
	Offset int64
	Why    error
}

func (u *Uncleanable) Error() string {
	return fmt.Sprintf("%s cannot be compacted at offset %d: %v", u.Dir, u.Offset, u.Why)
}

func (u *Uncleanable) Unwrap() error { return u.Why }

// Dirt is what there is to clean.
type Dirt struct {
	From, To     int64 // the dirty section; nothing if From == To
	Clean, Dirty int64 // bytes below it, and of it
	OverdueMS    int64 // how long max.compaction.lag.ms has passed for the oldest of it, 0: it has not
}

// Ratio is the dirty share of what a clean would read, in millionths.
func (d Dirt) Ratio() int64 {
	if d.Dirty == 0 {
		return 0
	}
	return int64(uint64(d.Dirty) * 1_000_000 / uint64(d.Clean+d.Dirty))
}

// CleanedTo is the offset below which the log is clean, for cleaner-offset-checkpoint.
func (l *Log) CleanedTo() int64 { return l.cleaned }

// Dirt tells what there is to clean below the last stable offset: whole sealed segments, all of it synced and old enough.
func (l *Log) Dirt(stable int64) (d Dirt) {
	d.From = max(l.cleaned, l.start)
	d.To = d.From
	if l.failed || l.closing || l.cutting || l.cleaning {
		return d
	}
	first := l.segmentAt(d.From)
	for i, s := range l.segs[:len(l.segs)-1] {
		if !s.sealed || s.tail != nil || s.synced < s.size || l.synced < s.end || s.end > stable && !(plant.On(plant.S6) && s.end == stable+1) {
			break
		}
		if i < first {
			d.Clean += s.size
			continue
		}
		if l.cfg.MinCompactionLagMS > 0 && int64(l.env.Now.Wall)-s.newest() < l.cfg.MinCompactionLagMS {
			break
		}
		d.Dirty += s.size
		d.To = max(d.To, s.end)
		d.OverdueMS = max(d.OverdueMS, l.overdueMS(s.oldest()))
	}
	return d
}

// newest is when the segment was last written, as far as known: by the records' time.
func (s *segment) newest() int64 {
	if s.maxTimestamp >= 0 {
		return s.maxTimestamp
	}
	return int64(s.created)
}

// oldest is the time of its first batch. Of a segment that a start took as it is only the greatest is known until LearnAges.
func (s *segment) oldest() int64 {
	if s.firstTimestamp >= 0 {
		return s.firstTimestamp
	}
	return s.newest()
}

// LearnAges reads the first batches of dirty segments that a start took as they are, where max.compaction.lag.ms asks how old they are. It gives
// false where that did not go; then it is to be tried again later.
func (l *Log) LearnAges(t *task.Task) bool {
	for l.cfg.MaxCompactionLagMS < math.MaxInt64 && !t.Stopped() && !l.failed && !l.closing && !l.cutting && !l.cleaning {
		s := l.ageless()
		if s == nil {
			return true
		}
		if l.learnAge(t, s.base) != disk.OK {
			return false
		}
	}
	return true
}

// ageless gives the first such segment.
func (l *Log) ageless() *segment {
	for i := l.segmentAt(max(l.cleaned, l.start)); i < len(l.segs)-1; i++ {
		if s := l.segs[i]; s.firstTimestamp < 0 && !s.aged && s.sealed && s.size > 0 {
			return s
		}
	}
	return nil
}

func (l *Log) learnAge(t *task.Task, base int64) disk.Err {
	s, err := l.hold(t, base)
	if err != disk.OK {
		return err
	}
	defer l.release(s)
	sc := newScanner(t, l.env, s.file, s.size, headerWindow)
	defer sc.close()
	v, ok := sc.header(0)
	if sc.err != disk.OK || t.Stopped() {
		return sc.err
	}
	if s.aged = true; ok {
		s.firstTimestamp = v.MaxTimestamp()
	}
	return disk.OK
}

// overdueMS is how long max.compaction.lag.ms has passed since a time, 0 if it has not.
func (l *Log) overdueMS(since int64) int64 {
	age := int64(l.env.Now.Wall) - since
	if age <= l.cfg.MaxCompactionLagMS {
		return 0
	}
	return age - l.cfg.MaxCompactionLagMS
}

// RollDue seals the active segment if max.compaction.lag.ms has passed for its first record (KIP-354), so that it can be cleaned.
func (l *Log) RollDue() {
	if s := l.active(); s.size > 0 && s.written == s.size && !l.failed && !l.closing && !l.cutting && !l.filling && l.overdueMS(s.oldest()) > 0 {
		l.roll(l.end)
	}
}

// Cleaning says whether a clean is under way.
func (l *Log) Cleaning() bool { return l.cleaning }

// Clean cleans the log up to where Dirt says. It runs in a task and lets the shard go on every few ten KiB. ErrCleanEnded: something else has come
// first. A disk.ErrNoSpace leaves the log as it was, any other error of a write fails it. An *Uncleanable is for people.
func (l *Log) Clean(t *task.Task, lim CleanLimits) (done Cleaned, err error) {
	assert.That(!l.cleaning, "commitlog: two cleans at a time")
	d := l.Dirt(lim.Stable)
	if d.From == d.To {
		return done, nil
	}
	l.cleaning = true
	l.jobs++
	defer func() {
		l.jobs--
		l.cleaning = false
	}()
	c := cleaner{Log: l, t: t, lim: lim, from: d.From, to: d.To, wall: int64(l.env.Now.Wall)}
	c.keys = newKeyMap(lim.MapBytes, l.env.Rand)
	err = c.run()
	return c.done, c.judge(err)
}

// cleaner is the work of one clean.
type cleaner struct {
	*Log
	t         *task.Task
	lim       CleanLimits
	from, to  int64 // the dirty section
	wall      int64 // now, for delete horizons
	keys      *keyMap
	txns      cleanTxns
	done      Cleaned
	unpaid    int64 // bytes read and written that the throttle does not know of
	worked    int64 // bytes worked through since the shard was let go
	committed bool  // the new segment of this group may be what a start takes
}

func (c *cleaner) run() error {
	aborted, e := c.AbortedSlow(c.t, c.segs[0].base, c.to)
	if e != disk.OK {
		return e
	}
	if err := c.buildMap(aborted); err != nil {
		return err
	}
	if c.keys.last < c.from {
		return &Uncleanable{c.dir, c.from, errMapSmall}
	}
	if plant.On(plant.S5) {
		aborted = slices.DeleteFunc(aborted, func(a Aborted) bool { return a.First > c.keys.last })
	}
	// What retention is about to unlink may come back with a loss of power: it must have gone before the markers of its transactions go.
	for len(c.leaving) > 0 {
		if c.t.Sleep(pollGap); c.over() {
			return ErrCleanEnded
		}
	}
	c.txns.begin(aborted)
	sometimes.If(sometimes.On && c.keys.last < c.to-1, "log: the keys of a clean do not fit into its map")
	groups := c.group()
	for _, g := range groups {
		if err := c.cleanGroup(g); err != nil {
			return err
		}
	}
	c.done.From, c.done.To, c.done.MapPPM = c.from, c.keys.last+1, c.keys.used()
	c.cleaned = c.done.To
	return nil
}

// over says whether the clean must end.
func (c *cleaner) over() bool {
	return c.t.Stopped() || c.failed || c.closing || c.cutting || c.removed || c.lim.Cancelled != nil && c.lim.Cancelled()
}

// judge makes an error what the caller hears.
func (c *cleaner) judge(err error) error {
	var code disk.Err
	switch {
	case err == nil:
		return nil
	case c.over():
		sometimes.Hit("log: a clean is ended by something else")
		return ErrCleanEnded
	case errors.Is(err, errNoRoom):
		sometimes.Hit("log: a clean finds no room")
		return disk.ErrNoSpace
	case errors.As(err, &code) && code == disk.ErrNotExist:
		return ErrCleanEnded // retention was faster
	}
	return err
}

// pace accounts for bytes that were read or written, and waits where the clean is throttled. False: the clean must end.
func (c *cleaner) pace(n int) bool {
	if c.unpaid += int64(n); c.unpaid < cleanStep || c.lim.Spend == nil {
		return c.breathe(n)
	}
	wait := c.lim.Spend(c.unpaid)
	if c.unpaid = 0; wait <= 0 {
		return c.breathe(n)
	}
	for c.worked = 0; ; wait -= cleanNap {
		c.t.Sleep(min(wait, cleanNap))
		if c.over() {
			return false
		}
		if wait <= cleanNap {
			return true
		}
	}
}

// breathe lets the shard go on with other things after some work, in the midst of a batch too: one of a megabyte may have ten of records, and be a tenth
// of a second's work to compress again. False: the clean must end.
func (c *cleaner) breathe(n int) bool {
	if c.worked += int64(n); c.worked < cleanStep {
		return true
	}
	c.worked = 0
	c.t.Sleep(0)
	return !c.over()
}

const (
	cleanStep = 64 << 10               // bytes that are read, decompressed, looked at or compressed in one step, all together
	cleanNap  = 50 * clock.Millisecond // a throttled clean looks so often whether it is still wanted
)

// group takes the segments up to the map's end together, in runs that stay within the sizes of one: what small segments leave is put together.
func (c *cleaner) group() (groups [][]*segment) {
	var g []*segment
	bytes := int64(0)
	for _, s := range c.segs {
		if s.base > c.keys.last {
			break
		}
		entries := (bytes + s.size) / int64(max(c.cfg.IndexIntervalBytes, 1))
		if len(g) > 0 && (bytes+s.size > int64(c.cfg.SegmentBytes) || s.end-g[0].base > 1<<31-1 || entries*12 > int64(c.cfg.IndexBytes)) {
			groups, g, bytes = append(groups, g), nil, 0
		}
		g = append(g, s)
		bytes += s.size
	}
	if len(g) > 0 { // else the log was deleted up to there
		groups = append(groups, g)
	}
	return groups
}
