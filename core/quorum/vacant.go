package quorum

import "github.com/hashicorp/raft"

// A voter that was told to succeed the leader, by a leader that hands over or by Node.gone, does not follow whoever else leads in the term of
// its own election: it takes that leader's entries, notes its name and goes on as a candidate. raft refuses its vote to everybody while it has
// a leader's name, and a candidate never forgets one. If that leader dies, and the others need this vote, nobody is ever elected:
//
//	TimeoutNow:  candidate, leader ""    ──AppendEntries of the same term──▶  candidate, leader X
//	X dies; the election times out:      candidate, leader X  ──RequestPreVote──▶  refused: there is a leader
//
// A candidate has no leader. Before it is asked for its vote it is told once more to succeed, which in a candidate does nothing but clear the
// name.

// vacate makes a candidate that is asked for its vote forget its leader. No other state has raft in both.
func (t *transport) vacate(rpc raft.RPC) {
	switch rpc.Command.(type) {
	case *raft.RequestVoteRequest, *raft.RequestPreVoteRequest:
	default:
		return
	}
	r := t.stable.node.current()
	if r == nil || r.State() != raft.Candidate {
		return
	}
	if leader, _ := r.LeaderWithID(); leader != "" {
		t.hand(succeed())
	}
}

// succeed is the request with which a leader hands over; its answer is nobody's.
func succeed() raft.RPC {
	return raft.RPC{
		Command:  &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}},
		RespChan: make(chan raft.RPCResponse, 1),
	}
}
