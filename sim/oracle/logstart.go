package oracle

import (
	"fmt"

	"github.com/seedlog/seedlog/sim/history"
)

// logStart: a log's start moves only where DeleteRecords was asked to move it, or retention may, and what DeleteRecords answered stays
// deleted, through restarts and with other leaders, unless a disk has lied or a leader was elected that was not in sync.
type logStart struct {
	quiet
	g *ghosts
	p Partition
}

func (l *logStart) Name() string { return "log-start" }

func (l *logStart) Event(e *history.Event) error {
	if e.Type != history.OK {
		return nil
	}
	for i := range e.Ops {
		o := &e.Ops[i]
		if o.Kind != history.Poll || o.Start < 0 {
			continue
		}
		l.checks++
		if h := l.g.of(o.Key); o.Start > h.asked && !h.retains {
			return fail(l.Name(), o.Key+" log start in a fetch answer", e.I, "nothing deleted above "+itoa(h.asked), itoa(o.Start))
		}
	}
	return nil
}

// leads says that a node's copy is the leader's, as the newest metadata have it. A follower hears of the log start with the next Fetch.
func leads(v View, node int, p *Partition) bool {
	m, ok := v.(Metadata)
	if !ok || m.Image() == nil || !p.Leader {
		return false
	}
	t := m.Image().TopicByID(p.TopicID)
	if t == nil {
		return false
	}
	s := t.Partition(p.Partition)
	return s != nil && s.Leader == int32(node+1) && s.LeaderEpoch == p.Epoch
}

func (l *logStart) Step(v View) error {
	return eachTouched(v, &l.p, func(node int, p *Partition) error {
		h := l.g.byKey[keyOf(p)]
		if h == nil || p.Internal || !p.Online || l.g.deleted[p.Topic] {
			return nil
		}
		l.checks++
		what := fmt.Sprintf("node %d %s log start", node+1, h.key)
		switch {
		case p.Start > h.asked && !h.retains:
			return fail(l.Name(), what, -1, "nothing deleted above "+itoa(h.asked), itoa(p.Start))
		case p.Start < h.toldStart && (v.Nodes() == 1 || leads(v, node, p)):
			return fail(l.Name(), what, -1, "deleted up to "+itoa(h.toldStart), itoa(p.Start))
		}
		return nil
	})
}
