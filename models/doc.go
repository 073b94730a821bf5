// Package models holds sequential specifications of what a broker promises, and checks histories against them with porcupine.
//
// It owns four models: a partition as a log (M1 strong, M1w where reads may lag), an idempotent producer's sequence (M2), a group's
// offset as a register guarded by a generation (M3), and a transactional id (M4), whose coordinator goes on by itself: it may be in many
// states at once, and orders are searched state by state (orders.go). It promises to say ok, illegal or unchecked, never to pass what it did not check.
// It imports nothing that it judges.
//
//	history ─▶ calls (invocation + completion) ─▶ per key ─▶ fold to canonical content ─▶ windows cut at quiescent points ─▶ porcupine
//
// The fold is what keeps the search linear: reads and acknowledgements fix which value stands at which offset, so that the state of a
// log is one number, how many of its batches exist.
//
// Next: calls.go, log.go, producer.go, offsets.go; package models/anomaly for what needs no search.
package models
