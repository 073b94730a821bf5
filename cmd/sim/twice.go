package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

// twiceLine is the JSON line of one seed that was run in two fresh processes.
type twiceLine struct {
	Seed   uint64 `json:"seed"`
	Trace  string `json:"trace"`
	Other  string `json:"other"`
	Equal  bool   `json:"equal"`
	Differ string `json:"differ"` // the first line of the traces that differs
}

// twice runs each seed in two fresh processes, one with one processor and eager garbage collection, one with four processors, every log
// line written, a report made and the machine kept busy: their hashes must be equal. It is the proof that a seed is one history. A plan with a quorum
// has one processor in either; there the second process collects garbage at other steps.
func twice(o *options, args []string) int {
	var seeds []uint64
	for _, a := range args {
		n, err := strconv.ParseUint(a, 10, 64)
		if err != nil {
			return fail(fmt.Errorf("seed %q is not a number of 64 bits", a))
		}
		seeds = append(seeds, n)
	}
	until := time.Now().Add(time.Duration(o.secs) * time.Second)
	equal, different := 0, 0
	for i := 0; i < len(seeds) || len(args) == 0 && time.Now().Before(until); i++ {
		seed := newSeed()
		if i < len(seeds) {
			seed = seeds[i]
		}
		l := twiceLine{Seed: seed}
		l.Trace = fresh(o, "run", seed, false).trace
		l.Other = fresh(o, "run", seed, true).trace
		l.Equal = l.Trace == l.Other && l.Trace != ""
		if l.Equal {
			equal++
		} else {
			different++
			l.Differ = firstDifference(fresh(o, "trace", seed, false).out, fresh(o, "trace", seed, true).out)
		}
		printJSON(&l)
	}
	fmt.Printf("%d equal, %d different\n", equal, different)
	if different > 0 || equal == 0 {
		return exitHarness
	}
	return exitPass
}

type freshRun struct {
	out   []byte
	trace string
}

// fresh runs a command on a seed in a new process.
func fresh(o *options, command string, seed uint64, loaded bool) freshRun {
	args := []string{command, "-flush", o.flush, "-mutant", o.mutant, "-system", o.system, "-nodes", strconv.Itoa(o.nodes), "-faults", o.faults, "-shrink", "0", "-out", os.TempDir()}
	env := append(os.Environ(), "PLAN=", "SEED=", "REPORT=", "GOMAXPROCS=1", "GOGC=20", "LOGS=")
	if loaded {
		env = append(os.Environ(), "PLAN=", "SEED=", "REPORT=", "GOMAXPROCS=4", "LOGS=1", "GC_EVERY=700")
		defer busy()()
	}
	if command == "run" {
		args = append(args, "-seed", strconv.FormatUint(seed, 10))
		if page, remove := o.reportAside(); loaded && page != "" {
			args = append(args, "-report", page)
			defer remove()
		}
	} else {
		args = append(args, strconv.FormatUint(seed, 10))
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = env
	out, err := cmd.Output()
	if err != nil && len(out) == 0 {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	r := freshRun{out: out}
	if l, ok := decodeLine(out); ok && command == "run" {
		r.trace = l.Trace
	}
	return r
}

// reportAside names a file for a report that nobody will read, and gives what removes it and its twin; "": the system has none.
func (o *options) reportAside() (page string, remove func()) {
	if !systems[o.system].reports {
		return "", nil
	}
	page = filepath.Join(os.TempDir(), fmt.Sprintf("sim-twice-%d.html", os.Getpid()))
	return page, func() { os.Remove(page); os.Remove(twinOf(page)) }
}

// busy keeps as many processors busy as there are, until its result is called.
func busy() (stop func()) {
	var over atomic.Bool
	for range runtime.NumCPU() {
		go func() {
			for !over.Load() {
			}
		}()
	}
	return func() { over.Store(true) }
}

func firstDifference(a, b []byte) string {
	x, y := bufio.NewScanner(bytes.NewReader(a)), bufio.NewScanner(bytes.NewReader(b))
	for n := 1; ; n++ {
		more, other := x.Scan(), y.Scan()
		if !more && !other {
			return "the text is equal"
		}
		if x.Text() != y.Text() || more != other {
			return fmt.Sprintf("line %d: %q and %q", n, x.Text(), y.Text())
		}
	}
}
