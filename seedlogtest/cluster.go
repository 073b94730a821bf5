package seedlogtest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/sim/cluster"
	"github.com/seedlog/seedlog/sim/plan"
)

// Option is how a cluster differs from what New makes without.
type Option func(*options)

type options struct {
	nodes    int
	shards   int
	seed     uint64
	settings map[string]string
	verbose  bool
}

// Nodes says how many brokers there are: 1 to 9, and 3 if nothing is said. A broker alone keeps its metadata by itself; several of them
// agree through raft, and all are voters.
func Nodes(n int) Option { return func(o *options) { o.nodes = n } }

// Config sets a broker setting by Kafka's name, on every node: Config("min.insync.replicas", "2"). flush.policy is "ack" (what is
// acknowledged is synced) unless it is set to "os". Who the nodes are, and where, is not to be set.
func Config(name, value string) Option { return func(o *options) { o.settings[name] = value } }

// Seed is what latencies come from, and what a loss of power leaves of what was not synced. It is 1 unless it is set.
func Seed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// Verbose has the brokers' lines logged as they come. Without, the last of them are logged if the test fails.
func Verbose() Option { return func(o *options) { o.verbose = true } }

// Cluster is a running cluster. Its methods can be called by any goroutine of the bubble that it was made in.
type Cluster struct {
	t        testing.TB
	opt      options
	w        *world
	nodes    []*Node
	machines []*Machine
	first    *Machine
	reserve  int64 // disk.reserve.bytes
	bubble   bool  // its time is that of a bubble

	// The world guards what follows.
	split   cuts // of Partition
	oneWay  cuts // of CutLink
	slow    map[wire]bool
	lines   []string // the last lines of the brokers
	dropped int      // lines before those
}

// The lines that are kept, and how long New waits for a cluster: virtual time, of which a sound one needs a fraction.
const (
	maxLines  = 1000
	startTime = 2 * time.Minute
	endTime   = 10 * time.Second // in which raft's goroutines have ended
)

// New makes a cluster, and returns when all brokers serve. It ends with the test: t.Cleanup. A setting that is not possible, and a cluster
// that does not come up, fail the test.
func New(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	c := &Cluster{t: t, opt: options{nodes: 3, shards: 2, seed: 1, settings: map[string]string{}}, bubble: inBubble(), slow: map[wire]bool{}}
	for _, o := range opts {
		o(&c.opt)
	}
	if n := c.opt.nodes; n < 1 || n > 9 {
		t.Fatalf("seedlogtest: %d nodes; 1 to 9 are possible", n)
	}
	p := &plan.Plan{Version: plan.Version, Seed: c.opt.seed, Nodes: c.opt.nodes, Shards: c.opt.shards, Flush: c.opt.settings["flush.policy"], MaxRound: 64}
	c.w = newWorld(cluster.New(p, cluster.Options{Quorum: p.Nodes > 1, Factory: c.boot, Log: c.log, Died: c.died}), c.broken)
	c.split, c.oneWay = cuts{c.w, map[wire]bool{}}, cuts{c.w, map[wire]bool{}}
	for _, name := range own {
		if _, ok := c.opt.settings[name]; ok {
			t.Fatalf("seedlogtest: %s is the cluster's to set", name)
		}
	}
	node, err := c.settings(1)
	if err != nil {
		t.Fatalf("seedlogtest: %v", err)
	}
	c.reserve = node.DiskReserveBytes
	for i := range p.Nodes {
		c.nodes = append(c.nodes, &Node{c: c, index: i})
		c.w.sim.Disk(i).Faults.Forgets = true
	}
	c.first = c.Machine("client")
	c.w.mu.Lock()
	c.w.open()
	c.w.leave()
	t.Cleanup(c.close)
	if !c.await(startTime, c.serves) {
		t.Fatalf("seedlogtest: the cluster does not serve after %v", startTime)
	}
	return c
}

// inBubble says whether time stands while a goroutine runs.
func inBubble() bool {
	for now, i := time.Now(), 0; i < 50_000; i++ {
		if !time.Now().Equal(now) {
			return false
		}
	}
	return true
}

// do calls f in the world, unless that has ended.
func (c *Cluster) do(f func()) {
	c.w.enter()
	defer c.w.leave()
	if !c.w.over {
		f()
	}
}

// serves says whether every node serves, and all say so of each other.
func (c *Cluster) serves() bool {
	for i := range c.nodes {
		img := c.image(i)
		if !c.w.sim.Ready(i) || img == nil || len(img.Brokers()) < len(c.nodes) {
			return false
		}
		for _, b := range img.Brokers() {
			if b.Fenced {
				return false
			}
		}
	}
	return true
}

// await lets time pass until f is true, at most d; it says whether f was.
func (c *Cluster) await(d time.Duration, f func() bool) bool {
	for end := time.Now().Add(d); ; time.Sleep(5 * time.Millisecond) {
		c.w.enter()
		ok, over := f(), c.w.over
		c.w.leave()
		if ok || over || !time.Now().Before(end) {
			return ok
		}
	}
}

// close ends the cluster.
func (c *Cluster) close() {
	c.w.enter()
	c.w.end()
	for _, m := range c.machines {
		m.fail(net.ErrClosed)
	}
	c.w.mu.Unlock()
	close(c.w.quit)
	<-c.w.ended
	if c.opt.nodes > 1 && c.bubble {
		time.Sleep(endTime)
	}
	if c.t.Failed() && !c.opt.verbose {
		c.t.Log(c.Log())
	}
}

// broken is called when a broker broke a promise that it makes to itself or to its disk.
func (c *Cluster) broken(property, text string) {
	c.t.Errorf("seedlogtest: a broker is wrong, please report it: %s: %s", property, text)
	for _, m := range c.machines {
		m.fail(net.ErrClosed)
	}
}

// died is called when a broker ends itself.
func (c *Cluster) died(node int, text string, code int) {
	c.line(node, fmt.Sprintf("the broker ends with code %d: %s", code, text))
}

func (c *Cluster) log(node int, l *step.LogLine) { c.line(node, l.Text) }

func (c *Cluster) line(node int, text string) {
	line := fmt.Sprintf("%s broker %d: %s", time.Now().UTC().Format("15:04:05.000"), node+1, text)
	if c.opt.verbose {
		c.t.Log(line)
	}
	if len(c.lines) == maxLines {
		c.lines = append(c.lines[:0], c.lines[maxLines/2:]...)
		c.dropped += maxLines / 2
	}
	c.lines = append(c.lines, line)
}

// Log gives the last lines that the brokers wrote, with the virtual time of each. They are logged by themselves when the test fails.
func (c *Cluster) Log() string {
	c.w.enter()
	defer c.w.leave()
	head := "the brokers' log:"
	if c.dropped > 0 {
		head = fmt.Sprintf("the brokers' log without its first %d lines:", c.dropped)
	}
	return head + "\n" + strings.Join(c.lines, "\n")
}

// Addrs gives the brokers' addresses, for a client to begin with: "n1:9092" and so on.
func (c *Cluster) Addrs() []string { return c.w.sim.Addrs() }

// Dialer gives the function by which clients connect: kgo.Dialer(c.Dialer()). The connections block on nothing but channels and timers.
func (c *Cluster) Dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	return c.first.Dialer()
}

// Node gives the broker with a node.id: 1 to Nodes.
func (c *Cluster) Node(id int) *Node {
	if id < 1 || id > len(c.nodes) {
		c.t.Helper()
		c.t.Fatalf("seedlogtest: no node %d; there are 1 to %d", id, len(c.nodes))
	}
	return c.nodes[id-1]
}

// Leader gives the broker that leads a partition by the newest metadata that any running broker has. The test fails if there is none
// after a minute.
func (c *Cluster) Leader(topic string, partition int32) *Node {
	c.t.Helper()
	var found *Node
	led := c.await(time.Minute, func() bool {
		if p := c.partition(topic, partition); p != nil && p.Leader >= 1 {
			found = c.nodes[p.Leader-1]
		}
		return found != nil && found.up()
	})
	if !led {
		c.t.Fatalf("seedlogtest: %s/%d has no leader", topic, partition)
	}
	return found
}

// Controller gives the broker that is the active controller by the word of most brokers that are up; a broker alone is its own. The test fails
// if there is none after a minute.
func (c *Cluster) Controller() *Node {
	c.t.Helper()
	var found *Node
	c.await(time.Minute, func() bool {
		votes := make([]int, len(c.nodes)+1)
		for i := range c.nodes {
			if st := c.state(i); st != nil && st.ControllerID >= 1 && c.nodes[st.ControllerID-1].up() {
				votes[st.ControllerID]++
			}
		}
		if most := slices.Max(votes); most > 0 {
			found = c.nodes[slices.Index(votes, most)-1]
		}
		return found != nil
	})
	if found == nil {
		c.t.Fatal("seedlogtest: there is no controller")
	}
	return found
}

// Settle lets time pass until the cluster is whole: every broker that is up serves, and each partition has all replicas in sync that are up. The
// test fails if it is not after two minutes. Whoever wants all replicas back restarts, resumes and heals before.
func (c *Cluster) Settle() {
	c.t.Helper()
	if !c.await(startTime, c.whole) {
		c.t.Fatalf("seedlogtest: the cluster is not whole after %v", startTime)
	}
}

// whole is what Settle waits for.
func (c *Cluster) whole() bool {
	img := c.newest()
	if img == nil {
		return false
	}
	up := func(id int32) bool { return c.nodes[id-1].up() }
	for _, n := range c.nodes {
		if m := c.image(n.index); n.up() && (!c.w.sim.Ready(n.index) || m == nil || m.Index() < img.Index()) {
			return false
		}
	}
	for _, b := range img.Brokers() {
		if b.Fenced == up(b.ID) {
			return false
		}
	}
	for _, t := range img.Topics() {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			for _, id := range p.Replicas {
				if slices.Contains(p.ISR, id) != up(id) {
					return false
				}
			}
		}
	}
	return true
}

// Replicas gives the node.ids of the replicas of a partition and of those in sync, by the newest metadata that any running broker has; nothing
// if nobody knows the partition.
func (c *Cluster) Replicas(topic string, partition int32) (replicas, isr []int) {
	c.w.enter()
	defer c.w.leave()
	p := c.partition(topic, partition)
	if p == nil {
		return nil, nil
	}
	return ints(p.Replicas), ints(p.ISR)
}

func ints(ids []int32) (n []int) {
	for _, id := range ids {
		n = append(n, int(id))
	}
	return n
}

// partition gives what the newest image says of a partition, or nil. The world is entered.
func (c *Cluster) partition(topic string, partition int32) *metadata.Partition {
	img := c.newest()
	if img == nil {
		return nil
	}
	t := img.TopicByName(topic)
	if t == nil || partition < 0 || int(partition) >= len(t.Partitions) {
		return nil
	}
	return &t.Partitions[partition]
}

// newest gives the newest image of a running broker, or nil. The world is entered.
func (c *Cluster) newest() (img *metadata.Image) {
	for i := range c.nodes {
		if m := c.image(i); m != nil && (img == nil || m.Index() > img.Index()) {
			img = m
		}
	}
	return img
}

// image gives the image that shard 0 of a node goes by, or nil. The world is entered.
func (c *Cluster) image(node int) *metadata.Image {
	if s := c.state(node); s != nil {
		return s.Image
	}
	return nil
}

// state gives what shard 0 of a node shows, or nil if it is down. The world is entered.
func (c *Cluster) state(node int) *api.State {
	s, _ := c.w.sim.Inspect(node, 0).(*api.State) // nil of a node that is down
	return s
}
