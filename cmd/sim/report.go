package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/sim/mutant"
	"github.com/seedlog/seedlog/sim/report"
)

// observe makes the run keep what its report needs, if one is wanted.
func (o *options) observe(s *subject) error {
	switch {
	case o.report == "":
		return nil
	case !systems[o.system].reports:
		return fmt.Errorf("-report is of the broker; leave out -system %s", o.system)
	case filepath.Ext(o.report) != ".html":
		return fmt.Errorf("-report %q; name a file that ends in .html", o.report)
	}
	s.observe()
	return nil
}

// resembling is how many bugs of the catalogue a report names.
const resembling = 5

// resembles gives the bugs of the catalogue that the run is like, with what it has in common with each.
func resembles(r *report.Run, faults map[string]int64) (bugs []report.Bug) {
	s := mutant.Signs{Property: r.Violation.Property, Nodes: r.Nodes, Flush: r.Flush, Faults: faults}
	for i := range r.Parts {
		s.Elections = s.Elections || len(r.Parts[i].Leaders) > 1
	}
	for i := range r.Ops {
		s.Transactions = s.Transactions || strings.HasPrefix(r.Ops[i].F, "txn")
	}
	for _, l := range mutant.Resembling(&s, resembling) {
		b := report.Bug{Mutant: "m:" + l.Name, Text: l.Bug, Signs: "is expected to break this property"}
		if l.First {
			b.Signs = "broke this property first when it was put back"
		}
		for i, c := range l.Present {
			b.Signs += map[bool]string{true: "; needs, as here, ", false: ", "}[i == 0] + report.FaultName(c)
		}
		bugs = append(bugs, b)
	}
	return bugs
}

// writeReport writes the page and its twin, and notes in the line where the page is. It holds nothing of this machine or of the time it took.
func (o *options) writeReport(out *outcome) error {
	if o.report == "" {
		return nil
	}
	r := out.sub.tell(out.res)
	r.Verdict, r.Harness, r.Build, r.Go, r.Replay, r.Mutant = out.line.Verdict, out.res.Harness, out.line.Build, out.line.Go, out.line.Replay, o.mutant
	if m, ok := mutant.Find(o.mutant); ok {
		r.Bug = m.Bug
	}
	if c := out.line.Coverage; c != nil {
		r.Met, r.Marks = c.Matrix, marks(c.Marks)
	}
	if v := r.Violation; v != nil {
		r.Resembles = resembles(r, out.res.Faults)
	}
	var against *report.Difference
	if o.against != "" {
		other, err := readTwin(o.against)
		if err != nil {
			return err
		}
		against = r.Compare(other)
	}
	if o.board != "" {
		page, err := os.ReadFile(o.board)
		if err != nil {
			return err
		}
		r.Board = boardOf(string(page))
	}
	if err := os.MkdirAll(filepath.Dir(o.report), 0o755); err != nil {
		return fmt.Errorf("make the report's directory: %w", err)
	}
	if err := errors.Join(writeFile(o.report, func(w io.Writer) error { return r.WriteHTML(w, against) }), writeFile(twinOf(o.report), r.WriteLines)); err != nil {
		return err
	}
	out.line.Report = o.report
	return nil
}

// marks adds those that were never passed, in a build that has marks.
func marks(passed map[string]int64) map[string]int64 {
	if !sometimes.On {
		return nil
	}
	all := map[string]int64{}
	for _, name := range sometimes.Names {
		all[name] = passed[name]
	}
	return all
}

// boardOf reads the scoreboard of mutants, in the order of the catalogue.
func boardOf(page string) (rows []report.Row) {
	own, _ := mutant.Rows(page)
	for _, m := range mutant.All() {
		if cells := strings.Split(own[m.Name], "|"); len(cells) > 3 {
			rows = append(rows, report.Row{What: "m:" + m.Name, Here: m.Bug, There: strings.TrimSpace(cells[3])})
		}
	}
	return rows
}

// twinOf is the file beside a report's page.
func twinOf(page string) string { return strings.TrimSuffix(page, ".html") + ".jsonl" }

// reportPlan writes a report of a plan that fails, beside the plan's file: it runs once more, in a process of its own. It says where the page is, "" if
// there is none.
func (o *options) reportPlan(file string) (page string) {
	if !systems[o.system].reports {
		return ""
	}
	page = strings.TrimSuffix(file, ".plan.json") + ".report.html"
	cmd := exec.Command(os.Args[0], "run", "-plan", file, "-report", page, "-outcome", os.DevNull, "-mutant", o.mutant, "-system", o.system, "-limit", strconv.Itoa(o.limit), "-flush", "", "-seed", "")
	cmd.Env = append(os.Environ(), "PLAN=", "SEED=", "LOGS=", "REPORT=", "AGAINST=", "BOARD=")
	os.Remove(page)
	if cmd.Run() == nil { // it fails, so a pass is no repetition
		return ""
	}
	if _, err := os.Stat(page); err != nil {
		return ""
	}
	return page
}

func readTwin(path string) (*report.Run, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := report.ReadLines(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return r, errors.Join(err, f.Close())
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
