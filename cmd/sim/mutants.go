package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	Test        string `json:"test"` // of the core, which tells it from the broker where no plan does
	SeedsTried  int    `json:"seeds_tried"`
	SiteHits    int64  `json:"site_hits"`
	WallMS      int64  `json:"wall_ms"`
	CleanPasses bool   `json:"clean_passes"`
}

// catalogued is one mutant that can be planted in a system.
type catalogued struct {
	name       string // as MUTANT= takes it
	bug        string // what it was, or is a twin of
	test       string // as mutant.Mutant has it
	system     string
	amongThree bool // as mutant.Mutant has it
	nodes      int  // in its own plans; 0: one
	draw       func(seed uint64) *plan.Plan
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
	c := catalogued{name: m.Name, bug: m.Bug, test: m.Test, system: defaultSystem, nodes: m.Hints.Nodes, amongThree: m.AmongThree(), expects: m.Expects}
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
		if !own[i].Killed && !own[i].Tested {
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
		if !o.wants(m.name) || !wanted(&m) {
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

// wants says whether -only leaves a mutant in.
func (o *options) wants(name string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), name)
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

// writePage writes the scoreboard, with how those mutants fare among three brokers. Of mutants that -only leaves out it keeps what it told.
func writePage(o *options, own []mutant.Result) error {
	wide := *o
	wide.nodes, wide.tries = 3, threeTries
	three, err := killAll(&wide, func(m *catalogued) bool { return m.amongThree })
	if err != nil {
		return err
	}
	old, err := os.ReadFile(mutant.PageName)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if o.only == "" {
		old = nil
	}
	return os.WriteFile(mutant.PageName, []byte(mutant.Page(string(old), own, three)), 0o644)
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
