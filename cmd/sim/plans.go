package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/seedlog/seedlog/sim/mutant"
)

// plansDir has the plans that are kept: each has found a bug, or (m-ID.json) finds a mutant.
const plansDir = "sim/testdata/plans"

// plans runs kept plans, each in a process of its own, jobs at a time: without a mutant all pass.
func plans(o *options, files []string) int {
	if len(files) == 0 {
		var err error
		if files, err = filepath.Glob(filepath.Join(plansDir, "*.json")); err != nil || len(files) == 0 {
			return fail(fmt.Errorf("no plans in %s: %w", plansDir, err))
		}
	}
	type ended struct {
		file string
		o    *outcome
		err  error
	}
	results, tokens := make(chan ended), make(chan struct{}, o.jobs)
	for _, f := range files {
		go func() {
			tokens <- struct{}{}
			r, err := o.ofFile(f)
			<-tokens
			results <- ended{f, r, err}
		}()
	}
	code, passed := exitPass, 0
	for range files {
		e := <-results
		if e.err != nil {
			fmt.Fprintf(os.Stderr, "error: %s: %v\n", e.file, e.err)
			code = worse(code, exitHarness)
			continue
		}
		printJSON(&e.o.line)
		if e.o.line.Verdict == pass {
			passed++
			continue
		}
		code = worse(code, e.o.exit())
		fmt.Fprintf(os.Stderr, "%s: %s %s%s\nreplay: %s\n", e.file, e.o.line.Verdict, e.o.line.Property, e.o.res.Harness, e.o.line.Replay)
	}
	fmt.Printf("%d of %d plans passed\n", passed, len(files))
	return code
}

// ofFile runs the plan of a file, in the system that it is of.
func (o *options) ofFile(file string) (*outcome, error) {
	p, err := load(file)
	if err != nil {
		return nil, err
	}
	own := *o
	own.plan = file
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "m-"), ".json")
	if m, ok := mutant.Find(name); ok && m.System != "" {
		own.system = m.System
	}
	return alone(&own, p)
}
