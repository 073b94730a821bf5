// Package replica is one partition's replica on this broker, its leader or a follower: who may append, how far the high watermark stands, who
// waits for it, what other replicas have, and what this one fetches.
//
//	Append ─▶ commitlog ─ LogWritten ─▶ acks=1 answered, replicas' watches fired: they fetch while this disk syncs
//	                    └ LogSynced  ─▶ own end moves ─┐
//	Fetched (a follower's end, as synced there) ───────┴▶ high watermark = least end of the maximal ISR ─▶ acks=all answered, watches fired
//
//	FetchPoint ─▶ Fetch ─▶ Received ─▶ commitlog ─ LogSynced ─▶ FollowerReady ─▶ FetchPoint …
//	                    └▶ Truncate, OutOfRange ─▶ commitlog ─ cut and synced ─▶ FollowerReady
//
// Under flush.policy=ack the log end that counts is the synced one, wherever the protocol counts it; under os it is the written one
// (DESIGN.md, "Log and durability"). The role comes from the metadata image alone (Apply), the ISR changes through the controller alone
// (Observer.AlterPartition, Altered); until it has answered, who is in the ISR and who would be both count (KIP-497). The high watermark
// rests while the ISR is below min(min.insync.replicas, replication factor) (KIP-966). A partition to which nothing was applied is alone.
//
// It never reads a clock, never answers a client itself: it tells a Waiter. Read partition.go, then state.go (roles), leader.go, isr.go,
// follower.go, watch.go; cluster_test.go is the protocol in small.
package replica
