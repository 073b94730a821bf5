package commitlog

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/commitlog/producers"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Producers is the state of a partition's idempotent producers.
type Producers = producers.Table

// Verdict is Producers' word on a batch.
type Verdict = producers.Verdict

// Log is one partition's log. It belongs to one shard.
//
//	synced <= written <= end;   start <= written;   segs[0].base <= synced;   segs is not empty, ascends, and its last is the active one
type Log struct {
	env      *env.Env
	dir      string
	cfg      Config
	listener Listener
	topicID  [16]byte

	segs                        []*segment
	nextOrd                     int32
	start, synced, written, end int64
	cleaned                     int64 // the log is clean below
	size                        int64 // bytes of all segments, queued ones included
	epochs                      epochs
	producers                   Producers
	recent                      marks // each batch boundary of the tail
	coarse                      marks // about each 64 KiB, further back
	chunks                      chunks
	queue                       queue
	vec                         [][]byte // of the write in flight
	age                         timer.Timer
	limit                       int64 // greatest limit that a reader has named
	tick                        int32 // counts reads
	jobs                        int   // background tasks that run

	syncGoal, syncPos, syncEnd int64 // sync until this offset; what the sync in flight covers
	syncSeg                    *segment

	marked, writing, syncing bool
	removed                  bool // Remove was called
	readers                  int  // tasks that look something up, and so may open files by name
	failed, closing, filling bool // filling: no space; a truncation takes the partial write back
	born, birthing           bool // the directory itself and partition.metadata are durable; they are being synced
	startMoved               bool // the listener has not been told
	persisting, savingEpochs bool
	cleaning                 bool // a clean is under way
	swapping                 bool // it puts a new segment in the place of old ones: none is removed
	gated                    bool // who opens files by name waits for that
	cutting                  bool // a truncation is under way: nothing is appended, nothing found
	hasCap                   bool // truncation-checkpoint exists and holds capped
	capped                   lowered

	snapshots             snapshots
	appended, persistedAt int64 // bytes appended since Open; what of them the newest snapshot covers
	persistedTime         clock.Time
	trimmedAt             int64
	doomed                []*segment // taken out of segs, not unlinked yet
	forgotten             []int64    // offsets of the snapshots that the log had before its truncation began
	leaving               []*segment // those of them that retention has taken out, in the order in which they go
}

// Start is the first offset that can be read.
func (l *Log) Start() int64 { return l.start }

// End is the next offset to assign.
func (l *Log) End() int64 { return l.end }

// WrittenEnd is the offset below which everything can be read.
func (l *Log) WrittenEnd() int64 { return l.written }

// SyncedEnd is the offset below which everything survives a loss of power.
func (l *Log) SyncedEnd() int64 { return l.synced }

// Size is the bytes of all segments.
func (l *Log) Size() int64 { return l.size }

// Dir is the log's directory.
func (l *Log) Dir() string { return l.dir }

// TopicID is what partition.metadata holds; zero if nothing.
func (l *Log) TopicID() [16]byte { return l.topicID }

// Failed says that an I/O error has stopped the log: Append may not be called any more.
func (l *Log) Failed() bool { return l.failed }

// Producers is the state of the partition's idempotent producers, with batches that are not written yet.
func (l *Log) Producers() *Producers { return &l.producers }

// SetConfig replaces the settings.
func (l *Log) SetConfig(c Config) { l.cfg = c }

// Segments is the number of segments.
func (l *Log) Segments() int { return len(l.segs) }

// Unsynced is the bytes written and not known to be synced.
func (l *Log) Unsynced() int64 {
	n := int64(0)
	for i := len(l.segs) - 1; i >= 0; i-- {
		s := l.segs[i]
		n += s.written - s.synced
		if s.syncedEnd > s.base {
			break
		}
	}
	return n
}

func (l *Log) active() *segment { return l.segs[len(l.segs)-1] }

// spawn runs f as a background task of the log; Close waits for it.
func (l *Log) spawn(f func(t *task.Task)) {
	l.jobs++
	task.Go(l.env, func(t *task.Task) {
		f(t)
		l.jobs--
	})
}

// mark asks for a Flush at the end of the round.
func (l *Log) mark() {
	if !l.marked {
		l.marked = true
		l.env.Mark(l)
	}
}

// Append places a batch that the caller has validated (records.Check, Producers().Check): it patches base offset and leader
// epoch in place and queues the bytes for the round's one write, holding lease until it is done. nil is nobody's lease.
func (l *Log) Append(v records.View, leaderEpoch int32, lease *buf.Lease) (base int64) {
	v.SetBaseOffset(l.end)
	v.SetLeaderEpoch(leaderEpoch)
	l.place(v, lease)
	return v.BaseOffset()
}

// Replicate places a batch with the offsets and the epoch that its leader gave it; they may leave a gap, not go back. The caller has
// checked its CRC. Its bytes stay as they are.
func (l *Log) Replicate(v records.View, lease *buf.Lease) {
	assert.That(v.BaseOffset() >= l.end, "commitlog: replicated batch goes back")
	l.epochs.makeRoom(v.LeaderEpoch(), v.BaseOffset())
	l.place(v, lease)
}

func (l *Log) place(v records.View, lease *buf.Lease) {
	assert.That(!l.failed, "commitlog: append to a failed log")
	assert.That(!l.closing, "commitlog: append to a closed log")
	assert.That(!l.cutting, "commitlog: append to a log that is being truncated")
	assert.That(len(v) >= records.HeaderSize && v.Size() == len(v), "commitlog: append of less or more than one batch")
	if l.mustRoll(v) {
		l.roll(v.BaseOffset())
	}
	if lease != nil {
		lease.Retain()
	}
	s := l.active()
	newEpoch := l.epochs.add(v.LeaderEpoch(), v.BaseOffset())
	undo, ended, some := l.producers.Update(v, l.env.Now.Wall)
	if some {
		s.aborted.note(ended)
	}
	l.queue.push(pending{seg: s, view: v, lease: lease, undo: undo, newEpoch: newEpoch, maxTimestamp: s.maxTimestamp, maxTSOffset: s.maxTSOffset})
	s.note(v)
	s.tail.note(s, v, l.cfg.IndexIntervalBytes)
	l.size += int64(len(v))
	l.appended += int64(len(v))
	l.end = s.end
	l.remember(s)
	l.mark()
}

// note counts a batch that has been placed in the segment.
func (s *segment) note(v records.View) {
	if s.firstTimestamp < 0 {
		s.firstTimestamp = v.MaxTimestamp()
	}
	if v.MaxTimestamp() > s.maxTimestamp {
		s.maxTimestamp, s.maxTSOffset = v.MaxTimestamp(), v.LastOffset()
	}
	s.size += int64(v.Size())
	s.end = v.NextOffset()
}

// coarseStep is the least distance of coarse marks, in bytes.
const coarseStep = 64 << 10

// remember notes the present end of segment s as a place where a reader may begin or end.
func (l *Log) remember(s *segment) {
	m := mark{offset: s.end, pos: int32(s.size), ord: s.ord}
	l.recent.push(m)
	if k := l.coarse.n; k == 0 || l.coarse.at(k-1).ord != m.ord || m.pos-l.coarse.at(k-1).pos >= coarseStep {
		l.coarse.push(m)
	}
}

// segmentAt gives the segment that holds offset, start <= offset <= end.
func (l *Log) segmentAt(offset int64) int {
	lo, hi := 0, len(l.segs)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if l.segs[mid].base <= offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return max(lo-1, 0)
}

func (l *Log) byOrd(ord int32) *segment {
	lo, hi := 0, len(l.segs)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if l.segs[mid].ord < ord {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(l.segs) || l.segs[lo].ord != ord {
		return nil
	}
	return l.segs[lo]
}

// extent is a range of a segment's file.
func (s *segment) extent(pos, end int64) disk.Extent {
	return disk.Extent{File: s.file, Off: pos, Len: int32(end - pos)}
}
