package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/io/clock"
)

// led makes partition 0 of topic t one of three replicas, of nodes 1 to 3, that this node leads in an epoch after its own.
func led(n *node, isr ...int32) *replica.Partition {
	s := n.shards[n.ownerOf("t", 0)].s
	p := s.state.Partition(s.state.Image.TopicByName("t").ID, 0)
	p.Apply(replica.State{Leader: 1, LeaderEpoch: p.LeaderEpoch + 1, PartitionEpoch: 5, ISR: isr, Replicas: []int32{1, 2, 3}, Me: 1, MinISR: 1,
		BrokerEpochs: func(node int32) (int64, bool) { return 100 + int64(node), true }}, n.now.Mono)
	return p
}

// replicaFetch is the Fetch of a follower.
func replicaFetch(n *node, node int32, offset int64, last int32, waitMS int32) *kmsg.FetchRequest {
	q := fetchFrom("t", 0, offset, waitMS, 1)
	q.Version = 18
	q.Topics[0].TopicID = n.shards[0].s.state.Image.TopicByName("t").ID
	q.ReplicaState.ID, q.ReplicaState.Epoch = node, 100+int64(node)
	q.Topics[0].Partitions[0].LastFetchedEpoch = last
	return q
}

func TestAFollowersFetchSaysWhatItHasAndReadsWhatIsWritten(t *testing.T) {
	for _, shards := range []int{1, 2} {
		n := bootNode(t, newMemDisk(), shards)
		c, f2, f3 := n.connect(0), n.connect(shards-1), n.connect(0)
		n.mustCreate(c, "t", 1)
		p := led(n, 1, 2, 3)
		produced := c.send(produceTo("t", 0, -1, batchOf(3, 100)))
		n.run()
		for i, f := range []*client{f2, f3} {
			r := fetched(t, f.ask(replicaFetch(n, int32(2+i), 0, -1, 0)))
			if len(r.RecordBatches) == 0 || r.ErrorCode != 0 || r.HighWatermark != 0 {
				t.Fatalf("%+v", r)
			}
		}
		if c.answer(produced) != nil {
			t.Fatal("acks=all is answered before anyone has the records")
		}
		long := f2.send(replicaFetch(n, 2, 3, p.LeaderEpoch, 500))
		n.run()
		if c.answer(produced) != nil || f2.answer(long) != nil {
			t.Fatal("answered before all of the ISR have the records")
		}
		r := fetched(t, f3.ask(replicaFetch(n, 3, 3, p.LeaderEpoch, 0)))
		n.run()
		if c.answer(produced) == nil || r.HighWatermark != 3 {
			t.Fatalf("all have the records, the high watermark is %d", r.HighWatermark)
		}
		second := c.send(produceTo("t", 0, 1, batchOf(1, 100)))
		n.run()
		if c.answer(second) == nil || f2.answer(long) == nil {
			t.Fatal("what is written does not end the follower's wait")
		}
		if r := fetched(t, f2.answer(long)); len(r.RecordBatches) == 0 || r.HighWatermark != 3 {
			t.Fatalf("%+v", r)
		}
	}
}

// Requests are pooled: what one has counted must not be taken for the next.
func TestEachFetchOfAFollowerCounts(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	p := led(n, 1, 2, 3)
	for end := int64(1); end < 5; end++ {
		c.ask(produceTo("t", 0, 1, batchOf(1, 100)))
		c.ask(replicaFetch(n, 3, end, p.LeaderEpoch, 100)) // a long poll that ends with nothing
		c.ask(replicaFetch(n, 2, end, p.LeaderEpoch, 0))
		if hw := p.HighWatermark(); hw != end {
			t.Fatalf("the high watermark is %d, want %d", hw, end)
		}
	}
}

func TestAFollowersFetchIsRefusedAsKafkaRefusesIt(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	p := led(n, 1, 2, 3)
	c.ask(produceTo("t", 0, 1, batchOf(3, 100)))
	late := replicaFetch(n, 2, 0, -1, 1000)
	late.ReplicaState.Epoch = 1
	for _, x := range []struct {
		q    *kmsg.FetchRequest
		want kerr.Code
	}{
		{replicaFetch(n, 9, 0, -1, 1000), kerr.NotLeaderForPartition}, // no replica
		{late, kerr.NotLeaderForPartition},                            // an earlier life
		{withEpoch(replicaFetch(n, 2, 0, -1, 1000), p.LeaderEpoch-1), kerr.FencedLeaderEpoch},
		{withEpoch(replicaFetch(n, 2, 0, -1, 1000), p.LeaderEpoch+1), kerr.UnknownLeaderEpoch},
	} {
		if r := fetched(t, c.ask(x.q)); r.ErrorCode != int16(x.want) || r.HighWatermark != -1 || len(r.RecordBatches) != 0 {
			t.Fatalf("want %s, got %+v", x.want, r)
		}
	}
	r := fetched(t, c.ask(replicaFetch(n, 2, 9, -1, 1000)))
	if r.ErrorCode != int16(kerr.OffsetOutOfRange) || r.LogStartOffset != 0 || r.HighWatermark != 3 {
		t.Fatalf("a follower beyond the end is told %+v", r)
	}
	r = fetched(t, c.ask(replicaFetch(n, 2, 5, p.LeaderEpoch-1, 1000)))
	if r.ErrorCode != 0 || r.DivergingEpoch.Epoch != p.LeaderEpoch-1 || r.DivergingEpoch.EndOffset != 0 || len(r.RecordBatches) != 0 {
		t.Fatalf("a follower of another history is told %+v", r)
	}
}

func TestWhoDoesNotLeadNamesTheLeaderAndServesConsumersThatMayReadHere(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	c.ask(produceTo("t", 0, -1, batchOf(3, 100)))
	p := led(n, 1)
	s := p.State()
	s.Leader, s.LeaderEpoch, s.PartitionEpoch = 2, s.LeaderEpoch+1, 6
	p.Apply(s, n.now.Mono)
	consumer := replicaFetch(n, -1, 0, -1, 0)
	consumer.ReplicaState.Epoch = -1
	if r := fetched(t, c.ask(consumer)); r.ErrorCode != 0 || len(r.RecordBatches) == 0 || r.HighWatermark != 3 {
		t.Fatalf("a consumer is told %+v", r)
	}
	old := fetchFrom("t", 0, 0, 0, 1)
	old.Version = 10
	if r := fetched(t, c.ask(old)); r.ErrorCode != int16(kerr.NotLeaderForPartition) {
		t.Fatalf("a consumer that knows nothing of followers is told %+v", r)
	}
	resp := c.ask(replicaFetch(n, 3, 0, -1, 0)).(*kmsg.FetchResponse)
	r := fetched(t, resp) // the image, of which this is no part, says that node 1 leads
	if r.ErrorCode != int16(kerr.NotLeaderForPartition) || r.CurrentLeader.LeaderID != 1 || len(resp.Brokers) != 1 || resp.Brokers[0].Host != "127.0.0.1" || resp.Brokers[0].Port != 9092 {
		t.Fatalf("a follower is told %+v, %+v", r, resp.Brokers)
	}
	out := c.ask(produceTo("t", 0, -1, batchOf(3, 100))).(*kmsg.ProduceResponse)
	if x := out.Topics[0].Partitions[0]; x.ErrorCode != int16(kerr.NotLeaderForPartition) || x.CurrentLeader.LeaderID != 1 || len(out.Brokers) != 1 {
		t.Fatalf("a producer is told %+v, %+v", x, out.Brokers)
	}
}

func TestAConsumerIsSentToAReplicaInItsRackThatHasItsOffset(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1, "replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector")
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	p := led(n, 1, 2, 3)
	c.ask(produceTo("t", 0, 1, batchOf(3, 100)))
	far := func(inRack ...int32) func(int32) bool {
		return func(node int32) bool {
			for _, x := range inRack {
				if x == node {
					return true
				}
			}
			return false
		}
	}
	c.ask(replicaFetch(n, 2, 0, -1, 0))
	c.ask(replicaFetch(n, 3, 3, p.LeaderEpoch, 0))
	for _, x := range []struct {
		offset int64
		racks  []int32
		want   int32
	}{
		{0, []int32{2}, 2}, {0, []int32{2, 3}, 3}, {2, []int32{2}, -1}, {2, []int32{2, 3}, 3}, {0, []int32{1, 2}, -1}, {0, nil, -1}, {3, []int32{3}, 3}, {4, []int32{3}, -1},
	} {
		if got := p.Reader(x.offset, far(x.racks...)); got != x.want {
			t.Errorf("offset %d, racks %v: %d, want %d", x.offset, x.racks, got, x.want)
		}
	}
	q := replicaFetch(n, -1, 0, -1, 0)
	q.ReplicaState.Epoch, q.Rack = -1, "elsewhere"
	if r := fetched(t, c.ask(q)); r.PreferredReadReplica != -1 || r.ErrorCode != 0 {
		t.Fatalf("%+v", r)
	}
}

func TestAFollowerWaitsForTheHighWatermarkWhereConsumersReadFromIt(t *testing.T) {
	for _, aware := range []bool{false, true} {
		set := []string{}
		if aware {
			set = append(set, "replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector")
		}
		n := bootNode(t, newMemDisk(), 1, set...)
		c, f2, f3 := n.connect(0), n.connect(0), n.connect(0)
		n.mustCreate(c, "t", 1)
		p := led(n, 1, 2, 3)
		c.ask(produceTo("t", 0, 1, batchOf(3, 100)))
		q := replicaFetch(n, 2, 0, -1, 0)
		q.SessionEpoch = 0
		id := f2.ask(q).(*kmsg.FetchResponse).SessionID
		q = replicaFetch(n, 2, 3, p.LeaderEpoch, 500)
		q.SessionID, q.SessionEpoch = id, 1
		long := f2.send(q)
		n.run()
		if f2.answer(long) != nil {
			t.Fatal("nothing is new, and the follower is answered")
		}
		f3.ask(replicaFetch(n, 3, 3, p.LeaderEpoch, 0))
		n.run()
		if told := f2.answer(long) != nil; told != aware {
			t.Fatalf("rack aware %v: the follower was told of the high watermark at once: %v", aware, told)
		}
		n.wait(clock.Second)
		if r := fetched(t, f2.answer(long)); r.HighWatermark != 3 {
			t.Fatalf("%+v", r)
		}
	}
}

func TestAFollowersNextFetchEndsTheWaitOfTheLast(t *testing.T) {
	for _, shards := range []int{1, 2} {
		n := bootNode(t, newMemDisk(), shards)
		c := n.connect(shards - 1)
		n.mustCreate(c, "t", 1)
		p := led(n, 1, 2)
		first := c.send(replicaFetch(n, 2, 0, -1, 500))
		n.run()
		second := c.send(replicaFetch(n, 2, 0, p.LeaderEpoch, 500))
		n.run()
		if c.answer(first) == nil || c.answer(second) != nil {
			t.Fatalf("answered: %v, %v", c.answer(first) != nil, c.answer(second) != nil)
		}
		n.wait(clock.Second)
		if c.answer(second) == nil {
			t.Fatal("the second is not answered")
		}
		consumer := func() *kmsg.FetchRequest { return fetchFrom("t", 0, 0, 500, 1) }
		first = c.send(consumer())
		c.send(consumer())
		n.run()
		if c.answer(first) != nil {
			t.Fatal("a consumer's next fetch waits its turn")
		}
		n.wait(2 * clock.Second)
	}
}

func TestAConsumerNeverTakesAFollowersSession(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1, "max.incremental.fetch.session.cache.slots=1")
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	led(n, 1, 2, 3)
	session := func(node int32) int32 {
		q := replicaFetch(n, node, 0, -1, 0)
		q.SessionEpoch = 0
		return c.ask(q).(*kmsg.FetchResponse).SessionID
	}
	if session(-1) == 0 || session(-1) != 0 {
		t.Fatal("the slot goes to the first consumer")
	}
	if session(2) == 0 {
		t.Fatal("a consumer gives way to a follower")
	}
	if session(-1) != 0 || session(3) != 0 {
		t.Fatal("a live follower keeps its session")
	}
	n.wait(3 * clock.Minute)
	if session(-1) == 0 {
		t.Fatal("a follower that is gone keeps its session")
	}
}

func TestAThrottledLeaderSlowsWhoIsNotInSyncAlone(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	p, s := led(n, 1, 3), n.shards[0].s
	state := p.State()
	state.PartitionEpoch++
	state.BrokerEpochs = func(node int32) (int64, bool) { return 100 + int64(node), node != 2 } // which may not join the ISR here
	p.Apply(state, n.now.Mono)
	p.LeaderThrottled = true
	s.state.Throttle.SetRate(n.now.Mono, 1)
	c.ask(produceTo("t", 0, 1, batchOf(3, 100)))
	bytes := func(node int32) int {
		return len(fetched(t, c.ask(replicaFetch(n, node, 0, -1, 0))).RecordBatches)
	}
	if bytes(2) == 0 {
		t.Fatal("the first of a second is held back")
	}
	if r := fetched(t, c.ask(replicaFetch(n, 2, 0, -1, 0))); len(r.RecordBatches) != 0 || r.ErrorCode != 0 {
		t.Fatalf("above the rate: %+v", r)
	}
	if bytes(3) == 0 || len(fetched(t, c.ask(fetchFrom("t", 0, 0, 0, 1))).RecordBatches) != 0 {
		t.Fatal("a replica in sync is held back, or a consumer reads what is not committed")
	}
	s.state.Throttle.SetRate(n.now.Mono, 1<<40)
	if bytes(2) == 0 {
		t.Fatal("held back without a rate")
	}
}
