package jepsen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/jepsen/netns"
	"github.com/seedlog/seedlog/jepsen/process"
)

// Cluster is the nodes under test. Only the nemesis touches it once it runs.
type Cluster struct {
	cfg    *Config
	sys    system
	rec    *Recorder
	net    *netns.Network // nil: all are on loopback
	alone  string         // why
	noDisk string         // why nodes have no file systems of their own
	nodes  []*Node

	mu    sync.Mutex
	lives []life
}

// life is when a node's process ran; End is 0 while it does.
type life struct {
	node       int
	begin, end int64
}

// newCluster makes the nodes, and starts none.
func newCluster(cfg *Config, rec *Recorder) (_ *Cluster, err error) {
	c := &Cluster{cfg: cfg, rec: rec}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.sys, err = cfg.system(); err != nil {
		return nil, err
	}
	if c.net, c.alone, err = network(cfg); err != nil {
		return nil, err
	}
	data, logs := filepath.Join(cfg.Out, "data"), filepath.Join(cfg.Out, "logs")
	if err := errors.Join(os.RemoveAll(data), os.RemoveAll(logs), os.MkdirAll(data, 0o755), os.MkdirAll(logs, 0o755)); err != nil {
		return nil, err
	}
	for i := range cfg.Nodes {
		if err := c.add(i, filepath.Join(data, nodeName(i)), filepath.Join(logs, nodeName(i)+".log")); err != nil {
			return nil, err
		}
	}
	if cfg.wants(diskFault.kind) {
		c.noDisk = text(c.ownDisks())
	}
	for _, n := range c.nodes {
		if err := c.sys.prepare(c, n); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func nodeName(i int) string { return fmt.Sprintf("n%d", i+1) }

func (cfg *Config) system() (system, error) {
	if cfg.System == Kafka {
		return newKafka(cfg)
	}
	program, err := filepath.Abs(cfg.Broker)
	if err == nil {
		_, err = os.Stat(program)
	}
	return &seedlog{program: program, flush: cfg.Flush}, err
}

// network gives each node, and the clients, a namespace, or says why not.
func network(cfg *Config) (*netns.Network, string, error) {
	if cfg.Loopback {
		return nil, "LOOPBACK=1", nil
	}
	w, err := netns.NewNetwork(cfg.Nodes + 1)
	if err != nil {
		return nil, err.Error(), nil
	}
	return w, "", nil
}

func (c *Cluster) add(i int, dir, log string) (err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	n := &Node{id: i, dir: dir, home: dir, log: log}
	c.nodes = append(c.nodes, n)
	if c.net != nil {
		n.thread = c.net.Leaves[i+1].Thread
		n.addr, n.inner = c.net.Leaves[i+1].Addr+":9092", c.net.Leaves[i+1].Addr+":9093"
		return nil
	}
	if n.thread, err = process.NewThread(nil); err != nil {
		return err
	}
	if n.addr, err = process.FreeAddr(); err == nil {
		n.inner, err = process.FreeAddr()
	}
	return err
}

// founders are the controllers' addresses.
func (c *Cluster) founders() (all []string) {
	for _, n := range c.nodes[:c.cfg.Nodes] {
		all = append(all, n.inner)
	}
	return all
}

// addrs are the clients' addresses.
func (c *Cluster) addrs() (all []string) {
	for _, n := range c.nodes {
		all = append(all, n.addr)
	}
	return all
}

// dialer is how clients reach nodes.
func (c *Cluster) dialer() func(ctx context.Context, network, host string) (net.Conn, error) {
	if c.net != nil {
		return c.net.Leaves[0].Dial
	}
	return (&net.Dialer{Timeout: time.Second}).DialContext
}

// client makes one that knows all nodes and gives up on none.
func (c *Cluster) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.addrs()...), kgo.Dialer(c.dialer()), kgo.DialTimeout(time.Second), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.MetadataMaxAge(2 * time.Second), kgo.UnknownTopicRetries(-1), kgo.RequestTimeoutOverhead(3 * time.Second), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.DisableClientMetrics()}, opts...)...)
}

// begin starts all nodes and waits until each knows all.
func (c *Cluster) begin(ctx context.Context) error {
	for _, n := range c.nodes {
		if err := n.start(c); err != nil {
			return err
		}
	}
	return c.settled(ctx, c.cfg.patience())
}

// lived notes that a node's process began or ended.
func (c *Cluster) lived(n *Node, began bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := int64(c.rec.Now())
	if began {
		c.lives = append(c.lives, life{node: n.id, begin: now})
		return
	}
	for i := range c.lives {
		if c.lives[i].node == n.id && c.lives[i].end == 0 {
			c.lives[i].end = now
		}
	}
}

// fallen gives the nodes that are to run and do not.
func (c *Cluster) fallen() (all []*Node) {
	for _, n := range c.nodes {
		if n.wanted && !n.running() {
			all = append(all, n)
		}
	}
	return all
}

// Close ends all nodes, at once, and what was made for them.
func (c *Cluster) Close() {
	for _, n := range c.nodes {
		if n.p != nil {
			n.kill(c)
		}
		if n.thread != nil && c.net == nil {
			n.thread.Close()
		}
	}
	if c.net != nil {
		c.net.Close()
	}
}
