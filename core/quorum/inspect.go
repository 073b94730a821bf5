package quorum

import "github.com/hashicorp/raft"

// View is what the simulator's oracles see of a node. It is asked while no goroutine of the node runs.
type View struct {
	Running  bool // raft has begun, and the node has not ended
	Leader   bool // it claims to lead
	State    raft.RaftState
	Term     int64
	VoteTerm int64
	Vote     string // raft's address of the candidate that it voted for in VoteTerm
	First    int64  // of the entries in the log; First > Last: none
	Last     int64
	Commit   int64
	Index    int64  // of the image
	Image    uint64 // its digest
	Snapshot int64  // index of the newest, -1: none
}

// Inspect shows the node, and changes nothing.
func (n *Node) Inspect() View {
	v := View{Index: -1, Snapshot: -1, Last: -1}
	r := n.current()
	if r == nil {
		return v
	}
	v.Running, v.State, v.Commit = !n.isDead(), r.State(), int64(r.CommitIndex())
	n.lead.mu.Lock()
	v.Leader, v.Term = n.lead.claimed, n.lead.term
	n.lead.mu.Unlock()
	vote := n.stable.get()
	v.VoteTerm, v.Vote = int64(vote.voteTerm), string(vote.candidate)
	n.logs.mu.Lock()
	if k := len(n.logs.log.logs); k > 0 {
		v.First, v.Last = int64(n.logs.log.first), int64(n.logs.log.last())
	}
	n.logs.mu.Unlock()
	img := n.machine.current()
	v.Index, v.Image = img.Index(), img.Digest()
	if m := n.snapshots.newest(); m != nil {
		v.Snapshot = int64(m.Index)
	}
	return v
}

// Entry gives the term and the bytes of an entry of the log, for oracles; ok is false if the log does not hold it.
func (n *Node) Entry(index int64) (term int64, data []byte, ok bool) {
	if n.current() == nil {
		return 0, nil, false
	}
	n.logs.mu.Lock()
	defer n.logs.mu.Unlock()
	l := n.logs.log.get(uint64(index))
	if l == nil {
		return 0, nil, false
	}
	return int64(l.Term), l.Data, true
}

// Digest is of what a run may not differ in.
func (n *Node) Digest() uint64 {
	v := n.Inspect()
	h := uint64(14695981039346656037)
	add := func(x uint64) { h = (h ^ x) * 1099511628211 }
	for _, x := range [...]int64{v.Term, v.VoteTerm, v.First, v.Last, v.Commit, v.Index, v.Snapshot, int64(v.State)} {
		add(uint64(x))
	}
	add(v.Image)
	if v.Leader {
		add(1)
	}
	for i := range len(v.Vote) {
		add(uint64(v.Vote[i]))
	}
	return h
}
