package oracle

import (
	"fmt"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// Voters is a View of nodes that agree through a quorum.
type Voters interface {
	View
	// Voter gives the node whose quorum actor has just been stepped, and what it shows; -1: none was.
	Voter() (node int, is *Voter)
	// Stalled says that a node's disk answers nothing: raft's own loop waits for it, and neither gives up nor decides anything.
	Stalled(node int) bool
	// Linked says whether bytes go both ways between two nodes that both run.
	Linked(a, b int) bool
}

// Voter is what a node's quorum actor shows. Commit <= Last, or Commit is within the snapshot.
type Voter struct {
	Running   bool
	Leader    bool  // it claims to lead, in Term
	Term      int64 // of its claim, or the newest that it knows of a leader
	VoteTerm  int64 // the newest term that it has on its disk
	Vote      string
	First     int64 // First > Last: no entry
	Last      int64
	Commit    int64
	Snapshot  int64   // index of the newest, -1: none
	Committed []Entry // since the last look, those that it still holds
}

// Entry is one of the quorum's log, by a sum of its term and bytes.
type Entry struct {
	Index int64
	Sum   uint64
}

// quorum: the voters' logs and claims are those of one replicated log. Source: Kafka's RaftEventSimulationTest.
//
//	I:K1  a node's term never goes back, not even over a loss of power; within a term it votes once
//	I:K2  a term has one leader
//	I:K3  what counts as committed is in the logs of a majority
//	I:K4  a process's commit index never goes back
//	I:K5  an index that is committed has one entry, for ever
//	I:K6  no log is cut below what its node knew to be committed, not even over a loss of power
//	I:K8  a leader that reaches no majority gives up
type quorum struct {
	quiet
	nodes   []voter
	leaders map[int64]int
	entries map[int64]uint64
	counts  map[string]int64
	wiped   bool // some disk was taken away
}

type voter struct {
	life   int
	is     Voter
	commit int64      // the highest that any life of it knew
	alone  clock.Time // since when it leads and reaches no majority; 0: it does not
	looked clock.Time
	had    int64 // the end of the longest log that a disk which was taken away had
	half   bool  // the term of its vote is new, the candidate may still be that of the term before: raft stores one after the other
}

// stillness is longer than any time in which the actor of a leader that is not paused has nothing to do.
const stillness = clock.Second

// deafTime is how long a leader that reaches no majority may go on to claim that it leads: its lease and what its clock may lack.
const deafTime = 3 * clock.Second

func (q *quorum) Name() string { return "I:K2" }

// counts of the other ids.
func (q *quorum) add(checks map[string]int64) {
	for _, id := range [...]string{"I:K1", "I:K3", "I:K4", "I:K5", "I:K6", "I:K8"} {
		checks[id] += q.counts[id]
	}
}

// Event learns of disks that forget: such a node comes back as another voter.
func (q *quorum) Event(e *history.Event) error {
	for i := range e.Ops {
		if o := &e.Ops[i]; o.Kind == history.Wiped {
			q.wiped = true
			for n := range q.nodes {
				if o.Member == history.NodeName(n) {
					q.nodes[n] = voter{had: q.nodes[n].end()}
				}
			}
		}
	}
	return nil
}

func (q *quorum) Step(view View) error {
	v, ok := view.(Voters)
	if !ok || v.Nodes() == 1 {
		return nil
	}
	if q.nodes == nil {
		q.nodes = make([]voter, v.Nodes())
		q.leaders, q.entries, q.counts = map[int64]int{}, map[int64]uint64{}, map[string]int64{}
	}
	n, is := v.Voter()
	if n < 0 || !is.Running {
		return nil
	}
	was := &q.nodes[n]
	for _, check := range [...]func(Voters, int, *voter, *Voter) error{q.terms, q.leader, q.commits, q.reached} {
		if err := check(v, n, was, is); err != nil {
			return err
		}
	}
	was.life, was.is, was.commit = v.Incarnation(n), *is, max(was.commit, is.Commit)
	return nil
}

func (q *quorum) fail(id string, node int, what string, was, is any) error {
	return fail(id, fmt.Sprintf("the quorum on node %d: %s", node+1, what), -1, was, is)
}

func (q *quorum) terms(_ Voters, n int, was *voter, is *Voter) error {
	q.counts["I:K1"]++
	switch {
	case is.VoteTerm < was.is.VoteTerm:
		return q.fail("I:K1", n, "term of its vote", was.is.VoteTerm, is.VoteTerm)
	case is.VoteTerm > was.is.VoteTerm:
		was.half = is.Vote == was.is.Vote
	case is.Vote != was.is.Vote:
		if !was.half && was.is.Vote != "" {
			return q.fail("I:K1", n, fmt.Sprintf("vote in term %d", is.VoteTerm), was.is.Vote, is.Vote)
		}
		was.half = false
	}
	return nil
}

func (q *quorum) leader(_ Voters, n int, _ *voter, is *Voter) error {
	if !is.Leader {
		return nil
	}
	q.checks++
	if l, ok := q.leaders[is.Term]; ok && l != n {
		return q.fail("I:K2", n, fmt.Sprintf("leader of term %d", is.Term), "node "+itoa(int64(l+1)), "node "+itoa(int64(n+1)))
	}
	q.leaders[is.Term] = n
	return nil
}

// end is how far the node's log ever was known to reach, on a disk that was taken away too: what it had acknowledged counted for a majority.
func (v *voter) end() int64 { return max(v.is.Last, v.is.Snapshot, v.had) }

func (q *quorum) commits(v Voters, n int, was *voter, is *Voter) error {
	q.counts["I:K4"]++
	if was.life == v.Incarnation(n) && is.Commit < was.is.Commit {
		return q.fail("I:K4", n, "commit index", was.is.Commit, is.Commit)
	}
	q.counts["I:K6"]++
	if was.commit > 0 && max(is.Last, is.Snapshot) < was.commit {
		return q.fail("I:K6", n, "end of its log", "committed up to "+itoa(was.commit), itoa(max(is.Last, is.Snapshot)))
	}
	for _, e := range is.Committed {
		// A founder that is wiped before the others have what it founded founds again, under another directory id: the first entries are the
		// same to raft, by index and term, and differ in the name of a dead voter. Every majority of the one is one of the other.
		if q.wiped && e.Index == 1 {
			continue
		}
		q.counts["I:K5"]++
		if sum, ok := q.entries[e.Index]; ok && sum != e.Sum {
			return q.fail("I:K5", n, "committed entry "+itoa(e.Index), fmt.Sprintf("%#x", sum), fmt.Sprintf("%#x", e.Sum))
		}
		q.entries[e.Index] = e.Sum
	}
	if is.Commit <= was.is.Commit {
		return nil
	}
	q.counts["I:K3"]++
	have := 1
	for m := range q.nodes {
		if m != n && q.nodes[m].end() >= is.Commit {
			have++
		}
	}
	if have*2 <= len(q.nodes) {
		return q.fail("I:K3", n, "committed up to "+itoa(is.Commit), "in the logs of a majority", fmt.Sprintf("in %d of %d", have, len(q.nodes)))
	}
	return nil
}

func (q *quorum) reached(v Voters, n int, was *voter, is *Voter) error {
	reach := 1
	for m := range q.nodes {
		if m != n && v.Linked(n, m) {
			reach++
		}
	}
	now := v.Now()
	slept := now.Sub(was.looked) > stillness
	was.looked = now
	switch {
	case slept || v.Stalled(n) || !is.Leader || reach*2 > len(q.nodes) || was.life != v.Incarnation(n):
		was.alone = 0
	case was.alone == 0:
		was.alone = now
	default:
		q.counts["I:K8"]++
		if now.Sub(was.alone) > deafTime {
			return q.fail("I:K8", n, "leader without a majority since "+itoa(int64(was.alone)/1e6)+" ms", "gives up", "leads at "+itoa(int64(now)/1e6)+" ms")
		}
	}
	return nil
}
