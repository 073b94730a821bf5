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
	name   string // as MUTANT= takes it
	bug    string // what it was, or is a twin of
	system string
	nodes  int // in its own plans; 0: one
	draw   func(seed uint64) *plan.Plan
}

// catalogues gives the mutants of each system; package mutant brings the broker's.
var catalogues = map[string]func(o *options) []catalogued{
	"broker": func(o *options) []catalogued {
		var all []catalogued
		for _, m := range mutant.All() {
			all = append(all, ofBroker(o, m))
		}
		return all
	},
	"quorum": func(*options) []catalogued {
		var all []catalogued
		for _, name := range quorumsim.Mutants {
			if m, ok := mutant.Find(name); ok {
				all = append(all, ofQuorum(m))
			}
		}
		return all
	},
	"toy": func(*options) []catalogued {
		var all []catalogued
		for _, b := range toy.Bugs {
			all = append(all, catalogued{name: b, bug: "toy", system: "toy", draw: func(seed uint64) *plan.Plan { return toyPlan(seed, plan.Menu{}) }})
		}
		return all
	},
}

func ofBroker(o *options, m mutant.Mutant) catalogued {
	if m.System == "quorum" {
		return ofQuorum(m)
	}
	c := catalogued{name: m.Name, bug: m.Bug, system: defaultSystem, nodes: m.Hints.Nodes}
	if o.nodes > 0 {
		m.Hints.Nodes = o.nodes
	}
	c.draw = func(seed uint64) *plan.Plan { return run.DrawFor(seed, &m) }
	return c
}

// ofQuorum has plans with five voters.
func ofQuorum(m mutant.Mutant) catalogued {
	return catalogued{name: m.Name, bug: m.Bug, system: "quorum", nodes: 5, draw: func(seed uint64) *plan.Plan { return quorumsim.Plan(5*seed, "") }}
}

// mutants tries to kill each, and shows that the plan which does passes without it. -page writes the scoreboard of what it saw.
func mutants(o *options) int {
	own, err := killAll(o, func(*catalogued) bool { return true })
	if err != nil {
		return fail(err)
	}
	switch {
	case o.page:
		err = writePage(o, own)
	case o.only == "" && o.nodes == 0 && o.system == defaultSystem:
		comparePage(own)
	}
	if err != nil {
		return fail(err)
	}
	failed := 0
	for i := range own {
		if !own[i].Killed {
			failed++
		}
	}
	fmt.Printf("%d passed, %d failed\n", len(own)-failed, failed)
	if failed > 0 {
		return exitBroken
	}
	return exitPass
}

// killAll tries those that are wanted, one after the other, and prints a line for each.
func killAll(o *options, wanted func(*catalogued) bool) (results []mutant.Result, err error) {
	for _, m := range catalogues[o.system](o) {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), m.name) || !wanted(&m) {
			continue
		}
		l, r, err := kill(o, m)
		if err != nil {
			return nil, err
		}
		printJSON(l)
		results = append(results, *r)
	}
	return results, nil
}

// keptPlan is the file of the plan that is kept for a mutant.
func keptPlan(name string) string { return filepath.Join("sim/testdata/plans", "m-"+name+".json") }

func isKept(name string) bool {
	_, err := os.Stat(keptPlan(name))
	return err == nil
}

// threeTries is how many seeds a mutant whose own plans have one broker gets with three.
const threeTries = 25

// writePage writes the scoreboard, with how those mutants fare among three brokers.
func writePage(o *options, own []mutant.Result) error {
	wide := *o
	wide.nodes, wide.tries = 3, threeTries
	three, err := killAll(&wide, func(m *catalogued) bool { return m.nodes <= 1 })
	if err != nil {
		return err
	}
	return os.WriteFile(mutant.PageName, []byte(mutant.Page(own, three, isKept)), 0o644)
}

// comparePage says where the scoreboard tells something else.
func comparePage(own []mutant.Result) {
	page, err := os.ReadFile(mutant.PageName)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return
	}
	for i := range own {
		if d := mutant.Differs(string(page), &own[i]); d != "" {
			fmt.Fprintf(os.Stderr, "%s tells something else of %s; build/sim-mutants mutants -page writes it anew\n", mutant.PageName, d)
		}
	}
}

// kill runs plans with the mutant until one fails that passes without it: the one that is kept for it first, then those of seeds 1, 2, ….
func kill(o *options, m catalogued) (*mutantLine, *mutant.Result, error) {
	start := time.Now()
	l, out := &mutantLine{Mutant: "m:" + m.name, Bug: m.bug}, &mutant.Result{Name: m.name, Nodes: max(1, m.nodes, o.nodes)}
	with, clean := *o, *o
	with.mutant, clean.mutant = m.name, ""
	with.system, clean.system = m.system, m.system
	var plans []*plan.Plan
	if p, err := load(keptPlan(m.name)); err == nil && (o.nodes == 0 || o.nodes == p.Nodes) {
		plans = append(plans, p)
	} else if err != nil && !os.IsNotExist(err) {
		return nil, nil, err
	}
	for seed := uint64(1); seed <= uint64(o.tries) && !l.CleanPasses; seed++ {
		if len(plans) == 0 {
			plans = append(plans, m.draw(seed))
		}
		p := plans[0]
		plans = plans[1:]
		r, err := attempt(&with, p)
		if err != nil {
			return nil, nil, err
		}
		l.SeedsTried++
		l.SiteHits += r.hits
		if r.res.Violation == nil {
			continue
		}
		l.Killed, l.Oracle, l.Seed, l.Plan = true, r.line.Property, p.Seed, p.Sum()
		out.VirtualMS, out.Nodes = int64(r.res.Violation.At)/1e6, p.Nodes
		c, err := attempt(&clean, p)
		if err != nil {
			return nil, nil, err
		}
		if l.CleanPasses = c.line.Verdict == pass; !l.CleanPasses {
			fmt.Fprintf(os.Stderr, "m:%s: a plan fails without it too (%s): make sim PLAN=%s\n", m.name, c.line.Property, o.planOf("clean", m.name))
			err = o.write("clean", m.name, p)
		} else {
			err = o.write("m", m.name, p)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	l.WallMS = time.Since(start).Milliseconds()
	out.Killed, out.Oracle, out.Seed, out.Plan = l.Killed && l.CleanPasses, l.Oracle, l.Seed, l.Plan
	out.Tries, out.WallMS = l.SeedsTried, l.WallMS
	return l, out, nil
}

// planOf is where the plan that killed a mutant goes, or ("clean") one that fails without it too.
func (o *options) planOf(kind, name string) string {
	return filepath.Join(o.out, kind+"-"+name+".plan.json")
}

func (o *options) write(kind, name string, p *plan.Plan) error {
	return errors.Join(os.MkdirAll(o.out, 0o755), os.WriteFile(o.planOf(kind, name), p.Encode(), 0o644))
}
