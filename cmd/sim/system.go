package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/coverage"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/quorumsim"
	"github.com/seedlog/seedlog/sim/report"
	"github.com/seedlog/seedlog/sim/run"
	"github.com/seedlog/seedlog/sim/toy"
)

// system is what can be simulated: the broker, or the toy that tests the simulator itself.
type system struct {
	// plan draws the plan of a seed.
	plan func(seed uint64, menu plan.Menu) *plan.Plan
	// prepare makes the nodes, clients and judge of one run. mutant is "" or a planted bug that this build has.
	prepare func(p *plan.Plan, mutant string) (*subject, error)
	// quorum says whether a plan's nodes have a quorum (raft); nil: none has. Such a plan has a process of its own.
	quorum func(p *plan.Plan) bool
	// workload makes the client programs of a plan smaller; nil if it cannot.
	workload plan.Workload
	// reports says that there can be a report of a run.
	reports bool
}

// subject is one run's system.
type subject struct {
	opt       cluster.Options
	checked   func() map[string]int64 // checks made, by property
	unchecked func() int64            // what no checker could decide
	siteHits  func() int64            // how often the mutant's site was reached
	history   func() []*history.Event // nil if there is none
	cover     func() *coverage.Run    // what was reached, without marks; nil: nothing is known
	observe   func()                  // keeps what a report needs; nil if there can be none
	tell      func(*cluster.Result) *report.Run
	run       *run.Run // nil: not of the broker
}

// coverage is what the run has reached.
func (s *subject) coverage() *coverage.Run {
	c := &coverage.Run{}
	if s.cover != nil {
		c = s.cover()
	}
	c.Marks = sometimes.Counts()
	return c
}

// operations is how many clients have begun.
func (s *subject) operations() (n int64) {
	if s.history == nil {
		return 0
	}
	for _, e := range s.history() {
		if e.Type == history.Invoke {
			n++
		}
	}
	return n
}

const defaultSystem = "broker"

var systems = map[string]system{
	"broker": {plan: run.Draw, prepare: brokerPrepare, quorum: run.Quorum, workload: run.Smaller{}, reports: true},
	"toy":    {plan: toyPlan, prepare: toyPrepare},
	"quorum": {plan: func(seed uint64, m plan.Menu) *plan.Plan { return quorumsim.Plan(seed, m.Flush) }, prepare: quorumPrepare, quorum: func(*plan.Plan) bool { return true }},
}

func (s system) clustered(p *plan.Plan) bool { return s.quorum != nil && s.quorum(p) }

func systemNames() string {
	names := make([]string, 0, len(systems))
	for n := range systems {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func toyPlan(seed uint64, m plan.Menu) *plan.Plan {
	return plan.FromSeed(seed, plan.Menu{Flush: m.Flush, Classes: toy.Survives(), MaxMS: 20000})
}

func toyPrepare(p *plan.Plan, mutant string) (*subject, error) {
	if mutant != "" && !slices.Contains(toy.Bugs, mutant) {
		return nil, fmt.Errorf("the toy has no bug %q; it has %s", mutant, strings.Join(toy.Bugs, ", "))
	}
	opt, judge := toy.Options(p, mutant, 60, 3000)
	return &subject{
		opt:       opt,
		checked:   func() map[string]int64 { return map[string]int64{toy.Lost: judge.Checks()} },
		unchecked: func() int64 { return 0 },
		siteHits:  func() int64 { return 1 },
	}, nil
}

func quorumPrepare(p *plan.Plan, mutant string) (*subject, error) {
	hits, err := plantMutant(mutant)
	if err != nil {
		return nil, err
	}
	opt, judge, err := quorumsim.Options(p)
	if err != nil {
		return nil, err
	}
	return &subject{opt: opt, checked: judge.Checked, unchecked: func() int64 { return 0 }, siteHits: hits}, nil
}

func brokerPrepare(p *plan.Plan, mutant string) (*subject, error) {
	hits, err := plantMutant(mutant)
	if err != nil {
		return nil, err
	}
	r, err := run.Prepare(p)
	if err != nil {
		return nil, err
	}
	s := &subject{opt: r.Options, checked: r.Judge.Checked, unchecked: r.Judge.Unchecked, siteHits: hits, cover: r.Coverage,
		history: func() []*history.Event { return r.Judge.Events }, tell: r.Report, run: r}
	s.observe = func() { s.opt.Observer = r.Observe() }
	return s, nil
}
