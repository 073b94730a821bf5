// Package coverage says what runs have reached, and what an ensemble of them never did. It judges nothing: a run passes without it.
//
//	core/sometimes ─ marks ───┐
//	sim/run ─ fault × phase ──┼──▶ Run (a line's "coverage") ──Add──▶ Ensemble ──▶ marks never hit, the matrix, the saturation curve
//	sim/client ─ workload ────┘
//
// A behaviour is a cell of the matrix or a name of the workload. Read next: coverage.go, ensemble.go.
package coverage
