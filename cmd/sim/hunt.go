package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/seedlog/seedlog/sim/mutant"
	"github.com/seedlog/seedlog/sim/plan"
)

// variations is how many seeds after its own a kept plan is tried with: its faults and clients stay, and what is drawn at run time, delays
// and what a crash keeps, is another. A change of the broker moves that too, and should not cost the plan.
const variations = 15

// sturdyAmong is among how many variations of a plan that is to be kept one must break something too.
const sturdyAmong = 4

// moreSeeds is how many more are looked at for a sturdier plan once one has killed.
const moreSeeds = 40

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

// kill runs plans with the mutant until one fails that passes without it: the one that is kept for it first, then those of seeds 1, 2, …. Where a
// test of the core stands for the mutant, seeds are drawn only to look for a plan to keep.
func kill(o *options, m catalogued) (*mutantLine, *mutant.Result, error) {
	start := time.Now()
	k := newHunt(o, &m)
	if err := k.tryKept(); err != nil {
		return nil, nil, err
	}
	if m.test == "" || o.keep || o.seed != "" {
		if err := k.trySeeds(); err != nil {
			return nil, nil, err
		}
	}
	l := k.line
	byPlan := l.Killed && l.CleanPasses
	if m.test != "" && !byPlan {
		ok, err := tested(m.test, m.name)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			l.Killed, l.Test = true, m.test
		}
	}
	l.WallMS = time.Since(start).Milliseconds()
	return l, &mutant.Result{Name: m.name, Killed: byPlan, Tested: l.Test != "", Kept: l.Kept != "", Oracle: l.Oracle, Nodes: k.nodes, Seed: l.Seed, Plan: l.Plan,
		Tries: l.SeedsTried, VirtualMS: l.VirtualMS, WallMS: l.WallMS}, nil
}

// tryKept tries the plan that is kept, as it is and varied. With -page or -keep the variation that kills takes its place.
func (k *hunt) tryKept() error {
	file := k.with.keptPlan(k.m)
	kept, err := load(file)
	if os.IsNotExist(err) || k.with.seed != "" {
		return nil
	} else if err != nil {
		return err
	}
	for i := uint64(0); i <= variations; i++ {
		p := varied(kept, i)
		if err := k.try(p); err != nil {
			return err
		}
		if !k.line.CleanPasses {
			continue
		}
		if k.line.Kept = file; !k.with.keep {
			return k.put(p, i > 0 && k.with.page)
		}
		if _, sturdy, err := k.sturdy(p); err != nil {
			return err
		} else if sturdy {
			return k.keep(p)
		}
		break
	}
	k.line.Kept, k.line.CleanPasses = "", false
	fmt.Fprintf(os.Stderr, "m:%s: %s does not kill it any more; build/sim-mutants mutants -keep -only %s looks for another\n", k.m.name, file, k.m.name)
	return nil
}

// varied is a plan with another seed.
func varied(p *plan.Plan, i uint64) *plan.Plan {
	q := p.Clone()
	q.Seed += i
	return q
}

// sturdy says whether a plan that kills does so with another seed too, and when.
func (k *hunt) sturdy(p *plan.Plan) (atMS int64, yes bool, err error) {
	for i := uint64(1); i <= sturdyAmong; i++ {
		r, err := attempt(&k.with, varied(p, i))
		if err != nil {
			return 0, false, err
		}
		if r.res.Violation == nil {
			continue
		}
		return int64(r.res.Violation.At)/1e6 + 1, true, nil
	}
	return 0, false, nil
}

// trySeeds draws plans. With -keep one that is sturdy is looked for, but not for ever.
func (k *hunt) trySeeds() error {
	first, last, err := k.with.seedsTried()
	var frail *plan.Plan
	for seed := first; seed <= last && err == nil && !k.line.CleanPasses; seed++ {
		p := k.m.draw(seed)
		if err = k.try(p); err != nil || !k.line.CleanPasses || !k.with.keep {
			continue
		}
		// Another property may be one that the mutant takes along, and not what it is.
		good, sturdy := k.m.expects == nil || k.m.expects(k.line.Oracle), false
		if good {
			_, sturdy, err = k.sturdy(p)
		}
		switch {
		case sturdy && err == nil:
			return k.keep(p)
		case good && frail == nil:
			frail, last = p, min(last, seed+moreSeeds)
		}
		k.line.CleanPasses = false
	}
	if err != nil || frail == nil || k.line.CleanPasses {
		return err
	}
	if err := k.try(frail); err != nil {
		return err
	}
	return k.put(frail, true)
}

// seedsTried are those that plans are drawn of: -seed alone, or as many as -tries says.
func (o *options) seedsTried() (first, last uint64, err error) {
	if o.seed == "" {
		return 1, uint64(o.tries), nil
	}
	n, err := strconv.ParseUint(o.seed, 10, 64)
	return n, n, err
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

// keep shrinks the plan that has just killed the mutant, as long as it is sturdy, and keeps it for the runs to come.
func (k *hunt) keep(p *plan.Plan) error {
	q := shrink(&k.with, p, k.broke, func(c *plan.Plan) (atMS int64, ok bool) {
		atMS, ok, err := k.sturdy(c)
		return atMS, ok && err == nil
	}).plan
	if q.Sum() != p.Sum() {
		if err := k.try(q); err != nil {
			return err
		}
		if k.line.CleanPasses {
			p = q
		} else if err := k.try(p); err != nil { // what was left out is what it takes to pass
			return err
		}
	}
	return k.put(p, true)
}

// put writes a plan into the file of those that are kept, if it is to be.
func (k *hunt) put(p *plan.Plan, write bool) error {
	k.line.Kept = k.with.keptPlan(k.m)
	if !write {
		return nil
	}
	return os.WriteFile(k.line.Kept, p.Encode(), 0o644)
}

// planOf is where the plan that killed a mutant goes, or ("clean") one that fails without it too.
func (o *options) planOf(kind, name string) string {
	return filepath.Join(o.out, kind+"-"+name+".plan.json")
}

func (o *options) write(kind, name string, p *plan.Plan) error {
	return errors.Join(os.MkdirAll(o.out, 0o755), os.WriteFile(o.planOf(kind, name), p.Encode(), 0o644))
}
