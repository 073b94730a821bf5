// Package engine is the simulator's heart: one event heap, one virtual time, and the trace whose hash says that two runs were the same.
//
// It owns the order of everything. Events fire by (time, tie, sequence number); the tie is 0, or, under fault C2, a keyed permutation
// of the entities that fire at one instant, so that no code may lean on an order among equals. It promises that the same seed and the
// same calls give the same order and the same hash, to the bit. It never ranges over a map, reads no clock, and draws no randomness
// but through Key, whose streams are named by (seed, class, entity) so that taking one away moves no other.
//
//	At(t, entity, handler, kind, a, b) ──▶ heap ──Step──▶ trace + hash ──▶ handler.Fire(kind, a, b)
//
// Read next: heap.go, trace.go, then package cluster, which is what runs on it.
package engine
