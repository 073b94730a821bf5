// Package peer is the client's side of connections to other brokers and to controllers: one pool a shard, one connection a peer.
//
//	Call ─▶ waiting ──(open, room)──▶ sent, in order ──FrameArrived──▶ Answered(body)
//	           │  └ dial: at once the first time, later after a back-off     │
//	           └─── TimedOut, Refused (nobody listens), Closed ◀─────────────┘ a time-out or a wrong answer closes the connection
//
// A call is answered exactly once, always from a later event or from Flush, never from within Call. Answers come in the order of the
// requests, as Kafka's brokers give them; a correlation id out of order ends the connection. The body lies in the driver's lease:
// it is lent for the duration of Answered, and whoever keeps it retains the lease.
//
// Nothing is retried here: what was sent may have been done. What was not sent waits through a redial, until its own time-out.
// Sources: Kafka's NetworkClient and ClusterConnectionStates (KIP-144 for the back-off).
//
// Read pool.go, then peer.go.
package peer
