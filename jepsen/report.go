package jepsen

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/report"
)

// Report is the run in the form of the simulator's report. What only a simulator knows (messages, logs from within) is not in it.
func (r *Run) Report(v *Verdict) *report.Run {
	events := r.rec.Events()
	out := &report.Run{Head: report.Head{System: r.cfg.System + ", workload " + r.cfg.Workload, Seed: r.cfg.Seed, Verdict: report.Pass, Harness: v.Harness, Build: v.Build, Go: runtime.Version(), Nodes: len(r.c.all()),
		Clients: len(r.roles), Flush: v.Flush, Replay: v.Replay, Healed: r.healed, Events: int64(len(events))}, Lanes: make([]report.NodeLane, len(r.c.all())), Changes: map[string]int64{}, Cut: map[string]int64{}}
	if len(events) > 0 {
		out.End = int64(events[len(events)-1].Time)
	}
	for i, role := range r.roles {
		out.Roles = append(out.Roles, report.Role{ID: i, Name: role})
	}
	out.Ops = operations(events, out.End)
	r.faults(out)
	for _, l := range r.c.lives {
		end := l.end
		if end == 0 {
			end = out.End
		}
		out.Lanes[l.node].Lives = append(out.Lanes[l.node].Lives, report.Span{Begin: l.begin, End: min(end, out.End), Node: l.node + 1})
		out.Changes["starts of a node"]++
	}
	judged(out, v)
	return out
}

// property is a checker's name in the report's words.
func property(checker string) string {
	if strings.Contains(checker, ":") {
		return checker
	}
	return "history:" + checker
}

// judged fills in the checks, and the first thing that is wrong.
func judged(out *report.Run, v *Verdict) {
	for _, name := range sortedKeys(v.Checkers) {
		c := v.Checkers[name]
		out.Checks = append(out.Checks, report.Check{Name: property(name), Checked: c.Checked, Unchecked: c.Unchecked})
		if !c.Valid && out.Violation == nil {
			out.Violation = &report.Violation{Property: property(name), At: out.End, Was: "no finding", Is: strings.Join(c.Errors, "; ")}
		}
	}
	switch {
	case v.Valid == false:
		out.Verdict = report.Fail
		if out.Violation == nil {
			out.Violation = &report.Violation{Property: "real:whole", At: out.End, Was: "a cluster that becomes whole again, and nodes that end only when they are told to", Is: strings.Join(v.Violations, "; ")}
		}
	case v.Harness != "":
		out.Verdict = report.Harness
	case v.Valid != true:
		out.Verdict = report.Unchecked
	}
}

// faults are the nemesis's spans and counts.
func (r *Run) faults(out *report.Run) {
	for _, f := range faults {
		n, on := r.nemesis.Count[f.kind]
		out.Faults = append(out.Faults, report.FaultCount{Class: report.Real + f.kind, On: on, Count: int64(n)})
	}
	for _, s := range r.nemesis.Spans {
		text := s.What + fmt.Sprintf("; whole again %s later", report.Seconds(s.Healed-s.End))
		out.Spans = append(out.Spans, report.Span{Begin: s.Begin, End: min(s.End, out.End), Class: report.Real + s.Kind, Text: text})
	}
}

// operations are those of clients, from invocation to completion.
func operations(events []*history.Event, end int64) (ops []report.Op) {
	open := map[int32]int{}
	for _, e := range events {
		if e.Process == history.Nemesis {
			continue
		}
		at, pending := open[e.Process]
		switch {
		case e.Type == history.Invoke:
			open[e.Process] = len(ops)
			ops = append(ops, report.Op{Client: history.ClientOf(e.Process), Slot: int(e.Process) % history.Slots, F: e.F, Begin: int64(e.Time), End: end, Type: "open"})
			tell(&ops[len(ops)-1], e)
		case pending && ops[at].F == e.F:
			delete(open, e.Process)
			ops[at].End, ops[at].Type = int64(e.Time), e.Type.String()
			tell(&ops[at], e)
		case e.Type == history.Info && e.F == "seen":
			o := report.Op{Client: history.ClientOf(e.Process), F: e.F, Begin: int64(e.Time), End: int64(e.Time), Type: "ok"}
			tell(&o, e)
			ops = append(ops, o)
		}
	}
	return ops
}

// tell says what an operation was about.
func tell(o *report.Op, e *history.Event) {
	var keys []string
	records := 0
	for i := range e.Ops {
		if k := e.Ops[i].Key; !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
		records += len(e.Ops[i].Records)
	}
	if len(keys) > 0 {
		o.Key = keys[0]
	}
	if e.Err != "" {
		o.Text = e.Err
	} else if len(keys) > 1 || records > 0 {
		o.Text = fmt.Sprintf("%s, %d records", strings.Join(keys, " "), records)
	}
}
