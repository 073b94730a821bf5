package oracle

import "github.com/seedlog/seedlog/sim/history"

// crc: all that is served passes its CRC, decodes, and stands where it says (I:S1). The clients look at the bytes; this counts and judges.
type crc struct {
	quiet
	polled bool
	rotten bool // somebody's copies have been damaged: who reads there must be able to see it, and has
}

func (c *crc) Name() string { return "I:S1" }
func (c *crc) Due() bool    { return c.polled }

func (c *crc) Event(e *history.Event) error {
	for i := range e.Ops {
		o := &e.Ops[i]
		switch {
		case o.Kind == history.Poll && e.Type == history.OK:
			c.checks += int64(o.Batches)
			c.polled = c.polled || len(o.Records) > 0
		case o.Kind == history.Copy && o.Meta == history.Rotten:
			c.rotten = true
		case o.Kind == history.Caught && o.Meta == history.BadBatch && c.rotten:
			c.checks++
		case o.Kind == history.Caught:
			c.checks++
			return fail(c.Name(), "what a client was sent: "+o.Key+" "+o.Meta, e.I, "an answer that a broker may give", o.Got)
		}
	}
	return nil
}
