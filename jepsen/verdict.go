package jepsen

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/models/anomaly"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/oracle"
	"github.com/seedlog/seedlog/sim/report"
)

// Verdict is the last line of a run.
type Verdict struct {
	Valid      any                        `json:"valid"` // true, false or "unknown"
	System     string                     `json:"system"`
	Workload   string                     `json:"workload"`
	Seed       uint64                     `json:"seed"`
	Nodes      int                        `json:"nodes"`
	Flush      string                     `json:"flush,omitempty"`
	Network    string                     `json:"network"` // namespaces or loopback
	TimeMS     int64                      `json:"ms"`
	Ops        int                        `json:"ops"`
	OK         int                        `json:"ok"`
	Fail       int                        `json:"fail"`
	Info       int                        `json:"info"` // of unknown outcome
	Unchecked  int64                      `json:"unchecked"`
	Nemesis    map[string]int             `json:"nemesis"`
	Skipped    map[string]string          `json:"skipped,omitempty"`
	Checkers   map[string]*anomaly.Result `json:"checkers"`
	Violations []string                   `json:"violations,omitempty"`
	Harness    string                     `json:"harness,omitempty"`
	Replay     string                     `json:"replay,omitempty"`
	Report     string                     `json:"report,omitempty"`
	Build      string                     `json:"build"`
}

// Exit codes, as the simulator's.
const (
	ExitValid   = 0
	ExitBroken  = 1
	ExitHarness = 2
)

// Exit is the program's exit code.
func (v *Verdict) Exit() int {
	switch v.Valid {
	case true:
		return ExitValid
	case false:
		return ExitBroken
	}
	return ExitHarness
}

// Judge gives a history to every checker. A checker that must have had something to check, and had not, makes the verdict unknown.
func Judge(events []*history.Event, must []string) *Verdict {
	res := oracle.CheckHistory(events)
	v := &Verdict{Valid: res.Valid, Ops: res.Ops, Unchecked: res.Unchecked, Checkers: res.Checkers}
	for _, e := range events {
		switch e.Type {
		case history.Invoke:
			v.Info++
		case history.OK:
			v.OK, v.Info = v.OK+1, v.Info-1
		case history.Fail:
			v.Fail, v.Info = v.Fail+1, v.Info-1
		}
	}
	for _, name := range sortedKeys(v.Checkers) {
		if c := v.Checkers[name]; !c.Valid {
			for _, e := range c.Errors {
				v.Violations = append(v.Violations, name+": "+e)
			}
		}
	}
	var idle []string
	for _, name := range must {
		if c := v.Checkers[name]; c == nil || c.Checked == 0 && c.Found == 0 {
			idle = append(idle, name)
		}
	}
	if slices.Sort(idle); len(idle) > 0 {
		v.unknown("checkers without a check: " + strings.Join(idle, ", "))
	}
	return v
}

func (v *Verdict) unknown(why string) {
	v.Harness = why
	if v.Valid == true {
		v.Valid = "unknown"
	}
}

func (v *Verdict) broken(what string) {
	v.Valid = false
	v.Violations = append(v.Violations, what)
}

// Verdict judges the run.
func (r *Run) Verdict() *Verdict {
	v := Judge(r.rec.Events(), r.work.must())
	v.System, v.Workload, v.Seed, v.Nodes, v.Replay = r.cfg.System, r.cfg.Workload, r.cfg.Seed, r.cfg.Nodes, r.cfg.Replay
	if v.Network = "namespaces"; r.c.net == nil {
		v.Network = "loopback"
	}
	if r.cfg.System == Seedlog {
		v.Flush = r.cfg.Flush
	}
	v.TimeMS, v.Build, v.Report = int64(r.rec.Now())/1e6, report.Revision(), filepath.Join(r.cfg.Out, "report.html")
	v.Nemesis, v.Skipped = r.nemesis.Count, r.nemesis.Skip
	for _, w := range r.wrong {
		v.broken(w)
	}
	if r.cut {
		v.unknown("the run was ended before its time")
	}
	for _, f := range r.nemesis.kinds {
		if v.Nemesis[f.kind] == 0 {
			v.unknown("nemesis " + f.kind + " had no turn")
		}
	}
	return v
}

// Save writes what a run leaves into its folder.
func (r *Run) Save(v *Verdict) error {
	page := r.Report(v)
	return errors.Join(save(filepath.Join(r.cfg.Out, "history.jsonl"), r.rec.Write),
		save(filepath.Join(r.cfg.Out, "report.html"), func(w io.Writer) error { return page.WriteHTML(w, nil) }),
		save(filepath.Join(r.cfg.Out, "report.jsonl"), page.WriteLines),
		save(filepath.Join(r.cfg.Out, "results.json"), func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(v)
		}))
}

func save(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	return errors.Join(write(f), f.Close())
}
