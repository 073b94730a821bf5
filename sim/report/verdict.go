package report

import (
	"fmt"
	"strings"
)

// Sentence says in plain words how the run ended.
func (r *Run) Sentence() string {
	switch r.Verdict {
	case Pass:
		return fmt.Sprintf("Nothing was broken: %s ran for %s under faults%s, and %s found everything as promised.",
			r.cluster(), Seconds(r.End), r.recovered(), count(r.total(), "check", "checks"))
	case Harness:
		return "The run proves nothing: the simulator itself could not go on. " + r.Harness
	case Unchecked:
		return fmt.Sprintf("The run is not a pass: nothing was found broken, but %s could not be decided.", count(r.undecided(), "check", "checks"))
	}
	if r.Violation == nil {
		return "The run failed."
	}
	v := r.Violation
	g := Guarantee(v.Property)
	where := ""
	if v.Key != "" {
		where = " on partition " + v.Key
	}
	return fmt.Sprintf("After %s a promise did not hold%s. It says: “%s” (%s)", Seconds(v.At), where, g, v.Property)
}

// recovered says how long the cluster had without faults.
func (r *Run) recovered() string {
	if r.Healed <= 0 {
		return ""
	}
	return fmt.Sprintf(", the last %s of it healed", Seconds(r.End-r.Healed))
}

func (r *Run) cluster() string {
	return fmt.Sprintf("a cluster of %s with %s", count(int64(r.Nodes), "broker", "brokers"), count(int64(r.Clients), "client", "clients"))
}

// total is all checks that were made.
func (r *Run) total() (n int64) {
	for i := range r.Checks {
		if !detail(r.Checks[i].Name) {
			n += r.Checks[i].Checked
		}
	}
	return n
}

func (r *Run) undecided() (n int64) {
	for i := range r.Checks {
		n += r.Checks[i].Unchecked
	}
	return n
}

// Named says whether a name of a check stands for itself, and not for a part or the sum of others.
func Named(name string) bool { return !detail(name) }

// detail says whether a name counts a part of what another one counts: the reads of a model by class, and "history", the sum of its checkers.
func detail(name string) bool {
	return name == "history" || strings.HasSuffix(name, " strong reads") || strings.HasSuffix(name, " weak reads")
}

// count gives a number with its noun.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + many
}

// Number writes an integer with its thousands apart.
func Number(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Seconds writes a virtual time.
func Seconds(ns int64) string {
	return fmt.Sprintf("%d.%03d s", ns/1e9, ns%1e9/1e6)
}
