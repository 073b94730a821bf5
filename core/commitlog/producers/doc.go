// Package producers is what a partition knows of its idempotent producers: for each producer id the epoch, the last sequence
// number and the last five batches, so that a repeated batch gets its first offset back and a gap is refused (KIP-98, KIP-360).
//
//	Check(batch) ── new ──▶ the log appends it ──▶ Update(batch) ──┐
//	     │                                                         ├─ Restore(undo): the write was taken back
//	     └─ duplicate: answer with Base, once Base is answered     ┘
//
// The state is a function of the log: reading every batch through Update gives it again. A snapshot (Kafka's format, version 1; see
// snapshot.go) keeps one batch per producer; those before it come back through Recall, as far back as the log's recovery looks.
//
// Read table.go first, then check.go.
package producers
