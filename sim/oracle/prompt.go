package oracle

import (
	"fmt"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// prompt: once the faults are over, a long fetch is answered soon after there is something to read, not at the end of its wait. It looks at
// fetches that are content with one byte and would wait long; clients note the wait of those in Timestamp.
type prompt struct {
	quiet
	g      *ghosts
	healed bool
	since  clock.Time
	asked  map[int32]clock.Time // by process: when its present fetch began
	ready  map[string][]ready   // by key, newest last, at most readyKept
}

// ready says when everything below end was known to be acknowledged.
type ready struct {
	end int64
	at  clock.Time
}

const (
	readyKept = 64
	// soon is how late an answer may be after the data and the question are both there.
	soon = 3 * clock.Second
	// longWait is the wait from which on a fetch is judged, in ms.
	longWait = int64(2*soon) / int64(clock.Millisecond)
)

func (p *prompt) Name() string { return "prompt-fetch" }

func (p *prompt) Step(v View) error {
	if !p.healed {
		p.since, p.healed = v.Healed()
	}
	return nil
}

func (p *prompt) Event(e *history.Event) error {
	if p.asked == nil {
		p.asked, p.ready = map[int32]clock.Time{}, map[string][]ready{}
	}
	for i := range e.Ops {
		o := &e.Ops[i]
		switch {
		case o.Kind == history.Excuse:
			clear(p.ready)
		case p.g.stale[e.Process]:
		case o.Kind == history.Phase && o.Meta == "liveness":
			p.healed, p.since = true, e.Time
		case o.Kind == history.Poll && e.Type == history.Invoke:
			p.asked[e.Process] = e.Time
		case o.Kind == history.Poll && e.Type == history.OK && o.Timestamp >= longWait && o.From >= 0 && p.healed && p.asked[e.Process] >= p.since:
			if err := p.answered(e, o); err != nil {
				return err
			}
		case o.Kind == history.Send && e.Type == history.OK && o.Acks == -1 && len(o.Records) > 0:
			rs := append(p.ready[o.Key], ready{o.Records[len(o.Records)-1].Offset + 1, e.Time})
			if len(rs) > readyKept {
				rs = rs[1:]
			}
			p.ready[o.Key] = rs
		}
	}
	return nil
}

func (p *prompt) answered(e *history.Event, o *history.Op) error {
	p.checks++
	for _, r := range p.ready[o.Key] {
		if r.end <= o.From {
			continue
		}
		begin := max(r.at, p.asked[e.Process])
		if late := e.Time.Sub(begin); late > soon {
			return fail(p.Name(), o.Key+" fetch from "+itoa(o.From), e.I, fmt.Sprintf("something to read since %d ms", begin/1e6), fmt.Sprintf("answered at %d ms", e.Time/1e6))
		}
		return nil
	}
	return nil
}
