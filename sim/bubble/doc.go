// Package bubble runs code that has goroutines and timers (hashicorp/raft) inside the simulator: one testing/synctest bubble a node and
// process, with a clock that the simulator sets.
//
//	cluster ──Step(now, ev)──▶ Stepper ──Do(now, f)──▶ Bubble: clock := now; f; due timers; all goroutines blocked
//	        ◀──effects, Deadline──        ◀──next timer──
//
// Nothing in a bubble runs except inside Do. A node that is frozen is one whose bubble is not entered; afterwards its clock jumps. A crash
// drops the bubble: its goroutines stay blocked for ever, as those of a killed process do nothing any more.
//
// In a build with the runtime overlay (package sim/overlay, build tag overlay) goroutines, timers, selects, maps and random numbers of a
// bubble repeat to the byte for one seed, if the process has GOMAXPROCS=1, collects garbage only between steps, and runs one plan: see
// Exact, Settle. Without the overlay the same code runs, each timer at its own time, but no two runs are alike: Do moves the
// clock by sleeping, and asks to be called again every few milliseconds, since the next timer is not known.
//
// Rules for what runs in a bubble: its channels, timers and wait groups are made and used inside alone; it reads no file and no socket;
// never more than 256 of its goroutines become ready in one step, so input is given one event a step.
// Read next: bubble.go, stepper.go, hooks_overlay.go.
package bubble
