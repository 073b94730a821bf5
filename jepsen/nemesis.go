package jepsen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/seedlog/seedlog/sim/history"
)

// fault is a kind of harm.
type fault struct {
	kind string
	// weak: meanwhile, and until the cluster is whole again, a node that has been deposed may not know it, so that reads may lag.
	weak bool
	// lacks says why it cannot be done here; "": it can.
	lacks func(c *Cluster) string
	// begin does it, says to what, and gives what undoes it.
	begin func(x *Nemesis) (what string, undo func() error, err error)
	// lasts is what it takes to matter; 0: some seconds.
	lasts time.Duration
}

// faults are all kinds, in the order of the report.
var faults = []*fault{killFault, pauseFault, restartFault, partitionFault, slowFault, diskFault, memberFault, guestFault, clockFault}

// Kinds are the names of all kinds.
func Kinds() (all []string) {
	for _, f := range faults {
		all = append(all, f.kind)
	}
	return all
}

// Nemesis harms the cluster, one fault after the other, and lets it become whole in between.
type Nemesis struct {
	ctx    context.Context // of the run
	c      *Cluster
	rec    *Recorder
	rnd    *rand.Rand
	keys   []string // of which reads may lag
	kinds  []*fault
	bag    []*fault
	shapes []int // of partitions, that have not had their turn
	netem  bool  // the kernel has it
	full   *Node // whose disk is or was full last: without room for the metadata log it may end, and says so
	Spans  []Span
	Count  map[string]int
	Skip   map[string]string // kinds that cannot be done here, and why
	Wrong  []string          // what the cluster itself did and may not
}

// Span is one fault, in ns of the run.
type Span struct {
	Kind, What string
	Begin, End int64
	Healed     int64 // the cluster was whole again
}

// newNemesis takes the kinds that are wanted (none: all), as far as they can be done.
func newNemesis(c *Cluster, keys []string) *Nemesis {
	x := &Nemesis{c: c, rec: c.rec, rnd: rand.New(rand.NewPCG(c.cfg.Seed, 1<<40)), keys: keys, Count: map[string]int{}, Skip: map[string]string{}}
	for _, f := range faults {
		if len(c.cfg.Nemesis) > 0 && !slices.Contains(c.cfg.Nemesis, f.kind) {
			continue
		}
		why := c.sys.lacks(f.kind)
		if why == "" && f.lacks != nil {
			why = f.lacks(c)
		}
		if why != "" {
			x.Skip[f.kind] = why
			c.cfg.Say("nemesis %s is left out: %s", f.kind, why)
			continue
		}
		x.kinds = append(x.kinds, f)
		x.Count[f.kind] = 0
	}
	x.netem = c.net != nil && hasQdisc(c, "netem", "delay", "10ms")
	return x
}

// run goes on until the time is over and each kind has had its turn. An error means that the cluster did not become whole again, or that the harness failed.
func (x *Nemesis) run(ctx context.Context, until time.Time) error {
	x.ctx = ctx
	for turn := 0; len(x.kinds) > 0 && (turn < len(x.kinds) || time.Now().Before(until)); turn++ {
		if err := pause(ctx, x.between(500*time.Millisecond, 2*time.Second)); err != nil {
			return err
		}
		if err := x.one(ctx, x.next()); err != nil {
			return err
		}
	}
	return pause(ctx, max(0, time.Until(until)))
}

// next draws a kind; all have their turn before one comes again.
func (x *Nemesis) next() *fault {
	if len(x.bag) == 0 {
		x.bag = slices.Clone(x.kinds)
		x.rnd.Shuffle(len(x.bag), func(i, j int) { x.bag[i], x.bag[j] = x.bag[j], x.bag[i] })
	}
	f := x.bag[0]
	x.bag = x.bag[1:]
	return f
}

func (x *Nemesis) between(a, b time.Duration) time.Duration {
	return a + time.Duration(x.rnd.Int64N(int64(b-a)))
}

// one does a fault, undoes it, and waits until the cluster is whole.
func (x *Nemesis) one(ctx context.Context, f *fault) error {
	if f.weak {
		x.weak("begin")
	}
	s := Span{Kind: f.kind, Begin: int64(x.rec.Now())}
	what, undo, err := f.begin(x)
	s.What = what
	x.note(f.kind + " begin: " + what)
	if err == nil {
		x.c.cfg.Say("%6.1f s  %s: %s", float64(s.Begin)/1e9, f.kind, what)
		lasts := f.lasts
		if lasts == 0 {
			lasts = x.between(time.Second, max(2*time.Second, min(x.c.cfg.Time/6, 10*time.Second)))
		}
		err = pause(ctx, lasts)
	}
	if undo != nil {
		err = errors.Join(err, undo())
	}
	s.End = int64(x.rec.Now())
	x.note(f.kind + " end")
	x.Count[f.kind]++
	if err == nil {
		err = x.settled()
	}
	s.Healed = int64(x.rec.Now())
	x.Spans = append(x.Spans, s)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", f.kind, what, err)
	}
	if f.weak {
		x.weak("end")
	}
	return nil
}

func (x *Nemesis) note(what string) {
	x.rec.Note(history.Nemesis, history.Op{Kind: history.Fault, Offset: history.NoOffset, Meta: what, PID: -1})
}

// weak notes for every partition that reads may lag, or no longer.
func (x *Nemesis) weak(edge string) {
	var ops []history.Op
	for _, k := range x.keys {
		ops = append(ops, history.Op{Kind: history.Weak, Key: k, Offset: history.NoOffset, Meta: edge, PID: -1})
	}
	x.rec.Event(history.Nemesis, history.Info, "", "", ops...)
}

// fallen gives the nodes that ended by themselves, and holds it against those that may not.
func (x *Nemesis) fallen() []*Node {
	all := x.c.fallen()
	for _, n := range all {
		if !x.c.sys.endsByItself() && !(n == x.full && n.said("no space left on device")) {
			x.Wrong = append(x.Wrong, fmt.Sprintf("%s ended by itself with code %d: see %s", n.name(), n.p.Code(), n.log))
		}
		x.c.lived(n, false)
	}
	return all
}

// revive starts them again.
func (x *Nemesis) revive() {
	for _, n := range x.fallen() {
		if err := n.start(x.c); err != nil {
			x.Wrong = append(x.Wrong, err.Error())
		}
	}
}

// settled waits until the cluster is whole. One that may end by itself may do so late: whoever was full is started again.
func (x *Nemesis) settled() error {
	for try := 0; ; try++ {
		x.revive()
		err := x.c.settled(x.ctx, x.c.cfg.patience())
		if !errors.Is(err, errFallen) || try == 10 {
			return err
		}
	}
}

// some draws nodes: how many, and which.
func (x *Nemesis) some(n int) []*Node {
	all := slices.Clone(x.c.nodes)
	x.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}

func names(nodes []*Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.name())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
