// Package classic holds one group of the classic protocol, live: its members, who waits for what, and its state.
//
// All of it is soft: of a group only its last synced generation and its offsets are in the log. The rules of when to rebalance
// stand in package group; here are the steps that keep the bookkeeping right whatever the rules do.
//
//	Empty ─ first join ─▶ PreparingRebalance ─ all joined, or time ─▶ CompletingRebalance ─ leader's sync is stored ─▶ Stable
//	  ▲                        ▲   │ nobody left                            │                                            │
//	  └────────────────────────┼───┘                                        │                                            │
//	                           └─── a member joins, changes, leaves or fails ────────────────────────────────────────────┘
//	any ─ deleted or unloaded ─▶ Dead
//
// Members stand in the order in which they came, so that what Kafka leaves to a hash map's order (the next leader, the order of
// members in answers) is the same in each run.
//
// Read next: Group, then package group, join.go and sync.go.
package classic
