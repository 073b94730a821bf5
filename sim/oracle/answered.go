package oracle

import (
	"fmt"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// answered: once the faults are over, every request is answered in bounded virtual time. Clients notice silence; this judges it, and looks
// at the end for operations that were begun and forgotten.
type answered struct {
	quiet
	healed bool
	since  clock.Time
	open   map[int32]*history.Event
}

// forgottenAfter is how long an operation of a healed cluster may stay open: longer than any retry of a client.
const forgottenAfter = 60 * clock.Second

func (a *answered) Name() string { return "every-request-answered" }

func (a *answered) Step(v View) error {
	if !a.healed {
		a.since, a.healed = v.Healed()
	}
	return nil
}

func (a *answered) Event(e *history.Event) error {
	if a.open == nil {
		a.open = map[int32]*history.Event{}
	}
	if e.Type == history.Invoke {
		a.open[e.Process] = e
		return nil
	}
	delete(a.open, e.Process)
	for i := range e.Ops {
		o := &e.Ops[i]
		if o.Kind == history.Phase && o.Meta == "liveness" {
			a.healed, a.since = true, e.Time
		}
		if o.Kind == history.Unheard && a.healed && clock.Time(o.Offset) >= a.since {
			a.checks++
			return fail(a.Name(), fmt.Sprintf("%s of client %d, sent at %d ms with %d in flight", o.Meta, history.ClientOf(e.Process), o.Offset/1e6, o.Generation), e.I, "answered", fmt.Sprintf("silence until %d ms", o.Timestamp/1e6))
		}
	}
	if a.healed && (e.Type == history.OK || e.Type == history.Fail) {
		a.checks++
	}
	return nil
}

func (a *answered) End(v View) error {
	var worst *history.Event
	for _, e := range a.open {
		if a.healed && v.Now().Sub(max(e.Time, a.since)) > forgottenAfter && (worst == nil || e.I < worst.I) {
			worst = e
		}
	}
	if worst != nil {
		return fail(a.Name(), fmt.Sprintf("%s of process %d", worst.F, worst.Process), worst.I, "settled", fmt.Sprintf("open since %d ms", worst.Time/1e6))
	}
	return nil
}
