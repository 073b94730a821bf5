package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seedlog/seedlog/sim/mutant"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/quorumsim"
	"github.com/seedlog/seedlog/sim/run"
	"github.com/seedlog/seedlog/sim/toy"
)

// mutantLine is the JSON line of one mutant.
type mutantLine struct {
	Mutant      string `json:"mutant"`
	Bug         string `json:"bug"`
	Killed      bool   `json:"killed"`
	Oracle      string `json:"oracle"`
	Seed        uint64 `json:"seed"`
	Plan        string `json:"plan"`
	SeedsTried  int    `json:"seeds_tried"`
	SiteHits    int64  `json:"site_hits"`
	WallMS      int64  `json:"wall_ms"`
	CleanPasses bool   `json:"clean_passes"`
}

// catalogued is one mutant that can be planted in a system.
type catalogued struct {
	name string // as MUTANT= takes it
	bug  string // what it was, or is a twin of
	draw func(seed uint64) *plan.Plan
}

// catalogues gives the mutants of each system; package mutant brings the broker's.
var catalogues = map[string]func() []catalogued{
	"broker": func() []catalogued {
		var all []catalogued
		for _, m := range mutant.All() {
			all = append(all, catalogued{name: m.Name, bug: m.Bug, draw: func(seed uint64) *plan.Plan { return run.DrawFor(seed, &m) }})
		}
		return all
	},
	"quorum": func() []catalogued {
		var all []catalogued
		for _, name := range quorumsim.Mutants {
			if m, ok := mutant.Find(name); ok {
				all = append(all, catalogued{name: name, bug: m.Bug, draw: func(seed uint64) *plan.Plan { return quorumsim.Plan(5*seed, "") }})
			}
		}
		return all
	},
	"toy": func() []catalogued {
		var all []catalogued
		for _, b := range toy.Bugs {
			all = append(all, catalogued{name: b, bug: "toy", draw: func(seed uint64) *plan.Plan { return toyPlan(seed, plan.Menu{}) }})
		}
		return all
	},
}

// mutants tries to kill each, and shows that the plan which does passes without it.
func mutants(o *options) int {
	passed, failed := 0, 0
	for _, m := range catalogues[o.system]() {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), m.name) {
			continue
		}
		l, err := kill(o, m)
		if err != nil {
			return fail(err)
		}
		printJSON(l)
		if l.Killed && l.CleanPasses {
			passed++
		} else {
			failed++
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return exitBroken
	}
	return exitPass
}

// kill runs plans with the mutant until one fails that passes without it: the one that is kept for it first, then those of seeds 1, 2, ….
func kill(o *options, m catalogued) (*mutantLine, error) {
	start := time.Now()
	l := &mutantLine{Mutant: "m:" + m.name, Bug: m.bug}
	with, clean := *o, *o
	with.mutant, clean.mutant = m.name, ""
	var plans []*plan.Plan
	if p, err := load(filepath.Join("sim/testdata/plans", "m-"+m.name+".json")); err == nil {
		plans = append(plans, p)
	} else if !os.IsNotExist(err) {
		return nil, err
	}
	for seed := uint64(1); seed <= uint64(o.tries) && !l.CleanPasses; seed++ {
		if len(plans) == 0 {
			plans = append(plans, m.draw(seed))
		}
		p := plans[0]
		plans = plans[1:]
		r, err := attempt(&with, p)
		if err != nil {
			return nil, err
		}
		l.SeedsTried++
		l.SiteHits += r.hits
		if r.res.Violation == nil {
			continue
		}
		l.Killed, l.Oracle, l.Seed, l.Plan = true, r.line.Property, p.Seed, p.Sum()
		c, err := attempt(&clean, p)
		if err != nil {
			return nil, err
		}
		if l.CleanPasses = c.line.Verdict == pass; !l.CleanPasses {
			name := filepath.Join(o.out, "clean-"+m.name+".plan.json")
			if err := errors.Join(os.MkdirAll(o.out, 0o755), os.WriteFile(name, p.Encode(), 0o644)); err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "m:%s: its plan fails without it too (%s): make sim PLAN=%s\n", m.name, c.line.Property, name)
		}
	}
	l.WallMS = time.Since(start).Milliseconds()
	return l, nil
}
