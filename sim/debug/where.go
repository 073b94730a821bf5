package debug

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/run"
)

// whereLines is how many events before and after where shows.
const whereLines = 6

func (l *Local) where(t *text, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("where takes nothing")
	}
	e := l.c.Engine()
	phase := fmt.Sprintf("faults until %s", seconds(clock.Time(l.plan.SafetyMS*1e6)))
	if since, ok := l.c.Healed(); ok {
		phase = "healed since " + seconds(since)
	}
	t.line("%s, event %d (%s; seed %d, %d nodes, flush=%s)", seconds(e.Now()), e.Events, phase, l.plan.Seed, l.plan.Nodes, l.plan.Flush)
	if l.over != "" {
		t.line("%s", l.over)
	}
	for n := range l.c.Nodes() {
		t.line("n%d: %s", n+1, l.process(n))
	}
	t.line("last lines of the trace:")
	for _, s := range e.Last(whereLines) {
		t.line("  %s", s)
	}
	t.line("next events, of %d that wait:", e.Pending())
	for _, s := range e.Upcoming(whereLines) {
		t.line("  %s", s)
	}
	return nil
}

// process says in a few words how a node's process is.
func (l *Local) process(node int) string {
	p := l.c.Process(node)
	s := []string{fmt.Sprintf("process %d", p.Life)}
	for _, x := range [...]struct {
		is   bool
		word string
	}{{p.Up && p.Ready, "serves"}, {p.Up && !p.Ready, "starts or does not serve"}, {!p.Up, "is down"}, {p.Dark, "has no power"}, {p.Paused, "is paused"},
		{p.Stopping, "was told to stop"}, {p.Frozen, "its monotonic time stands"}, {p.Skewed && !p.Frozen, "its clock runs at another rate"}} {
		if x.is {
			s = append(s, x.word)
		}
	}
	for i, lane := range p.Lanes {
		if lane.Paused {
			s = append(s, fmt.Sprintf("shard %d is paused", i))
		}
	}
	return strings.Join(s, ", ")
}

// count reads the number of lines that a command is to show.
func count(args []string, other int) (int, error) {
	switch len(args) {
	case 0:
		return other, nil
	case 1:
		if n, err := strconv.Atoi(args[0]); err == nil && n >= 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%q; use a number of lines", strings.Join(args, " "))
}

func (l *Local) trace(t *text, args []string) error {
	n, err := count(args, 20)
	if err != nil {
		return err
	}
	if n > engine.RingLines {
		return fmt.Errorf("%d lines; %d are kept: back, and trace again", n, engine.RingLines)
	}
	for _, s := range l.c.Engine().Last(n) {
		t.line("%s", s)
	}
	return nil
}

func (l *Local) faults(t *text, args []string) error {
	n, err := count(args, 20)
	if err != nil {
		return err
	}
	now := l.c.Now()
	t.line("of the plan:")
	for i := range l.plan.Faults {
		f := &l.plan.Faults[i]
		where := "any"
		if f.Node >= 0 {
			where = fmt.Sprintf("n%d", f.Node+1)
		}
		begin, end := clock.Time(f.At*1e6), clock.Time((f.At+f.For)*1e6)
		when := "to come"
		switch healed, ok := l.c.Healed(); {
		case begin <= now && (ok && healed <= now || end <= now):
			when = "was"
		case begin <= now:
			when = "is due"
		}
		t.row(fmt.Sprintf("  %d", i), seconds(begin), fmt.Sprintf("for %d ms", f.For), f.Class.String(), where, f.Verb, fmt.Sprintf("a=%d b=%d", f.A, f.B), when)
	}
	notes := l.c.Ledger().Notes()
	t.line("that happened, of %d:", len(notes))
	for _, x := range notes[max(0, len(notes)-n):] {
		node := ""
		if x.Node >= 0 {
			node = history.NodeName(x.Node)
		}
		t.row("  "+seconds(x.At), x.Class.String(), node, x.What)
	}
	return nil
}

func (l *Local) history(t *text, args []string) error {
	n, part := 20, ""
	if len(args) > 0 {
		k, err := strconv.Atoi(args[0])
		if err == nil {
			n, args = k, args[1:]
		}
		part = strings.Join(args, " ")
	}
	var lines [][]string
	events := l.run.Judge.Events
	for i := len(events) - 1; i >= 0 && len(lines) < n; i-- {
		if cells := operation(events[i]); strings.Contains(strings.Join(cells, " "), part) {
			lines = append(lines, cells)
		}
	}
	t.line("%d of %d operations and notes:", len(lines), len(events))
	for i := len(lines) - 1; i >= 0; i-- {
		t.row(lines[i]...)
	}
	return nil
}

// operation is one line of a history: its number, time, who, what, on what, and what was told.
func operation(e *history.Event) []string {
	who := "simulator"
	if e.Process >= 0 {
		who = fmt.Sprintf("c%d.%d", history.ClientOf(e.Process), int(e.Process)%history.Slots)
	}
	key := strings.Join(e.Keys, " ")
	if len(e.Ops) > 0 && e.Ops[0].Key != "" {
		key = e.Ops[0].Key
	}
	return []string{fmt.Sprintf("  %d", e.I), seconds(e.Time), who, e.Type.String(), e.F, key, run.Told(e)}
}
