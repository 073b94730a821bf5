package oracle

import "github.com/seedlog/seedlog/sim/history"

// duplicate: a value of an idempotent producer stands at one offset only (I:T1). It is void once producer ids may expire (F:L2).
type duplicate struct {
	quiet
	g          *ghosts
	idempotent []bool    // by client
	at         [][]int64 // by client and count: offset + 1 of its first sighting
}

func (d *duplicate) Name() string { return "I:T1" }

func (d *duplicate) Event(e *history.Event) error {
	switch {
	case e.Type == history.Invoke:
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == history.Send && o.PID >= 0 {
				d.grow(history.ClientOf(e.Process))
				d.idempotent[history.ClientOf(e.Process)] = true
			}
		}
	case e.Type == history.OK && !d.g.stale[e.Process]:
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == history.Poll {
				for _, r := range o.Records {
					if err := d.sighted(e, o.Key, r); err != nil {
						return err
					}
				}
			}
		}
	default: // an excuse: what was lost may rightly be sent and stored again
		for i := range e.Ops {
			if e.Ops[i].Kind == history.Excuse {
				d.at = nil
			}
		}
	}
	return nil
}

// maxClients bounds the table; values of strangers in a foreign history are not judged here.
const maxClients = 1 << 12

func (d *duplicate) grow(client int) {
	for len(d.idempotent) <= client && client < maxClients {
		d.idempotent = append(d.idempotent, false)
	}
}

func (d *duplicate) sighted(e *history.Event, key string, r history.Record) error {
	c, n := r.Value.Client(), r.Value.N()
	if c >= len(d.idempotent) || !d.idempotent[c] || n >= maxCells || d.g.facts.ProducersExpire {
		return nil
	}
	for len(d.at) <= c {
		d.at = append(d.at, nil)
	}
	for int64(len(d.at[c])) <= n {
		d.at[c] = append(d.at[c], 0)
	}
	d.checks++
	was := d.at[c][n]
	if was != 0 && was != r.Offset+1 {
		return fail(d.Name(), "one copy of an idempotent record: "+key+" "+r.Value.String(), e.I, "at offset "+itoa(was-1), "at offset "+itoa(r.Offset)+" too")
	}
	d.at[c][n] = r.Offset + 1
	return nil
}
