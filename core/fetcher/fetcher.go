package fetcher

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/quota"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
)

// Follower is one partition that follows: replica.Partition. It is told only of answers to the request for which its FetchPoint was asked last.
// leaderEpoch is that in which the request was sent; a code other than None means that nothing was done.
type Follower interface {
	// FetchPoint gives where to go on: the offset that counts as this replica's end, the epoch of the record before it (-1: none), and the
	// log's start. ready is false while what was received, or a truncation, is under way; Fetcher.Ready ends that.
	FetchPoint() (offset int64, lastEpoch int32, logStart int64, ready bool)
	// Throttled says whether what is fetched counts for the rate, and whether the partition waits while that is exceeded.
	Throttled() (counts, waits bool)
	// Received hands over whole batches whose CRC is right, or nil, with what the leader said beside them. The follower retains the lease if it
	// keeps the batches.
	Received(batches []byte, lease *buf.Lease, leaderHW, leaderStart int64, leaderEpoch int32) kerr.Code
	// LeaderKnows: every replica has the log below an offset.
	LeaderKnows(everywhere int64)
	// Truncate: the leader's log ends at end in epoch, the largest one not above ours (KIP-595).
	Truncate(epoch int32, end int64, leaderEpoch int32) kerr.Code
	// OutOfRange: the leader has nothing at our offset; its log has [leaderStart, leaderEnd).
	OutOfRange(leaderStart, leaderEnd int64, leaderEpoch int32) kerr.Code
}

// Config is what all fetchers of a broker share.
type Config struct {
	NodeID         int32
	MaxWaitMS      int32          // replica.fetch.wait.max.ms
	MinBytes       int32          // replica.fetch.min.bytes
	MaxBytes       int32          // replica.fetch.response.max.bytes
	PartitionBytes int32          // replica.fetch.max.bytes
	Backoff        clock.Duration // replica.fetch.backoff.ms: the longest pause after an error
	Timeout        clock.Duration // replica.socket.timeout.ms: beyond MaxWaitMS
}

// DefaultConfig has Kafka's defaults.
func DefaultConfig(node int32) Config {
	return Config{NodeID: node, MaxWaitMS: 500, MinBytes: 1, MaxBytes: 10 << 20, PartitionBytes: 1 << 20, Backoff: clock.Second, Timeout: 30 * clock.Second}
}

const (
	// version of Fetch: the newest; a cluster's brokers are of one version.
	version  = wire.FetchMax
	keyFetch = 1
	// grace is how long ready partitions wait for those whose records are not synced yet, and how long a request that leaves some of them
	// out may wait at the leader.
	grace = 10 * clock.Millisecond
	// firstPause is the shortest pause after an error; each further one in a row doubles it.
	firstPause = 20 * clock.Millisecond
	// maxFailures is from where on pauses do not double any more.
	maxFailures = 16
)

// Key names a partition.
type Key struct {
	ID     [16]byte
	Number int32
}

// state of a partition.
//
//	fetching ──Received, Truncate, OutOfRange──▶ unsynced ──grace over──▶ left
//	   ▲  ▲◀──────────────Ready─────────────────────┘◀────────Ready─────────┘
//	   │  └──timer── resting ◀──error── fetching ──fenced──▶ stale
//	   └───────────────────Add with a newer epoch─────────────┘
type state uint8

const (
	fetching state = iota // in the next request
	unsynced              // the next request waits for it
	left                  // the next request goes without it
	resting               // until its timer fires
	stale                 // until a newer image says who leads it, or for long
)

// point is what a request says of a partition.
type point struct {
	offset, start   int64
	epoch, lastSeen int32
	refused         bool // what came from there could not be taken
}

// part is one partition of a fetcher.
type part struct {
	f         *Fetcher
	key       Key
	topic     string
	follower  Follower
	epoch     int32 // leader epoch
	state     state
	at        int   // index in Fetcher.list
	told      bool  // the leader's session has it
	asked     point // as the leader's session knows it; meaningful while told
	askedIn   int64 // the request that said so
	dirty     bool  // it is in Fetcher.dirty
	failures  int   // errors in a row
	refusedAt int64 // where the leader of this epoch sent what could not be taken, -1 nowhere
	timer     timer.Timer
}

// Fetcher fetches all partitions of one shard that one broker leads.
type Fetcher struct {
	BrokerEpoch int64         // of this broker's registration; goes with each request (KIP-903)
	Rate        *quota.Bucket // of what is throttled (KIP-73); all fetchers of a shard share one

	env    *env.Env
	cfg    Config
	peer   *peer.Peer
	leader int32
	parts  map[Key]*part
	list   []*part
	n      [stale + 1]int // partitions by state

	session   int32 // id; 0: none
	epoch     int32 // that the next incremental request carries
	request   int64 // number of the last request
	answered  int64 // number of the request that was answered last
	full      bool  // the next request names everything, and begins a new session
	dirty     []*part
	forgotten []Key
	waiting   []*part // that became unsynced since the last request
	written   bool    // the last request's bytes have left
	sentAt    clock.Time
	failures  int
	beginning bool // the request in flight begins a session
	sessions  bool // the leader has given a session to the last request that asked for one
	marked    bool
	closed    bool
	pause     timer.Timer
	grace     timer.Timer

	req  wire.FetchRequest
	resp wire.FetchResponse
}

// Kinds of timers.
const (
	timerPause = iota
	timerGrace
)

// New makes the fetcher of a leader.
func New(e *env.Env, cfg Config, leader int32, p *peer.Peer) *Fetcher {
	f := &Fetcher{env: e, cfg: cfg, peer: p, leader: leader, parts: map[Key]*part{}, full: true, sessions: true, Rate: &quota.Bucket{}}
	f.pause.Owner, f.pause.Kind = f, timerPause
	f.grace.Owner, f.grace.Kind = f, timerGrace
	return f
}

// Len is the number of partitions.
func (f *Fetcher) Len() int { return len(f.list) }

// Leader is the broker that is fetched from.
func (f *Fetcher) Leader() int32 { return f.leader }

// Fetches says whether a partition is one of its.
func (f *Fetcher) Fetches(k Key) bool { return f.parts[k] != nil }

// SetPeer changes where the leader is reached.
func (f *Fetcher) SetPeer(p *peer.Peer) {
	if p != f.peer {
		f.peer, f.full = p, true
	}
}

// Add begins to fetch a partition, or goes on with it in a newer leader epoch; what is fetched already is left as it is.
func (f *Fetcher) Add(key Key, topic string, leaderEpoch int32, w Follower) {
	p := f.parts[key]
	if p == nil {
		p = &part{f: f, key: key, at: len(f.list), state: fetching, refusedAt: -1}
		p.timer.Owner = p
		f.parts[key] = p
		f.list = append(f.list, p)
		f.n[fetching]++
	}
	f.hung()
	if p.follower == w && p.epoch == leaderEpoch {
		return
	}
	p.failures, p.refusedAt = 0, -1
	p.topic, p.follower, p.epoch = topic, w, leaderEpoch
	p.look()
}

// hung ends a connection on which a request waits for longer than the leader would let it: the leader's machine may have come back without
// knowing of it.
func (f *Fetcher) hung() {
	if f.inFlight() > 0 && f.env.Now.Mono.Sub(f.sentAt) > clock.MS(int64(f.cfg.MaxWaitMS))+clock.Second {
		sometimes.Hit("fetcher: a leader does not answer, and its connection is given up")
		f.peer.Close()
	}
}

// Remove stops fetching a partition. Nothing of it is handed over any more.
func (f *Fetcher) Remove(key Key) {
	p := f.parts[key]
	if p == nil {
		return
	}
	p.leave()
	p.set(fetching)
	f.n[fetching]--
	last := len(f.list) - 1
	f.list[p.at] = f.list[last]
	f.list[p.at].at = p.at
	f.list[last] = nil
	f.list = f.list[:last]
	delete(f.parts, key)
	p.follower = nil
	f.mark()
}

// Ready says that a partition's FetchPoint may be asked again.
func (f *Fetcher) Ready(key Key) {
	if p := f.parts[key]; p != nil && p.state <= left {
		p.look()
	}
}

// Rest leaves a partition out for a while: what it had received did not fit on the disk.
func (f *Fetcher) Rest(key Key) {
	if p := f.parts[key]; p != nil && p.state <= left {
		p.rest()
		f.mark()
	}
}

// Close forgets everything; an answer that still comes is dropped.
func (f *Fetcher) Close() {
	for len(f.list) > 0 {
		f.Remove(f.list[len(f.list)-1].key)
	}
	f.closed = true
	f.env.Timers.Cancel(&f.pause)
	f.env.Timers.Cancel(&f.grace)
}

// set moves a partition to a state.
func (p *part) set(s state) {
	f := p.f
	if p.state == resting || p.state == stale {
		f.env.Timers.Cancel(&p.timer)
	}
	f.n[p.state]--
	f.n[s]++
	p.state = s
	if s == unsynced {
		f.waiting = append(f.waiting, p)
	}
}

// look asks the follower where it stands, and has the next request say so.
func (p *part) look() {
	f := p.f
	now, ready := p.point()
	switch {
	case !ready && (p.state == left || p.state == unsynced):
		return
	case !ready:
		p.set(unsynced)
	default:
		p.set(fetching)
		if !p.told || now != p.asked {
			p.touch()
		}
	}
	f.mark()
}

// touch puts p into the next request.
func (p *part) touch() {
	if !p.dirty {
		p.dirty = true
		p.f.dirty = append(p.f.dirty, p)
	}
}

func (p *part) point() (q point, ready bool) {
	q.epoch = p.epoch
	q.offset, q.lastSeen, q.start, ready = p.follower.FetchPoint()
	q.refused = ready && q.offset == p.refusedAt
	return q, ready
}

// leave takes p out of the leader's session.
func (p *part) leave() {
	if p.told {
		p.told = false
		p.f.forgotten = append(p.f.forgotten, p.key)
	}
}

// rest leaves p out for a while after an error.
func (p *part) rest() {
	p.leave()
	p.set(resting)
	p.failures++
	p.f.env.After(&p.timer, p.f.backoff(p.failures))
}

// backoff doubles with each failure in a row, up to the limit, and lies within a fifth of that.
func (f *Fetcher) backoff(failures int) clock.Duration {
	d := int64(min(firstPause<<min(failures-1, maxFailures), max(f.cfg.Backoff, firstPause)))
	return clock.Duration(f.env.Rand.Between(d*4/5, d*6/5))
}

// TimerFired is the heap's call: p may be fetched again.
func (p *part) TimerFired(*timer.Timer) { p.look() }

// TimerFired is the heap's call.
func (f *Fetcher) TimerFired(t *timer.Timer) {
	if t.Kind == timerGrace {
		for i, p := range f.waiting {
			f.waiting[i] = nil
			if p.state == unsynced && p.follower != nil {
				p.leave()
				p.set(left)
			}
		}
		f.waiting = f.waiting[:0]
	}
	f.mark()
}

// mark asks for a Flush.
func (f *Fetcher) mark() {
	if !f.marked && !f.closed {
		f.marked = true
		f.env.Mark(f)
	}
}

// inFlight is the number of requests that are not answered, 2 at most.
func (f *Fetcher) inFlight() int64 { return f.request - f.answered }

// overtakes says whether a second request may leave while one is in flight: a partition came, or came back, and the leader may be waiting for
// records of the others. The leader then ends that wait.
func (f *Fetcher) overtakes() bool {
	return f.inFlight() == 1 && f.written && !f.full && !f.beginning && len(f.dirty) > 0
}

// Flush is env.Flusher: the next request leaves if it may.
func (f *Fetcher) Flush() {
	f.marked = false
	if f.closed || f.pause.IsSet() || f.n[fetching] == 0 || f.inFlight() > 0 && !f.overtakes() {
		return
	}
	if f.n[unsynced] > 0 {
		if !f.grace.IsSet() {
			f.env.After(&f.grace, grace)
		}
		return
	}
	f.env.Timers.Cancel(&f.grace)
	if f.slowDown(); f.n[fetching] > 0 {
		f.send()
	}
}

// longestRest bounds how long a throttled partition is left out before the rate is looked at again: it may have been raised.
const longestRest = clock.Second

// slowDown leaves throttled partitions out until the rate allows more. While an answer is awaited they stay: what it brings is on its way.
func (f *Fetcher) slowDown() {
	wait := f.Rate.Wait(f.env.Now.Mono)
	if wait == 0 || f.inFlight() > 0 {
		return
	}
	for _, p := range f.list {
		if p.state != fetching {
			continue
		}
		if _, waits := p.follower.Throttled(); waits {
			sometimes.Hit("fetcher: a throttled follower waits")
			p.leave()
			p.set(resting)
			f.env.After(&p.timer, min(wait, longestRest))
		}
	}
}

// send makes the next request. What it says of a partition is noted, so that the answer is taken only for that.
func (f *Fetcher) send() {
	q := &f.req
	*q = wire.FetchRequest{ReplicaID: f.cfg.NodeID, ReplicaEpoch: f.BrokerEpoch, MaxWaitMS: f.cfg.MaxWaitMS, MinBytes: f.cfg.MinBytes, MaxBytes: f.cfg.MaxBytes,
		SessionID: f.session, Parts: q.Parts[:0], Forgotten: q.Forgotten[:0]}
	if f.n[left] > 0 { // they must not wait for what is idle
		q.MaxWaitMS = min(q.MaxWaitMS, int32(grace/clock.Millisecond))
	}
	f.request++
	f.beginning, f.full = f.full, false
	if f.beginning {
		f.startSession()
	} else {
		q.SessionEpoch = f.epoch
		if f.epoch++; f.epoch <= 0 {
			f.epoch = 1
		}
		f.addChanged()
	}
	clear(f.waiting)
	f.waiting = f.waiting[:0]
	f.written, f.sentAt = false, f.env.Now.Mono
	f.peer.Call(peer.Call{Key: keyFetch, Version: version, Body: f, Timeout: clock.MS(int64(q.MaxWaitMS)) + f.cfg.Timeout, Waiter: f})
}

// AppendTo is peer.Body.
func (f *Fetcher) AppendTo(dst []byte) []byte {
	f.written = true
	return f.req.AppendTo(dst, version)
}

// startSession names everything that is fetched. The leader does not wait, since what comes meanwhile cannot be told before there is a session.
func (f *Fetcher) startSession() {
	f.req.SessionEpoch = 0
	if f.sessions {
		f.req.MaxWaitMS = 0
	}
	f.forgotten = f.forgotten[:0]
	for _, p := range f.dirty {
		p.dirty = false
	}
	clear(f.dirty)
	f.dirty = f.dirty[:0]
	for _, p := range f.list {
		p.told = false
		if p.state == fetching {
			f.ask(p)
		}
	}
}

// addChanged names what changed since the last request.
func (f *Fetcher) addChanged() {
	for i, p := range f.dirty {
		f.dirty[i] = nil
		p.dirty = false
		if p.state == fetching && p.follower != nil {
			f.ask(p)
		}
	}
	f.dirty = f.dirty[:0]
	for _, k := range f.forgotten {
		if p := f.parts[k]; p != nil && p.told { // it is back
			continue
		}
		n := len(f.req.Forgotten)
		f.req.Forgotten = append(f.req.Forgotten, wire.FetchPart{TopicID: k.ID, Partition: k.Number, NewTopic: n == 0 || f.req.Forgotten[n-1].TopicID != k.ID})
	}
	f.forgotten = f.forgotten[:0]
}

// ask adds a partition to the request.
func (f *Fetcher) ask(p *part) {
	at, ready := p.point()
	assert.That(ready, "fetcher: a partition is not ready, and nobody said so")
	p.asked, p.askedIn, p.told = at, f.request, true
	n := len(f.req.Parts)
	f.req.Parts = append(f.req.Parts, wire.FetchPart{
		TopicID: p.key.ID, NewTopic: n == 0 || f.req.Parts[n-1].TopicID != p.key.ID, Partition: p.key.Number,
		CurrentLeaderEpoch: at.epoch, FetchOffset: at.offset, LastFetchedEpoch: at.lastSeen, LogStartOffset: at.start,
		MaxBytes: f.cfg.PartitionBytes, HighWatermark: wire.FetchHighWatermarkOff, Refused: at.refused,
	})
}
