package main_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/jepsen/netns"
)

// network is a hub that forwards between leaves: 0 is the clients', the others are nodes'. What it does not forward is lost without a word.
type network struct {
	*netns.Network
	t *testing.T
}

// newNetwork makes one. A machine that permits none skips the test.
func newNetwork(t *testing.T, leaves int) *network {
	t.Helper()
	w, err := netns.NewNetwork(leaves)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(w.Close)
	return &network{w, t}
}

func (w *network) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// cut loses what goes from one leaf to another, this way only.
func (w *network) cut(from, to int) { w.t.Helper(); w.must(w.Cut(from, to)) }

// both cuts two leaves from each other.
func (w *network) both(a, b int) { w.t.Helper(); w.must(w.Both(a, b)) }

// heal forwards everything again.
func (w *network) heal() { w.t.Helper(); w.must(w.Heal()) }

// newSpacedCluster starts three nodes, each in a namespace of its own.
func newSpacedCluster(t *testing.T, w *network, settings ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), extra: settings, spaces: w.Leaves[1:], opts: []kgo.Opt{kgo.Dialer(w.Leaves[0].Dial), kgo.RequestTimeoutOverhead(2 * time.Second)}}
	for _, s := range c.spaces {
		c.clients, c.inner = append(c.clients, s.Addr+":9092"), append(c.inner, s.Addr+":9093")
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
