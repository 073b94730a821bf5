package commitlog

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// Corrupt says that bytes which were synced are gone or damaged: nothing was changed. The log ends at End, below RecoveryPoint.
// Opening again with RecoveryPoint 0 accepts the loss.
type Corrupt struct {
	Dir           string
	End           int64
	RecoveryPoint int64
}

func (c *Corrupt) Error() string {
	return fmt.Sprintf("commitlog: %s is damaged: whole batches end at offset %d, below the recovery point %d", c.Dir, c.End, c.RecoveryPoint)
}

// recovery is the work of Open on a directory that holds a log.
//
//	list ─▶ drop leftovers ─▶ sizes ─▶ newest good snapshot at or below the recovery point
//	     ─▶ scan from there: CRC, indexes, epochs, producers ─▶ cut the torn tail ─▶ sync
//
// A log that was closed cleanly has a snapshot at its end, so there is nothing to scan.
type recovery struct {
	*Log
	t      *task.Task
	opt    Options
	from   int64 // the snapshot's offset: what stands below is trusted
	cutSeg int   // the segment in which whole batches end, if torn
	torn   bool

	limited bool // a truncation: the log ends before the batch that holds limit
	limit   int64
	reached bool // that batch was met
	accept  bool // it may end earlier

	later      []int64        // without a snapshot to begin with: those that may be met on the way, ascending
	txnIndexes map[int64]bool // segments that have a transaction index, by base

	epochText string // what leader-epoch-checkpoint holds
}

func (r *recovery) run(names []string) error {
	steps := [...]func() error{r.openSegments, r.loadMetadata, r.loadState, r.scan, r.cutTail, r.beginAnew, r.makeDurable}
	if err := r.sort(names); err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
		if r.t.Stopped() {
			return disk.ErrIO
		}
	}
	r.finish()
	return nil
}

// sort takes the names of the directory apart and removes what an interrupted change has left.
func (r *recovery) sort(names []string) error {
	logs := make(map[int64]bool)
	r.txnIndexes = make(map[int64]bool)
	for _, n := range names {
		if o, suffix, ok := parseName(n); ok && suffix == suffixLog {
			logs[o] = true
			r.addSegment(o)
		}
	}
	for _, n := range names {
		o, suffix, ok := parseName(n)
		orphan := ok && !logs[o] && (suffix == suffixIndex || suffix == suffixTimeIndex || suffix == suffixTxnIndex)
		if orphan || leftover(n) {
			sometimes.If(strings.HasSuffix(n, suffixCleaned), "log: a start removes what an interrupted clean has left")
			if c := r.t.Disk(disk.Request{Kind: disk.Remove, Path: r.dir + "/" + n}); c.Err != disk.OK {
				return wrap("remove "+r.dir+"/"+n, &c)
			}
		}
		if ok && suffix == suffixSnapshot {
			r.snapshots.add(o)
		}
		if ok && suffix == suffixTxnIndex {
			r.txnIndexes[o] = true
		}
	}
	return nil
}

func leftover(name string) bool {
	for _, s := range [...]string{suffixDeleted, suffixCleaned, suffixSwap, suffixTemp} {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}

func (r *recovery) openSegments() error {
	r.opt.RecoveryPoint = max(r.opt.RecoveryPoint, r.segs[0].base) // what was before has been removed
	for i, s := range r.segs {
		s.file = r.env.File()
		c := r.t.Disk(disk.Request{Kind: disk.Open, File: s.file, Path: s.name(r.Log)})
		if c.Err != disk.OK {
			return wrap("open "+s.name(r.Log), &c)
		}
		s.opened, s.named = true, true
		s.size = min(c.N, 1<<31-1)
		s.written, s.synced = s.size, s.size
		if i+1 < len(r.segs) {
			s.sealed, s.sealing = true, true
			s.end = r.segs[i+1].base
			s.writtenEnd, s.syncedEnd = s.end, s.end
		}
	}
	return nil
}

// loadMetadata reads the topic id. It is synced before the first record is, so of a log whose file never became whole nothing was ever synced; what
// survives of such a log may be of an earlier topic of that name. It becomes empty.
func (r *recovery) loadMetadata() error {
	b, c := readFile(r.t, r.env, r.dir+"/"+nameMetadata)
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return wrap("read "+r.dir+"/"+nameMetadata, &c)
	}
	if id, ok := parseMetadata(b); ok {
		r.topicID = id
		return nil
	}
	if base := r.segs[0].base; unborn(b) && r.topicID != ([16]byte{}) && r.opt.RecoveryPoint <= base && !r.opt.Clean && !r.limited {
		sometimes.If(r.segs[0].size > 0, "log: records without a topic id are dropped")
		r.limited, r.limit = true, base
	}
	return r.writeMetadata(r.t)
}

// unborn says whether partition.metadata is what a loss of power may leave of a file that was not synced: nothing, a part, or zeros. Rot leaves other bytes.
func unborn(b []byte) bool {
	return len(b) < len("version: 0\ntopic_id: ")+22 || len(bytes.Trim(b, "\x00")) == 0
}

// parseMetadata gives the topic id in partition.metadata, if the file is whole: with the sum that ours have, or without any, as Kafka's.
func parseMetadata(b []byte) (id [16]byte, ok bool) {
	text, found := strings.CutPrefix(string(b), "version: 0\ntopic_id: ")
	text, sum, _ := strings.Cut(text, "\n")
	if sum != "" && sum != sumLine(b[:len(b)-len(sum)]) {
		return id, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !found || err != nil || len(raw) != len(id) {
		return id, false
	}
	copy(id[:], raw)
	return id, true
}

// loadState finds the newest snapshot from which the scan may begin, and the epochs that began before it.
func (r *recovery) loadState() error {
	b, c := readFile(r.t, r.env, r.dir+"/"+nameEpochs)
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return wrap("read "+r.dir+"/"+nameEpochs, &c)
	}
	known := r.epochs.parse(b)
	r.from = r.segs[0].base
	r.later = append(r.later, r.snapshots.list...)
	for i := len(r.snapshots.list) - 1; i >= 0 && known; i-- {
		o := r.snapshots.list[i]
		if o < r.segs[0].base {
			break
		}
		if o > r.opt.RecoveryPoint && !r.opt.Clean {
			continue
		}
		b, c := readFile(r.t, r.env, r.path(o, suffixSnapshot))
		if c.Err != disk.OK {
			return wrap("read "+r.path(o, suffixSnapshot), &c)
		}
		if r.producers.Load(b, r.env.Now.Wall) {
			sometimes.Hit("log: producers are loaded from a snapshot")
			r.from, r.later = o, nil
			break
		}
		sometimes.Hit("log: a snapshot of producers cannot be used")
	}
	sometimes.If(sometimes.On && len(r.snapshots.list) == 0 && r.segs[0].size > 0, "log: producers are rebuilt from the log alone")
	r.epochText = string(b)
	r.epochs.cutEnd(r.from)
	return r.recallEpochs()
}

// scan reads each batch from the snapshot on.
func (r *recovery) scan() error {
	first := r.segmentAt(r.from)
	r.recent.n, r.coarse.n = 0, 0
	for i := range r.segs {
		if i < first {
			if err := r.recallBefore(i, first); err != nil {
				return err
			}
			if err := r.trust(r.segs[i]); err != nil {
				return err
			}
			continue
		}
		if err := r.scanSegment(i); err != nil {
			return err
		}
		if r.torn {
			r.cutSeg = i
			return nil
		}
	}
	return nil
}

// trust takes a segment below the snapshot as it is: its greatest timestamp is its time index's last.
func (r *recovery) trust(s *segment) error {
	b, c := readFile(r.t, r.env, r.path(s.base, suffixTimeIndex))
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return wrap("read "+r.path(s.base, suffixTimeIndex), &c)
	}
	n := index.ValidTime(b, index.TimeEntry{Timestamp: -1, Rel: -1}, int32(min(s.end-1-s.base, 1<<31-1)))
	if s.size > 0 && (n == 0 || n*index.TimeEntrySize != len(b)) {
		if err := r.reindex(s, len(b) == 0); err != nil {
			return err
		}
	} else if n > 0 {
		e := index.TimeAt(b, n-1)
		s.maxTimestamp, s.maxTSOffset = e.Timestamp, s.base+int64(e.Rel)
	}
	if err := r.loadAborted(s, s.end); err != nil {
		return err
	}
	s.aborted.release()
	s.tail = nil
	closeFile(r.t, r.env, s.file)
	s.file, s.opened = 0, false
	return nil
}

// reindex makes the indexes of a segment again whose time index is damaged, from the headers of its batches. none: it has no entry.
func (r *recovery) reindex(s *segment, none bool) error {
	sc := newScanner(r.t, r.env, s.file, s.size, scanWindow)
	defer sc.close()
	size, end := s.size, s.end
	s.size, s.end = 0, s.base
	for pos := int64(0); pos < size; {
		v, ok := sc.header(pos)
		if !ok || v.BaseOffset() < s.end || v.LastOffset() >= end {
			break
		}
		pos += int64(v.Size())
		s.size = pos - int64(v.Size())
		s.note(v)
		s.tail.note(s, v, r.cfg.IndexIntervalBytes)
	}
	s.size, s.end = size, end
	if sc.err != disk.OK {
		return fmt.Errorf("read %s: %w", s.name(r.Log), sc.err)
	}
	if s.maxTimestamp < 0 && none {
		return nil // fillers only: there is nothing to index
	}
	s.tail.noteTime(s)
	sometimes.Hit("log: the indexes of a segment are made again")
	r.env.Warnf("the indexes of %s were damaged and have been made again", s.name(r.Log))
	return r.replaceIndexes(s)
}

// scanSegment reads the batches of segment i from the snapshot's offset on and makes its index entries again from there.
func (r *recovery) scanSegment(i int) error {
	s := r.segs[i]
	limit := s.size
	s.sealing = false
	sc := newScanner(r.t, r.env, s.file, limit, scanWindow)
	defer sc.close()
	pos, err := r.resume(sc, s)
	if err != nil {
		return err
	}
	if i > 0 && s.base != r.segs[i-1].end && r.segs[i-1].end >= r.opt.RecoveryPoint && r.from < s.base && s.base > r.opt.StartOffset {
		// What stood between has not survived; below the start nothing is missed. A snapshot here tells of producers whose batches are gone.
		sometimes.Hit("log: a start finds a gap between segments")
		r.torn, s.size, s.end = true, 0, s.base
		return nil
	}
	s.scanned = limit
	start := mark{s.end, int32(pos), s.ord}
	r.recent.push(start)
	r.coarse.push(start)
	if r.torn {
		s.writtenEnd, s.syncedEnd = s.end, s.end
		return nil // and the snapshot that stands here speaks of what is missing
	}
	if err := r.meet(s.end); err != nil {
		return err
	}
	head := make([]byte, records.MarkerMax)
	for pos < limit {
		v, ok := sc.batch(pos)
		if ok {
			v = head[:copy(head, v)]
			ok = v.BaseOffset() >= s.end && v.LastOffset()-s.base <= 1<<31-1 && (i+1 == len(r.segs) || v.LastOffset() < r.segs[i+1].base) && sc.intact(pos, v)
			ok = ok && !(plant.On(plant.P8) && !r.limited && v.BaseOffset() >= r.opt.RecoveryPoint)
			if r.limited && ok && v.LastOffset() >= r.limit {
				r.reached, ok = true, false
			}
		}
		if sc.err != disk.OK {
			return fmt.Errorf("read %s: %w", s.name(r.Log), sc.err)
		}
		if r.t.Stopped() {
			return disk.ErrIO
		}
		if !ok {
			sometimes.If(!r.limited, "log: a start finds a torn tail")
			r.torn = true
			break
		}
		if v.LastOffset() >= r.opt.RecoveryPoint {
			s.scanned = min(s.scanned, pos)
		}
		pos += int64(v.Size())
		r.take(s, v, pos)
		if err := r.meet(s.end); err != nil {
			return err
		}
	}
	s.writtenEnd, s.syncedEnd = s.end, s.end
	if i+1 < len(r.segs) {
		s.snapshot = r.producers.AppendSnapshot(nil)
	}
	return nil
}

// meet takes the snapshot at the place that the scan has reached, if it began without one: it knows producers whose records
// retention has removed.
func (r *recovery) meet(end int64) error {
	for len(r.later) > 0 && r.later[0] < end {
		r.later = r.later[1:]
	}
	if len(r.later) == 0 || r.later[0] > end {
		return nil
	}
	b, c := readFile(r.t, r.env, r.path(end, suffixSnapshot))
	if c.Err != disk.OK {
		return wrap("read "+r.path(end, suffixSnapshot), &c)
	}
	if r.producers.Add(b, r.env.Now.Wall, r.from) {
		sometimes.Hit("log: a scan meets a snapshot of producers on its way")
		r.later = nil
		for _, s := range r.segs[:r.segmentAt(end)] {
			s.snapshot = nil // it would tell the next start of fewer producers
		}
	}
	return nil
}

// take counts a batch that ends at pos.
func (r *recovery) take(s *segment, v records.View, pos int64) {
	s.size = pos - int64(v.Size())
	s.note(v)
	s.tail.note(s, v, r.cfg.IndexIntervalBytes)
	if v.LastOffset() >= r.from {
		r.epochs.add(v.LeaderEpoch(), v.BaseOffset())
		if _, x, ended := r.producers.Update(v, r.env.Now.Wall); ended {
			s.aborted.note(x)
		}
	} else if r.epochs.correct(v.LeaderEpoch(), v.BaseOffset()) { // the file has no checksum
		sometimes.Hit("log: batches contradict leader-epoch-checkpoint")
		r.env.Warnf("%s/%s contradicts the batch at offset %d; the batches count", r.dir, nameEpochs, v.BaseOffset())
	}
	r.remember(s)
}

// resume finds where in the segment the snapshot's offset stands, and leaves in the tail what the index files hold before it.
func (r *recovery) resume(sc *scanner, s *segment) (int64, error) {
	if err := r.loadAborted(s, r.from); err != nil {
		return 0, err
	}
	s.size, s.end = 0, s.base
	if r.from <= s.base {
		return 0, nil
	}
	ib, c := readFile(r.t, r.env, r.path(s.base, suffixIndex))
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return 0, wrap("read "+r.path(s.base, suffixIndex), &c)
	}
	tb, c := readFile(r.t, r.env, r.path(s.base, suffixTimeIndex))
	if c.Err != disk.OK && c.Err != disk.ErrNotExist {
		return 0, wrap("read "+r.path(s.base, suffixTimeIndex), &c)
	}
	if err := r.recallTail(s, ib); err != nil {
		return 0, err
	}
	maxRel := int32(min(r.from-s.base-1, 1<<31-1))
	n := index.Valid(ib, index.Entry{Rel: -1, Pos: -1}, maxRel, sc.size)
	if n == 0 {
		return 0, nil
	}
	last := index.At(ib, n-1)
	v, ok := sc.header(int64(last.Pos))
	if sc.err != disk.OK {
		return 0, fmt.Errorf("read %s: %w", s.name(r.Log), sc.err)
	}
	if !ok || v.LastOffset() != s.base+int64(last.Rel) {
		sometimes.Hit("log: a start finds a damaged offset index")
		return 0, nil // a damaged index: the whole segment is read
	}
	x := s.tail
	x.n = n
	if x.tn = index.ValidTime(tb, index.TimeEntry{Timestamp: -1, Rel: -1}, maxRel); x.tn > 0 {
		e := index.TimeAt(tb, x.tn-1)
		x.fileTime, x.lastTime = e.Timestamp, e.Timestamp
		s.maxTimestamp, s.maxTSOffset = e.Timestamp, s.base+int64(e.Rel)
	}
	if first, ok := sc.header(0); ok {
		s.firstTimestamp = first.MaxTimestamp()
	}
	if v, ok = sc.header(int64(last.Pos)); ok {
		s.end = v.BaseOffset()
	}
	s.size = int64(last.Pos)
	return s.size, nil
}

// cutTail makes the log end where whole batches do. Later segments go first, so that a crash on the way leaves what this finds again.
func (r *recovery) cutTail() error {
	last := len(r.segs) - 1
	if r.torn {
		last = r.cutSeg
	}
	end := r.segs[last].end
	if r.torn && last > 0 && r.segs[last].size == 0 && r.segs[last].base != r.segs[last-1].end {
		last--
		end = r.segs[last].end
	}
	point := max(r.opt.RecoveryPoint, r.from) // a snapshot was taken of what was synced
	if r.limited {
		point = r.limit // all below was whole
	}
	if end < point && !r.reached && !r.accept {
		sometimes.If(!r.limited, "log: a start finds that synced bytes are gone")
		sometimes.If(r.limited, "log: a truncation meets damage")
		return &Corrupt{Dir: r.dir, End: end, RecoveryPoint: point}
	}
	for r.limited && r.torn && !r.reached && r.lent() && !r.t.Stopped() {
		r.t.Sleep(pollGap) // it ends lower than where responses were waited for
	}
	for i := len(r.segs) - 1; i > last; i-- {
		if err := r.removeSegment(r.segs[i]); err != nil {
			return err
		}
		r.nextOrd = r.segs[i].ord
		r.segs = r.segs[:i]
	}
	s := r.active()
	s.sealed, s.sealing, s.snapshot = false, false, nil
	r.recent.cut(s.end, s.ord)
	r.coarse.cut(s.end, s.ord)
	return r.cutFiles()
}

// beginAnew makes a log that ends below its start an empty one that begins there, as Kafka does: a loss of power has taken unsynced
// records that had been deleted, and their offsets have been answered as gone. What is known of producers stays. Their
// snapshot stands before the new segment, and that before the old ones go, so that a crash on the way leaves what this finds again, or
// what scanSegment takes: a gap below the start.
func (r *recovery) beginAnew() error {
	start := r.opt.StartOffset
	if r.active().end >= start {
		return nil
	}
	sometimes.Hit("log: a log ends below its start, and begins anew there")
	r.env.Warnf("%s ends at %d, below its start %d: it begins anew there", r.dir, r.active().end, start)
	path := r.path(start, suffixSnapshot)
	if c := writeFile(r.t, r.env, path, r.producers.AppendSnapshot(nil), true); c.Err != disk.OK {
		return wrap("write "+path, &c)
	}
	if c := r.t.Disk(disk.Request{Kind: disk.SyncDir, Path: r.dir}); c.Err != disk.OK {
		return wrap("sync directory "+r.dir, &c)
	}
	r.snapshots.add(start)
	old := r.segs
	r.segs = nil
	r.recent.n, r.coarse.n = 0, 0
	if err := r.firstSegment(r.t, start); err != nil {
		return err
	}
	if c := r.t.Disk(disk.Request{Kind: disk.SyncDir, Path: r.dir}); c.Err != disk.OK {
		return wrap("sync directory "+r.dir, &c)
	}
	for i := len(old) - 1; i >= 0; i-- { // one by one, the oldest last: producers are known from the first segment on
		if err := r.removeSegment(old[i]); err != nil {
			return err
		}
		if c := r.t.Disk(disk.Request{Kind: disk.SyncDir, Path: r.dir}); c.Err != disk.OK {
			return wrap("sync directory "+r.dir, &c)
		}
	}
	return nil
}

// cutFiles cuts the .log to its whole batches and every index to the entries that are not made again.
func (r *recovery) cutFiles() error {
	for i := r.segmentAt(r.from); i < len(r.segs); i++ {
		s := r.segs[i]
		if s.tail == nil {
			continue
		}
		if s.size < s.written {
			c := r.t.Disk(disk.Request{Kind: disk.Truncate, File: s.file, Size: s.size})
			if c.Err != disk.OK {
				return wrap("truncate "+s.name(r.Log), &c)
			}
		}
		s.written, s.synced = s.size, s.size
		if err := r.cutIndexes(s); err != nil {
			return err
		}
	}
	return nil
}

// cutIndexes cuts the index files of a scanned segment to what is not made again; the rest follows when the segment is sealed.
// But a snapshot above what was scanned, of this segment or a later one, says that the entries before it are on the disk, and a crash may come
// at any time: then the files are replaced whole.
func (r *recovery) cutIndexes(s *segment) error {
	x := s.tail
	scanned := max(r.from, s.base)
	if x.n == 0 {
		scanned = s.base // without an index the segment was read from its beginning
	}
	if r.snapshots.newest() > scanned {
		x.noteTime(s)
		if err := r.replaceAborted(s); err != nil {
			return err
		}
		return r.replaceIndexes(s)
	}
	if err := cutFile(r.t, r.env, r.path(s.base, suffixIndex), int64(x.n)*index.EntrySize); err != nil {
		return err
	}
	return cutFile(r.t, r.env, r.path(s.base, suffixTimeIndex), int64(x.tn)*index.TimeEntrySize)
}

// replaceIndexes makes both files hold the entries of old that the tail counts, and then those that it holds.
func (r *recovery) replaceIndexes(s *segment) error {
	x := s.tail
	var entries, times []byte
	for _, e := range x.entries {
		entries = e.Append(entries)
	}
	for _, e := range x.times {
		times = e.Append(times)
	}
	if err := r.replaceIndex(s, suffixIndex, int64(x.n)*index.EntrySize, entries); err != nil {
		return err
	}
	if err := r.replaceIndex(s, suffixTimeIndex, int64(x.tn)*index.TimeEntrySize, times); err != nil {
		return err
	}
	x.n, x.tn = x.n+len(x.entries), x.tn+len(x.times)
	x.entries, x.times, x.fileTime = nil, nil, x.lastTime
	return nil
}

func (r *recovery) replaceIndex(s *segment, suffix string, keep int64, more []byte) error {
	path := r.path(s.base, suffix)
	b, c := readFile(r.t, r.env, path)
	if c.Err == disk.OK || c.Err == disk.ErrNotExist {
		b = append(b[:min(keep, int64(len(b)))], more...)
		c = replaceFile(r.t, r.env, r.dir, fileName(s.base, suffix), b)
	}
	if c.Err != disk.OK {
		return wrap("replace "+path, &c)
	}
	return nil
}

func (r *recovery) removeSegment(s *segment) error {
	if s.file != 0 {
		closeFile(r.t, r.env, s.file)
		s.file = 0
	}
	for _, suffix := range [...]string{suffixIndex, suffixTimeIndex, suffixTxnIndex, suffixLog} {
		c := r.t.Disk(disk.Request{Kind: disk.Remove, Path: r.path(s.base, suffix)})
		if c.Err != disk.OK && c.Err != disk.ErrNotExist {
			return wrap("remove "+r.path(s.base, suffix), &c)
		}
	}
	return nil
}

// makeDurable syncs what the scan has read: after a crash of the process alone it may stand in the page cache only.
func (r *recovery) makeDurable() error {
	end := r.active().end
	for k := len(r.snapshots.list) - 1; k >= 0 && r.snapshots.list[k] > end; k-- {
		o := r.snapshots.list[k]
		r.snapshots.remove(o)
		if c := r.t.Disk(disk.Request{Kind: disk.Remove, Path: r.path(o, suffixSnapshot)}); c.Err != disk.OK {
			return wrap("remove "+r.path(o, suffixSnapshot), &c)
		}
	}
	// A torn tail is cut durably even if nothing is left: what it held must not come back in the middle of what is written there next.
	if !r.limited && !r.torn && (r.opt.Clean || end == 0) {
		r.born = r.opt.Clean && end > 0
		return nil
	}
	for i := r.segmentAt(min(r.from, end)); i < len(r.segs); i++ {
		s := r.segs[i]
		if s.file == 0 {
			continue
		}
		if err := r.rewrite(s); err != nil {
			return err
		}
		if c := r.t.Disk(disk.Request{Kind: disk.Sync, File: s.file}); c.Err != disk.OK {
			return wrap("sync "+s.name(r.Log), &c)
		}
	}
	if r.topicID != ([16]byte{}) && r.opt.RecoveryPoint <= r.segs[0].base { // else it was, before the first record that is synced
		if err := r.syncFile(r.t, r.dir+"/"+nameMetadata); err != disk.OK {
			return fmt.Errorf("sync %s/%s: %w", r.dir, nameMetadata, err)
		}
	}
	for _, d := range [...]string{r.dir, parent(r.dir)} {
		if c := r.t.Disk(disk.Request{Kind: disk.SyncDir, Path: d}); c.Err != disk.OK {
			return wrap("sync directory "+d, &c)
		}
	}
	r.born = true
	return nil
}

// rewrite writes what the scan has read of a segment above the recovery point once more, in place. A sync that failed leaves pages in the cache that count as clean: they
// read well, no later sync writes them, and the next loss of power takes them ("fsyncgate"). Written again they are dirty, and the sync that
// follows means what it says.
func (r *recovery) rewrite(s *segment) error {
	lease := r.env.Pool.Get(scanWindow)
	defer lease.Release()
	for pos := s.scanned; pos < s.size; {
		b := lease.Bytes[:min(s.size-pos, int64(len(lease.Bytes)))]
		c := r.t.Disk(disk.Request{Kind: disk.Read, File: s.file, Off: pos, Bytes: b})
		if c.Err == disk.OK && c.N == int64(len(b)) {
			c = r.t.Disk(disk.Request{Kind: disk.Write, File: s.file, Off: pos, Vec: [][]byte{b}})
		}
		if c.Err != disk.OK {
			return wrap("write again "+s.name(r.Log), &c)
		}
		if c.N != int64(len(b)) {
			return fmt.Errorf("%s shrank while it was recovered; stop what else writes there: %w", s.name(r.Log), disk.ErrIO)
		}
		pos += c.N
	}
	return nil
}

// finish sets the log's own counts from its segments, and seals in the background what the crash left unsealed.
func (r *recovery) finish() {
	l := r.Log
	l.end = l.active().end
	l.written, l.synced = l.end, l.end
	l.start = min(max(r.opt.StartOffset, l.segs[0].base), l.end)
	l.cleaned = min(r.opt.CleanedTo, l.end)
	l.producers.Start = l.start
	l.epochs.cutEnd(l.end + 1)
	l.epochs.cutStart(l.start)
	l.epochs.saved = string(l.epochs.appendText(nil)) == r.epochText
	for i, s := range l.segs {
		l.size += s.size
		if i+1 < len(l.segs) && s.tail != nil {
			l.seal(s)
		}
	}
}
