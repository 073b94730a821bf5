package coverage

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Brief writes what a long run leaves open, for people: the marks never hit, and whether more seeds would add something.
func (s *Summary) Brief(w io.Writer) {
	all := len(s.Marks) + len(s.Never)
	if all == 0 {
		return // a build without marks
	}
	fmt.Fprintf(w, "coverage: %d of %d marks hit in %d runs, %d behaviours; %s\n", len(s.Marks), all, s.Runs, len(s.behaviours), s.verdict())
	area := ""
	for i, name := range s.Never { // sorted, so each area stands together
		of, what, _ := strings.Cut(name, ": ")
		switch {
		case of == area:
			fmt.Fprintf(w, "; %s", what)
		case i > 0:
			fmt.Fprintf(w, "\nnever hit, %s: %s", of, what)
		default:
			fmt.Fprintf(w, "never hit, %s: %s", of, what)
		}
		area = of
	}
	if len(s.Never) > 0 {
		fmt.Fprintln(w)
	}
}

func (s *Summary) verdict() string {
	expect := fmt.Sprintf("the next is expected to bring %d.%03d new names; the last new mark came with run %d, the last new name with %d", s.Promille/1000, s.Promille%1000,
		s.LastMark, s.LastNew)
	if s.Saturated {
		return "saturated, more seeds add nothing: " + expect
	}
	return expect
}

// Full writes all of it: marks by how seldom they were hit, the matrix, the workload, the curve.
func (s *Summary) Full(w io.Writer, classes []string) {
	s.Brief(w)
	fmt.Fprintf(w, "\nmarks, by the share of runs that hit them\n")
	reaches(w, s.Marks, s.Runs)
	fmt.Fprintf(w, "\nfault x phase, runs\n%8s", "")
	for p := range Phases {
		fmt.Fprintf(w, " %5s", short(Phases[p]))
	}
	fmt.Fprintln(w)
	holes := 0
	for _, c := range classes {
		fmt.Fprintf(w, "%8s", c)
		for _, p := range Phases {
			x := s.Matrix[Cell(c, p)]
			if x == nil {
				holes++
				fmt.Fprintf(w, " %5s", ".")
				continue
			}
			fmt.Fprintf(w, " %5d", x.Runs)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d of %d cells never seen\n\nworkload, by the share of runs\n", holes, len(classes)*len(Phases))
	reaches(w, s.Workload, s.Runs)
	fmt.Fprintf(w, "\nsaturation\n%8s %6s %10s\n", "runs", "marks", "behaviours")
	top := max(1, len(s.behaviours))
	for _, p := range s.Curve {
		fmt.Fprintf(w, "%8d %6d %10d %s\n", p.Runs, p.Marks, p.Behaviours, strings.Repeat("*", 60*p.Behaviours/top))
	}
}

// short is a phase's name in five letters.
func short(phase string) string {
	if len(phase) > 5 {
		return phase[:5]
	}
	return phase
}

func reaches(w io.Writer, m map[string]*Reach, runs int) {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a].Runs != m[b].Runs {
			return m[a].Runs - m[b].Runs
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		fmt.Fprintf(w, "%6d of %d %10d times  %s\n", m[name].Runs, runs, m[name].Times, name)
	}
}
