package run

import (
	"fmt"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/history"
	"github.com/seedlog/seedlog/sim/report"
)

// account keeps what a report tells of a run beside its history. It looks where the judge looks, changes nothing, and draws nothing.
type account struct {
	messages
	j       *Judge
	spans   []report.Span
	open    map[int]int   // by index of a plan's fault: its span, while it is in force
	downs   map[int][]int // by node: spans that end when its process starts again
	noted   int           // notes of the ledger that have been read
	nodes   []report.NodeLane
	control []report.Span
	leader  int // of the quorum, or -1
	image   *metadata.Image
	parts   map[string]*partAccount
	order   []string // of parts: as they were first heard of
	counts  map[string]int64
	cut     map[string]int64
	healed  clock.Time
}

// maxParts is how many partitions an account follows, maxSpans how many faults it keeps one by one.
const (
	maxParts = 96
	maxSpans = 4000
)

var _ cluster.Observer = (*account)(nil)

func newAccount(j *Judge) *account {
	a := &account{j: j, open: map[int]int{}, downs: map[int][]int{}, leader: -1, parts: map[string]*partAccount{}, counts: map[string]int64{}, cut: map[string]int64{}}
	a.messages.now = j.now
	a.messages.nodes = j.plan.Nodes
	for range j.plan.Nodes {
		a.nodes = append(a.nodes, report.NodeLane{Lives: []report.Span{{End: -1, Text: "process 1"}}})
	}
	return a
}

// stepped looks at the shard that the judge has just looked at.
func (a *account) stepped(node, shard int) {
	a.notes()
	if shard >= a.j.plan.Shards {
		a.voted()
		return
	}
	if img := a.j.view.Image(); img != a.image {
		a.image = img
		a.decided(img)
	}
	_, all := a.j.view.Touched(node)
	seen := map[string]bool{}
	a.j.view.eachTouched(node, func(i int) {
		p := a.j.view.at(node, i)
		if x := a.part(history.Key(p.Topic, p.Number)); x != nil {
			seen[x.key] = true
			a.touched(x, node, p)
		}
	})
	if all {
		for _, k := range a.order {
			if !seen[k] {
				a.parts[k].leaves(node, a.j.now())
			}
		}
	}
}

func (a *account) touched(x *partAccount, node int, p *replica.Partition) {
	now := a.j.now()
	if p.Log != nil {
		x.copy(report.Copy{At: int64(now), Node: node + 1, High: p.HighWatermark(), Synced: p.Log.SyncedEnd(), End: p.Log.End()}, a.j.c.Incarnation(node))
	}
	if !p.IsLeader() {
		x.leaves(node, now)
		return
	}
	if x.leads(node, p.LeaderEpoch, now) {
		a.counts["elections"]++
	}
	if p.Log != nil && p.LeaderEpoch >= x.epoch {
		x.epoch = p.LeaderEpoch
		x.mark(report.Offset{At: int64(now), Stable: p.LastStable(), High: p.HighWatermark(), End: p.Log.End()})
	}
}

// part gives a partition's account, nil if there are too many.
func (a *account) part(key string) *partAccount {
	x := a.parts[key]
	switch {
	case x != nil:
	case len(a.parts) == maxParts:
		a.cut["partitions"]++
	default:
		x = &partAccount{key: key, part: report.Part{Key: key, Step: int64(clock.Millisecond)}, open: map[int]int{}, newest: map[int]report.Copy{}, lives: map[int]int{}}
		a.parts[key] = x
		a.order = append(a.order, key)
	}
	return x
}

// decided takes in what a new image says of who leads and who is in sync.
func (a *account) decided(img *metadata.Image) {
	for _, t := range img.Topics() {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			if x := a.part(history.Key(t.Name, int32(i))); x != nil && x.state(int64(a.j.now()), p) {
				a.counts["changes of an ISR"]++
			}
		}
	}
	for _, k := range a.order {
		name, n := history.SplitKey(k)
		if t := img.TopicByName(name); t == nil || int(n) >= len(t.Partitions) {
			a.parts[k].removed(int64(a.j.now()))
		}
	}
}

// voted follows who leads the quorum.
func (a *account) voted() {
	is := a.j.Controller()
	if is == a.leader {
		return
	}
	now := int64(a.j.now())
	if a.leader >= 0 {
		a.control[len(a.control)-1].End = now
	}
	if a.leader = is; is >= 0 {
		a.control = append(a.control, report.Span{Begin: now, End: -1, Node: is + 1, Text: "leads the quorum"})
		a.counts["controllers"]++
	}
}

// started, ended: a node's process.
func (a *account) started(node int) {
	a.notes()
	now := int64(a.j.now())
	for _, i := range a.downs[node] {
		a.spans[i].End = now
	}
	delete(a.downs, node)
	lives := &a.nodes[node].Lives
	*lives = append(*lives, report.Span{Begin: now, End: -1, Text: fmt.Sprintf("process %d", len(*lives)+1)})
	a.counts["restarts"]++
}

func (a *account) ended(node int, how string) {
	now := a.j.now()
	life := &a.nodes[node].Lives[len(a.nodes[node].Lives)-1]
	life.End, life.Text = int64(now), life.Text+", "+how
	for _, k := range a.order {
		a.parts[k].leaves(node, now)
	}
}

// Fault implements cluster.Observer.
func (a *account) Fault(i int, f *fault.Fault, on bool) {
	now := int64(a.j.now())
	if !on {
		if k, ok := a.open[i]; ok {
			a.spans[k].End = now
			delete(a.open, i)
		}
		return
	}
	if k, ok := a.span(report.Span{Begin: now, End: -1, Class: f.Class.String(), Node: f.Node + 1, Text: f.Verb}); ok {
		a.open[i] = k
	}
}

func (a *account) span(s report.Span) (index int, ok bool) {
	if len(a.spans) == maxSpans {
		a.cut["faults"]++
		return 0, false
	}
	a.spans = append(a.spans, s)
	return len(a.spans) - 1, true
}

// notes reads the ledger on. What is in force already has a span; what ends a process lasts until the next one.
func (a *account) notes() {
	all := a.j.c.Ledger().Notes()
	for ; a.noted < len(all); a.noted++ {
		n := &all[a.noted]
		if a.has(n) {
			continue
		}
		s := report.Span{Begin: int64(n.At), End: int64(n.At), Class: n.Class.String(), Node: n.Node + 1, Text: n.What}
		ends := n.Node >= 0 && (n.Class == fault.P1 || n.Class == fault.D1 || n.Class == fault.P3 || n.Class == fault.P4)
		if !ends {
			s.End += a.planned(n)
		}
		k, ok := a.span(s)
		if ok && ends {
			a.spans[k].End = -1
			a.downs[n.Node] = append(a.downs[n.Node], k)
		}
	}
}

// has says whether a note's fault has a span from its observer.
func (a *account) has(n *fault.Note) bool {
	for i := len(a.spans) - 1; i >= 0 && a.spans[i].Begin >= int64(n.At); i-- {
		if s := &a.spans[i]; s.Begin == int64(n.At) && s.Class == n.Class.String() && s.Node == n.Node+1 && s.End != s.Begin {
			return true
		}
	}
	return false
}

// planned is how long a pause or a stall of the plan that begins at the note's time lasts, in ns.
func (a *account) planned(n *fault.Note) int64 {
	if n.Class != fault.P2 && n.Class != fault.D6 {
		return 0
	}
	for i := range a.j.plan.Faults {
		if f := &a.j.plan.Faults[i]; f.Class == n.Class && f.At*1e6 == int64(n.At) {
			return f.For * 1e6
		}
	}
	return 0
}
