package report

import "strings"

// matrix is how often faults of a class acted, or began, while something was so.
type matrix struct {
	Counted bool // round by round
	Columns []string
	Rows    []matrixRow
}

type matrixRow struct {
	Class, Name string
	Cells       []int64
}

// conditions are what a fault may find a run in. They look at the report's own data.
var conditions = []struct {
	name string
	is   func(r *Run, s *Span) bool
}{
	{"any time", func(*Run, *Span) bool { return true }},
	{"another fault on", (*Run).faulty},
	{"a broker down", (*Run).down},
	{"no controller", (*Run).headless},
	{"a partition without leader", func(r *Run, s *Span) bool { return r.anyState(s.Begin, func(x *State) bool { return x.Leader == 0 }) }},
	{"ISR not whole", func(r *Run, s *Span) bool {
		return r.anyState(s.Begin, func(x *State) bool { return len(x.ISR) < x.Want })
	}},
	{"1 s after an election", (*Run).elected},
	{"an append open", func(r *Run, s *Span) bool { return r.asking(s.Begin, "send") }},
	{"a read open", func(r *Run, s *Span) bool { return r.asking(s.Begin, "poll") }},
	{"a transaction open", func(r *Run, s *Span) bool { return r.asking(s.Begin, "txn") }},
	{"a group joining", func(r *Run, s *Span) bool { return r.asking(s.Begin, "join") }},
}

// matrix gives the table: what was counted in the run, or else what the report's own data say of the begins of faults. Nil if there is nothing to show.
func (r *Run) matrix() *matrix {
	if len(r.Met) > 0 {
		return r.met()
	}
	return r.began()
}

// met is the table of what was counted.
func (r *Run) met() *matrix {
	m := &matrix{Counted: true}
	column := map[string]int{}
	for _, name := range sortedKeys(r.Met) {
		_, phase, _ := strings.Cut(name, "/")
		column[phase] = 0
	}
	m.Columns = sortedKeys(column)
	for i, c := range m.Columns {
		column[c] = i
	}
	for _, name := range sortedKeys(r.Met) {
		class, phase, _ := strings.Cut(name, "/")
		if n := len(m.Rows); n == 0 || m.Rows[n-1].Class != class {
			m.Rows = append(m.Rows, matrixRow{Class: class, Name: FaultName(class), Cells: make([]int64, len(m.Columns))})
		}
		m.Rows[len(m.Rows)-1].Cells[column[phase]] = r.Met[name]
	}
	return m
}

// began is the table of what the begins of faults met.
func (r *Run) began() *matrix {
	row := map[string]int{}
	m := &matrix{}
	for _, c := range conditions {
		m.Columns = append(m.Columns, c.name)
	}
	for _, f := range r.Faults {
		for i := range r.Spans {
			s := &r.Spans[i]
			if s.Class != f.Class {
				continue
			}
			k, ok := row[s.Class]
			if !ok {
				k = len(m.Rows)
				row[s.Class] = k
				m.Rows = append(m.Rows, matrixRow{Class: s.Class, Name: FaultName(s.Class), Cells: make([]int64, len(conditions))})
			}
			for j, c := range conditions {
				if c.is(r, s) {
					m.Rows[k].Cells[j]++
				}
			}
		}
	}
	if len(m.Rows) == 0 {
		return nil
	}
	return m
}

func (s *Span) holds(t int64) bool { return s.Begin <= t && t < s.End }

func (r *Run) faulty(s *Span) bool {
	for i := range r.Spans {
		if o := &r.Spans[i]; o != s && o.Begin < s.Begin && o.holds(s.Begin) {
			return true
		}
	}
	return false
}

func (r *Run) down(s *Span) bool {
	for n := range r.Lanes {
		up := false
		for i := range r.Lanes[n].Lives {
			l := &r.Lanes[n].Lives[i]
			up = up || l.Begin < s.Begin && s.Begin <= l.End
		}
		if !up && s.Begin > 0 {
			return true
		}
	}
	return false
}

func (r *Run) headless(s *Span) bool {
	for i := range r.Control {
		if r.Control[i].holds(s.Begin) {
			return false
		}
	}
	return r.Nodes > 1
}

// anyState says whether a partition was in some state at a time.
func (r *Run) anyState(t int64, is func(*State) bool) bool {
	for i := range r.Parts {
		all := r.Parts[i].States
		for k := len(all) - 1; k >= 0; k-- {
			if all[k].At > t {
				continue
			}
			if all[k].Want > 0 && is(&all[k]) {
				return true
			}
			break
		}
	}
	return false
}

func (r *Run) elected(s *Span) bool {
	for i := range r.Parts {
		for k, l := range r.Parts[i].Leaders {
			if k > 0 && l.Begin <= s.Begin && s.Begin-l.Begin <= 1e9 {
				return true
			}
		}
	}
	return false
}

// asking says whether an operation whose name begins so was open at a time.
func (r *Run) asking(t int64, f string) bool {
	for i := range r.Ops {
		o := &r.Ops[i]
		if o.Begin <= t && t < o.End && len(o.F) >= len(f) && o.F[:len(f)] == f {
			return true
		}
	}
	return false
}

// rare gives the marks, those that were never passed at the end.
func (r *Run) rare() (all []changeView, hit int) {
	for _, what := range sortedKeys(r.Marks) {
		if n := r.Marks[what]; n > 0 {
			all = append(all, changeView{what, n})
		}
	}
	hit = len(all)
	for _, what := range sortedKeys(r.Marks) {
		if r.Marks[what] == 0 {
			all = append(all, changeView{what, 0})
		}
	}
	return all, hit
}
