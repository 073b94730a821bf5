package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/sim/coverage"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/oracle"
	"github.com/seedlog/seedlog/sim/report"
)

// summary is the last line of a run over many seeds.
type summary struct {
	Seeds      int               `json:"seeds"`
	Passed     int               `json:"passed"`
	Failed     int               `json:"failed"`
	Unchecked  int               `json:"unchecked"`
	Harness    int               `json:"harness"`
	VirtualMS  int64             `json:"virtual_ms"`
	CPUMS      int64             `json:"cpu_ms"`
	WallMS     int64             `json:"wall_ms"`
	Events     int64             `json:"events"`
	Checked    map[string]int64  `json:"checked"`
	Faults     map[string]int64  `json:"faults"`
	Kinds      map[string]int64  `json:"fault_kinds"`       // all that there are, also those that never fired
	Windows    int64             `json:"unchecked_windows"` // of histories, that no checker could decide
	Operations int64             `json:"operations"`
	JudgedMS   int64             `json:"judged_ms"` // the processor's time for the checks of whole histories
	Rate       int64             `json:"operations_judged_a_minute"`
	Failing    []uint64          `json:"failing"`
	Coverage   *coverage.Summary `json:"coverage"`
	Idle       []string          `json:"idle"` // properties that so many runs should have given something to check, and none did
	Build      string            `json:"build"`
	Go         string            `json:"go"`

	clusters int // seeds of several brokers
	reached  *coverage.Ensemble
	judgedUS int64
}

func newSummary() *summary {
	s := &summary{Checked: map[string]int64{}, Faults: map[string]int64{}, Kinds: map[string]int64{}, Failing: []uint64{}, Idle: []string{}, reached: reached()}
	for _, k := range fault.Kinds() {
		s.Kinds[k] = 0
	}
	return s
}

func (s *summary) add(l *line) {
	s.Seeds++
	if l.Nodes > 1 {
		s.clusters++
	}
	switch l.Verdict {
	case pass:
		s.Passed++
	case unchecked:
		s.Unchecked++
	case broken:
		s.Failed++
		s.Failing = append(s.Failing, l.Seed)
	default:
		s.Harness++
		s.Failing = append(s.Failing, l.Seed)
	}
	if l.Coverage != nil {
		s.reached.Add(l.Coverage)
	}
	s.VirtualMS += l.VirtualMS
	s.CPUMS += l.CPUMS
	s.Events += l.Events
	for k, n := range l.Checked {
		s.Checked[k] += n
	}
	for k, n := range l.Faults {
		s.Faults[k] += n
	}
	for k, n := range l.Kinds {
		s.Kinds[k] += n
	}
	s.Windows, s.Operations, s.judgedUS = s.Windows+l.Unchecked, s.Operations+l.Operations, s.judgedUS+l.JudgedUS
	s.Build, s.Go = l.Build, l.Go
}

// idle gives the properties that nothing was checked of, in as many runs as give every one something to look at.
func (s *summary) idle() []string {
	names := []string{}
	for name, n := range s.Checked {
		alone, several := oracle.Enough(name, false), oracle.Enough(name, true)
		if n == 0 && (alone > 0 && s.Seeds-s.clusters >= alone || several > 0 && s.clusters >= several) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// many runs the seeds that are asked for, or new ones until time is over.
func many(o *options) int {
	start := time.Now()
	s := newSummary()
	code := exitPass
	inChildren(o, o.source(start), func(l *line, exit int) {
		if l != nil {
			s.add(l)
		} else {
			s.Harness++
		}
		code = worse(code, exit)
	})
	s.WallMS = time.Since(start).Milliseconds()
	if o.system == defaultSystem && o.faults == "" && o.safety == 0 { // else much is left out on purpose
		s.Idle = s.idle()
	}
	s.Coverage = s.reached.Summary()
	s.JudgedMS, s.Rate = s.judgedUS/1000, 60e6*s.Operations/max(1, s.judgedUS)
	printJSON(map[string]any{"summary": s})
	s.Coverage.Brief(os.Stderr)
	s.numbers(os.Stderr)
	for _, seed := range s.Failing {
		fmt.Fprintln(os.Stderr, "failed:", o.replay(seed))
	}
	return s.exit(code)
}

// exit is the exit code of runs that ended so: a property that they should have checked and have not is a failure of the harness.
func (s *summary) exit(code int) int {
	if len(s.Idle) == 0 {
		return code
	}
	fmt.Fprintf(os.Stderr, "error: not one check in %d runs: %s; what these look at does not happen any more, or they do not see it\n", s.Seeds, strings.Join(s.Idle, ", "))
	return worse(code, exitHarness)
}

// numbers tells people how much was checked, of what, and which kinds of fault never fired.
func (s *summary) numbers(w io.Writer) {
	properties, checks := 0, int64(0)
	for name, n := range s.Checked {
		if report.Named(name) {
			properties, checks = properties+1, checks+n
		}
	}
	var never []string
	for _, k := range fault.Kinds() {
		if s.Kinds[k] == 0 {
			never = append(never, k)
		}
	}
	fmt.Fprintf(w, "%s checks of %d properties; %d windows of histories undecided; histories of %s operations checked at %s a minute of the processor\n", report.Number(checks),
		properties, s.Windows, report.Number(s.Operations), report.Number(s.Rate))
	fmt.Fprintf(w, "%d of %d kinds of fault fired", len(s.Kinds)-len(never), len(s.Kinds))
	if len(never) > 0 {
		fmt.Fprintf(w, "; never: %s", strings.Join(never, ", "))
	}
	fmt.Fprintln(w)
}

// reached begins an ensemble of runs. A build without marks knows of none to miss.
func reached() *coverage.Ensemble {
	if !sometimes.On {
		return coverage.NewEnsemble(nil)
	}
	return coverage.NewEnsemble(sometimes.Names[:])
}

// source gives the seeds to run: those of -seeds and as many new ones as -n says, or new ones until time is over.
func (o *options) source(start time.Time) func() (seed uint64, more bool) {
	if len(o.seeds) == 0 && o.fresh == 0 {
		until := start.Add(time.Duration(o.secs) * time.Second)
		first := true
		return func() (uint64, bool) {
			more := first || time.Now().Before(until)
			first = false
			return newSeed(), more
		}
	}
	seeds := slices.Clone(o.seeds)
	for range o.fresh {
		seeds = append(seeds, newSeed())
	}
	return func() (seed uint64, more bool) {
		if len(seeds) == 0 {
			return 0, false
		}
		seed, seeds = seeds[0], seeds[1:]
		return seed, true
	}
}

// seedList reads seeds and ranges of them, as 1-60,77. Blanks and ends of lines part them too.
func seedList(list string) (seeds []uint64, err error) {
	for _, x := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		from, to, isRange := strings.Cut(x, "-")
		a, err := strconv.ParseUint(from, 10, 64)
		b := a
		if err == nil && isRange {
			b, err = strconv.ParseUint(to, 10, 64)
		}
		if err != nil || b < a || b-a >= mostSeeds {
			return nil, fmt.Errorf("seeds %q; use numbers of 64 bits and ranges, as 1-60,77", x)
		}
		for n := a; ; n++ {
			if seeds = append(seeds, n); n == b {
				break
			}
		}
	}
	return seeds, nil
}

// mostSeeds bounds a range.
const mostSeeds = 1 << 20

func newSeed() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return uint64(time.Now().UnixNano())
	}
	return binary.LittleEndian.Uint64(b[:]) >> 16 // short enough to type
}
