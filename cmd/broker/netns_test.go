package main_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sys/unix"
)

// space is a network namespace, with a thread that lives in it: what it starts lives in it too.
type space struct {
	calls chan func()
	path  string // of the namespace
	addr  string
}

// newSpace makes an empty namespace, or says why there is none.
func newSpace(t *testing.T) *space {
	t.Helper()
	s := &space{calls: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and the namespace with what runs in it
		err := unix.Unshare(unix.CLONE_NEWNET)
		s.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		made <- err
		if err != nil {
			return
		}
		for f := range s.calls {
			f()
		}
	}()
	if err := <-made; err != nil {
		t.Skipf("network namespaces: %v", err)
	}
	t.Cleanup(func() { close(s.calls) })
	s.run(t, "ip", "link", "set", "lo", "up")
	return s
}

// in runs a function in the namespace.
func (s *space) in(f func()) {
	done := make(chan struct{})
	s.calls <- func() { defer close(done); f() }
	<-done
}

// run runs a command in the namespace. A machine that has none such skips the test.
func (s *space) run(t *testing.T, args ...string) {
	t.Helper()
	var out []byte
	var err error
	s.in(func() { out, err = exec.Command(args[0], args[1:]...).CombinedOutput() })
	if err != nil {
		t.Skipf("network namespaces: %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// dial is a client's connection from within the namespace; each has a thread of its own, since some wait long.
func (s *space) dial(ctx context.Context, network, host string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends here, since it is of no use elsewhere
		var fd int
		if fd, err = unix.Open(s.path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		defer unix.Close(fd)
		if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
			conn, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, host)
		}
	}()
	<-done
	return conn, err
}

// network is a hub that forwards between leaves: 0 is the clients', the others are nodes'. What it does not forward is lost without a word.
type network struct {
	t      *testing.T
	hub    *space
	leaves []*space
	cuts   [][2]int // from, to
}

func newNetwork(t *testing.T, leaves int) *network {
	t.Helper()
	w := &network{t: t, hub: newSpace(t)}
	for i := range leaves {
		s := newSpace(t)
		s.addr = fmt.Sprintf("10.77.%d.2", i)
		up, down := fmt.Sprintf("up%d", i), fmt.Sprintf("down%d", i)
		w.hub.run(t, "ip", "link", "add", "name", down, "type", "veth", "peer", "name", up)
		w.hub.run(t, "ip", "link", "set", "dev", up, "netns", s.path)
		w.hub.run(t, "ip", "addr", "add", fmt.Sprintf("10.77.%d.1/24", i), "dev", down)
		w.hub.run(t, "ip", "link", "set", down, "up")
		s.run(t, "ip", "addr", "add", s.addr+"/24", "dev", up)
		s.run(t, "ip", "link", "set", up, "up")
		s.run(t, "ip", "route", "add", "default", "via", fmt.Sprintf("10.77.%d.1", i))
		w.leaves = append(w.leaves, s)
	}
	var err error
	w.hub.in(func() { err = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) })
	if err != nil {
		t.Skipf("network namespaces: %v", err)
	}
	return w
}

// cut loses what goes from one leaf to another, this way only.
func (w *network) cut(from, to int) {
	w.t.Helper()
	w.rule("add", from, to)
	w.cuts = append(w.cuts, [2]int{from, to})
}

func (w *network) rule(verb string, from, to int) {
	w.t.Helper()
	w.hub.run(w.t, "ip", "rule", verb, "pref", "10", "from", w.leaves[from].addr, "to", w.leaves[to].addr, "blackhole")
}

// both cuts two leaves from each other.
func (w *network) both(a, b int) {
	w.t.Helper()
	w.cut(a, b)
	w.cut(b, a)
}

// heal forwards everything again.
func (w *network) heal() {
	w.t.Helper()
	for _, c := range w.cuts {
		w.rule("del", c[0], c[1])
	}
	w.cuts = nil
}

// newSpacedCluster starts three nodes, each in a namespace of its own.
func newSpacedCluster(t *testing.T, w *network, settings ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), extra: settings, spaces: w.leaves[1:], opts: []kgo.Opt{kgo.Dialer(w.leaves[0].dial), kgo.RequestTimeoutOverhead(2 * time.Second)}}
	for _, s := range c.spaces {
		c.clients, c.inner = append(c.clients, s.addr+":9092"), append(c.inner, s.addr+":9093")
	}
	for i := range c.spaces {
		c.nodes = append(c.nodes, c.begin(i))
	}
	for _, n := range c.nodes {
		n.wentReady()
	}
	return c
}

func TestNothingAcknowledgedIsLostWhileTheNetworkIsPartitioned(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	w := newNetwork(t, 4)
	c := newSpacedCluster(t, w, "min.insync.replicas=2", "broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500", "replica.lag.time.max.ms=3000")
	x := &nemesis{t: t, c: c, w: newWorkload(t, c, "n", 6, append(c.opts, kgo.ProduceRequestTimeout(2*time.Second))...)}
	x.w.witness.mayBeStale(true)
	x.w.goesOn(30*time.Second, "records are acknowledged")
	// Nodes are counted from 0, leaves of the network from 1.
	shapes := []struct {
		name string
		cut  func(leader, controller int)
	}{
		{"a leader is isolated from the nodes", func(l, _ int) { w.both(l+1, (l+1)%3+1); w.both(l+1, (l+2)%3+1) }},
		{"the controller is isolated from everything", func(_, k int) {
			w.both(k+1, (k+1)%3+1)
			w.both(k+1, (k+2)%3+1)
			w.both(k+1, 0)
		}},
		{"bridge: the leader and the controller do not see each other", func(l, k int) {
			if l == k {
				l = (k + 1) % 3
			}
			w.both(l+1, k+1)
		}},
		{"one way: what the leader sends to the nodes is lost", func(l, _ int) { w.cut(l+1, (l+1)%3+1); w.cut(l+1, (l+2)%3+1) }},
		{"one way: what the controller is sent by the nodes is lost", func(_, k int) { w.cut((k+1)%3+1, k+1); w.cut((k+2)%3+1, k+1) }},
		{"a leader is isolated from everything", func(l, _ int) { w.both(l+1, (l+1)%3+1); w.both(l+1, (l+2)%3+1); w.both(l+1, 0) }},
		{"bridge: two that are not the controller do not see each other", func(_, k int) { w.both((k+1)%3+1, (k+2)%3+1) }},
		{"one way: what the controller sends to one node is lost", func(_, k int) { w.cut(k+1, (k+1)%3+1) }},
	}
	for range scale(1, 1, 3) {
		for _, s := range shapes[:scale(3, 5, len(shapes))] {
			leader, controller := x.leaderAndController()
			s.cut(leader, controller)
			gap := x.w.goesOn(time.Minute, s.name+": records are acknowledged")
			w.heal()
			x.heal(s.name, gap)
		}
		for i := range 3 {
			w.both(i+1, (i+1)%3+1)
		}
		<-time.After(5 * time.Second) // longer than any session: there is nothing to wait for
		w.heal()
		x.heal("nobody sees anybody", 0)
	}
	x.w.finish(c.opts...)
	for i := range 3 {
		c.inSync(i, "n", 3)
		c.inSync(i, "__consumer_offsets", 3)
	}
	c.sameLogs(6 + 4)
}
