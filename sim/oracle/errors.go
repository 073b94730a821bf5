package oracle

import (
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// exactErrors: a client that misbehaves gets the error that Apache Kafka gives.
// Once producer ids may expire (F:L2), a repeated sequence is no duplicate any more.
type exactErrors struct {
	quiet
	g *ghosts
}

func (x *exactErrors) Name() string { return "exact-errors" }

func (x *exactErrors) Event(e *history.Event) error {
	if len(e.Ops) == 0 || e.Ops[0].Kind != history.Probe || e.Type == history.Invoke || e.Type == history.Info {
		return nil
	}
	if x.g.facts.ProducersExpire && strings.HasPrefix(e.Ops[0].Meta, "sequence ") {
		return nil
	}
	x.checks++
	if e.Type == history.Fail {
		return fail(x.Name(), e.Ops[0].Meta, e.I, "to be answered with "+e.Ops[0].Want, "answered with "+e.Ops[0].Got)
	}
	return nil
}
