package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/sim/bubble"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/plan"
)

// runSeeds is one seed or plan, or many seeds.
func runSeeds(o *options) int {
	if o.plan != "" || o.seed != "" {
		p, err := o.given()
		if err != nil {
			return fail(err)
		}
		return single(o, p)
	}
	if o.report != "" {
		return fail(fmt.Errorf("-report is of one run; give it a seed or a plan"))
	}
	return many(o)
}

// given is the plan of -plan, or that of -seed.
func (o *options) given() (*plan.Plan, error) {
	if o.plan != "" {
		p, err := load(o.plan)
		if err == nil && o.flush != "" {
			p.Flush = o.flush
		}
		return p, err
	}
	seed, err := strconv.ParseUint(o.seed, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("seed %q is not a number of 64 bits", o.seed)
	}
	return systems[o.system].plan(seed, o.menu()), nil
}

func load(path string) (*plan.Plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return plan.Decode(b)
}

// single runs one plan, prints its line, and on failure tells the story and shrinks it.
func single(o *options, p *plan.Plan) int {
	if o.mutant == "" && p.Mutant != "" {
		o.mutant = p.Mutant
	}
	if err := settle(o, p); err != nil {
		return fail(err)
	}
	r, err := once(o, p, nil)
	if err != nil {
		return fail(err)
	}
	if o.outcome != "" {
		if err := tellParent(o.outcome, r); err != nil {
			return fail(err)
		}
		return r.exit()
	}
	printJSON(&r.line)
	if r.line.Verdict != pass {
		tell(o, p, r)
	}
	return r.exit()
}

// settle makes this process one in which a plan with a quorum repeats: it may execute the program once more from the start.
func settle(o *options, p *plan.Plan) error {
	if systems[o.system].clustered(p) {
		return bubble.Settle()
	}
	return nil
}

// tell explains a failure on standard error, and keeps the plan, shrunk if it can be.
func tell(o *options, p *plan.Plan, r *outcome) {
	w := bufio.NewWriter(os.Stderr)
	defer w.Flush()
	fmt.Fprintf(w, "\nseed %d: %s\n", p.Seed, r.line.Verdict)
	if r.res.Harness != "" {
		fmt.Fprintln(w, "harness:", r.res.Harness)
	}
	if v := r.res.Violation; v != nil {
		fmt.Fprintf(w, "property %s\nat       %d.%06d s (virtual)\nwas      %s\nis       %s\n", v.Property, int64(v.At)/1e9, int64(v.At)%1e9/1e3, v.Was, v.Is)
	}
	fmt.Fprintln(w, "last events:")
	for _, l := range r.res.Last {
		fmt.Fprintln(w, "  "+l)
	}
	if r.res.Stack != "" {
		fmt.Fprintln(w, r.res.Stack)
	}
	fmt.Fprintln(w, "replay:", r.line.Replay)
	w.Flush()
	if r.res.Violation == nil && r.line.Verdict != unchecked {
		return
	}
	q := p
	if o.shrink > 0 && r.res.Violation != nil {
		q = shrink(o, p, r, func(*plan.Plan) (int64, bool) { return 0, true }).plan
	}
	q.Mutant = o.mutant
	path := filepath.Join(o.out, fmt.Sprintf("%d.plan.json", p.Seed))
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		fmt.Fprintln(w, "error:", err)
		return
	}
	if err := os.WriteFile(path, q.Encode(), 0o644); err != nil {
		fmt.Fprintln(w, "error:", err)
		return
	}
	if h := r.sub.history; h != nil {
		keepHistory(w, filepath.Join(o.out, fmt.Sprintf("%d.history.jsonl", p.Seed)), h())
	}
	fmt.Fprintf(w, "plan:   %s (%d events: %d faults, %d classes, %d clients); make sim PLAN=%s", path, q.Events(), len(q.Faults), len(q.Swarm), q.Events()-len(q.Faults)-len(q.Swarm), path)
	if o.system != defaultSystem {
		fmt.Fprintf(w, " SYSTEM=%s", o.system)
	}
	fmt.Fprintln(w)
	if page := o.reportPlan(path); page != "" {
		fmt.Fprintln(w, "report:", page)
	}
}

// keepHistory writes what clients asked and were told in the failing run, for sim check and for people.
func keepHistory(w *bufio.Writer, path string, events []*history.Event) {
	f, err := os.Create(path)
	if err == nil {
		err = history.WriteAll(f, events)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintln(w, "error:", err)
		return
	}
	fmt.Fprintln(w, "history:", path)
}

// worse gives the exit code that says more: a broken property before a harness failure before a pass.
func worse(a, b int) int {
	switch {
	case a == exitBroken || b == exitBroken:
		return exitBroken
	case a != exitPass:
		return a
	}
	return b
}

func logLine(node int, l *step.LogLine) {
	fmt.Fprintf(os.Stderr, "n%d %s\n", node+1, l.Text)
}

// traceSeed writes the trace of a seed, one line an event.
func traceSeed(o *options) int {
	seed, err := strconv.ParseUint(o.seed, 10, 64)
	if err != nil && o.plan == "" {
		return fail(fmt.Errorf("trace takes a seed"))
	}
	p := systems[o.system].plan(seed, o.menu())
	if o.plan != "" {
		if p, err = load(o.plan); err != nil {
			return fail(err)
		}
	}
	if err := settle(o, p); err != nil {
		return fail(err)
	}
	w := bufio.NewWriterSize(os.Stdout, 1<<20)
	r, err := once(o, p, w)
	if err != nil {
		return fail(err)
	}
	if v := r.res.Violation; v != nil {
		fmt.Fprintln(w, v.Error())
	}
	fmt.Fprintln(w, r.line.Trace)
	if err := w.Flush(); err != nil {
		return fail(err)
	}
	return r.exit()
}

func decodeLine(b []byte) (*line, bool) {
	var l line
	if json.Unmarshal(b, &l) != nil || l.Plan == "" {
		return nil, false
	}
	return &l, true
}
