package debug

import (
	"bytes"
	"fmt"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/run"
)

// Local is a World in this process.
type Local struct {
	c    *cluster.Cluster
	run  *run.Run // nil: the system is not the broker
	plan *plan.Plan
	over string
}

var _ World = (*Local)(nil)

// NewLocal starts a plan. r, if not nil, is the broker's run that the options are of; its Observe was called.
func NewLocal(p *plan.Plan, opt cluster.Options, r *run.Run) *Local {
	l := &Local{c: cluster.New(p, opt), run: r, plan: p}
	l.c.Begin()
	return l
}

// Go implements World.
func (l *Local) Go(t Target) (*Stop, error) {
	s, e := &Stop{}, l.c.Engine()
	reached := l.reached(&t)
	if t.Until == Text {
		f := &finder{text: []byte(t.Text), s: s}
		e.WriteTrace(f)
		defer e.WriteTrace(nil)
	}
	ended := l.over != ""
	for !ended && !reached(s) {
		ended = !l.c.Next()
		if e.Events%markEvery == 0 {
			s.Marks = append(s.Marks, Mark{e.Events, e.Hash()})
		}
	}
	s.Marks = append(s.Marks, Mark{e.Events, e.Hash()})
	if ended {
		reached(s) // what the last event changed
		if l.over == "" {
			l.over = verdict(l.c.Conclude())
		}
	}
	s.Event, s.At, s.Over = e.Events, e.Now(), l.over
	return s, nil
}

// reached gives what says, before each event, whether a target is reached.
func (l *Local) reached(t *Target) func(*Stop) bool {
	e := l.c.Engine()
	switch t.Until {
	case Event:
		return func(*Stop) bool { return e.Events >= t.Event }
	case Time:
		return func(*Stop) bool { return e.Next() > t.At }
	case Text:
		return func(s *Stop) bool { return len(s.Found) > 0 }
	case Change:
		return (&changes{l: l, t: t}).reached
	}
	return func(*Stop) bool { return false }
}

// changes follows how a node shows a partition.
type changes struct {
	l   *Local
	t   *Target
	was string
	n   int64
}

// maxFound bounds the changes that are kept: the last ones.
const maxFound = 200

func (c *changes) reached(s *Stop) bool {
	topic, number := history.SplitKey(c.t.Key)
	is := "has none, or is down"
	if r, _ := c.l.find(c.t.Node-1, topic, number); r != nil {
		is = row(r)
	}
	if is == c.was {
		return false
	}
	if c.was != "" {
		c.n++
	}
	c.was = is
	s.Found = append(s.Found, fmt.Sprintf("%s  event %d  %s", seconds(c.l.c.Now()), c.l.c.Engine().Events, is))
	if len(s.Found) > maxFound {
		s.Found = s.Found[1:]
	}
	return c.n > 0 && c.n >= c.t.Count
}

// verdict says how a run ended.
func verdict(r *cluster.Result) string {
	switch {
	case r.Violation != nil:
		v := r.Violation
		return fmt.Sprintf("%s is broken at %s\n  was  %s\n  is   %s", v.Property, seconds(v.At), v.Was, v.Is)
	case r.Harness != "":
		return "the simulator could not go on: " + r.Harness
	}
	return "the run is over, and no property is broken; its trace is " + r.Trace
}

// finder looks for a text in lines of the trace, where one blank stands for several.
type finder struct {
	text []byte
	s    *Stop
}

// Write takes one line.
func (f *finder) Write(b []byte) (int, error) {
	if len(f.s.Found) == 0 && bytes.Contains(bytes.Join(bytes.Fields(b), []byte(" ")), f.text) {
		f.s.Found = []string{string(bytes.TrimSpace(b))}
	}
	return len(b), nil
}

// Close implements World.
func (l *Local) Close() {}

// Show implements World.
func (l *Local) Show(command string, args []string) (string, error) {
	c := find(command)
	if c == nil || c.show == nil {
		return "", fmt.Errorf("unknown command %q; help lists them", command)
	}
	if c.broker && l.run == nil {
		return "", fmt.Errorf("%s is of the broker; where and disk are of every system", command)
	}
	t := &text{}
	if err := c.show(l, t, args); err != nil {
		return "", err
	}
	return t.String(), nil
}

// seconds gives a time as traces have it.
func seconds(t clock.Time) string { return fmt.Sprintf("%d.%09d s", int64(t)/1e9, int64(t)%1e9) }
