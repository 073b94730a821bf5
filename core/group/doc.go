// Package group is Kafka's group coordinator: the groups and committed offsets of one __consumer_offsets partition led here.
//
//	request ─▶ handler ─ reads ─▶ live groups (package classic), offsets (package offsets)
//	              │ records             ▲ members, waiting, sessions: soft, changed by handlers and timers
//	              ▼                     │
//	        coordinator.Shard ─ Replay ─▶ generations and offsets: durable, changed by Replay alone
//
// It owns the rules of the classic protocol: who may join, when a rebalance begins and ends, who leads, what a commit needs, and
// when offsets expire; and it answers for groups of the consumer protocol, whose rules are package consumer's. Behaviour follows Apache Kafka 4.x to the error code; where Kafka leaves a request unanswered (a second
// join of a member that waits already) the older one is refused with a code that its client tries again on.
//
// It promises:
//   - each request is answered exactly once;
//   - a reply that depends on a record leaves after the high watermark has passed that record, and so does a read of anything
//     that was replayed;
//   - what a loaded log gives is what the live instance had: Digest of both is equal;
//   - formats on the log are Kafka's own (OffsetCommitKey 1, GroupMetadataKey 2, 3 to 8 and 16 for consumer groups), so that Kafka's tools read them.
//
// It never finds coordinators, checks no permission, and knows nothing of connections. Requests must own their strings (kmsg's
// ReadFrom, not UnsafeReadFrom); bytes that are kept are copied.
//
// Read next: coordinator.go, then join.go and sync.go in the order of the protocol; consumer_heartbeat.go and package consumer.
package group
