// Package sometimes marks what should happen in some runs of the simulator, so that an ensemble of runs can say what never did.
//
// A site is one line, `sometimes.Hit("a leader resigns while a transaction prepares")`, or If with a condition. Its name is a literal, stands at
// one site and in the list Names; `make lint` proves all three. A mark changes nothing and nothing in the core may read it. Without the build tag
// `marks`, as in the broker, Hit and If are empty functions that the compiler takes out; the simulator is built with the tag.
//
//	core ──Hit──▶ counts of this process ──Counts──▶ a run's JSON line ──▶ sim/coverage: marks never hit, saturation
//
// Read next: names.go.
package sometimes
