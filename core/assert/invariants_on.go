//go:build invariants

package assert

// Invariants says whether costly checks run after each step (build tag invariants).
const Invariants = true
