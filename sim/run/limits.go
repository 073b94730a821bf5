package run

import (
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
)

// limits counts the faults that settings and client programs bring about, each time one acts; plans only turn them on.
//
//	F:L1  a segment rolls, or a log's start moves: tiny segments, retention, DeleteRecords
//	F:L2  a producer or a committed offset expires
//	F:L3  a client does what none should, and hears of it
type limits struct {
	ledger     *fault.Ledger
	l1, l2, l3 bool
}

func newLimits(s fault.Swarm, l *fault.Ledger) *limits {
	return &limits{ledger: l, l1: s.On(fault.L1), l2: s.On(fault.L2), l3: s.On(fault.L3)}
}

// changed looks at a partition whose state was another a round before. An end that went back took producers with it that did not expire.
func (m *limits) changed(was, is *partSeen) {
	if was.p != is.p || was.segments == 0 || is.segments == 0 {
		return // opened or closed just now
	}
	switch {
	case m.l1 && is.start > was.start:
		m.ledger.Hit(fault.L1, "records deleted")
	case m.l1 && is.segments > was.segments:
		m.ledger.Hit(fault.L1, "segments rolled")
	}
	if m.l2 && is.producers < was.producers && is.end >= was.end {
		m.ledger.Hit(fault.L2, "producers")
	}
}

// offsets counts what the coordinators of a shard have let expire.
func (m *limits) offsets(was, is int64) {
	if m.l2 && is > was {
		m.ledger.Hit(fault.L2, "offsets")
	}
}

// heard counts what a misbehaving client notes.
func (m *limits) heard(e *history.Event) {
	if m.l3 && e.Type == history.Invoke && len(e.Ops) > 0 && e.Ops[0].Kind == history.Probe {
		m.ledger.Hit(fault.L3, "")
	}
}
