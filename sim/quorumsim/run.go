package quorumsim

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/quorum"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/bubble"
	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
)

// Classes are the faults under which the quorum keeps its promises: its voters' disks neither lie nor forget.
var Classes = []fault.Class{fault.N1, fault.N2, fault.N5, fault.N6, fault.N7, fault.N8, fault.D1, fault.D6, fault.P1, fault.P2, fault.P3, fault.C1, fault.C2}

// Mutants are those of package plant that have their sites in core/quorum. K3, a vote that is not synced, is left to core/quorum's own
// tests: two candidates of one term and a loss of power between their requests to one voter do not meet in any plan of a reasonable number.
var Mutants = []string{"K1", "K2", "M1"}

// Plan draws the plan of a seed: three nodes, or five.
func Plan(seed uint64, flush string) *plan.Plan {
	p := plan.FromSeed(seed, plan.Menu{Flush: flush, Nodes: 3 + 2*int(seed%3/2), Classes: Classes, MaxMS: 60000})
	p.Shards, p.Clients = 1, 1
	if seed%5 == 0 {
		storm(prng.Keyed(seed, "quorum/storm"), p)
	}
	for i := range p.Faults {
		p.Faults[i].Shard = min(p.Faults[i].Shard, 0)
	}
	return p
}

// storm adds short losses of power and pauses, so that elections never end: what a vote or an entry is worth shows when its node comes up
// again at once.
func storm(src *prng.Source, p *plan.Plan) {
	for at := int64(1000); at < p.SafetyMS; at += src.Between(50, 2000) {
		f := fault.Fault{Class: fault.D1, At: at, Node: src.Intn(p.Nodes), Shard: -1, B: -1, For: src.Between(1, 300)}
		switch src.Intn(4) {
		case 0:
			f.Class, f.For = fault.P2, src.Between(100, 2000)
		case 1, 2:
			f.Verb, f.A = "mid", src.Between(1, 20)
		}
		p.Faults = append(p.Faults, f)
	}
	slices.SortStableFunc(p.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// Options are for cluster.New.
func Options(p *plan.Plan) (cluster.Options, *Judge, error) {
	j := newJudge(p.Nodes)
	if p.Shards != 1 {
		return cluster.Options{}, nil, fmt.Errorf("a node of the quorum has one shard; the plan says %d", p.Shards)
	}
	return cluster.Options{Factory: factory(j), Judge: j, Quorum: true, Clients: []client.Client{&watcher{judge: j}}}, j, nil
}

func factory(j *Judge) cluster.NodeFactory {
	return func(cfg cluster.NodeConfig) []step.Stepper {
		set := []string{fmt.Sprintf("node.id=%d", cfg.ID), "listeners=PLAINTEXT://" + cfg.Addrs[cfg.ID-1],
			"metadata.log.max.record.bytes.between.snapshots=20000"}
		node, _, err := config.Load(config.Args{Set: set, Data: cluster.DataDir})
		if err != nil {
			panic(err)
		}
		opt := quorum.Options{Node: node, Lane: lane, LogDir: cluster.DataDir, Rand: cfg.Rands[lane]}
		seed := cfg.Rands[lane].Uint64()
		return []step.Stepper{newCarrier(cfg, j), bubble.NewStepper(seed, seed>>63 == 1, func() bubble.Actor { return quorum.New(opt) })}
	}
}

// watcher is a client without connections: it says when the run may end.
type watcher struct {
	net   client.Net
	judge *Judge
}

func (w *watcher) Start(n client.Net) { w.net = n; w.Timer(0) }

// Timer keeps the run going.
func (w *watcher) Timer(uint64) { w.net.At(w.net.Now().Add(100*clock.Millisecond), 0) }

func (w *watcher) Opened(uint64)        {}
func (w *watcher) Frame(uint64, []byte) {}
func (w *watcher) Closed(uint64)        {}

// Done says whether the quorum works again.
func (w *watcher) Done() bool { return w.judge.settled() }

// Waiting says what is missing.
func (w *watcher) Waiting() string { return w.judge.waiting() }
