package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	VirtualMS   int64  `json:"virtual_ms"` // into the run, when it broke
	Seed        uint64 `json:"seed"`
	Plan        string `json:"plan"`
	Kept        string `json:"kept"` // the file that killed it; empty: a plan that a seed drew
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
	// expects says whether a property is one of those that it should break first; nil: any.
	expects func(property string) bool
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
	c := catalogued{name: m.Name, bug: m.Bug, system: defaultSystem, nodes: m.Hints.Nodes, expects: m.Expects}
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

// keptPlan is the file of the plan that is kept for a mutant, of as many nodes as its own plans have, or of so many.
func (o *options) keptPlan(m *catalogued) string {
	if o.nodes > 0 && o.nodes != max(1, m.nodes) {
		return filepath.Join(plansDir, fmt.Sprintf("m-%s-%d.json", m.name, o.nodes))
	}
	return filepath.Join(plansDir, "m-"+m.name+".json")
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
	return os.WriteFile(mutant.PageName, []byte(mutant.Page(own, three)), 0o644)
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
	k := newHunt(o, &m)
	file := o.keptPlan(&m)
	kept, err := load(file)
	switch {
	case err != nil && !os.IsNotExist(err):
		return nil, nil, err
	case err == nil && o.seed == "":
		if err := k.try(kept); err != nil {
			return nil, nil, err
		}
		if k.line.CleanPasses {
			k.line.Kept = file
			if o.keep {
				if err := k.keep(kept); err != nil {
					return nil, nil, err
				}
			}
		} else {
			fmt.Fprintf(os.Stderr, "m:%s: %s does not kill it any more; build/sim-mutants mutants -keep -only %s looks for another\n", m.name, file, m.name)
		}
	}
	first, last, err := o.seedsTried()
	if err != nil {
		return nil, nil, err
	}
	for seed := first; seed <= last && !k.line.CleanPasses; seed++ {
		p := m.draw(seed)
		if err := k.try(p); err != nil {
			return nil, nil, err
		}
		if !k.line.CleanPasses || !o.keep {
			continue
		}
		if m.expects != nil && !m.expects(k.line.Oracle) { // that may be what it takes along, not what it is
			k.line.CleanPasses = false
			continue
		}
		if err := k.keep(p); err != nil {
			return nil, nil, err
		}
	}
	l := k.line
	l.WallMS = time.Since(start).Milliseconds()
	return l, &mutant.Result{Name: m.name, Killed: l.Killed && l.CleanPasses, Kept: l.Kept != "", Oracle: l.Oracle, Nodes: k.nodes, Seed: l.Seed, Plan: l.Plan,
		Tries: l.SeedsTried, VirtualMS: l.VirtualMS, WallMS: l.WallMS}, nil
}

// seedsTried are those that plans are drawn of: -seed alone, or as many as -tries says.
func (o *options) seedsTried() (first, last uint64, err error) {
	if o.seed == "" {
		return 1, uint64(o.tries), nil
	}
	n, err := strconv.ParseUint(o.seed, 10, 64)
	return n, n, err
}

// hunt is one mutant and what has been seen of it.
type hunt struct {
	m           *catalogued
	with, clean options
	line        *mutantLine
	nodes       int
	broke       *outcome // the try that killed it
}

func newHunt(o *options, m *catalogued) *hunt {
	k := &hunt{m: m, with: *o, clean: *o, line: &mutantLine{Mutant: "m:" + m.name, Bug: m.bug}, nodes: max(1, m.nodes, o.nodes)}
	k.with.mutant, k.clean.mutant = m.name, ""
	k.with.system, k.clean.system = m.system, m.system
	return k
}

// try runs a plan with the mutant, and without it if that broke something.
func (k *hunt) try(p *plan.Plan) error {
	r, err := attempt(&k.with, p)
	if err != nil {
		return err
	}
	l := k.line
	l.SeedsTried++
	l.SiteHits += r.hits
	if r.res.Violation == nil {
		if k.with.seed == "" {
			return nil
		}
		return k.with.write("m", k.m.name, p) // the one that was asked for, to look into
	}
	k.broke, k.nodes = r, p.Nodes
	l.Killed, l.Oracle, l.Seed, l.Plan, l.VirtualMS = true, r.line.Property, p.Seed, p.Sum(), int64(r.res.Violation.At)/1e6
	c, err := attempt(&k.clean, p)
	if err != nil {
		return err
	}
	kind := "m"
	if l.CleanPasses = c.line.Verdict == pass; !l.CleanPasses {
		kind = "clean"
		fmt.Fprintf(os.Stderr, "m:%s: a plan fails without it too (%s): make sim PLAN=%s\n", k.m.name, c.line.Property, k.with.planOf(kind, k.m.name))
	}
	return k.with.write(kind, k.m.name, p)
}

// keep shrinks the plan that has just killed the mutant, and keeps it for the runs to come.
func (k *hunt) keep(p *plan.Plan) error {
	if q := shrink(&k.with, p, k.broke); q.Sum() != p.Sum() {
		k.line.CleanPasses = false
		if err := k.try(q); err != nil {
			return err
		}
		if k.line.CleanPasses {
			p = q
		} else { // what was left out is what it takes to pass
			if err := k.try(p); err != nil {
				return err
			}
		}
	}
	k.line.Kept = k.with.keptPlan(k.m)
	return os.WriteFile(k.line.Kept, p.Encode(), 0o644)
}

// planOf is where the plan that killed a mutant goes, or ("clean") one that fails without it too.
func (o *options) planOf(kind, name string) string {
	return filepath.Join(o.out, kind+"-"+name+".plan.json")
}

func (o *options) write(kind, name string, p *plan.Plan) error {
	return errors.Join(os.MkdirAll(o.out, 0o755), os.WriteFile(o.planOf(kind, name), p.Encode(), 0o644))
}
