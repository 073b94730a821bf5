package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// childTime is how long one seed may take before its process is ended: a harness failure. Its own watch ends it earlier.
func childTime(o *options) time.Duration {
	return time.Duration(patience*(o.limit+o.shrink))*time.Second + 5*time.Minute
}

// inChildren runs each seed in a process of its own, jobs at a time. What a plan's crashes leave, tasks that nobody will resume with all that
// they hold, ends with the process.
func inChildren(o *options, next func() (seed uint64, more bool), done func(*line, int)) {
	results := make(chan childRun)
	running := 0
	launch := func() {
		if seed, more := next(); more {
			running++
			go func() { results <- inChild(o, seed) }()
		}
	}
	for range o.jobs {
		launch()
	}
	for running > 0 {
		r := <-results
		running--
		done(r.show())
		launch()
	}
}

// childRun is what a process that ran one seed wrote, and how it ended.
type childRun struct {
	out  []byte
	err  []byte
	code int
	seed uint64
}

// show hands on what the process wrote, and gives its line, nil if there is none, and its exit code.
func (r childRun) show() (*line, int) {
	os.Stdout.Write(r.out)
	os.Stderr.Write(r.err)
	l, ok := decodeLine(r.out)
	if !ok {
		fmt.Fprintf(os.Stderr, "seed %d: no line, exit %d\n", r.seed, r.code)
		return nil, r.code
	}
	return l, r.code
}

// inChild runs one seed in a fresh process of this program.
func inChild(o *options, seed uint64) childRun {
	ctx, cancel := context.WithTimeout(context.Background(), childTime(o))
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "run", "-seed", strconv.FormatUint(seed, 10), "-flush", o.flush, "-mutant", o.mutant,
		"-out", o.out, "-system", o.system, "-nodes", strconv.Itoa(o.nodes), "-faults", o.faults, "-must", o.must, "-safety", strconv.Itoa(o.safety), "-shrink", strconv.Itoa(o.shrink), "-limit", strconv.Itoa(o.limit), "-plan", "")
	cmd.Env = append(os.Environ(), "PLAN=", "SEED=", "REPORT=", "GOMAXPROCS=1")
	var a, b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &a, &b
	err := cmd.Run()
	code := exitPass
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		code = exit.ExitCode()
	default:
		fmt.Fprintln(&b, "error:", err)
		code = exitHarness
	}
	if code < 0 || code > exitHarness {
		code = exitHarness
	}
	return childRun{a.Bytes(), b.Bytes(), code, seed}
}
