package broker

import (
	"slices"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/step"
)

// tellLogEnd tells the controller where the log of a partition ends that nobody leads and nobody is eligible for (KIP-966). It can grow no
// more, so once in a leader epoch is enough.
//
//	shard: an image orphans the partition, or its log is open at last ─ mailLogEnd ─▶ shard 0: every heartbeat ─▶ an image has a leader
func (s *Shard) tellLogEnd(t *metadata.Topic, p *replica.Partition) {
	key, x := partKey(p), t.Partition(p.Number)
	if x == nil || !x.Orphaned() {
		delete(s.follow.told, key)
		return
	}
	if told, ok := s.follow.told[key]; ok && told == x.LeaderEpoch || p.Log == nil || p.Offline() {
		return
	}
	s.follow.told[key] = x.LeaderEpoch
	epoch, end := p.Held()
	s.toZero(step.Mail{Kind: mailLogEnd, Body: controller.LogEnd{Topic: key.ID, Partition: key.Number, LeaderEpoch: x.LeaderEpoch, Epoch: epoch, End: end}})
}

// tell takes a log end for the next heartbeat, which is due at once.
func (l *lease) tell(e controller.LogEnd) {
	l.ends, l.urgent = append(l.ends, e), true
	if !l.busy && l.epoch >= 0 {
		l.again(leaseEach)
	}
}

// logEnds gives what is to be told still.
func (l *lease) logEnds() []controller.LogEnd {
	img := l.m.s.control.store.Image()
	l.urgent = false
	l.ends = slices.DeleteFunc(l.ends, func(e controller.LogEnd) bool {
		t := img.TopicByID(e.Topic)
		if t == nil {
			return true
		}
		p := t.Partition(e.Partition)
		return p == nil || !p.Orphaned() || p.LeaderEpoch != e.LeaderEpoch
	})
	return l.ends
}
