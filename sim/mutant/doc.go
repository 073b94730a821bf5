// Package mutant is the catalogue of the bugs that are planted to see whether the simulator finds them (core/plant has their sites).
//
// It owns what each one is: the historical bug that it repeats, the properties that may be the first to break, and what a plan needs to
// reach its site. It promises a row for every mutant that the core has. It runs nothing: `build/sim mutants` does, plan after plan, and
// shows that the plan which kills a mutant passes on the clean build.
//
//	plant.Names ──▶ row ──Hints──▶ plan ──run with the mutant──▶ broken property ──▶ the same plan without it passes
//
// Next: catalogue.go.
package mutant
