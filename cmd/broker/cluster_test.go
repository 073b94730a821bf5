package main_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/jepsen/netns"
)

// cluster is some broker processes on loopback.
type cluster struct {
	t       testing.TB
	dir     string
	clients []string // addresses, by node
	inner   []string
	extra   []string // settings of all
	nodes   []*node
	spaces  []*netns.Space // of the nodes, none: the test's own
	opts    []kgo.Opt      // of every client
}

// newCluster starts n nodes that are brokers and controllers, and waits until all are ready.
func newCluster(t testing.TB, n int, settings ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), extra: settings}
	for range n {
		c.clients, c.inner = append(c.clients, freePort(t)), append(c.inner, freePort(t))
	}
	for i := range n {
		c.nodes = append(c.nodes, c.begin(i))
	}
	for _, x := range c.nodes {
		x.wentReady()
	}
	return c
}

// begin starts node i, from 0.
func (c *cluster) begin(i int) *node {
	c.t.Helper()
	return c.beginOn(i, filepath.Join(c.dir, fmt.Sprint(i)))
}

// beginOn starts node i on a data directory, or on several, separated by commas.
func (c *cluster) beginOn(i int, data string) *node {
	c.t.Helper()
	var in *netns.Space
	if c.spaces != nil {
		in = c.spaces[i]
	}
	return beginIn(c.t, in, data, append([]string{
		fmt.Sprintf("node.id=%d", i+1), "process.roles=broker,controller",
		"listeners=PLAINTEXT://" + c.clients[i] + ",CONTROLLER://" + c.inner[i],
		"controller.quorum.bootstrap.servers=" + strings.Join(c.inner, ","),
	}, c.extra...)...)
}

func (c *cluster) dial(opts ...kgo.Opt) *kgo.Client {
	return dial(c.t, c.clients[0], append(append([]kgo.Opt{kgo.SeedBrokers(c.clients...)}, c.opts...), opts...)...)
}

// describe asks one node for a topic.
func (c *cluster) describe(i int, topic string) (controller int32, brokers int, parts []kmsg.MetadataResponseTopicPartition) {
	c.t.Helper()
	cl := dial(c.t, c.clients[i], c.opts...)
	defer cl.Close()
	q := kmsg.NewPtrMetadataRequest()
	x := kmsg.NewMetadataRequestTopic()
	x.Topic = &topic
	q.Topics = append(q.Topics, x)
	resp, err := q.RequestWith(bounded(c.t, 20*time.Second), cl)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.ControllerID, len(resp.Brokers), resp.Topics[0].Partitions
}

// inSync waits until every replica of a topic is in sync, as node i says.
func (c *cluster) inSync(i int, topic string, replicas int) {
	c.t.Helper()
	eventually(c.t, 40*time.Second, "every replica is in sync", func() bool {
		_, _, parts := c.describe(i, topic)
		return len(parts) > 0 && !slices.ContainsFunc(parts, func(p kmsg.MetadataResponseTopicPartition) bool { return len(p.ISR) < replicas || p.Leader < 0 })
	})
}

func TestACreatedTopicIsKnownToTheBrokerThatWasAskedAndServedByEach(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3)
	for i := range c.nodes {
		name := fmt.Sprintf("made-%d", i)
		cl := dial(t, c.clients[i])
		createReplicated(t, cl.Broker(i+1), name, 6, 3) // a client's own choice is the controller
		if _, brokers, parts := c.describe(i, name); len(parts) != 6 || brokers != 3 {
			t.Fatalf("node %d answered, and knows %d partitions and %d brokers", i+1, len(parts), brokers)
		}
		l := newLedger()
		if err := produceAll(bounded(t, 30*time.Second), c.dial(), name, uint32(i), 0, 500, l); err != nil || len(l.acked) != 500 {
			t.Fatalf("%d records acknowledged, %v %v", len(l.acked), err, l.bad)
		}
		all := readAll(t, dial(t, c.clients[(i+1)%3], kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 500)
		same(t, uint32(i), l, all[uint32(i)])
	}
	for i, n := range c.nodes {
		if code := n.term(); code != 0 {
			t.Errorf("node %d ends with code %d", i+1, code)
		}
	}
}

func TestAClusterGoesOnWhenAnyOneOfItsNodesIsKilledAndComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2")
	createReplicated(t, c.dial(), "kills", 6, 3, "segment.bytes=1048576")
	var streams []*stream
	for i := range 2 {
		streams = append(streams, newStream(t, c.clients[i], "kills", uint32(i), codecs[i%len(codecs)].codec, kgo.SeedBrokers(c.clients...)))
	}
	grow := func(what string) {
		t.Helper()
		began := time.Now()
		for i, s := range streams {
			goal := s.acked() + 1000
			eventually(t, time.Minute, what, func() bool { return streams[i].acked() >= goal })
		}
		t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
	}
	grow("records are acknowledged")
	for i := range c.nodes {
		c.nodes[i].kill()
		grow(fmt.Sprintf("records are acknowledged without node %d", i+1))
		c.nodes[i] = c.begin(i).wentReady()
		c.inSync((i+1)%3, "kills", 3)
	}
	if code := c.nodes[1].term(); code != 0 {
		t.Errorf("node 2 ends with code %d", code)
	}
	grow("records are acknowledged after a clean stop of node 2")
	c.nodes[1] = c.begin(1).wentReady()
	total, _ := settle(t, streams, c.dial(kgo.ConsumeTopics("kills"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
	t.Logf("%d records acknowledged", total)
}
