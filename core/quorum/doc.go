// Package quorum runs hashicorp/raft for one node: the metadata log of a cluster. Nothing in core imports it, and it is the one place
// in core with goroutines.
//
//	                        ┌──────────────── Node ─────────────────┐
//	shard 0 ──mail──▶ Step ─┤ raft ─▶ fsm ─▶ images                 │
//	disk ──DiskDone─▶       │  ├─ logStore, stableStore, snapshots ─┤─▶ outbox ─Drain─▶ Effects
//	                        │  └─ NetworkTransport over streams ────┤
//	                        └───────────────────────────────────────┘
//
// It owns raft's configuration, its three stores over io/disk in the directory link.Directory, and its byte streams, which shard 0
// carries (core/metadata/link). It folds what is committed, and mails each image.
//
// It promises: what raft is told to be stored is synced; a proposal is answered exactly once, by an image with its token or by a
// refusal; leadership is claimed only after a barrier and given up before anything else is said; a failure of the disk ends the node.
// It never decides anything about the state, never opens a connection, and never reads a clock but through package time, so that a
// testing/synctest bubble holds all of it: goroutines, channels and timers are made in the first Step, and no lock is held while a
// goroutine waits.
//
// Read next: node.go, outbox.go, start.go, then the stores (stable.go, logstore.go, snapshots.go) and stream.go.
package quorum
