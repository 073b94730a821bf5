package quorumsim

import (
	"fmt"

	"github.com/seedlog/seedlog/core/metadata/link"
)

// Properties of a run.
const (
	OneImage  = "quorum:image"  // one index has one image on every node, for ever
	OneLeader = "quorum:leader" // a term has one leader
	OneTerm   = "quorum:term"   // what was decided in one term changes nothing in another
	Forward   = "quorum:order"  // the images of one process come in order, and acknowledged entries stay
)

// Judge sees what every carrier sees.
type Judge struct {
	nodes   int
	digests map[int64]uint64 // by index of the image
	leaders map[int64]int    // by term
	index   []int64          // by node: of the newest image of its process
	newest  int64
	acked   map[int64]int64 // by term: the newest index that a proposer was told
	healed  bool
	since   int // acknowledged since healing
	checks  map[string]int64
	asked   int64
	acks    int64
	found   error
}

func newJudge(nodes int) *Judge {
	return &Judge{nodes: nodes, digests: map[int64]uint64{}, leaders: map[int64]int{}, acked: map[int64]int64{}, index: make([]int64, nodes), checks: map[string]int64{}}
}

type broken struct{ property, was, is string }

func (b broken) Error() string                      { return b.is }
func (b broken) Broken() (property, was, is string) { return b.property, b.was, b.is }

func (j *Judge) fail(property, was, is string, args ...any) {
	if j.found == nil {
		j.found = broken{property, was, fmt.Sprintf(is, args...)}
	}
}

// state is what a process found on its disk.
func (j *Judge) state(node int, s *link.State) {
	j.index[node-1] = 0
	if s.Image != nil && s.Image.Index() > 0 {
		j.same(node, s.Image.Index(), s.Image.Digest())
	}
}

func (j *Judge) same(node int, index int64, digest uint64) {
	j.checks[OneImage]++
	if d, ok := j.digests[index]; ok && d != digest {
		j.fail(OneImage, fmt.Sprintf("image %d is %#x", index, d), "node %d has %#x", node, digest)
	}
	j.digests[index] = digest
	j.newest = max(j.newest, index)
}

// image is one that a node has come to. decided is the term in which this process decided the entry behind it, 0 if it did not.
func (j *Judge) image(node int, c *link.Committed, decided int64) {
	index := c.Image.Index()
	j.checks[Forward]++
	if index <= j.index[node-1] {
		j.fail(Forward, "images of one process come in order", "node %d: %d after %d", node, index, j.index[node-1])
	}
	j.index[node-1] = index
	j.same(node, index, c.Image.Digest())
	if decided != 0 {
		j.checks[OneTerm]++
		if c.Commit.Applied != (decided == c.Commit.Term) {
			j.fail(OneTerm, fmt.Sprintf("an entry of term %d, decided in term %d, counts only if these are one", c.Commit.Term, decided), "node %d: applied %v", node, c.Commit.Applied)
		}
		j.acks++
		j.acked[c.Commit.Term] = max(j.acked[c.Commit.Term], index)
		if j.healed {
			j.since++
		}
	}
}

func (j *Judge) leadership(node int, l *link.Leadership) {
	if !l.Leader {
		return
	}
	j.checks[OneLeader]++
	if n, ok := j.leaders[l.Term]; ok && n != node {
		j.fail(OneLeader, fmt.Sprintf("node %d leads in term %d", n, l.Term), "node %d leads too", node)
	}
	j.leaders[l.Term] = node
	// A leader that was frozen knows nothing of later terms, and may still say that it leads in its own.
	before := int64(0)
	for term := range l.Term {
		before = max(before, j.acked[term])
	}
	if j.index[node-1] < before {
		j.fail(Forward, fmt.Sprintf("the leader of term %d has entry %d, which was acknowledged before", l.Term, before), "node %d leads at %d", node, j.index[node-1])
	}
}

func (j *Judge) proposed() { j.asked++ }

// Stepped, Heard, Healing, Crashing and Ended are the cluster's calls.
func (j *Judge) Stepped(int, int) error { return j.found }

// Heard has nothing to add.
func (j *Judge) Heard() error { return j.found }

// Healing notes that what is acknowledged from now on is progress.
func (j *Judge) Healing() { j.healed = true }

// Crashing does not concern the quorum: it promises only what is synced.
func (j *Judge) Crashing(node int, _ bool) { j.index[node] = 0 }

// Ended demands that there was something to check.
func (j *Judge) Ended() error {
	if j.found == nil && (j.acks == 0 || len(j.leaders) == 0) {
		j.fail(Forward, "entries are acknowledged", "%d of %d, %d terms with a leader", j.acks, j.asked, len(j.leaders))
	}
	return j.found
}

// Checked counts the checks, by property.
func (j *Judge) Checked() map[string]int64 { return j.checks }

// enough is how many entries the quorum must take after healing.
const enough = 5

// settled says whether the quorum takes entries again and every node is where the newest image is.
func (j *Judge) settled() bool {
	if j.since < enough {
		return false
	}
	for _, i := range j.index {
		if i < j.newest-enough {
			return false
		}
	}
	return true
}

func (j *Judge) waiting() string {
	return fmt.Sprintf("%d entries acknowledged since healing, images %v of %d", j.since, j.index, j.newest)
}
