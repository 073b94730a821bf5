package oracle

import (
	"fmt"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// promptStable: once the faults are over, a long read_committed fetch is answered soon after the last stable offset has moved over something to read, not at the end of its
// wait. Only a time in which nobody writes to the topic says when that was: all of its transactions had ended, and their clients knew how.
type promptStable struct {
	quiet
	g      *ghosts
	topics map[string]*writing
	healed clock.Time // 0: not yet
}

// writing is what is under way in a topic.
type writing struct {
	open  map[int32]bool  // processes with a transaction
	doubt map[string]bool // transactional ids whose last transaction may still be open
	last  clock.Time      // when something last happened
}

func (p *promptStable) Name() string { return "txn:prompt" }

func (p *promptStable) of(key string) *writing {
	topic, _ := history.SplitKey(key)
	w := p.topics[topic]
	if w == nil {
		w = &writing{open: map[int32]bool{}, doubt: map[string]bool{}}
		if p.topics == nil {
			p.topics = map[string]*writing{}
		}
		p.topics[topic] = w
	}
	return w
}

// Event implements Oracle.
func (p *promptStable) Event(e *history.Event) error {
	for i := range e.Ops {
		switch o := &e.Ops[i]; {
		case o.Kind == history.Phase && o.Meta == "liveness":
			p.healed = e.Time
		case o.Kind == history.Txn:
			w := p.of(o.Key)
			w.last = e.Time
			switch {
			case e.Type == history.Invoke:
				w.open[e.Process] = true
				delete(w.doubt, o.Member)
			default:
				delete(w.open, e.Process)
				if e.Type != history.OK && e.Err != "aborted" {
					w.doubt[o.Member] = true
				}
			}
		case o.Kind == history.Seen && o.Meta != "" && o.Member == "" && int64(o.Batches) >= longWait && p.healed > 0 && clock.Time(o.Timestamp) >= p.healed:
			if err := p.answered(e, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *promptStable) answered(e *history.Event, o *history.Op) error {
	w := p.of(o.Key)
	if len(w.open) > 0 || len(w.doubt) > 0 {
		return nil
	}
	p.checks++
	begin := max(w.last, clock.Time(o.Timestamp))
	if late := e.Time.Sub(begin); late > soon {
		return fail(p.Name(), o.Key+" fetch from "+itoa(o.From), e.I, fmt.Sprintf("something to read, and no transaction open, since %d ms", begin/1e6), fmt.Sprintf("answered at %d ms", e.Time/1e6))
	}
	return nil
}
