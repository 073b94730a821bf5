package quorum

import (
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/core/metadata/memdisk"
)

// A candidate stores its new term, and its disk is slow. The leader of the term before, which it does not hear well, is answered by raft's loop
// once that is done: beside it raft would store the old term over the new one, and vote twice in the new.
func TestAHeartbeatIsAnsweredBesideRaftsLoopOnlyInTheStoredTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := newBench(memdisk.New(1), -1)
		require.NoError(t, err)
		s := b.node.stable
		require.NoError(t, s.SetUint64([]byte("CurrentTerm"), 5))
		tr := &transport{stable: s, requests: make(chan raft.RPC, 1), closed: make(chan struct{})}

		beside := 0
		answer := func(rpc raft.RPC) { // as raft does in a candidate
			beside++
			require.NoError(t, s.SetUint64([]byte("CurrentTerm"), rpc.Command.(*raft.AppendEntriesRequest).Term))
		}
		beats := func(term uint64) (wasBeside bool) {
			before := beside
			tr.heartbeat(raft.RPC{Command: &raft.AppendEntriesRequest{Term: term}}, answer)
			synctest.Wait()
			if beside == before {
				<-tr.requests
			}
			return beside > before
		}
		require.True(t, beats(5))
		require.False(t, beats(4))
		require.False(t, beats(6))

		s.gate <- struct{}{} // the disk is slow
		go func() { _ = s.SetUint64([]byte("CurrentTerm"), 6) }()
		synctest.Wait()
		require.False(t, beats(5), "the term may be over before the answer")
		<-s.gate
		synctest.Wait()
		require.Equal(t, uint64(6), s.get().term)
		require.False(t, beats(5))
		require.True(t, beats(6))
		require.Equal(t, uint64(6), s.get().term)
	})
}

func TestAStoredTermIsNotStoredAgain(t *testing.T) {
	b, err := newBench(memdisk.New(1), -1)
	require.NoError(t, err)
	require.NoError(t, b.node.stable.SetUint64([]byte("CurrentTerm"), 5))
	before := b.node.stable.get().sequence
	require.NoError(t, b.node.stable.SetUint64([]byte("CurrentTerm"), 5))
	require.Equal(t, before, b.node.stable.get().sequence)
}
