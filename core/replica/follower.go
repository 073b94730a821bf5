package replica

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/buf"
)

// FetchPoint is where the next Fetch of this replica begins: its log end, the epoch of its last batch (-1: it has none) and its log start, as
// a restart would find it. It is ready once all that the last Fetch brought is written, under flush.policy=ack synced: what it says is counted by the leader. If it
// is not, Observer.FollowerReady tells when.
func (p *Partition) FetchPoint() (offset int64, lastEpoch int32, logStart int64, ready bool) {
	if p.role != following || p.truncating || p.failed || p.closed || p.retry.IsSet() || p.ownEnd() < p.Log.End() {
		return -1, -1, -1, false
	}
	p.fetchAt = p.Log.End()
	return p.fetchAt, p.Log.LatestEpoch(), p.durableStart(), true
}

// Throttled says whether what is fetched counts for this broker's rate, and whether it waits while that is exceeded: a replica in sync does
// not, since producers wait for it (KIP-73).
func (p *Partition) Throttled() (counts, waits bool) {
	return p.FollowerThrottled, p.FollowerThrottled && !slices.Contains(p.state.ISR, p.state.Me)
}

// maybeReady tells that FetchPoint is ready.
func (p *Partition) maybeReady() {
	if p.role == following && !p.truncating && !p.failed && !p.closed && !p.retry.IsSet() && p.ownEnd() >= p.Log.End() {
		p.Observer.FollowerReady(p)
	}
}

// answers says whether a leader's answer may be acted on: the request began at the present log end, in the present leader epoch. Whoever drives
// this follower calls FetchPoint for each request, and drops answers to older ones.
func (p *Partition) answers(leaderEpoch int32) kerr.Code {
	switch {
	case p.role != following || p.truncating || p.closed:
		return kerr.NotLeaderForPartition
	case p.failed:
		return kerr.KafkaStorageError
	case (p.fetchAt != p.Log.End() || leaderEpoch != p.state.LeaderEpoch) && !plant.On(plant.R14):
		sometimes.Hit("replica: a leader's answer comes too late for its follower")
		return kerr.FencedLeaderEpoch
	}
	return kerr.None
}

// Received takes a leader's answer: batches that lie in lease and whose CRC is right, its high watermark and its log start. leaderEpoch is
// that in which the request was sent. A batch that is cut off at the end is left. CORRUPT_MESSAGE: a batch goes back, in offsets or in epochs;
// FENCED_LEADER_EPOCH: the answer is to an older request. Then nothing was taken.
func (p *Partition) Received(batches []byte, lease *buf.Lease, leaderHW, leaderStart int64, leaderEpoch int32) kerr.Code {
	c := p.answers(leaderEpoch)
	if c == kerr.None {
		if v, ok := p.straddling(batches, leaderStart); ok {
			sometimes.Hit("replica: a batch straddles the begin of a follower's log")
			p.beginAt(v, lease)
			return kerr.None
		}
		c = p.acceptable(batches)
	}
	if c != kerr.None {
		return c
	}
	for v, rest, ok := records.Split(batches); ok; v, rest, ok = records.Split(rest) {
		if v.BaseOffset() >= p.Log.End() {
			p.replicate(v, lease)
		}
	}
	p.leaderHW, p.leaderStart = leaderHW, leaderStart
	p.maybeAdvance(p.env.Now.Mono)
	return kerr.None
}

// straddling gives the first batch of an answer if it begins below the end of this log, and nothing of this log counts any more: it is empty,
// or the leader has deleted up to its end. DeleteRecords has moved the leader's log start into the midst of a batch (KAFKA-6975). What this log
// has in the batch's place may be of an earlier epoch: the leader does not know any more that the epoch had ended before.
func (p *Partition) straddling(batches []byte, leaderStart int64) (records.View, bool) {
	v, _, ok := records.Split(batches)
	at := p.Log.End()
	return v, ok && (p.Log.Start() == at || leaderStart >= at) && v.Magic() == 2 && 0 <= v.BaseOffset() && v.BaseOffset() < at && v.LastOffset() >= at &&
		v.LastOffset() <= maxOffset && v.LeaderEpoch() <= p.state.LeaderEpoch
}

// beginAt makes the log an empty one that begins where a batch does, and takes the batch. The log start follows the leader's again once the high watermark
// allows it.
func (p *Partition) beginAt(v records.View, lease *buf.Lease) {
	if lease != nil {
		lease.Retain()
	}
	epoch := p.state.LeaderEpoch
	p.cut(v.BaseOffset(), true, func(ok bool) {
		if ok && p.role == following && p.state.LeaderEpoch == epoch {
			p.replicate(v, lease)
		}
		if lease != nil {
			lease.Release()
		}
	})
}

// maxOffset keeps sums of offsets from wrapping, whatever a damaged batch says.
const maxOffset = 1 << 62

// acceptable judges what a leader has sent. Batches wholly below the log end are passed over.
func (p *Partition) acceptable(batches []byte) kerr.Code {
	end := p.Log.End()
	epoch := p.Log.EpochAt(end - 1)
	if v, _, ok := records.Split(batches); ok && v.IsFiller() && 0 <= v.BaseOffset() && v.BaseOffset() < end && end <= v.LastOffset() && v.LastOffset() <= maxOffset {
		v.TrimFiller(end) // the leader's clean has put batches together of which this log has the first
	}
	for v, rest, ok := records.Split(batches); ok; v, rest, ok = records.Split(rest) {
		switch {
		case v.Magic() != 2, v.BaseOffset() < 0, v.BaseOffset() > maxOffset, v.LastOffsetDelta() < 0:
			return kerr.CorruptMessage
		case v.LastOffset() < end:
			continue
		case v.BaseOffset() < end:
			return kerr.CorruptMessage
		case (v.LeaderEpoch() > p.state.LeaderEpoch || v.LeaderEpoch() < epoch) && !plant.On(plant.R14):
			return kerr.CorruptMessage
		}
		end, epoch = v.NextOffset(), v.LeaderEpoch()
	}
	return kerr.None
}

func (p *Partition) replicate(v records.View, lease *buf.Lease) {
	p.Log.Replicate(v, lease)
	p.fetchAt = -1
	p.sizes.push(v.LastOffset(), int64(len(v)))
	p.Stats.BytesIn += int64(len(v))
	p.Stats.RecordsIn += int64(v.Count())
	p.Stats.LastAppend = int64(p.env.Now.Wall)
}

// Truncate follows a leader's DivergingEpoch: the log is cut to where the epoch ends there or here, whichever is less (KIP-101). If the
// epoch is not known here, to the end of the greatest one below it, and the next Fetch asks anew (KIP-279). FetchPoint is ready again when
// the truncation counts. FENCED_LEADER_EPOCH: the answer is to an older request, and nothing changes.
func (p *Partition) Truncate(epoch int32, end int64, leaderEpoch int32) kerr.Code {
	if c := p.answers(leaderEpoch); c != kerr.None {
		return c
	}
	if epoch < 0 || end < 0 {
		return kerr.InvalidRequest
	}
	to := p.Log.End()
	switch found, own := p.Log.EpochEnd(epoch); {
	case own < 0, plant.On(plant.R2):
		to = min(to, end)
	case found != epoch:
		sometimes.Hit("replica: a follower is told of an epoch that it does not have")
		to = min(to, own)
	default:
		to = min(to, own, end)
	}
	p.truncate(to, false)
	return kerr.None
}

// OutOfRange follows a leader's OFFSET_OUT_OF_RANGE: a log that ends before the leader's begins, or holds nothing and ends elsewhere,
// becomes empty at the leader's start, with its high watermark (KAFKA-9491). Any other is cut by Truncate if need be: the next Fetch asks.
func (p *Partition) OutOfRange(leaderStart, leaderEnd int64, leaderEpoch int32) kerr.Code {
	if c := p.answers(leaderEpoch); c != kerr.None {
		return c
	}
	if leaderStart < 0 || leaderStart > leaderEnd || leaderStart > maxOffset {
		return kerr.InvalidRequest
	}
	if end := p.Log.End(); leaderStart > end || p.Log.Start() == end && leaderStart < end {
		sometimes.Hit("replica: a follower begins anew at its leader's start")
		p.truncate(leaderStart, true)
	}
	return kerr.None
}

// Truncating says that the log is being cut: what the role knows already stands for what the log will be.
func (p *Partition) Truncating() bool { return p.truncating }

// truncate cuts the log, or with all makes it empty at offset to. The role waits until that counts.
func (p *Partition) truncate(to int64, all bool) { p.cut(to, all, func(bool) {}) }

// cut truncates, and calls then once it counts, or with false if the log has failed.
func (p *Partition) cut(to int64, all bool, then func(ok bool)) {
	p.truncating, p.fetchAt = true, -1
	damaged := p.rot.cut(to)
	if to < p.hw && p.Log.Start() < p.hw && !damaged {
		sometimes.Hit("replica: a follower cuts its log below its high watermark")
		p.env.Warnf("%s-%d is cut at %d, below its high watermark %d: its leader was elected without all that was committed", p.Topic, p.Number, to, p.hw)
	}
	if all { // a save that is under way may have the start before
		p.savedStart, p.saving = min(p.savedStart, to), false
	}
	p.hw = min(p.hw, to)
	p.settleStable()
	p.sizes.drop(to)
	task.Go(p.env, func(t *task.Task) {
		ok := false
		if all {
			ok = p.Log.TruncateFully(t, to)
		} else {
			ok = p.Log.TruncateTo(t, to, !p.mayBeElected())
		}
		if t.Stopped() {
			return
		}
		p.truncating = false
		if !ok { // the log has failed or is closed, and may end where it did
			then(false)
			return
		}
		p.hw = min(p.hw, p.Log.End()) // to may stand within a batch
		if all && !plant.On(plant.R9) {
			p.hw = to
		}
		p.settleStable()
		p.sizes.drop(p.Log.End())
		then(true)
		if p.role == idle {
			p.settle(p.env.Now.Mono)
			return
		}
		p.maybeReady()
	})
}
