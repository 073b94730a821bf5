package run

import (
	"hash/fnv"

	"github.com/seedlog/seedlog/core/quorum"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/oracle"
)

// voters is what the quorum's actors have shown. It is filled in their bubbles, at the end of each step.
type voters struct {
	nodes []oracle.Voter
	fresh int // the node whose actor showed itself since the last look, -1 none
}

var (
	_ oracle.Voters = (*view)(nil)
	_ cluster.Roles = (*Judge)(nil)
)

// watch takes in what a node's actor shows.
func (j *Judge) watch(node int, q *quorum.Node) {
	if j.view == nil {
		return
	}
	s := &j.view.voters
	for len(s.nodes) <= node {
		s.nodes = append(s.nodes, oracle.Voter{})
	}
	was, is := &s.nodes[node], q.Inspect()
	v := oracle.Voter{Running: is.Running, Leader: is.Leader, Term: is.Term, VoteTerm: is.VoteTerm, Vote: is.Vote, First: is.First, Last: is.Last,
		Commit: is.Commit, Snapshot: is.Snapshot, Committed: was.Committed}
	for i := max(was.Commit+1, is.First); i <= is.Commit && is.First > 0; i++ {
		if term, data, ok := q.Entry(i); ok {
			h := fnv.New64a()
			h.Write(data)
			v.Committed = append(v.Committed, oracle.Entry{Index: i, Sum: h.Sum64() ^ uint64(term)<<32})
		}
	}
	*was, s.fresh = v, node
}

// looked is called once the oracles have seen what the actor showed. A round has several steps, and what one of them commits counts.
func (s *voters) looked() {
	if s.fresh >= 0 && s.fresh < len(s.nodes) {
		s.nodes[s.fresh].Committed = s.nodes[s.fresh].Committed[:0]
	}
}

// Voter implements oracle.Voters.
func (v *view) Voter() (int, *oracle.Voter) {
	if n := v.voters.fresh; n >= 0 && v.shard == v.c.Plan().Shards && n == v.node {
		return n, &v.voters.nodes[n]
	}
	return -1, nil
}

// Stalled implements oracle.Voters.
func (v *view) Stalled(node int) bool {
	f := &v.c.Disk(node).Faults
	return f.StallUntil > v.c.Now() || f.Slow > 0
}

// Linked implements oracle.Voters.
func (v *view) Linked(a, b int) bool { return v.c.Linked(a, b) }

// Controller implements cluster.Roles: the node that leads in the newest term, or -1.
func (j *Judge) Controller() int {
	at, term := -1, int64(-1)
	for n := range j.view.voters.nodes {
		if v := &j.view.voters.nodes[n]; v.Running && v.Leader && v.Term > term && j.c.Running(n) {
			at, term = n, v.Term
		}
	}
	return at
}
