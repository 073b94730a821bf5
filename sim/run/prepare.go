package run

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/broker"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/quorum"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/sim/bubble"
	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/coverage"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/workload"
)

// Run is one run that has been prepared.
type Run struct {
	Options  cluster.Options
	Judge    *Judge
	workload *coverage.Tally
}

// Prepare makes the nodes, clients and judge of a plan.
func Prepare(p *plan.Plan) (*Run, error) {
	if _, err := nodeConfig(p, 1, addresses(p, 9092), addresses(p, 9093)); err != nil {
		return nil, err
	}
	var w workload.Plan
	if err := json.Unmarshal(p.Workload, &w); err != nil {
		return nil, fmt.Errorf("read the plan's workload: %w", err)
	}
	j := newJudge(p)
	j.renewed = newRenewals(j, &w)
	set, err := w.Build(j.rec)
	if err != nil {
		return nil, err
	}
	if operated(p) {
		set.Clients = append(set.Clients, client.NewOperator(set.Shared))
	}
	set.Shared.Seen = coverage.NewTally()
	return &Run{Judge: j, workload: set.Shared.Seen, Options: cluster.Options{Quorum: Quorum(p), Factory: factory(p, j.watch), Clients: set.Clients, Judge: j, Begin: j.begin}}, nil
}

// Quorum says whether a plan's nodes agree through raft. Such a plan has a process of its own.
func Quorum(p *plan.Plan) bool { return p.Nodes > 1 }

// operated says whether a plan has faults that an operator brings about. It comes last among the clients, so that they are the same without it.
func operated(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Faults, func(f fault.Fault) bool {
		return f.Node < 0 && (f.Class == fault.M1 || f.Class == fault.M2 || f.Class == fault.M3)
	})
}

// factory makes the broker's shards. Settings were checked by Prepare.
func factory(p *plan.Plan, watch func(node int, q *quorum.Node)) cluster.NodeFactory {
	return func(c cluster.NodeConfig) []step.Stepper {
		node, err := nodeConfig(p, c.ID, c.Addrs, c.Inner)
		if err != nil {
			panic(err)
		}
		out := make([]step.Stepper, 0, c.Shards)
		for i := range c.Shards {
			out = append(out, broker.New(broker.Options{Node: node, Shard: i, Shards: c.Shards, Pool: c.Pools[i], Seed: c.Rands[i].Uint64(), Permute: c.Permute}))
		}
		if c.Quorum {
			rnd := c.Rands[c.Shards]
			lane := bubble.NewStepper(rnd.Uint64(), true, func() bubble.Actor {
				return quorum.New(quorum.Options{Node: node, Lane: c.Shards, LogDir: cluster.DataDir, Held: true, Rand: rnd})
			})
			lane.Watch(func(a bubble.Actor) { watch(c.ID-1, a.(*quorum.Node)) })
			out = append(out, lane)
		}
		return out
	}
}

// addresses are those that a cluster gives its nodes.
func addresses(p *plan.Plan, port int) (a []string) {
	for i := range p.Nodes {
		a = append(a, fmt.Sprintf("n%d:%d", i+1, port))
	}
	return a
}

// nodeConfig gives a node's settings as production reads them: by name.
func nodeConfig(p *plan.Plan, id int, addrs, inner []string) (*config.Node, error) {
	set := []string{
		fmt.Sprintf("node.id=%d", id),
		"listeners=PLAINTEXT://" + addrs[id-1],
		"flush.policy=" + p.Flush,
		fmt.Sprintf("shards=%d", p.Shards),
	}
	if p.Nodes > 1 {
		set[1] += ",CONTROLLER://" + inner[id-1]
		set = append(set, "process.roles=broker,controller", "controller.quorum.bootstrap.servers="+strings.Join(inner, ","))
	}
	if p.Settings[cleanableRatio] == "" { // a plan that says nothing of compaction has none, whatever its orders do to policies
		set = append(set, cleanableRatio+"=1")
	}
	for _, n := range sorted(p.Settings) {
		set = append(set, n+"="+p.Settings[n])
	}
	data := cluster.DataDir
	if p.Settings["log.dirs"] != "" { // what is given as --data would count more
		data = ""
	}
	node, _, err := config.Load(config.Args{Set: set, Data: data})
	return node, err
}

const cleanableRatio = "log.cleaner.min.cleanable.ratio"

// sorted gives a map's keys in order.
func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
