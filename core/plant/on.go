//go:build mutants

package plant

// Active is the one mutant of this process; its runner sets it before the first step.
var Active ID

// Hits counts how often the active mutant's site was reached.
var Hits int64

// On says whether the mutant is active, and counts that its site was reached.
func On(id ID) bool {
	if id != Active {
		return false
	}
	Hits++
	return true
}
