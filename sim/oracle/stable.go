package oracle

import "github.com/seedlog/seedlog/sim/history"

// stable: one offset has one value for ever (I:I5). Reads and acknowledgements of acks=all are the witnesses.
type stable struct {
	quiet
	g *ghosts
}

func (s *stable) Name() string { return "I:I5" }
func (s *stable) Due() bool    { return len(s.g.keys) > 0 && s.seen() }

func (s *stable) seen() bool {
	for _, h := range s.g.byKey {
		if h.exposed > 0 {
			return true
		}
	}
	return false
}

func (s *stable) Event(e *history.Event) error {
	if e.Type != history.OK || s.g.stale[e.Process] {
		return nil
	}
	for i := range e.Ops {
		o := &e.Ops[i]
		if o.Kind != history.Poll && (o.Kind != history.Send || o.Acks != -1) {
			continue
		}
		h := s.g.of(o.Key)
		for _, r := range o.Records {
			s.checks++
			if c := h.cell(r.Offset); c.known && c.value != r.Value {
				return fail(s.Name(), "one offset, one value: "+o.Key+" offset "+itoa(r.Offset), e.I, c.value, r.Value)
			}
		}
	}
	return nil
}
