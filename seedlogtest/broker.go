package seedlogtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/broker"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/quorum"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/cluster"
)

// boot makes the shards of one process of a broker, and its quorum's actor.
func (c *Cluster) boot(cfg cluster.NodeConfig) []step.Stepper {
	node, err := c.settings(cfg.ID)
	if err != nil {
		panic(err) // New has tried the settings
	}
	out := make([]step.Stepper, 0, cfg.Shards+1)
	for i := range cfg.Shards {
		out = append(out, broker.New(broker.Options{Node: node, Shard: i, Shards: cfg.Shards, Pool: cfg.Pools[i], Seed: cfg.Rands[i].Uint64()}))
	}
	if cfg.Quorum {
		who := waker{node: cfg.ID - 1, incarnation: cfg.Incarnation, lane: cfg.Shards}
		out = append(out, lane{quorum.New(quorum.Options{
			Node: node, Lane: cfg.Shards, LogDir: cluster.DataDir, Held: true, Rand: cfg.Rands[cfg.Shards], Wake: func() { c.w.wake(who) },
		})})
	}
	return out
}

// lane is the quorum's actor with what the world needs of it alone: its digest costs much, and nobody compares it.
type lane struct{ node *quorum.Node }

// Step implements step.Stepper.
func (l lane) Step(now clock.Now, ev *step.Event, out *step.Effects) { l.node.Step(now, ev, out) }

// Crash ends the actor's goroutines.
func (l lane) Crash() { l.node.Crash() }

// own are the settings that say who the nodes are, where, and how they find each other.
var own = []string{"node.id", "broker.id", "shards", "listeners", "advertised.listeners", "controller.listener.names", "process.roles",
	"controller.quorum.bootstrap.servers", "controller.quorum.voters", "log.dir", "log.dirs", "metadata.log.dir"}

// settings gives a node's settings as production reads them: by name.
func (c *Cluster) settings(id int) (*config.Node, error) {
	set := []string{
		fmt.Sprintf("node.id=%d", id),
		fmt.Sprintf("shards=%d", c.opt.shards),
		fmt.Sprintf("default.replication.factor=%d", min(3, c.opt.nodes)),
		"offsets.topic.num.partitions=4",
		"transaction.state.log.num.partitions=4",
	}
	listeners := fmt.Sprintf("listeners=PLAINTEXT://n%d:9092", id)
	if c.opt.nodes > 1 {
		var voters []string
		for i := range c.opt.nodes {
			voters = append(voters, fmt.Sprintf("n%d:9093", i+1))
		}
		listeners += ",CONTROLLER://" + voters[id-1]
		set = append(set, "process.roles=broker,controller", "controller.quorum.bootstrap.servers="+strings.Join(voters, ","))
	}
	set = append(set, listeners)
	for _, name := range slices.Sorted(maps.Keys(c.opt.settings)) {
		set = append(set, name+"="+c.opt.settings[name])
	}
	node, _, err := config.Load(config.Args{Set: set, Data: cluster.DataDir})
	return node, err
}
