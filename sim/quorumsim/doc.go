// Package quorumsim runs the metadata quorum alone: nodes of one carrier, which stands where a broker's shard 0 does, and one core/quorum.Node.
//
//	node: carrier ◀─link─▶ quorum.Node in a bubble          carrier ◀─frames over simnet─▶ the carriers of other nodes
//
// The carrier opens and carries raft's streams, founds the quorum from the plan's own list, and proposes while its node leads. The Judge
// holds all images that any node ever had against each other: one index has one image, a term has one leader, what was acknowledged stays,
// and after healing every node comes to the newest image and the quorum takes entries again.
//
// It is how the simulator shows that goroutines repeat to the byte (Plan, sim twice -system quorum), and that raft on our stores and
// streams keeps what it promises. Read next: carrier.go, judge.go, run.go.
package quorumsim
