package run

import (
	"math/bits"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/sim/coverage"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
)

// phases counts which class of fault acted while the cluster went through which phase. It looks where the judge looks and changes nothing.
//
// A fault counts in what was under way before it: a crash in a recovery counts for recovery, whatever the crash makes of it.
type phases struct {
	j       *Judge
	hits    [fault.Count]int64
	cells   [fault.Count][coverage.NPhases]int64
	shards  [][]phaseSet // by node, by shard
	image   *metadata.Image
	decided phaseSet          // what the image says
	waits   map[int32]waiting // by process of a client
	waited  [coverage.NPhases]int
	served  bool // some broker has
	now     phaseSet
}

// phaseSet has a bit for each phase.
type phaseSet uint32

func (s *phaseSet) add(p coverage.Phase, on bool) {
	if on {
		*s |= 1 << p
	}
}

// waiting is what a client's call has begun.
type waiting struct {
	kind  history.Kind
	phase coverage.Phase
}

func newPhases(j *Judge) *phases {
	x := &phases{j: j, waits: map[int32]waiting{}, now: 1 << coverage.Founding}
	for range j.plan.Nodes {
		x.shards = append(x.shards, make([]phaseSet, j.plan.Shards))
	}
	return x
}

// heard follows what clients wait for.
func (x *phases) heard(e *history.Event) {
	if len(e.Ops) == 0 {
		return
	}
	o := &e.Ops[0]
	if e.Type != history.Invoke {
		if w, ok := x.waits[e.Process]; ok && w.kind == o.Kind {
			delete(x.waits, e.Process)
			x.waited[w.phase]--
		}
		return
	}
	w := waiting{kind: o.Kind}
	switch {
	case o.Kind == history.Join:
		w.phase = coverage.Rebalance
	case o.Kind == history.TxnCall && (o.Meta == "commit" || o.Meta == "abort"):
		w.phase = coverage.TransactionEnd
	default:
		return
	}
	if _, ok := x.waits[e.Process]; !ok {
		x.waits[e.Process] = w
		x.waited[w.phase]++
	}
}

// stepped counts what acted since the last round, and looks at the shard that has just had its own.
func (x *phases) stepped(node, shard int) {
	x.count()
	if shard < x.j.plan.Shards {
		x.shards[node][shard] = x.ofShard(node, shard)
	}
	x.now = x.all()
}

// count adds the classes that act, or have acted since the last call, to the phases of the last look.
func (x *phases) count() {
	acting := x.j.c.Acting()
	for c := range x.hits {
		if n := x.j.c.Ledger().Hits(fault.Class(c)); n != x.hits[c] {
			x.hits[c] = n
			acting |= 1 << c
		}
	}
	for ; acting != 0; acting &= acting - 1 {
		cells := &x.cells[bits.TrailingZeros64(acting)]
		for now := x.now; now != 0; now &= now - 1 {
			cells[bits.TrailingZeros32(uint32(now))]++
		}
	}
}

func (x *phases) ofShard(node, shard int) (s phaseSet) {
	st := x.j.view.state(node, shard)
	if st == nil {
		return 0
	}
	for _, p := range st.Parts {
		s.add(coverage.Truncation, p.Truncating())
		s.add(coverage.Lagging, p.Lags())
		s.add(coverage.Offline, p.Offline())
		s.add(coverage.Clean, p.Log != nil && p.Log.Cleaning())
	}
	return s
}

func (x *phases) all() (s phaseSet) {
	c := x.j.c
	for n := range x.shards {
		up, ready := c.Running(n), c.Ready(n)
		x.served = x.served || ready
		s.add(coverage.Down, !up)
		s.add(coverage.Recovery, up && !ready && x.served)
		s.add(coverage.Drain, up && c.Stopping(n))
		for i := range x.shards[n] {
			if !up {
				x.shards[n][i] = 0
			}
			s |= x.shards[n][i]
		}
	}
	if !x.served {
		return 1 << coverage.Founding
	}
	if img := x.j.view.image; img != x.image {
		x.image, x.decided = img, ofImage(img)
	}
	s |= x.decided
	s.add(coverage.NoController, c.Nodes() > 1 && x.j.Controller() < 0)
	for p, n := range x.waited {
		s.add(coverage.Phase(p), n > 0)
	}
	if s == 0 {
		return 1 << coverage.Steady
	}
	return s
}

func ofImage(img *metadata.Image) (s phaseSet) {
	for _, t := range img.Topics() {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			s.add(coverage.NoLeader, p.Leader < 0)
			s.add(coverage.Shrunk, len(p.ISR) < len(p.Replicas))
			s.add(coverage.Reassignment, p.Reassigning())
		}
	}
	return s
}

// crashing marks what a process is in the midst of as it ends.
func (x *phases) crashing(node int) {
	s := phaseSet(0)
	for i := range x.shards[node] {
		s |= x.ofShard(node, i)
	}
	in := func(p coverage.Phase) bool { return s&(1<<p) != 0 }
	sometimes.If(x.served && !x.j.c.Ready(node), "crash: in the midst of a recovery")
	sometimes.If(x.j.c.Stopping(node), "crash: in the midst of a clean stop")
	sometimes.If(in(coverage.Clean), "crash: while a log is being cleaned")
	sometimes.If(in(coverage.Truncation), "crash: while a log is being cut")
	sometimes.If(in(coverage.Lagging), "crash: of a leader whose high watermark has not reached its epoch")
	sometimes.If(x.decided&(1<<coverage.Reassignment) != 0, "crash: while replicas are being moved")
	sometimes.If(x.waited[coverage.TransactionEnd] > 0, "crash: while somebody waits for the end of a transaction")
	sometimes.If(x.waited[coverage.Rebalance] > 0, "crash: while somebody waits to join a group")
	sometimes.If(x.j.c.Nodes() > 1 && x.j.Controller() == node, "crash: of the controller")
}

// Coverage gives what the run has reached, but for the marks of the core.
func (r *Run) Coverage() *coverage.Run {
	matrix := map[string]int64{}
	for c := range r.Judge.phases.cells {
		for p, n := range r.Judge.phases.cells[c] {
			if n > 0 {
				matrix[coverage.Cell(fault.Class(c).String(), coverage.Phases[p])] = n
			}
		}
	}
	return &coverage.Run{Matrix: matrix, Workload: r.workload.Counts()}
}
