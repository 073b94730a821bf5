package replica

import (
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/io/clock"
)

// Member is one replica of a proposed ISR, with the broker epoch under which it has fetched (KIP-903).
type Member struct {
	Node  int32
	Epoch int64
}

// Proposal is what a leader asks the controller for in AlterPartition.
type Proposal struct {
	LeaderEpoch, PartitionEpoch int32
	ISR                         []Member
	Recovered                   bool // the leader has recovered from its unclean election, if it was one
	Damaged                     bool // the leader's own log is damaged: it is not in the ISR, and another is to lead
}

// isr is the change of the ISR that is under way. One is, at most: until it is answered, or an image decides it, its members count as
// committed and as proposed both.
type isr struct {
	pending []int32  // proposed and not decided; nil: none
	members []Member // the same, with the lives that were in sync when it was proposed: a later one may lack what its log had (KIP-903)
	asked   bool     // the Observer has a proposal that it has not answered
	askedIn int32    // its leader epoch
	again   bool     // the answer said nothing of what became of it: the same is to be asked once more
}

// inMaximalISR says whether a node is in the ISR or may be.
func (p *Partition) inMaximalISR(node int32) bool {
	return slices.Contains(p.state.ISR, node) || slices.Contains(p.isr.pending, node) && !plant.On(plant.R13)
}

// mayJoin says whether the controller would take a replica in: alive, and fetching in its present life.
func (p *Partition) mayJoin(f *follower) bool {
	known, alive := p.state.BrokerEpochs(f.node)
	return alive && (f.epoch == known || plant.On(plant.R6)) && f.end >= 0
}

// isCaughtUp says whether a replica has, or had not long ago, all that the leader had.
func (p *Partition) isCaughtUp(f *follower, now clock.Time) bool {
	return f.end == p.Log.WrittenEnd() || f.caughtUp >= 0 && now.Sub(f.caughtUp) <= p.LagMax
}

// maybeExpand proposes a replica that has reached the high watermark and the begin of the leader's epoch: below that, the high watermark may
// lag behind what an earlier leader has committed (KAFKA-7128). And it has deleted, for good, what DeleteRecords was asked to delete.
func (p *Partition) maybeExpand(f *follower) {
	if p.isr.pending != nil || p.isr.asked || slices.Contains(p.state.ISR, f.node) || !p.mayJoin(f) {
		return
	}
	if f.end < p.hw || f.end < p.epochStart && !plant.On(plant.R5) || f.start < p.promised {
		return
	}
	p.propose(append(slices.Clone(p.state.ISR), f.node))
}

// maybeExpel proposes to take a member of the ISR out that has less than what is committed: its disk has lost it.
func (p *Partition) maybeExpel(f *follower) {
	if f.end < p.hw && slices.Contains(p.state.ISR, f.node) && p.isr.pending == nil && !p.isr.asked {
		sometimes.Hit("replica: a member of the ISR has less than what is committed")
		p.propose(slices.DeleteFunc(slices.Clone(p.state.ISR), func(n int32) bool { return n == f.node }))
	}
}

// CheckLag proposes to take out of the ISR who has not caught up for replica.lag.time.max.ms. The shard calls it each half of that.
func (p *Partition) CheckLag(now clock.Time) {
	if p.role != leading || p.failed || p.closed {
		return
	}
	p.repeatProposal()
	p.giveUp()
	if p.isr.pending == nil && !p.isr.asked {
		var kept []int32
		for _, node := range p.state.ISR {
			if f := p.follower(node); f == nil || p.isCaughtUp(f, now) {
				kept = append(kept, node)
			}
		}
		if len(kept) < len(p.state.ISR) {
			sometimes.Hit("replica: a follower that lags is to leave the ISR")
			p.propose(kept)
		}
	}
	p.maybeAdvance(now)
}

func (p *Partition) propose(isr []int32) {
	p.stir(false)
	p.isr.pending, p.isr.members = isr, p.members(isr)
	p.send()
}

// members gives the broker epochs of an ISR, each that of the member's last fetch.
func (p *Partition) members(isr []int32) []Member {
	out := make([]Member, 0, len(isr))
	for _, node := range isr {
		m := Member{Node: node, Epoch: -1}
		if f := p.follower(node); f != nil {
			m.Epoch = f.epoch
		}
		if m.Epoch < 0 || plant.On(plant.R6) { // a member that has not fetched in this leader epoch, or this broker
			m.Epoch, _ = p.state.BrokerEpochs(node)
		}
		out = append(out, m)
	}
	return out
}

// send hands the pending ISR to the Observer, which answers with Altered, once.
func (p *Partition) send() {
	if p.isr.asked {
		p.isr.again = true
		return
	}
	p.isr.asked, p.isr.again, p.isr.askedIn = true, false, p.state.LeaderEpoch
	if plant.On(plant.R6) {
		p.isr.members = p.members(p.isr.pending)
	}
	p.Observer.AlterPartition(p, Proposal{LeaderEpoch: p.state.LeaderEpoch, PartitionEpoch: p.state.PartitionEpoch, ISR: p.isr.members, Recovered: true,
		Damaged: !slices.Contains(p.isr.pending, p.state.Me)})
}

// repeatProposal asks again after an answer that has left open what became of a proposal.
func (p *Partition) repeatProposal() {
	if p.isr.again && !p.isr.asked && p.isr.pending != nil {
		p.send()
	}
}

// Altered answers the proposal that is with the Observer: s is the state that the controller has made, if code is None. A code that says
// that nothing was changed ends the proposal; one that says that this broker knows too little leaves it to the next image; any other, a
// time-out say, leaves it open, and the same is asked again.
func (p *Partition) Altered(code kerr.Code, s *State) {
	p.isr.asked = false
	if p.role != leading || p.isr.pending == nil || p.isr.askedIn != p.state.LeaderEpoch {
		p.isr.again = p.isr.pending != nil // that was proposed later, and has not been sent
		return
	}
	now := p.env.Now.Mono
	switch code {
	case kerr.None:
		if s != nil && s.LeaderEpoch == p.state.LeaderEpoch && s.PartitionEpoch > p.state.PartitionEpoch {
			p.state.ISR, p.state.PartitionEpoch, p.state.Recovering = s.ISR, s.PartitionEpoch, s.Recovering
			p.isr.pending = nil
			p.isrChanged(now)
		}
	case kerr.IneligibleReplica, kerr.OperationNotAttempted:
		sometimes.Hit("replica: a change of the ISR is refused as ineligible")
		p.isr.pending = nil
		p.maybeAdvance(now)
	case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InvalidRequest, kerr.NewLeaderElected, kerr.FencedLeaderEpoch, kerr.InvalidUpdateVersion:
	default:
		sometimes.Hit("replica: nobody knows what became of a change of the ISR")
		p.isr.again = true
	}
}

// isrChanged follows a change of the committed ISR.
func (p *Partition) isrChanged(now clock.Time) {
	if p.underMinISR() {
		sometimes.Hit("replica: the high watermark stands still, for the ISR is too small")
		refuse(p.all.take(nil, -1), kerr.NotEnoughReplicasAfterAppend)
	}
	p.maybeAdvance(now)
}
