// Package offsets holds the offsets that groups committed: durable state, changed by replay only.
//
//	Store ─ by group ─▶ Group ─ by topic ─▶ Topic ─ by partition ─▶ Offset
//	  └ by producer ─▶ the same, pending until the transaction's marker (KIP-98)
//
// It promises sorted iteration, and never holds an empty group or topic. It knows nothing of members, time or the log.
//
// Read next: package group, commit.go and expire.go.
package offsets
