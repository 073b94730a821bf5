package replica

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/buf"
)

// FetchPoint is where the next Fetch of this replica begins: its log end, the epoch of its last batch (-1: it has none) and its log start.
// It is ready once all that the last Fetch brought is written, under flush.policy=ack synced: what it says is counted by the leader. If it
// is not, Observer.FollowerReady tells when.
func (p *Partition) FetchPoint() (offset int64, lastEpoch int32, logStart int64, ready bool) {
	if p.role != following || p.truncating || p.failed || p.closed || p.ownEnd() < p.Log.End() {
		return -1, -1, -1, false
	}
	p.fetchAt = p.Log.End()
	return p.fetchAt, p.Log.LatestEpoch(), p.Log.Start(), true
}

// maybeReady tells that FetchPoint is ready.
func (p *Partition) maybeReady() {
	if p.role == following && !p.truncating && !p.failed && !p.closed && p.ownEnd() >= p.Log.End() {
		p.Observer.FollowerReady(p)
	}
}

// answers says whether a leader's answer may be acted on: the request was sent in the present leader epoch, and from the present log end.
func (p *Partition) answers(leaderEpoch int32) kerr.Code {
	switch {
	case p.role != following || p.truncating || p.closed:
		return kerr.NotLeaderForPartition
	case p.failed:
		return kerr.KafkaStorageError
	case plant.On(plant.R14):
		return kerr.None
	case leaderEpoch != p.state.LeaderEpoch || p.fetchAt != p.Log.End():
		return kerr.FencedLeaderEpoch
	}
	return kerr.None
}

// Received takes a leader's answer: batches that lie in lease, its high watermark and its log start. leaderEpoch is that in which the request
// was sent. A batch that is cut off at the end is left. CORRUPT_MESSAGE: a batch is damaged or goes back, and those before it were taken;
// FENCED_LEADER_EPOCH: the answer is to an older request, and nothing was taken.
func (p *Partition) Received(batches []byte, lease *buf.Lease, leaderHW, leaderStart int64, leaderEpoch int32) kerr.Code {
	if c := p.answers(leaderEpoch); c != kerr.None {
		return c
	}
	code := kerr.None
	for len(batches) > 0 && code == kerr.None {
		v, rest, ok := records.Split(batches)
		if !ok {
			break
		}
		if code = p.acceptable(v); code == kerr.None && v.BaseOffset() >= p.Log.End() {
			p.replicate(v, lease)
		}
		batches = rest
	}
	p.leaderHW, p.leaderStart = leaderHW, leaderStart
	p.maybeAdvance(p.env.Now.Mono)
	return code
}

// maxOffset keeps sums of offsets from wrapping, whatever a damaged batch says.
const maxOffset = 1 << 62

// acceptable judges a batch that a leader has sent. Batches wholly below the log end are passed over.
func (p *Partition) acceptable(v records.View) kerr.Code {
	end := p.Log.End()
	switch {
	case v.Magic() != 2, v.BaseOffset() < 0, v.BaseOffset() > maxOffset, v.LastOffsetDelta() < 0, v.CRC() != v.ComputeCRC():
		return kerr.CorruptMessage
	case v.BaseOffset() < end && v.LastOffset() >= end:
		return kerr.CorruptMessage
	case (v.LeaderEpoch() > p.state.LeaderEpoch || v.LeaderEpoch() < p.Log.EpochAt(end-1)) && !plant.On(plant.R14):
		return kerr.CorruptMessage
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
// epoch is not known here, to the end of the greatest one below it, and the next Fetch asks anew (KIP-279). leaderEpoch is that in which the
// request was sent. FetchPoint is ready again when the truncation counts.
func (p *Partition) Truncate(epoch int32, end int64, leaderEpoch int32) kerr.Code {
	if c := p.answers(leaderEpoch); c != kerr.None {
		return c
	}
	to := p.Log.End()
	switch found, own := p.Log.EpochEnd(epoch); {
	case epoch < 0 && end < 0:
		to = p.hw
	case epoch < 0 || own < 0, plant.On(plant.R2):
		to = min(to, end)
	case found != epoch:
		to = min(to, own)
	default:
		to = min(to, own, end)
	}
	p.truncate(max(to, 0), false)
	return kerr.None
}

// OutOfRange follows a leader's OFFSET_OUT_OF_RANGE: where its log begins and ends. A log that ends beyond the leader's (after an unclean
// election) is cut; one that ends before the leader's begins becomes empty there, with its high watermark (KAFKA-9491). Otherwise the next
// Fetch tries again.
func (p *Partition) OutOfRange(leaderStart, leaderEnd int64, leaderEpoch int32) kerr.Code {
	if c := p.answers(leaderEpoch); c != kerr.None {
		return c
	}
	switch end := p.Log.End(); {
	case leaderStart < 0 || leaderEnd < leaderStart:
		return kerr.InvalidRequest
	case leaderEnd < end:
		p.truncate(leaderEnd, false)
	case leaderStart > end:
		p.truncate(leaderStart, true)
	default:
		p.maybeReady()
	}
	return kerr.None
}

// truncate cuts the log, or with all makes it empty at offset to. The role waits until that counts.
func (p *Partition) truncate(to int64, all bool) {
	p.truncating, p.fetchAt = true, -1
	if all && !plant.On(plant.R9) {
		p.hw = to
	}
	p.hw = min(p.hw, to)
	p.sizes.drop(to)
	task.Go(p.env, func(t *task.Task) {
		ok := false
		if all {
			ok = p.Log.TruncateFully(t, to)
		} else {
			ok = p.Log.TruncateTo(t, to)
		}
		if t.Stopped() {
			return
		}
		p.truncating = false
		if !ok {
			return // the log has failed or is closed
		}
		p.hw = min(p.hw, p.Log.End()) // to may stand within a batch
		p.sizes.drop(p.Log.End())
		if p.role == idle {
			p.settle(p.env.Now.Mono)
			return
		}
		p.maybeReady()
	})
}
