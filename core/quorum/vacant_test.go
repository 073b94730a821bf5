package quorum

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// rpc hands raft's loop a request as a peer's, and waits for the answer.
func (h *host) rpc(q any) any {
	answer := make(chan raft.RPCResponse, 1)
	h.node.trans.hand(raft.RPC{Command: q, RespChan: answer})
	return (<-answer).Response
}

// A voter that should succeed hears of a leader in its own term, which then dies for good. Only one other has a log that may lead, and it needs this
// voter's vote.
func TestACandidateThatWasToSucceedVotesForAnotherThoughItHasHeardOfALeaderInItsTerm(t *testing.T) {
	inWorld(t, 3, 1, func(w *world) {
		w.found()
		l := w.leader(2 * time.Second)
		l.commit(topic(0))
		w.agree(time.Second, 1)
		b := w.hosts[(l.n+1)%3]
		w.isolate(b.n, true)
		if !l.commit(topic(1)) {
			t.Fatal("refused")
		}
		r, term := b.node.current(), b.node.stable.get().term+1
		b.rpc(succeed().Command)
		w.until(time.Second, "it stands for election", func() bool {
			return r.State() == raft.Candidate && b.node.stable.get().voteTerm == b.node.stable.get().term
		})
		from := b.node.trans.EncodePeer(raft.ServerID(l.id()), raft.ServerAddress(addressOf(l.id(), l.address)))
		b.rpc(&raft.AppendEntriesRequest{
			RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(l.id()), Addr: from},
			Term:      term,
		})
		if leader, _ := r.LeaderWithID(); r.State() != raft.Candidate || leader == "" {
			t.Fatalf("it is %v and has leader %q", r.State(), leader)
		}
		l.crash(false)
		w.isolate(b.n, false)
		if next := w.leader(10 * time.Second); next == b {
			t.Fatal("who lacks an entry leads")
		}
	})
}
