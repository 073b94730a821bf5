package replica

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Result answers one append. Base is the offset of the first record, Time the log append time or -1.
type Result struct {
	Code kerr.Code
	Base int64
	Time int64
}

// Waiter is told, once, what became of its append; slot is what it passed.
type Waiter interface{ Appended(slot int32, r Result) }

// Observer hears what a partition's owner must act on.
type Observer interface {
	// HighWatermarkMoved says that p's high watermark is higher than at the last call.
	HighWatermarkMoved(p *Partition)
	// Failed says that p's directory cannot be trusted any more.
	Failed(p *Partition, err disk.Err, what string)
	// TakenBack says that the batches from offset from on did not fit on the disk and are gone; they were never readable.
	// A follower says by FollowerReady when it fetches them again.
	TakenBack(p *Partition, from int64)
	// AlterPartition has the controller asked for another ISR. The answer comes by p.Altered, once for each call and not from within it.
	AlterPartition(p *Partition, x Proposal)
	// FollowerReady says that p.FetchPoint may be asked again: it is ready, so that the next Fetch may go, or it has ceased to be.
	FollowerReady(p *Partition)
	// LeaderChanged says that p's role or leader epoch is another (IsLeader, Following).
	LeaderChanged(p *Partition)
	// StartUnsaved asks for the checkpoint of log starts to be written soon: SaveBegun and SaveDone say when.
	StartUnsaved(p *Partition)
}

// Acks levels, as in Produce requests.
const (
	AcksNone   = 0
	AcksLeader = 1
	AcksAll    = -1
)

// Partition is this broker's replica of one partition, its leader or a follower. logStart <= highWatermark <= written end <= log end.
type Partition struct {
	Topic       string
	TopicID     [16]byte
	Number      int32
	Dir         int // the log directory that it lies in, by place in log.dirs
	LeaderEpoch int32
	Log         *commitlog.Log
	FlushAck    bool // flush.policy=ack
	Observer    Observer
	Stats       Stats
	LagMax      clock.Duration // replica.lag.time.max.ms
	// LeaderThrottled and FollowerThrottled say that what this replica sends to others as leader, and fetches as follower, counts for the
	// broker's rates (KIP-73).
	LeaderThrottled, FollowerThrottled bool

	HWCheckpoint int64 // of replication-offset-checkpoint, read before the log is opened; 0: none

	env                      *env.Env
	state                    State
	role                     role
	followers                []follower // leading: the other replicas
	isr                      isr
	rot                      rot
	epochStart               int64       // leading: the log end at which the epoch began
	leaderHW, leaderStart    int64       // following: what the leader said last, -1 nothing
	everywhere               int64       // the greatest Everywhere of which a leader spoke
	fetchAt                  int64       // following: the log end that FetchPoint gave, -1 if it is not that any more
	truncating               bool        // a task cuts the log; the role rests until it ends
	retry                    timer.Timer // following: after a full disk
	unsized                  int64       // batches below are not in sizes
	hw                       int64       // never goes back, but for a truncation
	stable                   int64       // the last stable offset, but for the log start; at most hw
	leader                   queue       // acks=1, by last offset
	all                      queue       // acks=all, by last offset
	sizes                    sizes       // batches above the high watermark, so that watches can count bytes
	watches                  []*Watch
	tails                    []*Watch // of replicas: they wait for the written end
	resting                  []*Rest  // replicas that need not be looked at
	firing                   []*Watch // scratch of tell
	failed                   bool
	closed                   bool
	told                     bool // the checkpoints have the next two
	saving                   bool
	savingPoint, savingStart int64
	toldPoint, toldStart     int64
	savedStart               int64 // the checkpoint of log starts has this or more
	promised                 int64 // leading: a replica that joins the ISR has deleted what stands below
	deletions                []deletion
	missing                  int64 // bytes that the last taken-back batches would have needed
}

// Stats are plain counters; whoever shows them reads them between steps.
type Stats struct {
	BytesIn, BytesOut, RecordsIn, RecordsOut int64
	LastAppend                               int64 // wall milliseconds of the last append, 0 none
}

// New wraps an opened log. All that recovery kept counts as committed: under ack it is synced, under os it is what Kafka counts too.
func New(e *env.Env, topic string, id [16]byte, number, epoch int32, flushAck bool) *Partition {
	return &Partition{Topic: topic, TopicID: id, Number: number, LeaderEpoch: epoch, FlushAck: flushAck, env: e, LagMax: 30 * clock.Second, fetchAt: -1, rot: rot{disputed: -1, at: -1}}
}

// Opened hands over the recovered log. In a cluster Apply comes first.
func (p *Partition) Opened(l *commitlog.Log) {
	p.Log = l
	p.recall()
	if p.role != alone {
		p.settle(p.env.Now.Mono)
	}
}

// EpochEnd answers OffsetForLeaderEpoch (KIP-101, KIP-320): the greatest epoch not above the one asked for that has records, and where it
// ends; -1, -1 for an epoch that is not known. The present leader epoch is known from its begin, as in Kafka, whose leader notes it in its
// cache before the first record of it: a consumer may have got it from ListOffsets.
func (p *Partition) EpochEnd(epoch int32) (found int32, end int64) {
	latest := p.Log.LatestEpoch()
	if plant.On(plant.R4) {
		return p.Log.EpochEnd(epoch)
	}
	switch {
	case epoch < 0 || epoch > p.LeaderEpoch && epoch > latest:
		return -1, -1
	case epoch <= latest:
		return p.Log.EpochEnd(epoch)
	case epoch == p.LeaderEpoch || latest < 0:
		return epoch, p.Log.End()
	}
	return latest, p.Log.End() // nothing was ever written in it
}

// EpochAt is the epoch of the batch at an offset, or at the end of the log that which the next one will have.
func (p *Partition) EpochAt(offset int64) int32 {
	if offset >= p.Log.End() {
		return p.LeaderEpoch
	}
	return p.Log.EpochAt(offset)
}

// HighWatermark is the offset below which everything is committed.
func (p *Partition) HighWatermark() int64 { return p.hw }

// Missing gives the bytes that the disk had no room for when it was last full.
func (p *Partition) Missing() int64 { return p.missing }

// Offline says that the partition's directory failed.
func (p *Partition) Offline() bool { return p.failed }

// Append adds one checked batch and tells w when acks is met. The answer may come before Append returns.
func (p *Partition) Append(v records.View, lease *buf.Lease, acks int16, w Waiter, slot int32) {
	p.AppendVerified(v, lease, acks, 0, w, slot)
}

// AppendVerified is Append of a batch that its transaction's coordinator has verified, if g says so.
func (p *Partition) AppendVerified(v records.View, lease *buf.Lease, acks int16, g Guard, w Waiter, slot int32) {
	if c := p.refusal(acks); c != kerr.None {
		w.Appended(slot, Result{Code: c, Base: -1, Time: -1})
		return
	}
	if v.ProducerID() >= 0 {
		d := p.Log.Producers().CheckVerified(v, g)
		if d.Code != kerr.None {
			w.Appended(slot, Result{Code: d.Code, Base: -1, Time: -1})
			return
		}
		if d.Duplicate {
			p.wait(d.Last, acks, waiting{w: w, slot: slot, r: Result{Base: d.Base, Time: d.LogAppendTime}})
			return
		}
	}
	r := Result{Time: -1}
	if v.IsLogAppendTime() {
		r.Time = v.MaxTimestamp()
	}
	n := int64(v.LastOffsetDelta())
	r.Base = p.put(v, lease)
	p.wait(r.Base+n, acks, waiting{w: w, slot: slot, r: r})
}

// put appends what may be appended, and counts it.
func (p *Partition) put(v records.View, lease *buf.Lease) (base int64) {
	n, size := v.LastOffsetDelta(), int64(len(v))
	base = p.Log.Append(v, p.LeaderEpoch, lease)
	p.sizes.push(base+int64(n), size)
	p.Stats.BytesIn += size
	p.Stats.RecordsIn += int64(n) + 1
	p.Stats.LastAppend = int64(p.env.Now.Wall)
	return base
}

// refuses says why an append with these acks is not taken.
func (p *Partition) refuses(acks int16) kerr.Code {
	switch {
	case !p.IsLeader():
		return kerr.NotLeaderForPartition
	case acks == AcksAll && p.underMinISR():
		return kerr.NotEnoughReplicas
	}
	return kerr.None
}

// wait answers x when acks is met for offset last, now if it is met already.
func (p *Partition) wait(last int64, acks int16, x waiting) {
	x.last = last
	switch {
	case acks == AcksNone, plant.On(plant.B3):
		x.w.Appended(x.slot, x.r)
	case acks == AcksLeader && last < p.Log.WrittenEnd(), acks == AcksAll && last < p.hw:
		x.w.Appended(x.slot, x.r)
	case acks == AcksLeader:
		p.leader.push(x)
	default:
		p.all.push(x)
	}
}

// LogWritten is the log's call: bytes below WrittenEnd can be read.
func (p *Partition) LogWritten(l *commitlog.Log) {
	p.leader.release(l.WrittenEnd())
	p.stir(true)
	p.fireTails()
	if !p.FlushAck || plant.On(plant.P3) {
		p.ownEndMoved()
	}
}

// ownEndMoved follows growth of what counts as this replica's log end.
func (p *Partition) ownEndMoved() {
	p.maybeAdvance(p.env.Now.Mono)
	p.maybeReady()
}

// LogSynced is the log's call: bytes below SyncedEnd survive the loss of power.
func (p *Partition) LogSynced(l *commitlog.Log) {
	if p.FlushAck {
		p.ownEndMoved()
	}
}

// maxGrowth is growth by batches of unknown size: enough for every watch.
const maxGrowth = 1 << 40

func (p *Partition) advance(to int64) {
	if to <= p.hw {
		return
	}
	grown := p.sizes.pop(to)
	if p.hw < p.unsized {
		grown = maxGrowth
	}
	before, was := p.LastStable(), p.hw
	p.hw = to
	p.settleStable()
	if plant.On(plant.P9) && len(p.all.items) > p.all.head {
		p.all.head++ // the waiter is forgotten
	}
	p.all.release(to)
	p.fire(grown, p.stableGrowth(before, was, grown))
	p.Observer.HighWatermarkMoved(p)
}

// LogFull is the log's call: what stood from offset from on did not fit and is taken back.
func (p *Partition) LogFull(_ *commitlog.Log, from int64) {
	assert.That(from >= p.hw, "replica: committed records taken back")
	p.missing = p.sizes.drop(from)
	lost := p.all.take(p.leader.take(nil, from), from)
	p.Observer.TakenBack(p, from)
	refuse(lost, kerr.KafkaStorageError)
	p.leader.release(p.Log.WrittenEnd()) // a duplicate that stood behind one of them
	p.all.release(p.hw)
	if p.role == following && !p.retry.IsSet() {
		p.retry.Owner = p
		p.env.After(&p.retry, fullPause)
	}
}

// fullPause is how long a follower waits after its disk was full before it fetches again.
const fullPause = clock.Second

// TimerFired is the shard's call: the disk may have space again.
func (p *Partition) TimerFired(*timer.Timer) { p.maybeReady() }

// LogFailed is the log's call: nothing may be assumed of the directory any more.
func (p *Partition) LogFailed(_ *commitlog.Log, err disk.Err, what string) {
	if p.failed {
		return
	}
	p.Fail()
	p.Observer.Failed(p, err, what)
}

// Fail takes the partition offline: everything that waits is answered.
func (p *Partition) Fail() {
	if p.failed {
		return
	}
	p.failed = true
	p.end(kerr.KafkaStorageError)
}

// LogStartMoved is the log's call: retention or DeleteRecords moved the start. Watches whose offset is gone must be told, and followers'.
func (p *Partition) LogStartMoved(*commitlog.Log) {
	p.fireAll()
	if p.StartUnsaved() {
		p.Observer.StartUnsaved(p)
	}
}

// Close answers what waits with code, and nothing is appended any more: the topic was deleted or the broker stops.
func (p *Partition) Close(code kerr.Code) {
	p.closed = true
	p.end(code)
}

func (p *Partition) end(code kerr.Code) {
	refuse(p.all.take(p.leader.take(nil, -1), -1), code)
	p.refuseDeletions(code)
	p.fireAll()
}

// Closed says that Close was called: nothing is appended or read any more.
func (p *Partition) Closed() bool { return p.closed }

// Waiting is the number of appends that are not answered.
func (p *Partition) Waiting() int { return p.leader.n() + p.all.n() }

// AppendOwn adds a batch that the broker itself wrote (a coordinator's), and gives the offset of its last record. Whoever calls it waits
// for the high watermark by itself.
func (p *Partition) AppendOwn(b []byte) (last int64, code kerr.Code) {
	if c := p.refusal(AcksAll); c != kerr.None {
		return -1, c
	}
	v := records.View(b)
	return p.put(v, nil) + int64(v.LastOffsetDelta()), kerr.None
}

// Told notes the recovery point and log start that the checkpoints have, and says whether either is news.
func (p *Partition) Told(point, start int64) bool {
	news := p.toldPoint != point || p.toldStart != start || !p.told
	p.toldPoint, p.toldStart, p.told = point, start, true
	return news
}

// SaveBegun notes what the checkpoints are being given of the log, and SaveDone that they have it: a truncation leaves a mark until then.
func (p *Partition) SaveBegun() {
	if p.saving = p.Log != nil; p.saving {
		p.savingPoint, p.savingStart = p.Log.RecoveryPoint(), p.Log.Start()
	}
}

// SaveDone is described at SaveBegun.
func (p *Partition) SaveDone() {
	if !p.saving {
		return
	}
	p.saving = false
	p.Log.Checkpointed(p.savingPoint, p.savingStart)
	if p.savedStart < p.savingStart {
		p.savedStart = p.savingStart
		p.releaseDeletions()
		p.maybeReady() // the leader waits for it
	}
}

// CheckInvariants asserts what must hold between two steps.
func (p *Partition) CheckInvariants() {
	l := p.Log
	if p.truncating {
		return
	}
	assert.That(l.Start() <= l.End(), "replica: log start above log end")
	assert.That(l.Start() <= p.hw, "replica: log start above the high watermark")
	assert.That(p.stable <= p.hw, "replica: last stable offset above the high watermark")
	assert.That(p.hw <= l.WrittenEnd(), "replica: high watermark above the written end")
	assert.That(!p.FlushAck || p.hw <= l.SyncedEnd(), "replica: high watermark above the synced end")
	assert.That(l.SyncedEnd() <= l.WrittenEnd() && l.WrittenEnd() <= l.End(), "replica: synced, written and log end out of order")
	for _, r := range p.resting {
		f := p.follower(r.node)
		assert.That(p.role == leading && !p.failed && !p.closed, "replica: a follower rests where nobody leads")
		assert.That(f != nil && f.end == l.WrittenEnd() && p.hw == f.end, "replica: a follower rests that has not everything")
	}
}
