package replica

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/io/clock"
)

// follower is what a leader knows of another replica, from its fetches in this leader epoch.
type follower struct {
	node  int32
	epoch int64 // broker epoch of its last fetch, -1: it has not fetched yet
	end   int64 // its log end (under flush.policy=ack: the synced one), -1 not known
	start int64 // its log start that a restart of it would find, -1 not known

	caughtUp  clock.Time // when it last had all that the leader had at that time (Kafka's lastCaughtUpTimeMs)
	fetched   clock.Time // its last fetch
	leaderEnd int64      // the leader's written end at that fetch
}

// assign makes the list of followers that of the state's replicas. One that is new counts as never caught up, unless it is in the ISR.
func (p *Partition) assign(now clock.Time) {
	old := slices.Clone(p.followers)
	p.followers = p.followers[:0]
	for _, node := range p.state.Replicas {
		if node == p.state.Me {
			continue
		}
		f := follower{node: node, epoch: -1, end: -1, start: -1, fetched: -1, caughtUp: -1}
		if slices.Contains(p.state.ISR, node) {
			f.caughtUp = now
		}
		for i := range old {
			if old[i].node == node {
				f = old[i]
			}
		}
		p.followers = append(p.followers, f)
	}
}

func (p *Partition) follower(node int32) *follower {
	for i := range p.followers {
		if p.followers[i].node == node {
			return &p.followers[i]
		}
	}
	return nil
}

// Fetched counts a replica's Fetch from fetchOffset on: it has all below (under flush.policy=ack: synced). The caller has compared leader
// epochs and asked Diverges first. Codes, as Kafka's: NOT_LEADER_OR_FOLLOWER here, to a node that is no replica (KAFKA-13837) and to an
// earlier life of one (KIP-903); OFFSET_OUT_OF_RANGE.
func (p *Partition) Fetched(node int32, brokerEpoch, fetchOffset, logStart int64, now clock.Time) kerr.Code {
	if p.role != leading || p.failed || p.closed {
		return kerr.NotLeaderForPartition
	}
	f := p.follower(node)
	if f == nil && plant.On(plant.R16) {
		p.followers = append(p.followers, follower{node: node, epoch: -1, end: -1, start: -1, fetched: -1, caughtUp: -1})
		f = p.follower(node)
	}
	if f == nil {
		sometimes.Hit("replica: a node that is no replica fetches as one")
		return kerr.NotLeaderForPartition
	}
	if known, _ := p.state.BrokerEpochs(node); (brokerEpoch < f.epoch || brokerEpoch < known) && !plant.On(plant.R6) {
		sometimes.Hit("replica: a fetch of an earlier life of a follower is refused")
		return kerr.NotLeaderForPartition
	}
	if fetchOffset < p.Log.Start() || fetchOffset > p.Log.WrittenEnd() {
		sometimes.Hit("replica: a follower is told OFFSET_OUT_OF_RANGE")
		return kerr.OffsetOutOfRange
	}
	end := p.Log.WrittenEnd()
	switch {
	case fetchOffset >= end:
		f.caughtUp = max(f.caughtUp, now)
	case f.fetched >= 0 && fetchOffset >= f.leaderEnd:
		f.caughtUp = max(f.caughtUp, f.fetched)
	}
	f.epoch, f.end, f.start, f.fetched, f.leaderEnd = brokerEpoch, fetchOffset, logStart, now, end
	p.repeatProposal()
	p.maybeExpand(f)
	p.maybeExpel(f)
	p.maybeAdvance(now)
	return kerr.None
}

// Slows says whether a replica waits while this leader's rate is exceeded: not one that is in sync (KIP-73).
func (p *Partition) Slows(node int32) bool {
	return p.LeaderThrottled && !slices.Contains(p.state.ISR, node)
}

// Diverges says whether a replica whose log ends at fetchOffset, with a last batch of lastFetchedEpoch, has something that this leader does
// not: then the greatest epoch that both may have, and where it ends here (KIP-595's DivergingEpoch). -1 stands for an empty log.
func (p *Partition) Diverges(fetchOffset int64, lastFetchedEpoch int32) (epoch int32, end int64, yes bool) {
	if lastFetchedEpoch < 0 || fetchOffset < p.Log.Start() {
		return -1, -1, false
	}
	epoch, end = p.EpochEnd(lastFetchedEpoch)
	if plant.On(plant.R2) && epoch != lastFetchedEpoch { // KIP-279: an epoch that is not known here ends at the high watermark
		return lastFetchedEpoch, p.hw, p.hw < fetchOffset
	}
	if epoch < 0 || epoch == lastFetchedEpoch && end >= fetchOffset {
		return -1, -1, false
	}
	sometimes.Hit("replica: a leader finds that a follower's log diverges")
	return epoch, end, true
}

// ReadableEnd is where a reader stops: a replica reads what is written, so that its disk works while the leader's does; others what is
// committed.
func (p *Partition) ReadableEnd(replica bool) int64 {
	if replica || plant.On(plant.R18) {
		return p.Log.WrittenEnd()
	}
	return p.hw
}

// OffsetsKnown says whether the high watermark has reached the begin of the leader's epoch: before, it may lag behind what the last leader
// has shown, and ListOffsets answers OFFSET_NOT_AVAILABLE (KIP-207).
func (p *Partition) OffsetsKnown() bool {
	return !p.Lags() || plant.On(plant.R19)
}

// Lags says that it leads and does not know yet that all which the leader before it may have shown is committed.
func (p *Partition) Lags() bool { return p.role == leading && p.hw < p.epochStart }

// ownEnd is this replica's log end where the protocol counts it.
func (p *Partition) ownEnd() int64 {
	if p.FlushAck && !plant.On(plant.P3) {
		return p.Log.SyncedEnd()
	}
	return p.Log.WrittenEnd()
}

// Held says how much of the partition this replica holds, where the protocol counts it: the epoch of the last batch, -1 none, and the end.
// The log is open.
func (p *Partition) Held() (epoch int32, end int64) {
	switch end = p.ownEnd(); end {
	case 0:
		return -1, 0 // it may have led, and holds nothing of that epoch
	case p.Log.Start():
		return p.Log.LatestEpoch(), end // of what was deleted
	}
	return p.Log.EpochAt(end - 1), end
}

// maybeAdvance moves the high watermark as far as it may.
func (p *Partition) maybeAdvance(now clock.Time) {
	switch p.role {
	case alone:
		p.advance(p.ownEnd())
	case leading:
		p.advance(p.committed(now))
		p.releaseDeletions()
	case following:
		p.advance(min(p.leaderHW, p.ownEnd()))
		if p.leaderStart > p.Log.Start() && !p.truncating && !p.failed {
			p.Log.DeleteRecords(min(p.leaderStart, p.hw))
		}
	}
}

// committed is the least log end of the maximal ISR: the ISR and whom a proposal in flight would add, since the controller may have taken it
// in already (KIP-497). One that has caught up and may join is waited for too, so that it gets in under load. -1 while the ISR is too small.
func (p *Partition) committed(now clock.Time) int64 {
	if p.underMinISR() {
		return -1
	}
	end := p.ownEnd()
	for i := range p.followers {
		f := &p.followers[i]
		if f.end < end && (p.inMaximalISR(f.node) || p.mayJoin(f) && p.isCaughtUp(f, now)) {
			end = f.end
		}
	}
	return end
}

// underMinISR says whether the ISR is below min(min.insync.replicas, replication factor): then nothing becomes committed, not even for
// acks=1 (KIP-966).
func (p *Partition) underMinISR() bool {
	if p.role != leading || plant.On(plant.R12) {
		return false
	}
	return len(p.state.ISR) < min(int(p.state.MinISR), len(p.state.Replicas))
}
