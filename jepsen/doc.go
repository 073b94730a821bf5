// Package jepsen runs workloads against real broker processes on a real network while a nemesis harms them, and judges what clients saw by
// the simulator's checkers.
//
// It owns a run: the processes (ours, or Apache Kafka's), the workloads, the nemesis and the history. Clients are franz-go, as users have
// it. It promises that a history is in the simulator's form, so that `build/sim check` reads it; that what could not be done here is said and
// not passed over; that a checker with nothing to check fails the run; and that processes, namespaces and mounts are gone afterwards.
// It never judges: packages models, models/anomaly and sim/oracle do.
//
//	workload ── franz-go ──▶ processes ◀── nemesis (kill, pause, partition, slow, …)
//	    └──Invoke/Complete──▶ Recorder ──▶ history.jsonl ──▶ checkers ──▶ results.json, report.html, exit code
//
// Next: run.go, then cluster.go, nemesis.go and any workload.
package jepsen
