package quorum

import "github.com/hashicorp/raft"

// Whose newest change of the members has removed a candidate refuses it, in raft. That change may never be committed, and be gone from the log of
// the candidate's majority; if the candidate's own change needs this vote, nobody is ever elected:
//
//	A, cut off, removes X:  A has {A Y}      X leads, removes Y, cannot reach A:  X and Y have {X A}
//	A is back:  X asks A, who does not know X;  A and Y lack entries that X has;  Y is no member
//
// A vote is the log's to decide (Raft dissertation, 4.2.2: servers vote for candidates that are not in their configuration). Who has a leader still
// refuses, so one that was removed and does not know disturbs nobody.

// introduce lets a candidate that this node does not count as a voter ask in the name of one that it does. What is voted for is its address.
func (t *transport) introduce(rpc raft.RPC) {
	var from *raft.RPCHeader
	switch q := rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		from = &q.RPCHeader
	case *raft.RequestPreVoteRequest:
		from = &q.RPCHeader
	default:
		return
	}
	r := t.stable.node.current()
	if r == nil {
		return
	}
	var known raft.ServerID
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter && (known == "" || s.ID == raft.ServerID(from.ID)) {
			known = s.ID
		}
	}
	if known != "" {
		from.ID = []byte(known)
	}
}
