package coordinator

import (
	"sort"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Phase is where a Shard stands in its life.
//
//	Loading ── Loaded ─▶ Active ── Drop ─▶ Dropped
//	   └───────────── Drop ───────────────▶
type Phase uint8

// The phases.
const (
	Loading Phase = iota
	Active
	Dropped
)

// Options are the limits of a Shard.
type Options struct {
	MaxBatchBytes int32 // of one batch, the topic's max.message.bytes
	StallMS       int32 // how long a reply waits for the high watermark (offsets.commit.timeout.ms)
}

// Shard runs one Machine over one partition.
type Shard struct {
	env   *env.Env
	log   Log
	m     Machine
	opt   Options
	phase Phase
	queue []pending        // what the high watermark has not passed, by last, ascending
	dirty map[string]int64 // the last offset under a key; an entry goes when the high watermark passes it
	floor int64            // the last offset that was loaded
	build records.Builder
	read  records.Scratch
	stall timer.Timer // set for the first entry of queue that has not stalled
}

// pending is a batch above the high watermark. The batches that were loaded make one entry.
type pending struct {
	last     int64
	key      string
	also     []string // of a marker: the keys that it ended something under
	marker   bool
	loaded   bool
	stalled  bool
	deadline clock.Time
	waiting  []parked
}

type parked struct {
	w    Waiter
	resp kmsg.Response
}

// NewShard makes a Shard that waits for its log to be loaded.
func NewShard(e *env.Env, log Log, m Machine, opt Options) *Shard {
	s := &Shard{env: e, log: log, m: m, opt: opt, dirty: make(map[string]int64), floor: -1}
	s.stall.Owner = s
	return s
}

// Phase says whether the shard is loading, active or dropped.
func (s *Shard) Phase() Phase { return s.phase }

// SetOptions replaces the limits, from the next batch on.
func (s *Shard) SetOptions(opt Options) { s.opt = opt }

// Load replays one batch; batches come in the order of the log. An error says that the log cannot be read: the instance stays
// in Loading, and is to be dropped.
func (s *Shard) Load(v records.View) error {
	assert.That(s.phase == Loading, "coordinator: loaded after Loaded or Drop")
	if err := replayBatch(s.m, v, &s.read); err != nil {
		return err
	}
	s.floor = max(s.floor, v.LastOffset())
	return nil
}

// Loaded makes the shard active. What was loaded may stand above the high watermark: replies wait for it.
func (s *Shard) Loaded() {
	assert.That(s.phase == Loading, "coordinator: loaded twice")
	s.phase = Active
	if s.floor >= s.log.HighWatermark() {
		sometimes.Hit("coordinator: what was loaded is not below the high watermark yet")
		s.push(pending{last: s.floor, loaded: true})
	}
}

// Write appends recs as one batch, replays them, and gives the offset of the last. Any other code than None says that nothing
// was written and nothing replayed.
func (s *Shard) Write(key string, recs []Record) (last int64, code kerr.Code) {
	return s.WriteFor(Position{ProducerID: -1, ProducerEpoch: -1}, key, recs)
}

// WriteFor is Write on behalf of a producer: the batch carries its id and epoch.
func (s *Shard) WriteFor(by Position, key string, recs []Record) (last int64, code kerr.Code) {
	assert.That(s.phase == Active, "coordinator: write while not active")
	assert.That(len(recs) > 0, "coordinator: empty write")
	batch := buildBatch(&s.build, by, int64(s.env.Now.Wall), recs)
	if len(batch) > int(s.opt.MaxBatchBytes) {
		return 0, kerr.MessageTooLarge
	}
	last, code = s.log.Append(batch)
	if code != kerr.None {
		return 0, code
	}
	s.replayOwn(by, last-int64(len(recs))+1, recs)
	s.dirty[key] = last
	s.push(pending{last: last, key: key})
	return last, kerr.None
}

// WriteMarker ends the transaction of by.ProducerID, which had written under keys: it appends the control batch, replays it, and holds back what is
// told under those keys until the high watermark has passed it. Any other code than None says that nothing was written.
func (s *Shard) WriteMarker(by Position, m records.Marker, keys []string) kerr.Code {
	assert.That(s.phase == Active, "coordinator: write while not active")
	last, code := s.log.Append(records.NewMarker(by.ProducerID, by.ProducerEpoch, m, int64(s.env.Now.Wall)))
	if code != kerr.None {
		return code
	}
	s.m.ReplayMarker(by.ProducerID, by.ProducerEpoch, m.Commit)
	for _, k := range keys {
		s.dirty[k] = last
	}
	s.push(pending{last: last, also: keys, marker: true})
	return kerr.None
}

func (s *Shard) replayOwn(by Position, base int64, recs []Record) {
	for i := range recs {
		by.Offset = base + int64(i)
		err := s.m.Replay(by, recs[i])
		assert.That(err == nil, "coordinator: a record of our own cannot be replayed")
	}
}

func (s *Shard) push(p pending) {
	if n := len(s.queue); n > 0 {
		assert.That(s.queue[n-1].last < p.last, "coordinator: the log gave an offset twice")
	}
	p.deadline = s.env.Now.Mono.Add(clock.MS(int64(s.opt.StallMS)))
	s.queue = append(s.queue, p)
	if !s.stall.IsSet() {
		s.env.Timers.Set(&s.stall, p.deadline)
	}
}

// Park answers w with resp once everything that was replayed under key is below the high watermark, at once if it is.
func (s *Shard) Park(key string, w Waiter, resp kmsg.Response) {
	last, ok := s.dirty[key]
	if !ok {
		last = s.floor
	}
	s.parkAt(last, w, resp)
}

// ParkAll answers w with resp once everything that was replayed is below the high watermark.
func (s *Shard) ParkAll(w Waiter, resp kmsg.Response) {
	last := s.floor
	if n := len(s.queue); n > 0 {
		last = s.queue[n-1].last
	}
	s.parkAt(last, w, resp)
}

func (s *Shard) parkAt(last int64, w Waiter, resp kmsg.Response) {
	i := sort.Search(len(s.queue), func(i int) bool { return s.queue[i].last >= last })
	if i == len(s.queue) || s.log.HighWatermark() > last || plant.On(plant.P6) {
		Reply(w, resp)
		return
	}
	p := &s.queue[i]
	if p.stalled {
		s.m.Refuse(resp, kerr.CoordinatorNotAvailable)
		Reply(w, resp)
		return
	}
	p.waiting = append(p.waiting, parked{w, resp})
}

// HighWatermarkMoved lets go what hw covers.
func (s *Shard) HighWatermarkMoved(hw int64) {
	if s.phase != Active {
		return
	}
	n := 0
	for ; n < len(s.queue) && s.queue[n].last < hw; n++ {
		s.committed(n)
		if s.phase != Active {
			return
		}
	}
	if n > 0 {
		s.queue = append(s.queue[:0], s.queue[n:]...)
		clear(s.queue[len(s.queue):cap(s.queue)])
		s.arm()
	}
}

// committed handles the entry at i. The machine may write meanwhile, which moves the queue's array: hence no pointer into it.
func (s *Shard) committed(i int) {
	p := s.queue[i]
	s.queue[i].waiting = nil
	for _, k := range p.also {
		s.clean(k, p.last)
	}
	if !p.loaded && !p.marker {
		s.clean(p.key, p.last)
		s.m.Committed(p.key, p.last)
	}
	for _, r := range p.waiting {
		Reply(r.w, r.resp)
	}
}

// clean forgets the last offset under a key, if it is this one.
func (s *Shard) clean(key string, last int64) {
	if s.dirty[key] == last {
		delete(s.dirty, key)
	}
}

// TimerFired answers what waited for too long. Nothing is undone: the batch is in the log and may yet be committed, which is
// what COORDINATOR_NOT_AVAILABLE leaves open. Until then new replies under the same key are refused at once.
func (s *Shard) TimerFired(*timer.Timer) {
	now := s.env.Now.Mono
	for i := 0; i < len(s.queue) && s.queue[i].deadline <= now; i++ {
		if s.queue[i].stalled {
			continue
		}
		p := s.queue[i]
		s.queue[i].stalled, s.queue[i].waiting = true, nil
		sometimes.Hit("coordinator: the high watermark does not pass a record in time")
		s.refuse(p.waiting, kerr.CoordinatorNotAvailable)
		if !p.loaded && !p.marker {
			s.m.Stalled(p.key, p.last)
		}
	}
	s.arm()
}

func (s *Shard) arm() {
	for i := range s.queue {
		if !s.queue[i].stalled {
			s.env.Timers.Set(&s.stall, s.queue[i].deadline)
			return
		}
	}
	s.env.Timers.Cancel(&s.stall)
}

func (s *Shard) refuse(rs []parked, code kerr.Code) {
	for _, r := range rs {
		s.m.Refuse(r.resp, code)
		Reply(r.w, r.resp)
	}
}

// Drop ends the instance: whoever waits is told code. A dropped shard stays dropped; a new one is loaded in its place.
func (s *Shard) Drop(code kerr.Code) {
	if s.phase == Dropped {
		return
	}
	s.phase = Dropped
	s.env.Timers.Cancel(&s.stall)
	for i := range s.queue {
		sometimes.If(len(s.queue[i].waiting) > 0, "coordinator: it goes while somebody waits for an answer")
		s.refuse(s.queue[i].waiting, code)
	}
	s.queue, s.dirty = nil, nil
}

// Backlog is the number of batches that the high watermark has not passed.
func (s *Shard) Backlog() int { return len(s.queue) }
