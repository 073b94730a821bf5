// Package realnet drives the shards of a node on Linux: one epoll loop a shard, on a thread of its own.
//
// It owns sockets, frames on their way in, bytes on their way out, mail between shards and the clock that the shards are told. It
// executes a shard's effects, and knows nothing of what they mean. The disk is behind an interface (disk.go).
//
//	            ┌───────────────────────── one round of a loop ──────────────────────────┐
//	epoll_wait ─▶ read ready sockets, cut frames ─▶ Step(FrameArrived) …                 │
//	  ▲         │ mailbox ─▶ Step(MailArrived) …, disk ─▶ Step(DiskDone) …, Step(Tick)    │
//	  │         │ ┌▶ Step(Flush) ─▶ mail out ─▶ disk requests ─▶ those done inline: Step ┐│
//	  │         │ └──────────────────────────◀───────────────────────────────────────────┘│
//	  │         │ sends, one call a connection ─▶ closes ─▶ Step(SendDone), Step(ConnClosed)…
//	  └─────────┴────────────────────────────────────────────────────────────────────────┘
//
// Promises:
//   - Frames arrive whole. Their bytes are read once, into a lease of the shard's pool; a lease grows only as its frame arrives. A connection
//     that sends nothing holds no lease, one that trickles holds little more than what it sent.
//   - Sends of one connection leave in order. A Send's token is answered exactly once: when its last byte was taken by the kernel, or when
//     the connection is gone (before ConnClosed).
//   - Each connection that was opened is closed by exactly one ConnClosed, whoever closed it. Effects that name a connection which is gone
//     do nothing, but their tokens are answered.
//   - Mail from one shard to another keeps its order.
//   - In steady state a loop does not allocate.
//
// A peer's end of stream closes the connection once the frames that had arrived whole are delivered, as Apache Kafka does; answers that are not
// written by then are dropped. A Close, a bad frame and the end of the node let the connection linger (linger.go): its ConnClosed is stepped at
// once, but what was answered is still sent, and what the peer sends is discarded until it has ended too, for at most a second. Only from the
// first extent that the kernel has not taken on, unsent bytes are dropped: who wants a file's bytes out waits for their SendDone.
//
// Bounds: Config.MaxFrame bytes a frame; Config.MaxUnsent bytes unsent a connection before it is not read; one read and maxSendRound bytes
// a connection and round; maxPasses passes a round; maxLingering connections for lingerTime, maxDiscard bytes of each a round.
//
// Listeners belong to shard 0, which accepts and deals connections out in turn, but keeps those of inner listeners. A lane is a loop without
// connections: the quorum's actor, which any goroutine wakes by Post. It is stopped when all shards have, since they stop with its help. SO_REUSEPORT would save that mail, once a connection, but hashes:
// few connections land unevenly (1.59 against 0.51 GB seen on two shards).
//
// Read next: node.go (the door), loop.go (the round), conn.go, framer.go (in), send.go (out), wait.go (sleeping).
package realnet
