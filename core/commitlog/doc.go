// Package commitlog is the log of one partition: Kafka's files, appended by whole record batches.
//
//	Append ─▶ queue ─▶ Flush: one Write ─▶ WrittenEnd ─▶ Sync ─▶ SyncedEnd ─▶ RecoveryPoint
//	              (one in flight)              └▶ Locate: an Extent, without I/O
//
// It owns the partition's directory: segments (NNN.log, .index, .timeindex), producer state (.snapshot), the leader epochs
// (leader-epoch-checkpoint) and partition.metadata. It promises that offsets below WrittenEnd can be read, that those below
// SyncedEnd survive a loss of power, that recovery gives a prefix of what was written, not shorter than what was synced, and
// that doing it twice changes nothing. It never verifies a client's batch (package records does), never looks at the high
// watermark (package replica does; callers pass limits), and never waits.
//
// Read log.go (the state and Append), flush.go (write), sync.go, locate.go (lookup), then recover.go and truncate.go.
package commitlog
