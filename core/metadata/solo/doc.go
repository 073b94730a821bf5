// Package solo is the metadata quorum of a broker alone: one synced log in its data directory, behind metadata.Quorum.
//
//	DIR/__cluster_metadata-0/00000000000000000000.log                     entries from index 0 on
//	DIR/__cluster_metadata-0/00000000000000004711-0000000003.checkpoint   the state before index 4711, of term 3
//
// Both are record batches of magic 2: base offset is the index, leader epoch the term, each record's value an encoded metadata.Entry.
//
//	Propose ─▶ queue ─▶ one batch ─Write─▶ done ─Sync─▶ done ─▶ Committed … ─▶ queue
//
// It promises that nothing is Committed before its bytes are synced, that a restart finds all that was Committed and nothing torn, and
// that a failed write or sync is never followed by another. Writing and syncing strictly alternate, so that at most the last batch
// can be torn; damage anywhere else is refused, not cut away. When the log has grown by a bound it is replaced by a checkpoint.
// Read next: solo.go, recover.go, compact.go.
package solo
