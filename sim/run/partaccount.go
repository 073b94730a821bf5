package run

import (
	"slices"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/report"
)

// maxMarks is how many offsets of a partition are kept: with more, every other one goes, and what follows is taken half as often.
// maxChanges bounds its leaders and its states, each.
const (
	maxMarks   = 1500
	maxChanges = 1500
)

// partAccount is one partition's part of an account.
type partAccount struct {
	key   string
	part  report.Part
	open  map[int]int // by node that takes itself for the leader: which of part.Leaders
	epoch int32       // the newest that offsets were taken from
	last  report.Offset
	held  bool // last is not in part.Marks
	// Where the nodes' copies stood, the last changes of them: a ring, and by node the newest.
	copies []report.Copy
	oldest int
	newest map[int]report.Copy
	lives  map[int]int // by node: the process that was looked at
}

// maxCopies is how many changes of a partition's copies are kept.
const maxCopies = 2048

// copy notes where a node's copy stands, if it is not where it was.
func (x *partAccount) copy(c report.Copy, life int) {
	was, ok := x.newest[c.Node]
	c.Fresh = !ok || x.lives[c.Node] != life
	if !c.Fresh && was.End == c.End && was.Synced == c.Synced && was.High == c.High {
		return
	}
	x.newest[c.Node], x.lives[c.Node] = c, life
	if len(x.copies) < maxCopies {
		x.copies = append(x.copies, c)
		return
	}
	x.copies[x.oldest] = c
	x.oldest = (x.oldest + 1) % maxCopies
}

// changed gives what is kept of the copies, oldest first.
func (x *partAccount) changed() []report.Copy {
	return append(append([]report.Copy(nil), x.copies[x.oldest:]...), x.copies[:x.oldest]...)
}

// leads notes that a node takes itself for the leader; true: it did not in this epoch.
func (x *partAccount) leads(node int, epoch int32, now clock.Time) bool {
	if i, ok := x.open[node]; ok && x.part.Leaders[i].Epoch == epoch {
		return false
	}
	x.leaves(node, now)
	if len(x.part.Leaders) < maxChanges {
		x.open[node] = len(x.part.Leaders)
		x.part.Leaders = append(x.part.Leaders, report.Lead{Begin: int64(now), End: -1, Node: node + 1, Epoch: epoch})
	}
	return true
}

// leaves notes that it does not, or not any more.
func (x *partAccount) leaves(node int, now clock.Time) {
	if i, ok := x.open[node]; ok {
		x.part.Leaders[i].End = int64(now)
		delete(x.open, node)
	}
}

// state takes in what the quorum says; true: the ISR is another than before.
func (x *partAccount) state(now int64, p *metadata.Partition) bool {
	s := report.State{At: now, Leader: max(0, int(p.Leader)), Epoch: p.LeaderEpoch, Want: len(p.Replicas)}
	for _, n := range p.ISR {
		s.ISR = append(s.ISR, int(n))
	}
	slices.Sort(s.ISR)
	other := false
	if k := len(x.part.States); k > 0 {
		was := &x.part.States[k-1]
		other = !slices.Equal(was.ISR, s.ISR)
		if !other && was.Leader == s.Leader && was.Epoch == s.Epoch && was.Want == s.Want {
			return false
		}
		if k == maxChanges {
			return other
		}
	}
	x.part.States = append(x.part.States, s)
	return other
}

// removed notes that the partition is not there any more.
func (x *partAccount) removed(now int64) {
	if k := len(x.part.States); k > 0 && k < maxChanges && x.part.States[k-1].Want > 0 {
		x.part.States = append(x.part.States, report.State{At: now})
	}
}

// mark takes down where the leader's log stands, unless that was done just now.
func (x *partAccount) mark(m report.Offset) {
	if len(x.part.Marks) >= maxMarks {
		x.thin()
	}
	k := len(x.part.Marks)
	if k > 0 && m.At-x.part.Marks[k-1].At < x.part.Step {
		x.last, x.held = m, true
		return
	}
	if x.held { // what was so until now
		x.part.Marks = append(x.part.Marks, x.last)
	}
	x.part.Marks, x.held = append(x.part.Marks, m), false
}

func (x *partAccount) thin() {
	kept := x.part.Marks[:0]
	for i := range x.part.Marks {
		if i%2 == 0 {
			kept = append(kept, x.part.Marks[i])
		}
	}
	x.part.Marks, x.part.Step = kept, x.part.Step*2
}

// done gives the partition's story, which ends with the run.
func (x *partAccount) done(end int64) report.Part {
	if x.held {
		x.part.Marks = append(x.part.Marks, x.last)
		x.held = false
	}
	for i := range x.part.Leaders {
		if x.part.Leaders[i].End < 0 {
			x.part.Leaders[i].End = end
		}
	}
	return x.part
}
