package quorum

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// A proposal takes one write, one way and back to a follower and its write; then followers are told.
func TestFollowersLearnAtOnceWhatIsCommitted(t *testing.T) {
	inWorld(t, 3, 41, func(w *world) {
		w.found()
		l := w.leader(5 * time.Second)
		w.agree(time.Second, 0)
		for n := range 20 {
			if !l.commit(topic(n)) {
				t.Fatal("the proposal was refused")
			}
			w.agree(netTime+4*time.Millisecond, n+1)
			time.Sleep(time.Duration(n*13) * time.Millisecond)
		}
		l.crash(false)
		l = w.leader(5 * time.Second)
		if !l.commit(topic(20)) {
			t.Fatal("the new leader's proposal was refused")
		}
		w.agree(netTime+4*time.Millisecond, 21)
	})
}

type sentRequests struct {
	raft.AppendPipeline
	sent []raft.AppendEntriesRequest
}

func (s *sentRequests) AppendEntries(q *raft.AppendEntriesRequest, _ *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	s.sent = append(s.sent, *q)
	return nil, nil
}

// A follower may hold entries of a deposed leader past the last request. raft would have it commit them if it heard of a commit index beyond.
func TestAFollowerIsToldOfNoCommitBeyondWhatItHoldsForCertain(t *testing.T) {
	inner := &sentRequests{}
	tr := &transport{committed: 9}
	p := &pipeline{AppendPipeline: inner, t: tr, gate: make(chan struct{}, 1)}
	p.tell()
	require.Empty(t, inner.sent, "nothing is known of the follower")

	_, err := p.AppendEntries(&raft.AppendEntriesRequest{Term: 2, PrevLogEntry: 5, PrevLogTerm: 1, LeaderCommitIndex: 9}, nil)
	require.NoError(t, err)
	require.Equal(t, uint64(5), inner.sent[0].LeaderCommitIndex)
	p.tell()
	require.Len(t, inner.sent, 1, "it is told already")

	_, err = p.AppendEntries(&raft.AppendEntriesRequest{Term: 2, PrevLogEntry: 5, PrevLogTerm: 1, LeaderCommitIndex: 6, Entries: []*raft.Log{{Index: 6, Term: 2}, {Index: 7, Term: 2}}}, nil)
	require.NoError(t, err)
	require.Equal(t, uint64(6), inner.sent[1].LeaderCommitIndex)
	p.tell()
	require.Equal(t, raft.AppendEntriesRequest{Term: 2, PrevLogEntry: 7, PrevLogTerm: 2, LeaderCommitIndex: 7}, inner.sent[2])
	p.tell()
	require.Len(t, inner.sent, 3)
}
