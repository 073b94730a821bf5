package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/seedlog/seedlog/sim/plan"
)

// shrinking is what came of making one plan smaller.
type shrinking struct {
	plan  *plan.Plan
	tries int
	cpuMS int64
	// fewMS is the processor's time, in ms, when the plan was small enough for people; -1: it never was.
	fewMS int64
}

// fewEvents is how small a shrunk plan is to be.
const fewEvents = 15

// shrink looks for a smaller plan that breaks the same property, and of which also says that it will do; what it has until atMS is needed too.
// It has -shrink seconds of the processor, and where others have that, a few times as long.
func shrink(o *options, p *plan.Plan, r *outcome, also func(c *plan.Plan) (atMS int64, ok bool)) *shrinking {
	until, began := time.Now().Add(patience*time.Duration(o.shrink)*time.Second), cpuOfAll()
	property := r.res.Violation.Property
	judge := func(c *plan.Plan, t *outcome) plan.Outcome {
		if t.res.Violation == nil || t.res.Violation.Property != property {
			return plan.Outcome{}
		}
		atMS, ok := also(c)
		if !ok {
			return plan.Outcome{}
		}
		return plan.Outcome{Property: property, AtMS: max(atMS, int64(t.res.Violation.At)/1e6+1)}
	}
	out := &shrinking{plan: p, fewMS: -1}
	taken := func(c *plan.Plan) {
		if out.fewMS < 0 && c.Events() <= fewEvents {
			out.fewMS = cpuOfAll() - began
		}
	}
	s := plan.Shrinker{
		Try: func(c *plan.Plan, untilMS int64) plan.Outcome {
			own := *o
			own.until = untilMS
			t, err := attempt(&own, c)
			if err != nil {
				return plan.Outcome{}
			}
			return judge(c, t)
		},
		Workload: systems[o.system].workload,
		More: func() bool {
			return cpuOfAll()-began < 1000*int64(o.shrink) && (o.measured || time.Now().Before(until))
		},
		Taken:  taken,
		Sooner: o.measured,
	}
	first := judge(p, r)
	if first.Property == "" {
		return out
	}
	taken(p)
	out.plan, out.tries = s.Shrink(p, first), s.Tries
	out.cpuMS = cpuOfAll() - began
	fmt.Fprintf(os.Stderr, "shrunk from %d to %d events in %d runs, %.1f s of the processor\n", p.Events(), out.plan.Events(), out.tries, float64(out.cpuMS)/1000)
	return out
}

// shrunkLine is the JSON line of one mutant whose plan was made smaller.
type shrunkLine struct {
	Mutant string `json:"mutant"`
	Oracle string `json:"oracle"`
	From   string `json:"from"` // "seed n", or the file of the plan that is kept
	Nodes  int    `json:"nodes"`
	Before int    `json:"events_before"`
	After  int    `json:"events_after"`
	Tries  int    `json:"tries"`
	CPUMS  int64  `json:"cpu_ms"`
	FewMS  int64  `json:"few_ms"` // until there were no more than fewEvents; -1: never
	Clean  bool   `json:"clean_passes"`
	Plan   string `json:"plan"` // the file of the small one
}

// shrinks makes small what kills each mutant: the first plan that a seed draws for it, or else the one that is kept. Each has -shrink seconds of the
// processor. The last line says how many came down to so few events that a person can follow them.
func shrinks(o *options) int {
	o.measured = true
	var lines []*shrunkLine
	for _, m := range catalogues[o.system](o) {
		if !o.wants(m.name) {
			continue
		}
		l, err := shrinkOf(o, m)
		if err != nil {
			return fail(err)
		}
		if l == nil {
			fmt.Fprintf(os.Stderr, "m:%s: no plan kills it\n", m.name)
			continue
		}
		printJSON(l)
		lines = append(lines, l)
	}
	few := 0
	var cpus []int64
	for _, l := range lines {
		if cpus = append(cpus, l.CPUMS); l.FewMS >= 0 && l.Clean {
			few++
		}
	}
	if len(lines) == 0 {
		return fail(fmt.Errorf("no mutant to shrink a plan of"))
	}
	slices.Sort(cpus)
	fmt.Printf("%d of %d (%.0f %%) have at most %d events within %d s of the processor; median of all that was tried: %.1f s\n", few, len(lines),
		100*float64(few)/float64(len(lines)), fewEvents, o.shrink, float64(cpus[len(cpus)/2])/1000)
	return exitPass
}

// shrinkOf shrinks what kills one mutant; nil if nothing does.
func shrinkOf(o *options, m catalogued) (*shrunkLine, error) {
	k := newHunt(o, &m)
	p, from, err := k.killer()
	if p == nil || err != nil {
		return nil, err
	}
	property := k.broke.res.Violation.Property
	s := shrink(&k.with, p, k.broke, func(c *plan.Plan) (int64, bool) {
		r, err := attempt(&k.clean, c)
		return 0, err == nil && r.line.Verdict == pass
	})
	l := &shrunkLine{Mutant: "m:" + m.name, Oracle: property, From: from, Nodes: s.plan.Nodes, Before: p.Events(), After: s.plan.Events(), Tries: s.tries,
		CPUMS: s.cpuMS, FewMS: s.fewMS, Plan: k.with.planOf("shrunk", m.name)}
	r, err := attempt(&k.clean, s.plan)
	if err != nil {
		return nil, err
	}
	l.Clean = r.line.Verdict == pass
	return l, k.with.write("shrunk", m.name, s.plan)
}

// killer gives a plan that fails with the mutant and passes without it, and where it came from: of one of so many seeds, breaking what the mutant is
// expected to break, or the one that is kept. nil: there is none.
func (k *hunt) killer() (p *plan.Plan, from string, err error) {
	first, last, err := k.with.seedsTried()
	for seed := first; seed <= last && err == nil; seed++ {
		p := k.m.draw(seed)
		if ok, err := k.kills(p); err != nil || ok && (k.m.expects == nil || k.m.expects(k.broke.res.Violation.Property)) {
			return p, fmt.Sprintf("seed %d", seed), err
		}
	}
	file := k.with.keptPlan(k.m)
	kept, missing := load(file)
	for i := uint64(0); missing == nil && err == nil && i <= variations; i++ {
		p := varied(kept, i)
		if ok, err := k.kills(p); err != nil || ok {
			return p, file, err
		}
	}
	return nil, "", err
}

// kills says whether a plan fails with the mutant and passes without it.
func (k *hunt) kills(p *plan.Plan) (bool, error) {
	r, err := attempt(&k.with, p)
	if err != nil || r.res.Violation == nil {
		return false, err
	}
	c, err := attempt(&k.clean, p)
	if err != nil || c.line.Verdict != pass {
		return false, err
	}
	k.broke = r
	return true, nil
}
