package quorum

import "github.com/hashicorp/raft"

// raft answers heartbeats beside its loop, so that a slow disk does not hold them up, and there it takes over their term too. Meanwhile the
// loop may wait for the disk that stores the term of its own election, and the older term would be stored over the newer one. The node
// would then vote twice in the newer:
//
//	loop        term 5, elects itself: CurrentTerm=6 ──disk──▶ LastVoteTerm=6
//	heartbeat   of term 5, which is not over for it:  CurrentTerm=5 ──disk──▶
//
// So beside the loop a heartbeat is answered only if its term is the one that is stored, and none is about to be: there is no term to take
// over. All others go to the loop, which alone changes the term.

// SetHeartbeatHandler implements raft.Transport.
func (t *transport) SetHeartbeatHandler(answer func(raft.RPC)) {
	t.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) { t.heartbeat(rpc, answer) })
}

func (t *transport) heartbeat(rpc raft.RPC, answer func(raft.RPC)) {
	q, ok := rpc.Command.(*raft.AppendEntriesRequest)
	if !ok || !t.stable.during(q.Term, func() { answer(rpc) }) {
		t.hand(rpc)
	}
}

// Consumer implements raft.Transport: what raft's loop answers.
func (t *transport) Consumer() <-chan raft.RPC { return t.requests }

// relay hands the peers' other requests to the loop.
func (t *transport) relay() {
	for {
		select {
		case rpc := <-t.NetworkTransport.Consumer():
			t.vacate(rpc)
			t.introduce(rpc)
			t.hand(rpc)
		case <-t.closed:
			return
		}
	}
}

// hand waits until raft's loop takes a request. Who has sent it learns of the end by itself.
func (t *transport) hand(rpc raft.RPC) {
	select {
	case t.requests <- rpc:
	case <-t.closed:
	}
}

// Close implements raft.WithClose. It is called by raft and by the node.
func (t *transport) Close() error {
	t.once.Do(func() { close(t.closed) })
	return t.NetworkTransport.Close()
}

// during calls f while a term is the one that is stored and no other one can be; false if it is not, or if one is being stored.
func (s *stableStore) during(term uint64, f func()) bool {
	if !s.terms.TryLock() {
		return false
	}
	defer s.terms.Unlock()
	if s.get().term != term {
		return false
	}
	f()
	return true
}

// setTerm stores another term.
func (s *stableStore) setTerm(term uint64) error {
	if s.get().term == term { // so says a heartbeat of this very term, which holds the lock
		return nil
	}
	s.terms.Lock()
	defer s.terms.Unlock()
	err := s.update(func(v *vote) { v.term = term }, false)
	s.node.lead.termIs(term)
	return err
}
