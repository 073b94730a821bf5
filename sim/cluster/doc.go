// Package cluster runs whole nodes, unchanged, on the simulated network, disk and clock.
//
// A node is N shards (a step.Stepper each) and their mailboxes. A round of a shard is what it is in production: a drawn number of events,
// a Flush, then the effects. Mail between shards is delayed and interleaved by pair, FIFO within one. A node, or one shard of it, may be paused;
// a node may be killed between any two effects, lose its power, stop in good order, and start again from what its disk kept.
//
//	simnet ─▶ ┌ node ─────────────────────────────┐ ─▶ simnet
//	simdisk ─▶│ inbox ─▶ Step… ─▶ Step(Flush) ─▶ effects │ ─▶ simdisk
//	mail ───▶ └ shard 0..N ───────────────────────┘ ─▶ mail
//
// With Options.Quorum a node has one lane more than its shards, the last: the quorum's actor, driven as a shard without connections.
//
// Run executes a plan: the safety phase under its faults, then the liveness phase, in which everything is healed and the clients must come
// to an end in bounded virtual time. A Judge sees each round. A panic of a Stepper is the broken property "assert", an effect that the
// contracts forbid is "contract", an end of the process that no fault explains is "fatal".
//
// Read next: run.go, shard.go, node.go, verbs.go.
package cluster
