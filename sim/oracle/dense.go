package oracle

import (
	"strconv"

	"github.com/seedlog/seedlog/sim/history"
)

// dense: a read begins at the offset that was asked for and leaves none out. Where somebody's copies have been damaged, a gap shows the reader that
// they are.
type dense struct {
	quiet
	g      *ghosts
	rotten bool
}

func (d *dense) Name() string { return "dense-offsets" }

func (d *dense) Event(e *history.Event) error {
	for i := range e.Ops {
		o := &e.Ops[i]
		d.rotten = d.rotten || o.Kind == history.Copy && o.Meta == history.Rotten
		if e.Type != history.OK || o.Kind != history.Poll || o.From < 0 {
			continue
		}
		want := o.From
		for _, r := range o.Records {
			d.checks++
			if r.Offset > want && d.rotten {
				break
			}
			if r.Offset != want {
				return fail(d.Name(), o.Key+" read from "+itoa(o.From), e.I, "offset "+itoa(want)+" next", "offset "+itoa(r.Offset))
			}
			want++
		}
	}
	return nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
