package coverage

import (
	"maps"
	"slices"
)

// Ensemble adds up runs. The order in which they come decides where the curve rises, and nothing else.
type Ensemble struct {
	known []string // every mark that there is
	runs  int
	marks map[string]*Reach
	acts  map[string]*Reach // behaviours
	curve []Point
}

// Reach is how far one name got in an ensemble.
type Reach struct {
	Runs  int   `json:"runs"` // in which it was reached
	Times int64 `json:"times"`
	First int   `json:"first"` // the run in which it was seen first, from 1
}

// Point is one of the saturation curve: after so many runs, so many names had been seen.
type Point struct {
	Runs       int `json:"runs"`
	Marks      int `json:"marks"`
	Behaviours int `json:"behaviours"`
}

// Summary is what an ensemble comes to.
type Summary struct {
	Runs       int               `json:"runs"`
	Marks      map[string]*Reach `json:"marks"`
	Never      []string          `json:"never"` // marks that no run has hit
	Matrix     map[string]*Reach `json:"matrix"`
	Workload   map[string]*Reach `json:"workload"`
	Curve      []Point           `json:"curve"`    // at 1, 2, 5, 10, 20, 50 … runs, and at the last
	Singles    int               `json:"singles"`  // names that one run alone has reached
	Promille   int64             `json:"promille"` // new names to be expected of the next thousand runs' first: 1000 · singles / runs (Good and Turing)
	Saturated  bool              `json:"saturated"`
	LastNew    int               `json:"last_new"`      // the run that brought the last new name
	LastMark   int               `json:"last_new_mark"` // the run that brought the last new mark
	behaviours map[string]*Reach
}

// NewEnsemble begins with no run. known are all marks that there are.
func NewEnsemble(known []string) *Ensemble {
	return &Ensemble{known: known, marks: map[string]*Reach{}, acts: map[string]*Reach{}}
}

// matrixMark and workMark keep the two kinds of behaviour apart.
const (
	matrixMark = "m "
	workMark   = "w "
)

// Add counts one run.
func (e *Ensemble) Add(r *Run) {
	e.runs++
	add := func(to map[string]*Reach, prefix string, n map[string]int64) {
		for _, name := range slices.Sorted(maps.Keys(n)) {
			x := to[prefix+name]
			if x == nil {
				x = &Reach{First: e.runs}
				to[prefix+name] = x
			}
			x.Runs++
			x.Times += n[name]
		}
	}
	add(e.marks, "", r.Marks)
	add(e.acts, matrixMark, r.Matrix)
	add(e.acts, workMark, r.Workload)
	if round(e.runs) {
		e.curve = append(e.curve, e.point())
	}
}

func (e *Ensemble) point() Point { return Point{e.runs, len(e.marks), len(e.acts)} }

// round says whether a number is 1, 2 or 5 times a power of ten.
func round(n int) bool {
	for n%10 == 0 && n > 0 {
		n /= 10
	}
	return n == 1 || n == 2 || n == 5
}

// enough is how many runs must have been made before their saturation means something.
const enough = 50

// Summary gives what all runs together have reached. They are saturated, so that more of the kind add nothing, once the second half has
// brought no new mark and the next run is not expected to bring a tenth of a new name.
func (e *Ensemble) Summary() *Summary {
	s := &Summary{Runs: e.runs, Marks: e.marks, Never: []string{}, Matrix: map[string]*Reach{}, Workload: map[string]*Reach{}, Curve: slices.Clone(e.curve), behaviours: e.acts}
	for _, name := range e.known {
		if e.marks[name] == nil {
			s.Never = append(s.Never, name)
		}
	}
	if n := len(s.Curve); e.runs > 0 && (n == 0 || s.Curve[n-1].Runs < e.runs) {
		s.Curve = append(s.Curve, e.point())
	}
	for name, x := range e.acts {
		if name[:len(matrixMark)] == matrixMark {
			s.Matrix[name[len(matrixMark):]] = x
		} else {
			s.Workload[name[len(workMark):]] = x
		}
		s.note(x, false)
	}
	for _, x := range e.marks {
		s.note(x, true)
	}
	if e.runs > 0 {
		s.Promille = 1000 * int64(s.Singles) / int64(e.runs)
	}
	s.Saturated = e.runs >= enough && s.LastMark <= e.runs/2 && s.Promille < 100
	return s
}

func (s *Summary) note(x *Reach, mark bool) {
	if x.Runs == 1 {
		s.Singles++
	}
	s.LastNew = max(s.LastNew, x.First)
	if mark {
		s.LastMark = max(s.LastMark, x.First)
	}
}
