package oracle

import (
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
)

// Oracle checks one property. It is told what clients saw and may look into nodes; it changes nothing. The first error ends the run.
type Oracle interface {
	// Name is the property's id, as in "I:I4".
	Name() string
	// Checks counts the comparisons made: 0 in a run that should have exercised it is a failure of the harness.
	Checks() int64
	// Event is called for each event of the history as it is recorded.
	Event(h *history.Event) error
	// Step is called after each step of the engine that stepped a shard.
	Step(v View) error
	// End is called once, after the liveness phase.
	End(v View) error
}

// View is what an oracle sees of the cluster.
type View interface {
	Now() clock.Time
	// Nodes is the number of nodes, up or not.
	Nodes() int
	// Up says whether the node runs; a paused node does.
	Up(node int) bool
	// Incarnation counts the starts of a node, from 1.
	Incarnation(node int) int
	// Stepped is the (node, shard) that the last step was of.
	Stepped() (node, shard int)
	// Inspect gives what the shard's Stepper shows through Inspect() any, or nil if the node is down or has no such method.
	Inspect(node, shard int) any
	// Shards is the number of shards a node.
	Shards() int
	// Ledger is what was injected until now.
	Ledger() *fault.Ledger
	// File gives the bytes that a node's disk shows for a path now, or false. Costly.
	File(node int, path string) ([]byte, bool)
	// Full says that costly checks are due (each 1,000 steps, and at the end).
	Full() bool
}
