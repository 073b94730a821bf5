package controller

import (
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/sometimes"
)

// election says how far an election may go to find a leader.
type election uint8

const (
	electOnline    election = iota // who leads goes on, else the first in sync in the order of the replicas
	electPreferred                 // the first replica if it is in sync
	electUnclean                   // if nobody is in sync, the first replica that is there: records may be lost
)

// election finds the leader:
//
//	in sync:  a member of ISR, or of ELR if ISR is empty
//	else, ISR and ELR empty:  the longest log of LastKnownELR, once all of it have told theirs: it holds all that is below the high watermark
//	else, that empty too:     once the last leader is there, the longest log of all that are; what it does not hold is lost (Kafka elects the
//	                          last known leader itself, KIP-966)
//	else, if allowed:         a replica that is there, of LastKnownELR if possible, with the longest log that was told
//
// The last two are unclean: the ISR is the new leader alone, which is recovering, and nobody else is eligible.
func (ch *partitionChange) election() {
	if l := ch.inSync(); l != metadata.NoLeader {
		sometimes.If(len(ch.isr) == 0, "controller: a leader is elected from the ELR")
		ch.take(l)
		return
	}
	if len(ch.isr)+len(ch.elr) == 0 && ch.recover() {
		return
	}
	ch.leader = metadata.NoLeader
	if ch.elect == electUnclean {
		among := ch.there(ch.lastKnown)
		if len(among) == 0 {
			among = ch.there(ch.replicas)
		}
		if l, _ := ch.longest(among); l != metadata.NoLeader {
			sometimes.Hit("controller: an unclean election")
			ch.takeUnclean(l)
		}
	}
}

// inSync gives the leader that a clean election from ISR and ELR gives, or NoLeader.
func (ch *partitionChange) inSync() int32 {
	if ch.elect == electPreferred && len(ch.replicas) > 0 && ch.electable(ch.replicas[0]) {
		return ch.replicas[0]
	}
	if ch.isReplica(ch.p.Leader) && ch.electable(ch.p.Leader) {
		return ch.p.Leader
	}
	for _, r := range ch.replicas {
		if ch.electable(r) {
			return r
		}
	}
	return metadata.NoLeader
}

func (ch *partitionChange) electable(r int32) bool {
	return (slices.Contains(ch.isr, r) || len(ch.isr) == 0 && slices.Contains(ch.elr, r)) && ch.acceptable(r)
}

func (ch *partitionChange) isReplica(r int32) bool { return slices.Contains(ch.replicas, r) }

// lastLeader is who led before the partition lost its leader.
func (ch *partitionChange) lastLeader() int32 {
	if ch.p.Leader != metadata.NoLeader {
		return ch.p.Leader
	}
	return ch.p.LastLeader
}

func (ch *partitionChange) take(r int32) {
	ch.leader = r
	if !slices.Contains(ch.isr, r) {
		ch.isr = []int32{r}
	}
}

func (ch *partitionChange) takeUnclean(r int32) {
	ch.leader, ch.isr, ch.elr, ch.lastKnown, ch.recovering = r, []int32{r}, nil, nil, true
}
