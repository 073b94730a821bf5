// Package link is what shard 0 and the quorum's actor of one node say to each other.
//
//	shard 0 ──Propose, Start, Opened, Bytes, Closed, Change──▶ quorum.Node (lane number Shards: raft's goroutines, its own disk files)
//	        ◀──State, Image, Leadership, Refused, Dial, Send, Close──
//
// The actor has no connections: shard 0 owns those of the CONTROLLER listener, and carries raft's bytes as mail. It folds committed
// entries, and hands out images, which are immutable. What a mail's Body points to changes owner with the mail.
// The package has no behaviour but the encoding of Hello. Read next: core/quorum, core/broker/quorum.go.
package link
