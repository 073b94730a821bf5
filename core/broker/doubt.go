package broker

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
)

// doubt is what a shard of a cluster's broker has after it was not let run for a while, by SIGSTOP or by a machine that slept: others may have
// been elected meanwhile, and it has not heard. Until it has the image that the controller has now, it answers no question whose answer another
// may have changed: a deposed coordinator would show commits that are over. Kafka's shows them. Where no controller is found for a session, it
// answers as if there had been no pause: without a controller nobody is elected.
//
//	a pulse is late ─▶ doubts ─ mailDoubt ─▶ shard 0: a heartbeat that is sent now ─ answered, not fenced ─ mailSure: an index ─▶ applied ─▶ sure
type doubt struct {
	due   clock.Time // of the next pulse; 0: none yet
	since clock.Time // 0: no doubt
	index int64      // of the image that ends it, -1 not known
}

const (
	pulseEach   = 500 * clock.Millisecond
	lateAfter   = clock.Second // a pulse is late
	verifyAfter = clock.Second // this node's own controller has lost raft's lease by then, if it is none any more
)

// pulse tells this shard that it is let run.
func (s *Shard) pulse() {
	if s.static.Clustered && s.phase < closing {
		s.doubt.due = s.env.Now.Mono.Add(pulseEach)
		s.env.After(&s.timers[timerPulse], pulseEach)
	}
}

// checkPulse begins to doubt if the pulse is late. Each step calls it first, since what happened meanwhile comes in any order.
func (s *Shard) checkPulse() {
	if d := &s.doubt; d.due > 0 && s.env.Now.Mono.Sub(d.due) > lateAfter {
		sometimes.Hit("broker: a shard was not let run for a while")
		d.due, d.since, d.index = 0, s.env.Now.Mono, -1
		s.toZero(step.Mail{Kind: mailDoubt, A: int64(d.since)})
		s.pulse()
	}
}

// doubts says whether this broker may not know yet who leads.
func (s *Shard) doubts() bool {
	d := &s.doubt
	if d.since > 0 && d.index >= 0 && s.applied.Index() >= d.index {
		d.since = 0
	}
	return d.since > 0
}

// sure ends the doubts that began until some time, once the shard follows the image of an index.
func (s *Shard) sure(index int64, since clock.Time) {
	if d := &s.doubt; d.since > 0 && d.since <= since {
		d.index = index
	}
}

// doubted has the controller say as of which image this broker is sure again.
func (l *lease) doubted(since clock.Time) {
	l.doubt = max(l.doubt, since)
	if !l.busy && l.epoch >= 0 {
		l.again(0)
	}
}

// asks says which doubts the answer to a heartbeat that is sent now ends, 0 none.
func (l *lease) asks() clock.Time {
	if l.m.leads() && l.m.s.env.Now.Mono.Sub(l.doubt) < verifyAfter {
		return 0
	}
	return l.doubt
}

// settles tells the shards what the controller said.
func (l *lease) settles(index int64, since clock.Time) {
	if since == 0 {
		return
	}
	if l.doubt == since {
		l.doubt = 0
	}
	l.m.s.broadcast(step.Mail{Kind: mailSure, A: index, B: int64(since)})
	l.m.s.sure(index, since)
}

// settlesAlone ends doubts that no controller has ended.
func (l *lease) settlesAlone() {
	if l.doubt > 0 && l.m.s.env.Now.Mono.Sub(l.doubt) > clock.MS(int64(l.m.s.node.BrokerSessionTimeoutMS)) {
		sometimes.Hit("broker: no controller ends the doubts after a pause")
		l.settles(0, l.doubt)
	}
}

// indexOf gives the index of the controller's image that an answer to a heartbeat names, 0 if it names none.
func indexOf(r *kmsg.BrokerHeartbeatResponse) (index int64) {
	r.UnknownTags.Each(func(tag uint32, v []byte) {
		if tag == controller.TagIndex && len(v) == 8 {
			index = max(0, int64(binary.BigEndian.Uint64(v)))
		}
	})
	return index
}
