package oracle

import (
	"fmt"

	"github.com/seedlog/seedlog/sim/history"
)

// producerIDs: no producer id is given out twice, not even after a kill.
type producerIDs struct {
	quiet
	given map[[2]int64]int64
}

func (p *producerIDs) Name() string { return "producer-id-unique" }

func (p *producerIDs) Event(e *history.Event) error {
	if e.Type != history.OK || len(e.Ops) == 0 || e.Ops[0].Kind != history.InitProducerID {
		return nil
	}
	if p.given == nil {
		p.given = map[[2]int64]int64{}
	}
	o := &e.Ops[0]
	id := [2]int64{o.PID, int64(o.Epoch)}
	p.checks++
	if was, ok := p.given[id]; ok {
		return fail(p.Name(), fmt.Sprintf("producer id %d epoch %d", o.PID, o.Epoch), e.I, fmt.Sprintf("given out at event %d", was), "given out again")
	}
	p.given[id] = e.I
	return nil
}
