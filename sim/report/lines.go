package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// line is one line of the twin: what it is, and the thing itself.
type line struct {
	Type      string      `json:"type"`
	Run       *Head       `json:"run,omitempty"`
	Sentence  string      `json:"sentence,omitempty"`
	Violation *Violation  `json:"violation,omitempty"`
	Bug       *Bug        `json:"resembles,omitempty"`
	Check     *Check      `json:"check,omitempty"`
	Means     string      `json:"means,omitempty"`
	Fault     *FaultCount `json:"fault,omitempty"`
	Span      *Span       `json:"span,omitempty"`
	Part      *Part       `json:"partition,omitempty"`
	Client    *Role       `json:"client,omitempty"`
	Op        *Op         `json:"op,omitempty"`
	Message   *Message    `json:"message,omitempty"`
	Copy      *Copy       `json:"copy,omitempty"`
	Window    *Window     `json:"window,omitempty"`
	Grid      *Grid       `json:"grid,omitempty"`
	Near      *Near       `json:"near,omitempty"`
	Row       *Row        `json:"row,omitempty"`
	What      string      `json:"what,omitempty"`
	Tale      []string    `json:"tale,omitempty"`
	Count     int64       `json:"count,omitempty"`
}

// WriteLines writes the twin of the page: JSON Lines, each with its type.
//
//	run  violation  resembles  check  fault  span  life  controller  partition  client  op  message  copy  window  grid  near  mark  met  change  cut  mutant
func (r *Run) WriteLines(w io.Writer) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	for l := range r.lines {
		if err := e.Encode(l); err != nil {
			return fmt.Errorf("write the report's lines: %w", err)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write the report's lines: %w", err)
	}
	return nil
}

func (r *Run) lines(yield func(*line) bool) {
	ok := yield(&line{Type: "run", Run: &r.Head, Sentence: r.Sentence()})
	put := func(l *line) { ok = ok && yield(l) }
	if r.Violation != nil {
		put(&line{Type: "violation", Violation: r.Violation, Tale: r.Tale()})
	}
	for i := range r.Resembles {
		put(&line{Type: "resembles", Bug: &r.Resembles[i]})
	}
	for i := range r.Checks {
		put(&line{Type: "check", Check: &r.Checks[i], Means: Guarantee(r.Checks[i].Name)})
	}
	for i := range r.Faults {
		put(&line{Type: "fault", Fault: &r.Faults[i], Means: FaultText(r.Faults[i].Class)})
	}
	for i := range r.Spans {
		put(&line{Type: "span", Span: &r.Spans[i]})
	}
	for n := range r.Lanes {
		for i := range r.Lanes[n].Lives {
			s := r.Lanes[n].Lives[i]
			s.Node = n + 1
			put(&line{Type: "life", Span: &s})
		}
	}
	for i := range r.Control {
		put(&line{Type: "controller", Span: &r.Control[i]})
	}
	for i := range r.Parts {
		put(&line{Type: "partition", Part: &r.Parts[i]})
	}
	for i := range r.Roles {
		put(&line{Type: "client", Client: &r.Roles[i]})
	}
	for i := range r.Ops {
		put(&line{Type: "op", Op: &r.Ops[i]})
	}
	for i := range r.Messages {
		put(&line{Type: "message", Message: &r.Messages[i]})
	}
	r.detailLines(put)
	for _, what := range sortedKeys(r.Marks) {
		put(&line{Type: "mark", What: what, Count: r.Marks[what]})
	}
	for _, what := range sortedKeys(r.Met) {
		put(&line{Type: "met", What: what, Count: r.Met[what]})
	}
	for _, what := range sortedKeys(r.Changes) {
		put(&line{Type: "change", What: what, Count: r.Changes[what]})
	}
	for _, what := range sortedKeys(r.Cut) {
		put(&line{Type: "cut", What: what, Count: r.Cut[what]})
	}
}

// detailLines are those of a violation, of the records and of the scoreboard.
func (r *Run) detailLines(put func(*line)) {
	for i := range r.Copies {
		put(&line{Type: "copy", Copy: &r.Copies[i]})
	}
	for i := range r.Windows {
		put(&line{Type: "window", Window: &r.Windows[i]})
	}
	for i := range r.Grids {
		put(&line{Type: "grid", Grid: &r.Grids[i]})
	}
	for i := range r.Near {
		put(&line{Type: "near", Near: &r.Near[i]})
	}
	for i := range r.Board {
		put(&line{Type: "mutant", Row: &r.Board[i]})
	}
}

// maxLine bounds a line of a twin that is read.
const maxLine = 64 << 20

// ReadLines reads a twin back.
func ReadLines(from io.Reader) (*Run, error) {
	r := &Run{Changes: map[string]int64{}, Cut: map[string]int64{}}
	s := bufio.NewScanner(from)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("line %d of a report: %w", n, err)
		}
		r.take(&l)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read a report's lines: %w", err)
	}
	if r.Plan == "" {
		return nil, fmt.Errorf("no line of a run: this is no report's twin")
	}
	return r, nil
}

// take puts a line where it belongs. One that lacks its thing, or is of an unknown type, says nothing.
func (r *Run) take(l *line) {
	switch {
	case l.Run != nil:
		r.Head = *l.Run
	case l.Violation != nil:
		r.Violation = l.Violation
	case l.Bug != nil:
		r.Resembles = append(r.Resembles, *l.Bug)
	case l.Check != nil:
		r.Checks = append(r.Checks, *l.Check)
	case l.Fault != nil:
		r.Faults = append(r.Faults, *l.Fault)
	case l.Span != nil:
		r.takeSpan(l)
	case l.Part != nil:
		r.Parts = append(r.Parts, *l.Part)
	case l.Client != nil:
		r.Roles = append(r.Roles, *l.Client)
	case l.Op != nil:
		r.Ops = append(r.Ops, *l.Op)
	case l.Message != nil:
		r.Messages = append(r.Messages, *l.Message)
	case l.Copy != nil:
		r.Copies = append(r.Copies, *l.Copy)
	case l.Window != nil:
		r.Windows = append(r.Windows, *l.Window)
	case l.Grid != nil:
		r.Grids = append(r.Grids, *l.Grid)
	case l.Near != nil:
		r.Near = append(r.Near, *l.Near)
	case l.Row != nil:
		r.Board = append(r.Board, *l.Row)
	case l.Type == "mark":
		counted(&r.Marks, l)
	case l.Type == "met":
		counted(&r.Met, l)
	case l.Type == "change":
		r.Changes[l.What] = l.Count
	case l.Type == "cut":
		r.Cut[l.What] = l.Count
	}
}

// counted puts a count into a map that is nil where nothing is counted.
func counted(m *map[string]int64, l *line) {
	if *m == nil {
		*m = map[string]int64{}
	}
	(*m)[l.What] = l.Count
}

// maxLanes bounds the nodes of a twin that is read.
const maxLanes = 1000

func (r *Run) takeSpan(l *line) {
	switch {
	case l.Type == "span":
		r.Spans = append(r.Spans, *l.Span)
	case l.Type == "controller":
		r.Control = append(r.Control, *l.Span)
	case l.Type == "life" && l.Span.Node > 0 && l.Span.Node <= maxLanes:
		for len(r.Lanes) < l.Span.Node {
			r.Lanes = append(r.Lanes, NodeLane{})
		}
		s := *l.Span
		s.Node = 0
		r.Lanes[l.Span.Node-1].Lives = append(r.Lanes[l.Span.Node-1].Lives, s)
	}
}
