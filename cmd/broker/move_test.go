package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// asked sends one request and wants an answer of its kind.
func asked[R kmsg.Response](t testing.TB, cl *kgo.Client, q kmsg.Request) R {
	t.Helper()
	r, err := cl.Request(bounded(t, 40*time.Second), q)
	if err != nil {
		t.Fatal(err)
	}
	return r.(R)
}

// assigned creates a topic whose partitions have the given replicas.
func assigned(t testing.TB, cl *kgo.Client, name string, replicas ...[]int32) {
	t.Helper()
	q := kmsg.NewPtrCreateTopicsRequest()
	q.TimeoutMillis = 20_000
	x := kmsg.NewCreateTopicsRequestTopic()
	x.Topic, x.NumPartitions, x.ReplicationFactor = name, -1, -1
	for i, r := range replicas {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(i), r
		x.ReplicaAssignment = append(x.ReplicaAssignment, a)
	}
	q.Topics = append(q.Topics, x)
	if r := asked[*kmsg.CreateTopicsResponse](t, cl, q).Topics[0]; r.ErrorCode != 0 {
		t.Fatalf("creating %s: code %d, %s", name, r.ErrorCode, deref(r.ErrorMessage))
	}
}

// reassign gives a topic's partitions other replicas.
func reassign(t testing.TB, cl *kgo.Client, topic string, replicas func(n int32) []int32, partitions int32) {
	t.Helper()
	q := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	q.TimeoutMillis = 20_000
	x := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	x.Topic = topic
	for n := range partitions {
		y := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		y.Partition, y.Replicas = n, replicas(n)
		x.Partitions = append(x.Partitions, y)
	}
	q.Topics = append(q.Topics, x)
	r := asked[*kmsg.AlterPartitionAssignmentsResponse](t, cl, q)
	if r.ErrorCode != 0 {
		t.Fatalf("reassigning %s: code %d, %s", topic, r.ErrorCode, deref(r.ErrorMessage))
	}
	for _, p := range r.Topics[0].Partitions {
		if p.ErrorCode != 0 {
			t.Fatalf("reassigning %s-%d: code %d, %s", topic, p.Partition, p.ErrorCode, deref(p.ErrorMessage))
		}
	}
}

// moving is the number of partitions that are being reassigned.
func moving(t testing.TB, cl *kgo.Client) (n int) {
	t.Helper()
	q := kmsg.NewPtrListPartitionReassignmentsRequest()
	q.TimeoutMillis = 20_000
	for _, x := range asked[*kmsg.ListPartitionReassignmentsResponse](t, cl, q).Topics {
		n += len(x.Partitions)
	}
	return n
}

// set changes settings of a topic (kind 2), a broker (4), or of all brokers (4 without a name); without a value, a setting is taken away.
func set(t testing.TB, cl *kgo.Client, kind kmsg.ConfigResourceType, name string, settings ...string) {
	t.Helper()
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	x := kmsg.NewIncrementalAlterConfigsRequestResource()
	x.ResourceType, x.ResourceName = kind, name
	for _, s := range settings {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		k, v, ok := strings.Cut(s, "=")
		c.Name = k
		if c.Op = kmsg.IncrementalAlterConfigOpDelete; ok {
			c.Op, c.Value = kmsg.IncrementalAlterConfigOpSet, &v
		}
		x.Configs = append(x.Configs, c)
	}
	q.Resources = append(q.Resources, x)
	if r := asked[*kmsg.IncrementalAlterConfigsResponse](t, cl, q).Resources[0]; r.ErrorCode != 0 {
		t.Fatalf("%v of %q: code %d, %s", settings, name, r.ErrorCode, deref(r.ErrorMessage))
	}
}

// logsOf gives the directories of a topic's partitions that a node has.
func (c *cluster) logsOf(i int, topic string) (out []string) {
	c.t.Helper()
	all, err := filepath.Glob(filepath.Join(c.dir, fmt.Sprint(i), topic+"-*"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, d := range all {
		if s, err := os.Stat(d); err == nil && s.IsDir() {
			out = append(out, filepath.Base(d))
		}
	}
	return out
}

func TestATopicMovesToOtherNodesWhileItIsProducedAndTheThrottleHoldsItBack(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=1")
	cl := c.dial()
	const parts = 10
	var places [][]int32
	for n := range int32(parts) {
		places = append(places, []int32{1 + n%2, 2 - n%2})
	}
	assigned(t, cl, "moves", places...)
	s := newStream(t, c.clients[0], "moves", 1, kgo.NoCompression(), kgo.SeedBrokers(c.clients...))
	eventually(t, time.Minute, "there is something to move", func() bool { return s.acked() > 5_000 })
	set(t, cl, kmsg.ConfigResourceTypeTopic, "moves", "leader.replication.throttled.replicas=*", "follower.replication.throttled.replicas=*")
	set(t, cl, kmsg.ConfigResourceTypeBroker, "", "leader.replication.throttled.rate=1", "follower.replication.throttled.rate=1")
	reassign(t, cl, "moves", func(n int32) []int32 { return []int32{3, 1 + n%2} }, parts)
	goal := s.acked() + 5_000
	eventually(t, time.Minute, "producers go on while the move waits", func() bool { return s.acked() > goal })
	if n := moving(t, cl); n == 0 {
		t.Fatal("a byte a second, and everything has moved")
	}
	set(t, cl, kmsg.ConfigResourceTypeBroker, "", "leader.replication.throttled.rate", "follower.replication.throttled.rate")
	eventually(t, time.Minute, "the move ends once nothing holds it back", func() bool { return moving(t, cl) == 0 })
	goal = s.acked() + 5_000
	eventually(t, time.Minute, "records are acknowledged by the new replicas", func() bool { return s.acked() > goal })
	c.inSync(1, "moves", 2)
	for n, p := range func() []kmsg.MetadataResponseTopicPartition { _, _, p := c.describe(2, "moves"); return p }() {
		if !slices.Contains(p.Replicas, 3) || len(p.Replicas) != 2 {
			t.Errorf("partition %d has replicas %v", n, p.Replicas)
		}
	}
	s.end(t)
	all := readAll(t, c.dial(kgo.ConsumeTopics("moves"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), len(s.l.acked))
	same(t, 1, s.l, all[1])
	eventually(t, 30*time.Second, "logs that moved away are gone", func() bool { return len(c.logsOf(0, "moves")) == 5 && len(c.logsOf(1, "moves")) == 5 })

	q := kmsg.NewPtrCreatePartitionsRequest()
	q.TimeoutMillis = 20_000
	x := kmsg.NewCreatePartitionsRequestTopic()
	x.Topic, x.Count = "moves", 12
	q.Topics = append(q.Topics, x)
	if r := asked[*kmsg.CreatePartitionsResponse](t, cl, q).Topics[0]; r.ErrorCode != 0 {
		t.Fatalf("code %d, %s", r.ErrorCode, deref(r.ErrorMessage))
	}
	eventually(t, 20*time.Second, "each node knows the new partitions", func() bool {
		for i := range c.nodes {
			if _, _, p := c.describe(i, "moves"); len(p) != 12 {
				return false
			}
		}
		return true
	})
	c.recreate(t, cl)
}

// recreate deletes the topic and makes it again, and nothing of the former one is read.
func (c *cluster) recreate(t *testing.T, cl *kgo.Client) {
	t.Helper()
	for round := range uint64(3) {
		d := kmsg.NewPtrDeleteTopicsRequest()
		d.TimeoutMillis = 20_000
		name := "moves"
		x := kmsg.NewDeleteTopicsRequestTopic()
		x.Topic = &name
		d.Topics, d.TopicNames = append(d.Topics, x), []string{name}
		if r := asked[*kmsg.DeleteTopicsResponse](t, cl, d).Topics[0]; r.ErrorCode != 0 {
			t.Fatalf("code %d, %s", r.ErrorCode, deref(r.ErrorMessage))
		}
		createReplicated(t, cl, name, 3, 3)
		l := newLedger()
		if err := produceAll(bounded(t, 30*time.Second), c.dial(), name, 9, 1000*round, 200, l); err != nil || len(l.acked) != 200 {
			t.Fatalf("%d records acknowledged, %v %v", len(l.acked), err, l.bad)
		}
		all := readAll(t, c.dial(kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 200)
		same(t, 9, l, all[9])
	}
}

func TestABrokerFromWhichEverythingWasMovedIsStoppedAndForgotten(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3)
	cl := c.dial()
	createReplicated(t, cl, "stays", 6, 3)
	l := newLedger()
	if err := produceAll(bounded(t, 30*time.Second), c.dial(), "stays", 1, 0, 500, l); err != nil {
		t.Fatal(err)
	}
	reassign(t, cl, "stays", func(n int32) []int32 { return []int32{1 + n%2, 2 - n%2} }, 6)
	eventually(t, time.Minute, "nothing is left on node 3", func() bool { return moving(t, cl) == 0 && len(c.logsOf(2, "stays")) == 0 })
	if code := c.nodes[2].term(); code != 0 {
		t.Fatalf("node 3 ends with code %d", code)
	}
	two := dial(t, c.clients[0], kgo.SeedBrokers(c.clients[:2]...))
	q := kmsg.NewPtrUnregisterBrokerRequest()
	q.BrokerID = 3
	if r := asked[*kmsg.UnregisterBrokerResponse](t, two, q); r.ErrorCode != 0 {
		t.Fatalf("code %d, %s", r.ErrorCode, deref(r.ErrorMessage))
	}
	d := kmsg.NewPtrDescribeClusterRequest()
	d.IncludeFencedBrokers = true
	knows := func(brokers int) func() bool {
		return func() bool { return len(asked[*kmsg.DescribeClusterResponse](t, two, d).Brokers) == brokers }
	}
	eventually(t, 20*time.Second, "nobody knows of it", knows(2))
	if r := asked[*kmsg.UnregisterBrokerResponse](t, two, q); r.ErrorCode != 102 {
		t.Fatalf("unregistered twice: code %d", r.ErrorCode)
	}
	all := readAll(t, dial(t, c.clients[0], kgo.SeedBrokers(c.clients[:2]...), kgo.ConsumeTopics("stays"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 500)
	same(t, 1, l, all[1])
	c.nodes[2] = c.begin(2).wentReady()
	eventually(t, 20*time.Second, "it registers again when it comes back", knows(3))
}

// coordinator is the index of the node that coordinates a group.
func coordinator(t testing.TB, cl *kgo.Client, group string) (node int) {
	t.Helper()
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.CoordinatorKey, q.CoordinatorKeys = group, []string{group}
	eventually(t, 40*time.Second, "the group has a coordinator", func() bool {
		r, err := q.RequestWith(bounded(t, 20*time.Second), cl)
		if err != nil || len(r.Coordinators) != 1 || r.Coordinators[0].ErrorCode != 0 {
			return false
		}
		node = int(r.Coordinators[0].NodeID) - 1
		return node >= 0
	})
	return node
}

func TestAGroupMovesWithItsOffsetsWhileItsCoordinatorIsKilledAndNothingCommittedGoesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2", "group.min.session.timeout.ms=500", "group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=3")
	cl := c.dial()
	const parts = 4
	id := createReplicated(t, cl, "read", parts, 3)
	s := newStream(t, c.clients[0], "read", 1, kgo.NoCompression(), kgo.SeedBrokers(c.clients...))
	g := &readers{at: map[uint64]place{}}
	var members []*kgo.Client
	for range 2 {
		m := c.dial(kgo.ConsumeTopics("read"), kgo.ConsumerGroup("moved"), kgo.SessionTimeout(3*time.Second), kgo.HeartbeatInterval(200*time.Millisecond),
			kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		go g.consume(m, 3)
		members = append(members, m)
	}
	var last [parts]int64
	look := func() (sum int64) {
		t.Helper()
		for p, at := range committedAll(t, cl, "moved", id, parts) {
			if at = max(at, 0); at < last[p] { // -1: none yet
				t.Fatalf("partition %d: offset %d was committed, and now it is %d", p, last[p], at)
			}
			last[p] = at
			sum += at
		}
		return sum
	}
	grows := func(what string) {
		t.Helper()
		from := look()
		eventually(t, time.Minute, what, func() bool { return look() > from+1_000 })
	}
	grows("offsets are committed")
	for range 2 {
		i := coordinator(t, cl, "moved")
		c.nodes[i].kill()
		grows(fmt.Sprintf("offsets are committed without node %d", i+1))
		c.nodes[i] = c.begin(i).wentReady()
		c.inSync((i+1)%3, "__consumer_offsets", 3)
		grows("offsets are committed once it is back")
	}
	for i := range c.nodes {
		c.listed(i, "moved")
	}
	s.end(t)
	total := len(s.l.acked)
	eventually(t, time.Minute, "everything that was acknowledged is read", func() bool { return g.count() >= total })
	for _, m := range members {
		m.Close()
	}
	if g.err != nil {
		t.Fatal(g.err)
	}
}

// listed checks that a node lists its groups, the group among them if it coordinates it.
func (c *cluster) listed(i int, group string) {
	c.t.Helper()
	cl := dial(c.t, c.clients[i])
	defer cl.Close()
	r, err := cl.Broker(i+1).RetriableRequest(bounded(c.t, 20*time.Second), kmsg.NewPtrListGroupsRequest())
	if err != nil {
		c.t.Fatal(err)
	}
	list := r.(*kmsg.ListGroupsResponse)
	has := slices.ContainsFunc(list.Groups, func(g kmsg.ListGroupsResponseGroup) bool { return g.Group == group })
	if want := coordinator(c.t, cl, group) == i; list.ErrorCode != 0 || has != want {
		c.t.Errorf("node %d lists %+v: want it there %v", i+1, list, want)
	}
}

// committedAll gives what a group has committed of a topic, by partition; it asks until the coordinator answers.
func committedAll(t testing.TB, cl *kgo.Client, group string, id [16]byte, parts int32) []int64 {
	t.Helper()
	q := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	x := kmsg.NewOffsetFetchRequestGroupTopic()
	x.TopicID = id
	for p := range parts {
		x.Partitions = append(x.Partitions, p)
	}
	g.Topics = append(g.Topics, x)
	q.Groups = append(q.Groups, g)
	var out []int64
	eventually(t, 40*time.Second, "the coordinator answers", func() bool {
		// The client would go on dialling the coordinator that it knew.
		answer, err := cl.Broker(coordinator(t, cl, group)+1).Request(bounded(t, 10*time.Second), q)
		if err != nil {
			return false
		}
		r := answer.(*kmsg.OffsetFetchResponse)
		if r.Groups[0].ErrorCode != 0 || len(r.Groups[0].Topics) != 1 {
			return false
		}
		out = make([]int64, parts)
		for _, p := range r.Groups[0].Topics[0].Partitions {
			if p.ErrorCode != 0 { // a node that does not know the topic yet
				return false
			}
			out[p.Partition] = p.Offset
		}
		return true
	})
	return out
}

func TestLeadershipGoesBackToPreferredReplicasAfterARestart(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "leader.imbalance.check.interval.seconds=1")
	createReplicated(t, c.dial(), "balanced", 6, 3)
	leads := func(node int32) (n int) {
		_, _, parts := c.describe(1, "balanced")
		for _, p := range parts {
			if p.Leader == node {
				n++
			}
		}
		return n
	}
	preferred := func() bool {
		_, _, parts := c.describe(1, "balanced")
		return len(parts) == 6 && !slices.ContainsFunc(parts, func(p kmsg.MetadataResponseTopicPartition) bool { return p.Leader != p.Replicas[0] })
	}
	eventually(t, 20*time.Second, "preferred replicas lead", preferred)
	c.nodes[0].kill()
	eventually(t, 30*time.Second, "others lead", func() bool { return leads(1) == 0 })
	c.nodes[0] = c.begin(0).wentReady()
	eventually(t, 40*time.Second, "preferred replicas lead again", preferred)
}
