package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/coverage"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/report"
)

// line is the JSON line of one seed.
type line struct {
	Seed       uint64           `json:"seed"`
	Plan       string           `json:"plan"`
	Trace      string           `json:"trace"`
	Verdict    string           `json:"verdict"`
	Property   string           `json:"property"`
	VirtualMS  int64            `json:"virtual_ms"`
	CPUMS      int64            `json:"cpu_ms"`
	Events     int64            `json:"events"`
	Checked    map[string]int64 `json:"checked"`
	Unchecked  int64            `json:"unchecked"`
	Faults     map[string]int64 `json:"faults"`
	Kinds      map[string]int64 `json:"fault_kinds"` // classes, and ways of a class that has several
	Operations int64            `json:"operations"`  // of clients
	JudgedUS   int64            `json:"judged_us"`   // the processor's time for the checks of the whole history
	Coverage   *coverage.Run    `json:"coverage"`
	Nodes      int              `json:"nodes"`
	Build      string           `json:"build"`
	Go         string           `json:"go"`
	Replay     string           `json:"replay"`
	Report     string           `json:"report"`
}

// Verdicts of a line.
const (
	pass      = "pass"
	broken    = "fail"
	unchecked = "unchecked"
	harness   = "harness"
)

// cpu is the processor time of this process until now, in ms.
func cpu() int64 { return cpuOf(syscall.RUSAGE_SELF) / 1000 }

// cpuOfAll is that of this process and of those that it has started and that have ended, in ms.
func cpuOfAll() int64 {
	return (cpuOf(syscall.RUSAGE_SELF) + cpuOf(syscall.RUSAGE_CHILDREN)) / 1000
}

// cpuOf is in µs.

func cpuOf(who int) int64 {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return (u.Utime.Sec+u.Stime.Sec)*1e6 + u.Utime.Usec + u.Stime.Usec
}

// replay is the command that repeats a run.
func (o *options) replay(seed uint64) string {
	s := fmt.Sprintf("make sim SEED=%d", seed)
	switch {
	case o.plan != "":
		s = "make sim PLAN=" + o.plan
	default:
		s += o.drawn()
	}
	if o.flush != "" {
		s += " FLUSH=" + o.flush
	}
	if o.mutant != "" {
		s += " MUTANT=" + o.mutant
	}
	if o.system != defaultSystem {
		s += " SYSTEM=" + o.system
	}
	return s
}

// drawn is what a seed's plan hangs on beside the seed.
func (o *options) drawn() (s string) {
	if o.nodes > 0 {
		s += fmt.Sprintf(" NODES=%d", o.nodes)
	}
	if o.faults != "" {
		s += " FAULTS=" + o.faults
	}
	if o.safety > 0 {
		s += fmt.Sprintf(" SAFETY=%d", o.safety)
	}
	return s
}

// outcome is one run, as the commands see it.
type outcome struct {
	line line
	res  *cluster.Result
	hits int64
	sub  *subject
}

// once runs a plan in this process.
func once(o *options, p *plan.Plan, trace io.Writer) (*outcome, error) {
	s, err := systems[o.system].prepare(p, o.mutant)
	if err != nil {
		return nil, err
	}
	s.opt.Trace, s.opt.Until = trace, clock.Time(clock.MS(o.until))
	if o.logs {
		s.opt.Log = logLine
	}
	if err := o.observe(s); err != nil {
		return nil, err
	}
	sometimes.Set(nil)
	before, judging := cpu(), int64(0)
	s.opt.Ending = func() { judging = cpuOf(syscall.RUSAGE_SELF) }
	dog := watch(o, p)
	r := cluster.New(p, s.opt).Run()
	dog.Stop()
	if judging > 0 {
		judging = cpuOf(syscall.RUSAGE_SELF) - judging
	}
	l := line{Seed: p.Seed, Plan: p.Sum(), Trace: r.Trace, Verdict: pass, VirtualMS: int64(r.Virtual) / 1e6, CPUMS: cpu() - before,
		Events: r.Events, Checked: s.checked(), Unchecked: s.unchecked(), Faults: r.Faults, Kinds: r.Kinds, Operations: s.operations(), JudgedUS: judging, Coverage: s.coverage(), Nodes: p.Nodes,
		Build: report.Revision(), Go: runtime.Version(), Replay: o.replay(p.Seed)}
	switch {
	case r.Harness != "":
		l.Verdict = harness
	case r.Violation != nil:
		l.Verdict, l.Property = broken, r.Violation.Property
	case l.Unchecked > 0:
		l.Verdict = unchecked
	}
	out := &outcome{line: l, res: r, hits: s.siteHits(), sub: s}
	return out, o.writeReport(out)
}

// patience is how many times the limit a run may take where others have the processors.
const patience = 4

// watch ends the process if a run hangs: a step that never returns can only be seen from outside. Its stack says where. On a loaded machine a
// run may have had next to no processor when its time is over: it goes on then, for a while.
func watch(o *options, p *plan.Plan) *time.Timer {
	limit, began, used := time.Duration(o.limit)*time.Second, time.Now(), cpu()
	var dog *time.Timer
	dog = time.AfterFunc(limit, func() {
		had := time.Duration(cpu()-used) * time.Millisecond
		if had < limit/2 && time.Since(began) < (patience-1)*limit {
			dog.Reset(limit)
			return
		}
		buf := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "seed %d: no end after %.0f s, %.0f of the processor's\nreplay: %s\n%s\n", p.Seed, time.Since(began).Seconds(), had.Seconds(),
			o.replay(p.Seed), buf[:runtime.Stack(buf, true)])
		os.Exit(exitHarness)
	})
	return dog
}

func (o *outcome) exit() int {
	switch o.line.Verdict {
	case pass:
		return exitPass
	case harness:
		return exitHarness
	case unchecked:
		return exitHarness
	}
	return exitBroken
}

func printJSON(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data encodes
	}
	os.Stdout.Write(append(b, '\n'))
}
