// Package fetcher is a follower's side of replication: one Fetcher a shard and leader broker, for all partitions of the shard that
// follow that broker.
//
//	        ┌────────────── one request in flight ───────────────┐
//	Flush ──┤ full or incremental session (KIP-227), by topic id ├─▶ leader ──▶ Answered ──▶ each partition of the answer:
//	   ▲    └─────────────────────────────────────────────────────┘                │
//	   │                                      diverging epoch ─▶ Truncate (KIP-595) │
//	   │                                  OFFSET_OUT_OF_RANGE ─▶ OutOfRange         │
//	   └── all synced, or grace over ◀── Received ◀─ CRC-32C checked ◀─ records ────┘
//
// The next request leaves once everything that the last answer brought is where FetchPoint counts it (under flush.policy=ack: synced);
// what arrives at the leader meanwhile is the group commit. Partitions that take longer than the grace are left out of the session, and
// put back when Ready is called, so that one slow file does not hold up the others.
//
// One request is in flight, as a rule. A partition that comes, or comes back after an error, does not wait until the leader has records of
// others: a second request overtakes the first, whose wait the leader ends.
//
// An idle partition costs nothing here: an incremental request names only what changed, and so does its answer.
//
// It decides nothing about the log: what may be appended, truncated or served is the Follower's. A Follower may be called again only for
// an answer to the request that its FetchPoint was asked for; everything else is dropped.
//
// Read fetcher.go, then answer.go.
package fetcher
