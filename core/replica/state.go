package replica

import (
	"slices"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/io/clock"
)

// State is what the metadata image says of a partition, and what this broker must know beside it. Slices belong to the image.
type State struct {
	Leader, LeaderEpoch, PartitionEpoch int32
	ISR, Replicas, Adding, Removing     []int32
	ELR, LastKnownELR                   []int32 // who may be elected though it is not in sync
	Recovering                          bool    // elected uncleanly, and the leader has not said yet that it has recovered (KIP-704)
	Me                                  int32   // this broker's node id
	MinISR                              int16   // min.insync.replicas
	// BrokerEpochs gives the epoch under which a node is registered, and whether it is neither fenced nor shutting down. The function is
	// asked at any later time and answers from the newest image.
	BrokerEpochs func(node int32) (epoch int64, alive bool)
}

// role is what this broker is to the partition.
//
//	alone ──Apply──▶ idle ──log opened, no truncation under way──▶ leading | following ──Apply──▶ …
type role uint8

const (
	alone     role = iota // Apply was never called: the one replica there is
	idle                  // the log is not open, or a truncation ends first, or it is no replica any more
	leading               // appends; counts its followers
	following             // fetches
)

// Apply follows an image that changes the partition: it becomes leader or follower, or learns of a new ISR. It may be called before the log
// is open. Older states than the newest known, by leader epoch and partition epoch, change nothing.
func (p *Partition) Apply(s State, now clock.Time) {
	assert.That(s.BrokerEpochs != nil, "replica: a state without broker epochs")
	if p.role != alone && (s.LeaderEpoch < p.state.LeaderEpoch || s.PartitionEpoch < p.state.PartitionEpoch) {
		return
	}
	if p.role != alone && s.LeaderEpoch == p.state.LeaderEpoch && s.PartitionEpoch == p.state.PartitionEpoch {
		p.state.MinISR, p.state.BrokerEpochs = s.MinISR, s.BrokerEpochs
		p.maybeAdvance(now)
		return
	}
	p.stir(false)
	first := p.role == alone
	newEpoch := first || s.LeaderEpoch > p.state.LeaderEpoch
	sometimes.If(!first && s.LeaderEpoch > p.state.LeaderEpoch+1, "replica: a leader epoch has passed that this broker never saw")
	sometimes.If(newEpoch && p.isr.pending != nil, "replica: an election overtakes a change of the ISR")
	p.state, p.LeaderEpoch = s, s.LeaderEpoch
	sometimes.If(len(s.ISR) == 1 && len(s.Replicas) > 1, "replica: the ISR is one of several replicas")
	p.isr.pending = nil // decided, or refused because of the partition epoch that is old now
	if first && p.Log != nil {
		p.recall()
	}
	if newEpoch {
		p.settle(now)
		return
	}
	switch {
	case p.role == leading:
		p.assign(now)
		p.isrChanged(now)
	case p.role == idle || !p.isReplica():
		p.settle(now)
	default:
		p.cutRot()
	}
}

// settle takes up the role that the state gives, in a new leader epoch.
func (p *Partition) settle(now clock.Time) {
	was := p.role
	p.role, p.fetchAt = idle, -1
	switch {
	case was == leading && p.state.Leader == p.state.Me: // its log stays as it is, so whoever waits goes on waiting
		sometimes.Hit("replica: a leader leads on in a new epoch")
		p.fireAll()
	case was != idle:
		p.end(kerr.NotLeaderForPartition)
	}
	switch {
	case p.Log == nil || p.truncating || p.failed || p.closed:
		sometimes.If(p.truncating, "replica: a log is still being cut when a new epoch begins")
		if was != idle { // whoever it followed has nothing to tell it any more
			p.Observer.LeaderChanged(p)
		}
		return
	case !p.isReplica():
	case p.state.Leader == p.state.Me:
		p.lead(now)
	default:
		p.follow()
	}
	p.Observer.LeaderChanged(p)
	p.maybeReady()
	if p.StartUnsaved() {
		p.Observer.StartUnsaved(p)
	}
}

// recall sets the high watermark of a log that was just opened. Alone it is all there is; with other replicas there may be more than what
// all of them have, and only what a checkpoint says counts.
func (p *Partition) recall() {
	p.hw = p.ownEnd()
	if len(p.state.Replicas) > 1 {
		p.unsized = p.Log.End()
		p.hw = min(max(p.HWCheckpoint, p.Log.Start()), p.hw)
	}
	p.settleStable()
}

func (p *Partition) isReplica() bool { return slices.Contains(p.state.Replicas, p.state.Me) }

// lead begins a leader epoch. Where it begins is noted before anything is appended in it (KAFKA-7415).
func (p *Partition) lead(now clock.Time) {
	p.role = leading
	p.epochStart = p.Log.End()
	if !plant.On(plant.R4) {
		p.Log.BeginEpoch(p.state.LeaderEpoch)
	}
	p.followers, p.promised = p.followers[:0], p.Log.Start()
	p.assign(now)
	p.maybeAdvance(now)
	sometimes.If(p.hw < p.epochStart, "replica: a leader begins with a high watermark behind its epoch's begin")
	if p.state.Recovering {
		sometimes.Hit("replica: leads after an unclean election")
		p.propose(p.state.ISR)
	}
}

// follow begins to fetch from another leader. What is known of the leader's log begins anew.
func (p *Partition) follow() {
	p.role = following
	p.leaderHW, p.leaderStart = -1, -1
	p.followers = p.followers[:0]
	if plant.On(plant.R1) && p.hw < p.Log.End() { // KIP-101: to the own high watermark, whatever the leader has
		p.truncate(p.hw, false)
		return
	}
	p.cutRot()
}

// IsLeader says whether appends are taken here.
func (p *Partition) IsLeader() bool { return p.role == alone || p.role == leading }

// Everywhere gives an offset below which every replica has the log, 0 where that is not known: the high watermark of a leader while all are in
// sync, of which its followers hear with what they fetch.
func (p *Partition) Everywhere() int64 {
	switch {
	case p.role == alone:
		return p.hw
	case slices.ContainsFunc(p.state.Replicas, func(r int32) bool { return !slices.Contains(p.state.ISR, r) }):
		return 0
	case p.role == leading:
		return p.hw
	case p.role == following:
		return p.everywhere
	}
	return 0
}

// LeaderKnows takes what the leader says of Everywhere.
func (p *Partition) LeaderKnows(everywhere int64) { p.everywhere = max(p.everywhere, everywhere) }

// Following gives the leader that this replica fetches from, and the epoch; false if it fetches from nobody.
func (p *Partition) Following() (leader, leaderEpoch int32, ok bool) {
	return p.state.Leader, p.state.LeaderEpoch, p.role == following && p.state.Leader >= 0
}

// State is the newest state that was applied; zero before the first.
func (p *Partition) State() State { return p.state }
