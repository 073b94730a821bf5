package report

import (
	"fmt"
	"slices"
)

// Difference is how a run differs from another one.
type Difference struct {
	Other Head
	Same  bool     // the traces are equal: one history
	Heads []Row    // what names the runs, where it differs
	First []string // the first operations that differ, in words
	Rows  []Row    // counts of checks, faults and changes that differ
}

// Row is a thing that differs: here, and there.
type Row struct{ What, Here, There string }

// Compare says how r differs from another run.
func (r *Run) Compare(o *Run) *Difference {
	d := &Difference{Other: o.Head, Same: r.Trace == o.Trace && r.Trace != ""}
	for _, x := range [...]Row{
		{"verdict", r.Verdict, o.Verdict}, {"property", r.broke(), o.broke()}, {"seed", fmt.Sprint(r.Seed), fmt.Sprint(o.Seed)}, {"plan", r.Plan, o.Plan}, {"trace", r.Trace, o.Trace},
		{"build", r.Build, o.Build}, {"brokers", fmt.Sprint(r.Nodes), fmt.Sprint(o.Nodes)}, {"flush.policy", r.Flush, o.Flush}, {"mutant", r.Mutant, o.Mutant},
		{"virtual time", Seconds(r.End), Seconds(o.End)}, {"events", Number(r.Events), Number(o.Events)},
	} {
		if x.Here != x.There {
			d.Heads = append(d.Heads, x)
		}
	}
	d.First = parts(r, o)
	d.Rows = counts(d.Rows, "checks of ", checked(r), checked(o))
	d.Rows = counts(d.Rows, "faults ", acted(r), acted(o))
	d.Rows = counts(d.Rows, "", r.Changes, o.Changes)
	return d
}

func (r *Run) broke() string {
	if r.Violation == nil {
		return ""
	}
	return r.Violation.Property
}

// parts says where the two histories part.
func parts(r, o *Run) []string {
	for i := 0; i < len(r.Ops) || i < len(o.Ops); i++ {
		switch {
		case i >= len(r.Ops):
			return []string{"This run has no more operations; the other goes on with " + o.Ops[i].sentence()}
		case i >= len(o.Ops):
			return []string{"The other run has no more operations; this one goes on with " + r.Ops[i].sentence()}
		case r.Ops[i] != o.Ops[i]:
			return []string{"Here: " + r.Ops[i].sentence(), "There: " + o.Ops[i].sentence()}
		}
	}
	return nil
}

// sentence tells of an operation.
func (o *Op) sentence() string {
	how := fmt.Sprintf("%s after %s ms", o.Type, millis(o.End-o.Begin))
	if o.Type == "open" {
		how = "never answered"
	}
	return fmt.Sprintf("at %s client %d: %s %s (%s), %s", Seconds(o.Begin), o.Client, o.F, o.Key, o.Text, how)
}

func checked(r *Run) map[string]int64 {
	m := map[string]int64{}
	for _, c := range r.Checks {
		m[c.Name] = c.Checked
	}
	return m
}

func acted(r *Run) map[string]int64 {
	m := map[string]int64{}
	for _, c := range r.Faults {
		m[c.Class] = c.Count
	}
	return m
}

// counts adds what differs between two tables.
func counts(rows []Row, head string, here, there map[string]int64) []Row {
	names := slices.Concat(sortedKeys(here), sortedKeys(there))
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		if here[n] != there[n] {
			rows = append(rows, Row{head + n, Number(here[n]), Number(there[n])})
		}
	}
	return rows
}
