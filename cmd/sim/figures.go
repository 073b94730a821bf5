package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/sim/report"
)

// The kept figures of runs over many seeds: a line a run, and the page that adds them up by release.
const (
	figuresFile = "SEEDS.jsonl"
	figuresPage = "SEEDS.md"
)

// figure is what one run over many seeds came to.
type figure struct {
	Release    string           `json:"release"`
	Build      string           `json:"build"`
	Seeds      int64            `json:"seeds"`
	Failed     int64            `json:"failed"`
	Unchecked  int64            `json:"unchecked"` // seeds
	Harness    int64            `json:"harness"`
	VirtualMS  int64            `json:"virtual_ms"`
	CPUMS      int64            `json:"cpu_ms"`
	Events     int64            `json:"events"`
	Checked    map[string]int64 `json:"checked"`
	Faults     map[string]int64 `json:"faults"`
	Kinds      map[string]int64 `json:"fault_kinds"` // classes, and ways of a class that has several; also those that never fired
	Windows    int64            `json:"unchecked_windows"`
	Operations int64            `json:"operations"`
	JudgedMS   int64            `json:"judged_ms"` // the processor's time for the checks of whole histories
}

func (f *figure) add(o *figure) {
	f.Seeds, f.Failed, f.Unchecked, f.Harness = f.Seeds+o.Seeds, f.Failed+o.Failed, f.Unchecked+o.Unchecked, f.Harness+o.Harness
	f.VirtualMS, f.CPUMS, f.Events = f.VirtualMS+o.VirtualMS, f.CPUMS+o.CPUMS, f.Events+o.Events
	for k, n := range o.Checked {
		f.Checked[k] += n
	}
	for k, n := range o.Faults {
		f.Faults[k] += n
	}
	for k, n := range o.Kinds {
		f.Kinds[k] += n
	}
	f.Windows, f.Operations, f.JudgedMS = f.Windows+o.Windows, f.Operations+o.Operations, f.JudgedMS+o.JudgedMS
}

// keepFigures appends the summaries in files, as run prints them, to the kept lines as runs of a release, and writes the page anew. Other lines of the
// files are passed over, and so are summaries that are kept already; without files only the page is written.
func keepFigures(release string, files []string) int {
	if release == "" && len(files) > 0 {
		return fail(fmt.Errorf("figures of which release? RELEASE=0.1"))
	}
	kept, err := os.ReadFile(figuresFile)
	if err != nil && !os.IsNotExist(err) {
		return fail(err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return fail(err)
		}
		lines, err := summaries(f, release)
		f.Close()
		if err == nil && len(lines) == 0 {
			err = fmt.Errorf("no summary; it is the last line that make sim SECS=n prints")
		}
		if err != nil {
			return fail(fmt.Errorf("%s: %w", name, err))
		}
		kept = appendNew(kept, lines)
	}
	page, err := figuresOf(kept)
	if err == nil {
		err = os.WriteFile(figuresFile, kept, 0o644)
	}
	if err == nil {
		err = os.WriteFile(figuresPage, page, 0o644)
	}
	if err != nil {
		return fail(err)
	}
	return exitPass
}

// appendNew appends the lines that are not there.
func appendNew(kept, lines []byte) []byte {
	for l := range bytes.Lines(lines) {
		if !bytes.HasPrefix(kept, l) && !bytes.Contains(kept, append([]byte("\n"), l...)) {
			kept = append(kept, l...)
		}
	}
	return kept
}

// summaries gives the lines to keep of what a run printed.
func summaries(r io.Reader, release string) (lines []byte, err error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var x struct{ Summary *figure }
		if json.Unmarshal(s.Bytes(), &x) != nil || x.Summary == nil {
			continue
		}
		x.Summary.Release = release
		b, err := json.Marshal(x.Summary)
		if err != nil {
			return nil, err
		}
		lines = append(append(lines, b...), '\n')
	}
	return lines, s.Err()
}

const figuresHead = `# Seeds

What the simulator has run, by release: seeds of new plans, each judged by every property. ` + "`make sim SECS=n > FILE`" + ` and ` + "`make figures RELEASE=0.1 FROM='FILE FILE2'`" + `
add runs to SEEDS.jsonl, which keeps each one, and write this page. Virtual time is the brokers' own; CPU is of shared cores. A failed seed is a bug of the broker, of a
judge or of a client, mended since or open; its plan is in sim/testdata/plans/.

| release | runs | seeds | failed | not decided | harness | virtual hours | CPU hours | virtual s a CPU s | seeds a CPU hour | events | checks |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
`

// figuresOf makes the page of the kept lines: releases in the order in which they first came.
func figuresOf(kept []byte) ([]byte, error) {
	var order []string
	sums, runs := map[string]*figure{}, map[string]int{}
	for n, l := range bytes.Split(bytes.TrimSpace(kept), []byte("\n")) {
		if len(l) == 0 {
			continue
		}
		var f figure
		if err := json.Unmarshal(l, &f); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", figuresFile, n+1, err)
		}
		if sums[f.Release] == nil {
			sums[f.Release] = &figure{Release: f.Release, Checked: map[string]int64{}, Faults: map[string]int64{}, Kinds: map[string]int64{}}
			order = append(order, f.Release)
		}
		sums[f.Release].add(&f)
		runs[f.Release]++
	}
	var b strings.Builder
	b.WriteString(figuresHead)
	for _, name := range order {
		b.WriteString(sums[name].row(runs[name]))
	}
	if len(order) > 0 {
		last := sums[order[len(order)-1]]
		last.numbers(&b)
		fmt.Fprintf(&b, "\n## Faults in %s\n\n| class | what happens | times |\n|---|---|--:|\n", last.Release)
		for _, k := range byName(last.Faults) {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", k, report.FaultText(k), report.Number(last.Faults[k]))
		}
		fmt.Fprintf(&b, "\n## Checks in %s\n\n| property | what it means | checks |\n|---|---|--:|\n", last.Release)
		for _, k := range byName(last.Checked) {
			if report.Named(k) {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", k, report.Guarantee(k), report.Number(last.Checked[k]))
			}
		}
	}
	return []byte(b.String()), nil
}

// numbers tells what runs say of their histories and kinds of fault, where they say it.
func (f *figure) numbers(b *strings.Builder) {
	if len(f.Kinds) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Numbers of %s\n\n%d windows of histories were not decided.", f.Release, f.Windows)
	if f.JudgedMS > 0 {
		fmt.Fprintf(b, " Histories of %s operations were checked, %s a minute of the processor.", report.Number(f.Operations), report.Number(60000*f.Operations/f.JudgedMS))
	}
	var never []string
	for _, k := range byName(f.Kinds) {
		if f.Kinds[k] == 0 {
			never = append(never, k)
		}
	}
	fmt.Fprintf(b, " %d of %d kinds of fault, a way of a class counting as one, fired", len(f.Kinds)-len(never), len(f.Kinds))
	if len(never) > 0 {
		fmt.Fprintf(b, "; these never: %s", strings.Join(never, ", "))
	}
	b.WriteString(".\n\n| kind | times |\n|---|--:|\n")
	for _, k := range byName(f.Kinds) {
		if n := f.Kinds[k]; n > 0 {
			fmt.Fprintf(b, "| %s | %s |\n", k, report.Number(n))
		}
	}
}

func (f *figure) row(runs int) string {
	const hour = 3600 * 1000
	checks := int64(0)
	for k, n := range f.Checked {
		if report.Named(k) {
			checks += n
		}
	}
	return fmt.Sprintf("| %s | %d | %s | %d | %d | %d | %.1f | %.2f | %.0f | %s | %s | %s |\n", f.Release, runs, report.Number(f.Seeds), f.Failed, f.Unchecked, f.Harness,
		float64(f.VirtualMS)/hour, float64(f.CPUMS)/hour, float64(f.VirtualMS)/float64(max(1, f.CPUMS)), report.Number(f.Seeds*hour/max(1, f.CPUMS)), report.Number(f.Events), report.Number(checks))
}

func byName(m map[string]int64) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(a, b) })
	return names
}
