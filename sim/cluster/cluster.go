package cluster

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/client"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
	"github.com/seedlog/seedlog/sim/simdisk"
	"github.com/seedlog/seedlog/sim/simnet"
)

// Kinds of trace lines.
const (
	kindRound engine.Kind = 300 + iota
	kindDeadline
	kindMail
	kindStep
	kindDigest
	kindNode
	kindRestart
	kindResume
	kindTimer
	kindClient
	kindPlan
	kindUndo
	kindLog
	kindHeal
	kindTold
	kindRepair
)

var _ = engine.Describe(kindRound, "round shard=%d life=%d") &&
	engine.Describe(kindDeadline, "deadline shard=%d") &&
	engine.Describe(kindMail, "mail from<<8|to=%#x") &&
	engine.DescribeFunc(kindStep, func(a, b, c int64) string {
		return fmt.Sprintf("step %s mono=%d wall=%d", stepName[a], b, c)
	}) &&
	engine.Describe(kindDigest, "state=%#x steps=%d deadline=%d") &&
	engine.Describe(kindNode, "node") &&
	engine.Describe(kindRestart, "restart after life=%d") &&
	engine.Describe(kindResume, "resume shard=%d life=%d") &&
	engine.Describe(kindTimer, "timer tag=%d") &&
	engine.Describe(kindClient, "client starts") &&
	engine.Describe(kindPlan, "fault i=%d") &&
	engine.Describe(kindUndo, "fault i=%d ends") &&
	engine.Describe(kindLog, "log") &&
	engine.Describe(kindHeal, "heal") &&
	engine.Describe(kindRepair, "repair, %d looks left") &&
	engine.Describe(kindTold, "sees")

var stepName = [...]string{"?", "Start", "Tick", "FrameArrived", "ConnOpened", "ConnClosed", "DiskDone", "SendDone", "MailArrived", "Flush", "Stop"}

// Judge sees a run as it goes and says what is wrong. An error that has a Broken method names its property; another is "oracle".
type Judge interface {
	// Stepped is called after each round of a shard.
	Stepped(node, shard int) error
	// Heard is called after each call of a client, when the history may have grown.
	Heard() error
	// Healing is called when the safety phase ends, before the clients hear of it.
	Healing()
	// Crashing is called before a node's process ends: what it acknowledged without a sync may be gone from now on.
	Crashing(node int, power bool)
	// Ended is called once, after the liveness phase.
	Ended() error
}

// HarnessError is an error of a judge that says that the run itself was no good.
type HarnessError string

func (h HarnessError) Error() string { return string(h) }

// Broken is an error that says which property, what was and what is.
type Broken interface {
	Broken() (property, was, is string)
}

// Options are what a run needs beside its plan.
type Options struct {
	Factory   NodeFactory
	Clients   []client.Client
	Judge     Judge                           // may be nil
	Observer  Observer                        // may be nil
	Begin     func(c *Cluster)                // called before the first event: the judge gets its view
	Trace     io.Writer                       // nil: no text
	Log       func(node int, l *step.LogLine) // nil: dropped
	MaxEvents int64                           // 0: DefaultMaxEvents
	Until     clock.Time                      // a run that gets there is over, and nobody judges its end; 0: to the end
	// Ending is called before the judge's last word; may be nil.
	Ending func()
	// Died is called when a process ends itself because it cannot go on; it stays down until Start. nil: only a disk's fault may explain it.
	Died func(node int, text string, code int)
	// Quorum says that each node has a lane more than its shards, the last: the quorum's actor. It gets no connections.
	Quorum bool
}

// DefaultMaxEvents bounds a run that does not come to an end.
const DefaultMaxEvents = 200_000_000

// Cluster is one run.
type Cluster struct {
	Steps     int64  // calls of Step
	Stack     string // of a node's panic: for people, not part of the trace
	eng       *engine.Engine
	who       engine.Entity
	net       *simnet.Net
	plan      *plan.Plan
	opt       Options
	ledger    *fault.Ledger
	key       engine.Key
	addrs     []string
	inner     []string // of the CONTROLLER listeners
	nodes     []*Node
	clients   []*clientHost
	factory   NodeFactory
	undo      []func()      // by index of the plan's faults: what ends it
	scenes    map[int][]int // by number: the node of each part
	old       bool          // the plan brings old disks back
	held      int           // clogs and partitions in force
	healed    clock.Time
	harness   string // what the judge said of the run itself
	stuck     string // why the run could not go on
	ended     bool
	given     bool     // the run was over before its end: Options.Until
	names     []string // of network endpoints
	shardWho  []engine.Entity
	recovered clock.Duration
	buggify   buggify
}

// New makes a cluster; Run runs it.
func New(p *plan.Plan, opt Options) *Cluster {
	c := &Cluster{eng: engine.New(p.Seed), plan: p, opt: opt, ledger: &fault.Ledger{}, factory: opt.Factory}
	c.who = c.eng.Entity("plan")
	c.key = c.eng.Key("cluster")
	c.buggify = newBuggify(p.Seed, p.Swarm)
	if opt.Trace != nil {
		c.eng.WriteTrace(opt.Trace)
	}
	c.net = simnet.New(c.eng, p.Swarm, c.ledger)
	for i := range p.Nodes {
		c.addrs = append(c.addrs, fmt.Sprintf("n%d:9092", i+1))
		c.inner = append(c.inner, fmt.Sprintf("n%d:9093", i+1))
		c.nodes = append(c.nodes, newNode(c, i))
		c.names = append(c.names, c.addrs[i])
		for s := range c.lanes() {
			c.shardWho = append(c.shardWho, c.eng.Entity(fmt.Sprintf("n%d/%d", i+1, s)))
		}
	}
	for i, cl := range opt.Clients {
		h := &clientHost{c: c, who: c.eng.Entity(fmt.Sprintf("c%d", i)), cl: cl, rand: c.eng.Key("client").Sub(int64(i)).Source()}
		h.repeat, _ = cl.(simnet.Repeater)
		h.conns = []*simnet.Half{nil}
		h.end = c.net.Add(h)
		c.names = append(c.names, fmt.Sprintf("c%d:5%04d", i, i))
		c.clients = append(c.clients, h)
	}
	return c
}

// Engine, Ledger and the rest are for judges.
func (c *Cluster) Engine() *engine.Engine { return c.eng }

// Ledger is what was injected until now.
func (c *Cluster) Ledger() *fault.Ledger { return c.ledger }

// Plan is what is being run.
func (c *Cluster) Plan() *plan.Plan { return c.plan }

// Now is the virtual time.
func (c *Cluster) Now() clock.Time { return c.eng.Now() }

// Healed says since when no fault is active, in the liveness phase.
func (c *Cluster) Healed() (clock.Time, bool) { return c.healed, c.healed != 0 }

// Nodes is their number.
func (c *Cluster) Nodes() int { return len(c.nodes) }

// Running says whether a node's process runs; a paused one does.
func (c *Cluster) Running(node int) bool { return c.nodes[node].up }

// Stopping says whether a node's process has been told to stop.
func (c *Cluster) Stopping(node int) bool { return c.nodes[node].stop }

// Ready says whether a node's process runs and serves.
func (c *Cluster) Ready(node int) bool {
	n := c.nodes[node]
	return n.up && len(n.shards) > 0 && n.shards[0].out.Ready
}

// Troubled says whether a node may act on what is over elsewhere: it or a shard of it is paused, its clock does not keep time, or it is cut
// off from another node.
func (c *Cluster) Troubled(node int) bool {
	n := c.nodes[node]
	if n.up {
		for _, s := range n.shards {
			if s.paused {
				return true
			}
		}
	}
	return n.paused || n.cut > 0 || !n.clock.True()
}

// Linked says whether bytes go both ways between two nodes, and both run.
func (c *Cluster) Linked(a, b int) bool {
	x, y := c.nodes[a], c.nodes[b]
	return x.up && y.up && !x.paused && !y.paused && !c.net.Blocked(x.end, y.end) && !c.net.Blocked(y.end, x.end)
}

// Incarnation counts the starts of a node.
func (c *Cluster) Incarnation(node int) int { return c.nodes[node].life }

// Inspect gives what a shard shows, or nil.
func (c *Cluster) Inspect(node, shard int) any {
	n := c.nodes[node]
	if !n.up || shard >= len(n.shards) {
		return nil
	}
	if i, ok := n.shards[shard].st.(Inspector); ok {
		return i.Inspect()
	}
	return nil
}

// Stepper gives a shard's Stepper, or nil if the node is down.
func (c *Cluster) Stepper(node, shard int) step.Stepper {
	if n := c.nodes[node]; n.up && shard < len(n.shards) {
		return n.shards[shard].st
	}
	return nil
}

// Tell puts what a judge saw of a node into the trace, for people.
func (c *Cluster) Tell(node int, text string) { c.eng.Note(c.nodes[node].who, kindTold, text) }

// Disk is a node's disk, to be read.
func (c *Cluster) Disk(node int) *simdisk.Disk { return c.nodes[node].disk }

// name is what a node is told of the other end of a connection.
func (c *Cluster) name(e simnet.End) string {
	if int(e) < len(c.names) {
		return c.names[e]
	}
	return "ghost:60000"
}

// innerPort is the CONTROLLER listener's.
const innerPort = 1

// listeners are the names of a node's listeners, by port.
var listeners = [...]string{"PLAINTEXT", "CONTROLLER"}

func (c *Cluster) find(addr string) (at simnet.End, port uint8, ok bool) {
	for i := range c.addrs {
		switch addr {
		case c.addrs[i]:
			return c.nodes[i].end, 0, true
		case c.inner[i]:
			return c.nodes[i].end, innerPort, true
		}
	}
	return 0, 0, false
}

func (c *Cluster) shardEntity(node, shard int) engine.Entity {
	return c.shardWho[node*c.lanes()+shard]
}

// lanes is how many Steppers a node has.
func (c *Cluster) lanes() int {
	if c.opt.Quorum {
		return c.plan.Shards + 1
	}
	return c.plan.Shards
}

// permute is the hook of F:C2 for a node's timers: equal deadlines fire in an order drawn by node, process and number.
func (c *Cluster) permute(n *Node) func(uint64) uint64 {
	if !c.plan.Swarm.On(fault.C2) {
		return nil
	}
	key := c.eng.Key("F:C2/timers").Sub(int64(n.index)).Sub(int64(n.life))
	return func(seq uint64) uint64 { return key.Sub(int64(seq)).Draw() }
}

// judge lets the judge see a round.
func (c *Cluster) judge(node, shard int) {
	if c.opt.Judge != nil {
		c.verdict(c.opt.Judge.Stepped(node, shard))
	}
}

func (c *Cluster) heard() {
	if c.opt.Judge != nil {
		c.verdict(c.opt.Judge.Heard())
	}
}

func (c *Cluster) verdict(err error) {
	if err == nil {
		return
	}
	if h, ok := err.(HarnessError); ok {
		c.harness = string(h)
		return
	}
	if b, ok := err.(Broken); ok {
		c.eng.Fail(b.Broken())
		return
	}
	c.eng.Fail("oracle", "no error", err.Error())
}

// panicked makes a panic of a node's code a broken property.
func (c *Cluster) panicked(n *Node, r any) {
	c.Stack = string(debug.Stack())
	if f, ok := r.(assert.Failure); ok {
		c.eng.Fail("assert", "no assertion fails", fmt.Sprintf("node %d: %s", n.index+1, f.Text))
		return
	}
	c.eng.Fail("assert", "no panic", fmt.Sprintf("node %d: %v", n.index+1, r))
}

func (c *Cluster) log(n *Node, l *step.LogLine) {
	c.eng.Note(n.who, kindLog, l.Text)
	if c.opt.Log != nil {
		c.opt.Log(n.index, l)
	}
}
