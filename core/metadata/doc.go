// Package metadata is the cluster's state as a fold over committed records: topics, partitions, brokers, settings, producer ids.
//
//	controller ──Propose(entry)──▶ Quorum (metadata/solo, later raft) ──Committed──▶ Store ──fold──▶ Image ──▶ every shard
//
// It owns the records and their encoding, the Image that they fold into, and the interface of the log that they are agreed in.
// It promises that equal logs give equal images, that an image never changes once it is handed out, and that an entry changes
// the image only if it was decided in the term in which the log holds it. It never decides anything: that is core/controller.
// Read next: record.go, image.go, apply.go, then metadata/solo and core/controller.
package metadata
