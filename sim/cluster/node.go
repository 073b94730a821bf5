package cluster

import (
	"fmt"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/simclock"
	"github.com/seedlog/seedlog/sim/simdisk"
	"github.com/seedlog/seedlog/sim/simnet"
)

// NodeConfig is what a factory makes the shards of one process of. What it holds belongs to that process alone.
type NodeConfig struct {
	ID          int      // from 1
	Incarnation int      // starts of this node until now, from 1
	Shards      int      // without the quorum's lane
	Quorum      bool     // the last Stepper, number Shards, is the quorum's actor; Pools and Rands have one more
	Addrs       []string // of all nodes, by index; this node's is Addrs[ID-1]
	Inner       []string // the same of their CONTROLLER listeners
	DataDir     string   // relative, on the node's own disk
	Flush       string   // "ack" or "os"
	Settings    map[string]string
	Pools       []*buf.Pool    // a shard each, with Mangle on
	Rands       []*prng.Source // a shard each, keyed
	// Permute is nil, or what timer.Heap.Permute is to be (F:C2).
	Permute func(seq uint64) uint64
}

// NodeFactory makes the shards of a process, and its quorum's actor if it has one. Each gets its Start event afterwards.
type NodeFactory func(cfg NodeConfig) []step.Stepper

// A Stepper may also be any of these.
type (
	// Digester gives a digest of the shard's state for the trace.
	Digester interface{ Digest() uint64 }
	// Inspector shows the shard to oracles.
	Inspector interface{ Inspect() any }
	// Crasher is told that its process is gone: it stops its tasks, so that their coroutines end. It has no effects.
	Crasher interface{ Crash() }
)

// DataDir is where a node keeps its files, on its own disk.
const DataDir = "data"

// SecondDir is a second log directory, of nodes that are set so.
const SecondDir = "data2"

// maxUnsent is the driver's limit: a connection with more is not read.
const maxUnsent = 1 << 20

// Node is one broker: its disk and clock outlive its processes.
type Node struct {
	c      *Cluster
	index  int
	who    engine.Entity
	end    simnet.End
	disk   *simdisk.Disk
	clock  *simclock.Clock
	shards []*shard
	up     bool
	dark   bool // without power
	life   int  // starts
	paused bool
	stop   bool // Stop was sent
	cut    int  // clogs and partitions in force between it and another node
	// crashIn counts down effects to a crash in the midst of them; 0: none.
	crashIn int
	power   bool
	downFor clock.Duration
	snap    *simdisk.Snapshot // the disk as the last process but one left it, if the plan may bring that back
}

func newNode(c *Cluster, index int) *Node {
	n := &Node{c: c, index: index, who: c.eng.Entity(fmt.Sprintf("n%d", index+1))}
	n.disk = simdisk.New(c.eng, index, c.ledger)
	n.clock = simclock.New(c.eng.Now(), clock.Time(c.key.Sub(int64(index)).Draw()>>24))
	n.end = c.net.Add(n)
	return n
}

// start begins a new process of the node.
func (n *Node) start() {
	if n.up {
		return
	}
	c := n.c
	if j, ok := c.opt.Judge.(interface{ Starting(node int) error }); ok && n.life > 0 {
		c.verdict(j.Starting(n.index))
	}
	if c.old && n.life > 0 {
		n.snap = n.disk.Snapshot()
	}
	n.life++
	n.up, n.dark, n.stop, n.paused, n.crashIn = true, false, false, false, 0
	cfg := NodeConfig{ID: n.index + 1, Incarnation: n.life, Shards: c.plan.Shards, Quorum: c.opt.Quorum, Addrs: c.addrs, Inner: c.inner, DataDir: DataDir,
		Flush: c.plan.Flush, Settings: c.plan.Settings, Permute: c.permute(n)}
	lanes := c.lanes()
	n.disk.Attach(n, lanes)
	n.shards = n.shards[:0]
	for i := range lanes {
		key := c.key.Sub(int64(n.index)<<20 | int64(i)<<10 + 1)
		s := &shard{n: n, id: i, pool: &buf.Pool{Mangle: true}, who: c.shardEntity(n.index, i)}
		s.rand = key.Sub(1).Sub(int64(n.life)).Source()
		s.mailRand = key.Sub(2).Sub(int64(n.life)).Source()
		rnd := key.Sub(3).Sub(int64(n.life)).Source()
		cfg.Pools = append(cfg.Pools, s.pool)
		cfg.Rands = append(cfg.Rands, &rnd)
		s.mailAt = make([]clock.Time, lanes)
		s.mailOut = make([][]step.Mail, lanes)
		n.shards = append(n.shards, s)
	}
	c.eng.Note(n.who, kindNode, fmt.Sprintf("starts, incarnation %d", n.life))
	n.guard(func() {
		for i, st := range c.factory(cfg) {
			n.shards[i].st = st
		}
	})
	if c.eng.Failed() != nil {
		return
	}
	for _, s := range n.shards {
		s.push(input{kind: step.Start})
	}
}

// guard runs code of the node; its panic is a broken property.
func (n *Node) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			n.c.panicked(n, r)
		}
	}()
	f()
}

// crash ends the process at once, with the machine's power or without.
func (n *Node) crash(power bool, class fault.Class, down clock.Duration) {
	if !n.up {
		return
	}
	c := n.c
	if c.opt.Judge != nil {
		c.opt.Judge.Crashing(n.index, power)
	}
	n.up, n.dark, n.paused = false, power, false
	if n.clock.Frozen() {
		n.clock.Thaw(c.eng.Now())
	}
	what := "killed"
	if power {
		what = "loses power"
	}
	c.eng.Note(n.who, kindNode, what)
	c.ledger.Note(c.eng.Now(), class, n.index, what)
	n.disk.Crash(power)
	c.net.Die(n.end, power)
	n.bury()
	n.restartIn(down)
}

// never is when a process that has ended begins again, or a paused one goes on, if somebody else says when.
const never clock.Duration = -1

func (n *Node) restartIn(down clock.Duration) {
	if down != never {
		n.c.eng.After(down, n.who, n, kindRestart, int64(n.life), 0)
	}
}

// bury lets go of the shards; their coroutines end.
func (n *Node) bury() {
	for _, s := range n.shards {
		s.dead = true
		if cr, ok := s.st.(Crasher); ok {
			n.guard(cr.Crash)
		}
		s.st = nil
	}
	n.shards = nil
}

// Fire is the engine's call.
func (n *Node) Fire(k engine.Kind, a, b int64) {
	switch k {
	case kindRestart:
		if !n.up && int64(n.life) == a && !n.c.ended {
			n.start()
		}
	case kindMail:
		if n.up && int64(n.life) == b {
			n.shards[a>>8].mailArrives(int(a & 255))
		}
	case kindRound:
		if n.up && int64(n.life) == b {
			n.shards[a].round()
		}
	case kindDeadline:
		if n.up && int64(n.life) == b {
			n.shards[a].deadline()
		}
	case kindResume:
		n.resume(int(a), b)
	}
}

// pause stops the node (shard -1), or one shard, for a while.
func (n *Node) pause(shard int, d clock.Duration, freeze bool) {
	if !n.up {
		return
	}
	if shard >= 0 {
		n.shards[shard].paused = true
	} else {
		n.paused = true
		if freeze {
			n.clock.Freeze(n.c.eng.Now())
		}
	}
	if d != never {
		n.c.eng.After(d, n.who, n, kindResume, int64(shard), int64(n.life))
	}
}

func (n *Node) resume(shard int, life int64) {
	if !n.up || int64(n.life) != life {
		return
	}
	if shard >= 0 {
		n.shards[shard].paused = false
		n.shards[shard].kick()
		n.shards[shard].armed = 0
		n.shards[shard].arm()
		return
	}
	n.paused = false
	if n.clock.Frozen() {
		n.clock.Thaw(n.c.eng.Now())
	}
	for _, s := range n.shards {
		s.kick()
		s.armed = 0
		s.arm()
	}
}

// halt asks for a graceful stop (F:P3, F:P4).
func (n *Node) halt(class fault.Class, down clock.Duration) {
	if !n.up || n.stop {
		return
	}
	n.stop, n.downFor = true, down
	n.c.ledger.Note(n.c.eng.Now(), class, n.index, "stop")
	for _, s := range n.shards[:n.c.plan.Shards] {
		s.push(input{kind: step.Stop})
	}
}

// stopped ends the process once every shard has drained.
func (n *Node) stopped() {
	for i, s := range n.shards {
		if i == n.c.plan.Shards && n.stop && !s.stopping { // the lane goes on until the shards have stopped, as in production
			s.stopping = true
			s.push(input{kind: step.Stop})
		}
		if !s.out.Stopped {
			return
		}
	}
	if !n.stop {
		n.c.eng.Fail("contract", "Stopped only after Stop", fmt.Sprintf("node %d stopped by itself", n.index+1))
		return
	}
	if j, ok := n.c.opt.Judge.(interface{ Stopped(node int) }); ok {
		j.Stopped(n.index)
	}
	n.up = false
	n.c.eng.Note(n.who, kindNode, "has stopped")
	n.disk.Crash(false)
	n.c.net.Die(n.end, false)
	n.bury()
	n.restartIn(n.downFor)
}

// DiskDone is the disk's call.
func (n *Node) DiskDone(shard int, d *disk.Completion) {
	if n.up {
		n.shards[shard].push(input{kind: step.DiskDone, disk: *d})
	}
}

// Dark says that the machine has no power: it refuses nothing, it is silent.
func (n *Node) Dark() bool { return n.dark }

// Incoming, Opened, Readable, Sent, ReadExtent and Unpin are the network's calls.
func (n *Node) Incoming(port uint8, pick uint64) (int, bool) {
	if n.up && port == innerPort {
		return 0, true // shard 0's, from the start: DESIGN.md, "Layout"
	}
	if !n.up || !n.shards[0].out.Accept {
		return 0, false
	}
	return int(pick % uint64(n.c.plan.Shards)), true
}

// Opened gives the connection a number of its shard.
func (n *Node) Opened(h *simnet.Half) { n.shards[h.Lane].opened(h) }

// Readable notes that the shard should look at the connection.
func (n *Node) Readable(h *simnet.Half) {
	if n.up {
		n.shards[h.Lane].readable(h)
	}
}

// Sent answers a send.
func (n *Node) Sent(h *simnet.Half, tok disk.Token) {
	if n.up {
		n.shards[h.Lane].push(input{kind: step.SendDone, tok: tok})
	}
}

// ReadExtent reads as bytes leave.
func (n *Node) ReadExtent(x disk.Extent, p []byte, off int64) disk.Err {
	return n.disk.ReadExtent(x.File, p, off)
}

// Unpin ends an extent.
func (n *Node) Unpin(x disk.Extent) { n.disk.Unpin(x.File) }
