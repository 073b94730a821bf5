package realnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// Listener is an address to accept connections on. Port 0 lets the kernel choose; Addrs tells.
type Listener struct {
	Name string // of the configuration: PLAINTEXT, CONTROLLER …
	Addr string // "host:port"; an empty host is every address of the machine
	// Inner is a listener of the cluster's own: its connections are shard 0's, are accepted from the start, and until the node ends, since
	// a node that recovers or drains is a member of its quorum all the while.
	Inner bool
}

// Config describes a node. Zero limits mean the defaults.
type Config struct {
	Listeners []Listener
	Shards    []step.Stepper
	Lanes     int         // how many of Shards, the last, are lanes: they get no connections, and are stopped once all others have Stopped
	Pools     []*buf.Pool // one a shard, used by its thread only; frames are leased from it
	Disk      Disk
	Log       func(step.LogLine) // called on the shards' threads
	Ready     func()             // called once, when all shards have said Ready
	MaxFrame  int                // bytes; default network.MaxFrame
	MaxUnsent int64              // bytes, extents included, above which a connection is not read; default 8 MiB
	Backlog   int                // of a listener; default 1024
	SendBuf   int                // SO_SNDBUF in bytes; 0 leaves it to the kernel, which adapts it
	RecvBuf   int                // SO_RCVBUF
	// DialTimeout bounds a lookup, and the connect to what it found; default 10 s.
	DialTimeout time.Duration
	Lookup      func(ctx context.Context, network, host string) ([]netip.Addr, error) // default that of package net
}

func (c *Config) setDefaults() error {
	if len(c.Shards) == 0 || len(c.Pools) != len(c.Shards) || c.Disk == nil {
		return errors.New("realnet: needs at least one shard, a pool for each, and a disk")
	}
	if c.Lanes < 0 || c.Lanes >= len(c.Shards) {
		return errors.New("realnet: needs at least one shard beside its lanes")
	}
	if c.MaxFrame <= 0 {
		c.MaxFrame = network.MaxFrame
	}
	if limit := buf.Classes[len(buf.Classes)-1] - lengthSize; c.MaxFrame > limit {
		return fmt.Errorf("frames of %d bytes are above the largest possible, %d; lower socket.request.max.bytes", c.MaxFrame, limit)
	}
	if c.MaxUnsent <= 0 {
		c.MaxUnsent = 8 << 20
	}
	if c.Backlog <= 0 {
		c.Backlog = 1024
	}
	if c.DialTimeout <= 0 {
		c.DialTimeout = 10 * time.Second
	}
	if c.Lookup == nil {
		c.Lookup = net.DefaultResolver.LookupNetIP
	}
	if c.Log == nil {
		c.Log = func(step.LogLine) {}
	}
	if c.Ready == nil {
		c.Ready = func() {}
	}
	return nil
}

// Node is a set of loops. New, then Run once; Stop and Ask from any goroutine.
type Node struct {
	cfg       Config
	start     time.Time
	listeners []*listener
	loops     []*loop
	quit      atomic.Bool
	level     atomic.Int32 // step.Level: lines below it are not written

	mu      sync.Mutex
	ready   int // loops whose shard said Ready
	stopped int
	fatal   string
	code    int
	asks    map[disk.Token]chan step.Mail
	lastAsk disk.Token
	readied chan struct{}
}

// log passes a line on, unless a shard has said that none of its level are wanted.
func (n *Node) log(line step.LogLine) {
	if int32(line.Level) >= n.level.Load() {
		n.cfg.Log(line)
	}
}

// New binds the listeners and makes the loops; nothing is accepted, and no shard stepped, before Run.
func New(cfg Config) (*Node, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, start: time.Now(), asks: map[disk.Token]chan step.Mail{}, readied: make(chan struct{})}
	for _, c := range cfg.Listeners {
		ln, err := bind(c, cfg.Backlog)
		if err != nil {
			n.closeAll()
			return nil, err
		}
		n.listeners = append(n.listeners, ln)
	}
	for i := range cfg.Shards {
		l, err := newLoop(n, i)
		if err != nil {
			n.closeAll()
			return nil, fmt.Errorf("event loop of shard %d: %w", i, err)
		}
		n.loops = append(n.loops, l)
	}
	for i, l := range n.loops {
		cfg.Disk.Attach(i, l.box.posted, l.box.efd)
	}
	return n, nil
}

// Addrs gives the bound addresses, in the order of Config.Listeners.
func (n *Node) Addrs() []string {
	var addrs []string
	for _, ln := range n.listeners {
		addrs = append(addrs, ln.addr)
	}
	return addrs
}

// Run drives the shards until all are Stopped (fatal is empty, code 0) or one is Fatal. It closes all sockets before it returns; if all are
// Stopped it waits up to lingerTime for the peers to have read what they were sent.
func (n *Node) Run() (fatal string, code int) {
	var wg sync.WaitGroup
	for _, l := range n.loops {
		wg.Go(l.run)
	}
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	select {
	case <-n.readied:
		n.cfg.Ready()
		<-ended
	case <-ended:
	}
	n.closeAll()
	return n.fatal, n.code
}

// closeAll is for when no loop runs.
func (n *Node) closeAll() {
	for _, l := range n.loops {
		l.closeAll()
	}
	for _, ln := range n.listeners {
		ln.close()
	}
}

// Stop asks each shard to drain: SIGTERM. Lanes are asked when all shards have.
func (n *Node) Stop() { n.stopLoops(n.loops[:n.shards()]) }

func (n *Node) stopLoops(loops []*loop) {
	for _, l := range loops {
		l.box.mu.Lock()
		l.box.stop = true
		l.box.mu.Unlock()
		l.box.posted()
	}
}

// shards is the number of loops that are no lanes.
func (n *Node) shards() int { return len(n.loops) - n.cfg.Lanes }

// Post sends m to the shard or lane m.To from Outside, without an answer.
func (n *Node) Post(m step.Mail) {
	m.From = step.Outside
	n.loops[m.To].box.post(m)
}

// Ask sends m to the shard m.To on behalf of Outside, and waits for the Mail by which that shard answers. Ask chooses the token. The answer's
// Bytes are the caller's.
func (n *Node) Ask(m step.Mail, timeout time.Duration) (step.Mail, bool) {
	if m.To < 0 || int(m.To) >= len(n.loops) {
		return step.Mail{}, false
	}
	answer := make(chan step.Mail, 1)
	n.mu.Lock()
	n.lastAsk++
	m.From, m.Token = step.Outside, n.lastAsk
	n.asks[m.Token] = answer
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.asks, m.Token)
		n.mu.Unlock()
	}()
	n.loops[m.To].box.post(m)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case a := <-answer:
		return a, true
	case <-timer.C:
		return step.Mail{}, false
	}
}

// answer takes mail to Outside. What nobody waits for any more is dropped.
func (n *Node) answer(m *step.Mail) {
	n.mu.Lock()
	ch := n.asks[m.Token]
	delete(n.asks, m.Token)
	n.mu.Unlock()
	if ch == nil {
		return
	}
	a := *m
	a.Bytes = append([]byte(nil), m.Bytes...) // The sender's lease is its own thread's.
	ch <- a
}

// now is the time that a step is told. Monotonic time starts at one second, so that no time is 0.
func (n *Node) now() clock.Now {
	t := time.Now()
	return clock.Now{Mono: clock.Time(t.Sub(n.start) + time.Second), Wall: clock.Wall(t.UnixMilli())}
}

func (n *Node) shardReady() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready++
	if n.ready == n.shards() {
		close(n.readied)
	}
}

// shardStopped ends the node with its last shard: until then a stopped one still takes mail.
func (n *Node) shardStopped() {
	n.mu.Lock()
	n.stopped++
	all, shards := n.stopped == len(n.loops), n.stopped == n.shards()
	n.mu.Unlock()
	switch {
	case all:
		n.end()
	case shards:
		n.stopLoops(n.loops[n.shards():])
	}
}

func (n *Node) fail(text string, code int) {
	n.mu.Lock()
	if n.fatal == "" {
		n.fatal, n.code = text, code
	}
	n.mu.Unlock()
	n.end()
}

func (n *Node) hasFailed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fatal != ""
}

func (n *Node) end() {
	n.quit.Store(true)
	for _, l := range n.loops {
		l.box.posted()
	}
}
