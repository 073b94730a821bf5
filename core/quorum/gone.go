package quorum

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/step"
)

// silence is how long a leader that is said to be gone must not be heard before a follower does something: longer than between two
// heartbeats. The voters take turns, by their names, so that two do not take each other's votes.
const silence = 2 * heartbeatTimeout / 10

// gone takes that the leader's process is not there any more: its machine refuses connections. raft is told to elect another leader at once,
// by the request with which leaders hand over, unless the leader is heard all the same.
func (n *Node) gone(id string) {
	r, turn := n.current(), n.turn(id)
	n.mu.Lock()
	t, busy := n.trans, n.succeeding
	n.succeeding = busy || r != nil && turn > 0
	n.mu.Unlock()
	if r == nil || t == nil || busy || turn == 0 {
		return
	}
	since := time.Now()
	go func() {
		timer := time.NewTimer(time.Duration(turn) * silence)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-n.dead:
			return
		}
		n.mu.Lock()
		n.succeeding = false
		n.mu.Unlock()
		if _, leader := r.LeaderWithID(); string(leader) != id || r.State() != raft.Follower || r.LastContact().After(since) {
			return
		}
		n.out.log(step.Info, "metadata quorum: the controller's machine refuses connections; electing another")
		t.hand(succeed())
	}()
}

// turn is when this voter may succeed a leader: 1 for the first, 0 for who is none.
func (n *Node) turn(leader string) int {
	own, _ := n.streams.Addr().(address).parts()
	var voters []string
	for _, m := range n.machine.list() {
		if m.Voter && m.ID != leader {
			voters = append(voters, m.ID)
		}
	}
	slices.Sort(voters)
	return slices.Index(voters, own) + 1
}
