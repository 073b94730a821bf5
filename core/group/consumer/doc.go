// Package consumer is one group of the consumer protocol (KIP-848): what its members subscribe to, what each is to own, what it owns.
//
//	request ─▶ Change ─ reads ─▶ Group          records ─▶ Group.Replay
//	             └─ records ─▶ (log, by package group) ────────▲
//
// A group has three epochs. The group epoch grows whenever the target assignment must be computed anew; the target assignment epoch is
// the group epoch for which it was; a member's epoch is the target's that the member has reached. A member moves in steps: it is told to
// revoke what it is no longer to own, and keeps its epoch until it says that it has let go; then it goes to the target's epoch with what is
// free, and gets the rest as the others let go of it.
//
//	     target moved, nothing to revoke, all is free
//	   ┌───────────────────────────────────────────────┐
//	Stable ─ owns what another is to have ─▶ UnrevokedPartitions ─ let go ─┐
//	   ▲                                                                   ▼
//	   └──────────── all is free ────────────────── UnreleasedPartitions ◀─┤ something is not free yet
//	   └───────────────────────────────────────────────────────────────────┘
//
// It promises:
//   - a partition is given to a member only when no other member has it, not even to revoke;
//   - Replay alone changes what is durable, so that loading a log is what happened live;
//   - records are Kafka's (__consumer_offsets, keys 3 to 8 and 16), and their bytes never panic.
//
// It knows neither the log nor clients: package group answers them, and keeps the timers' rules. Members that speak the classic protocol
// (KIP-848, online upgrade) are members like the others, with what they said in JoinGroup beside.
//
// Source of behaviour: Apache Kafka 4.3.1, GroupMetadataManager and CurrentAssignmentBuilder.
//
// Read next: group.go, change.go, reconcile.go.
package consumer
