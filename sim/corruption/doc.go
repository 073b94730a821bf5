// Package corruption breaks histories of runs that passed, so that whoever judges histories can be judged: a checker that lets a broken one pass is
// worth nothing (verification.md, "Verify the verifier").
//
//	run that passed ──Read──▶ Story ──Operator──▶ Edits ──With──▶ history that no correct broker leaves ──▶ oracle.Suite.Judge
//
// An Operator is one way in which a broker can be wrong: two reads swapped, a record missing, a torn transaction. It gives the places of a story
// where the change is certain to be a violation, whatever the faults of the run were; a place in doubt (the ledger excuses the key, a deposed node
// may have answered, a request may have been repeated) is none. So each of its Edits must be found, by the properties that it names.
//
// It knows nothing of how the judges work, and never asks one. Read next: story.go, partitions.go.
package corruption
