// Package stats is what a broker can say of itself in numbers: plain values that the core fills and package admin shows.
//
// It owns the form of the figures and how those of several shards add up. It keeps no clock and no history, and knows nothing of
// Prometheus: times are whole nanoseconds or milliseconds, and a rate is left to whoever looks twice.
//
//	shard 0 ──Snapshot──┐
//	shard 1 ──Snapshot──┴─▶ Merge ──▶ admin ──▶ GET /metrics
//
// A Snapshot is a copy: whoever has it may keep it. Read snapshot.go, then ../../admin/collect.go for the names under which the figures are shown.
package stats
