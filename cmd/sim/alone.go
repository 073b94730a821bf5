package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/plan"
)

// handover is what a process that ran one plan for another process writes into the file of -outcome.
type handover struct {
	Line   line
	Result cluster.Result
	Hits   int64
}

// attempt runs a plan and gives what it came to: in this process, or, if the plan has a quorum, in a fresh one. Raft repeats only as the
// first thing that its process runs.
func attempt(o *options, p *plan.Plan) (*outcome, error) {
	if systems[o.system].clustered(p) {
		return alone(o, p)
	}
	own := *o
	own.report = ""
	return once(&own, p, nil)
}

// alone runs a plan in a fresh process.
func alone(o *options, p *plan.Plan) (*outcome, error) {
	dir, err := os.MkdirTemp("", "sim")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	q := p.Clone()
	q.Mutant = ""
	planFile, file := filepath.Join(dir, "plan.json"), filepath.Join(dir, "outcome.json")
	if err := os.WriteFile(planFile, q.Encode(), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(os.Args[0], "run", "-plan", planFile, "-outcome", file, "-mutant", o.mutant, "-system", o.system,
		"-limit", strconv.Itoa(o.limit), "-flush", "", "-seed", "", "-until", strconv.FormatInt(o.until, 10))
	cmd.Env = append(os.Environ(), "PLAN=", "SEED=", "LOGS=", "REPORT=")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err = cmd.Run()
	var r handover
	if b, missing := os.ReadFile(file); missing != nil || json.Unmarshal(b, &r) != nil {
		if o := died(p, errs.String()); o != nil {
			return o, nil
		}
		return nil, fmt.Errorf("the process of seed %d left no outcome: %w\n%s", p.Seed, errors.Join(err, missing), tail(errs.Bytes()))
	}
	r.Line.Plan, r.Line.Replay = p.Sum(), o.replay(p.Seed)
	return &outcome{line: r.Line, res: &r.Result, hits: r.Hits, sub: &subject{}}, nil
}

// died is the outcome of a process that a panic ended: one of a goroutine that is not the simulator's own cannot be caught in the process.
// nil: something else ended it.
func died(p *plan.Plan, errs string) *outcome {
	for _, l := range strings.Split(errs, "\n") {
		if strings.HasPrefix(l, "panic: ") || strings.HasPrefix(l, "fatal error: ") {
			v := &engine.Violation{Property: "assert", Was: "no panic", Is: l}
			return &outcome{line: line{Seed: p.Seed, Plan: p.Sum(), Verdict: broken, Property: v.Property, Nodes: p.Nodes},
				res: &cluster.Result{Violation: v, Stack: string(tail([]byte(errs)))}, sub: &subject{}}
		}
	}
	return nil
}

// tail is the end of what a process said.
func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }

// tellParent writes an outcome for the process that asked for it.
func tellParent(path string, r *outcome) error {
	b, err := json.Marshal(handover{Line: r.line, Result: *r.res, Hits: r.hits})
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
