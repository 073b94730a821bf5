package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// minimal gives a valid request of a key and version that asks for as little as can be.
func minimal(key, version int16, topicID [16]byte) kmsg.Request {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	topic := "t"
	switch q := req.(type) {
	case *kmsg.ProduceRequest:
		p := produceTo(topic, 0, -1, batchOf(1, 10))
		p.Version, p.Topics[0].TopicID = version, topicID
		return p
	case *kmsg.FetchRequest:
		p := fetchFrom(topic, 0, 0, 0, 1)
		p.Version, p.Topics[0].TopicID = version, topicID
		return p
	case *kmsg.ListOffsetsRequest:
		q.ReplicaID = -1
		q.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}
	case *kmsg.MetadataRequest:
		q.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	case *kmsg.OffsetCommitRequest:
		q.Group, q.Generation = "g", -1
		q.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, TopicID: topicID, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1, LeaderEpoch: -1}}}}
	case *kmsg.OffsetFetchRequest:
		q.Group = "g"
		q.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: []int32{0}}}
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = "g"
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: topic, TopicID: topicID, Partitions: []int32{0}}}
		q.Groups = append(q.Groups, g)
	case *kmsg.FindCoordinatorRequest:
		q.CoordinatorKey, q.CoordinatorKeys = "g", []string{"g"}
	case *kmsg.JoinGroupRequest:
		p := joinGroup("g")
		p.Version = version
		return p
	case *kmsg.HeartbeatRequest:
		q.Group = "g"
	case *kmsg.LeaveGroupRequest:
		q.Group = "g"
	case *kmsg.SyncGroupRequest:
		q.Group = "g"
	case *kmsg.DescribeGroupsRequest:
		q.Groups = []string{"g"}
	case *kmsg.ApiVersionsRequest:
		q.ClientSoftwareName, q.ClientSoftwareVersion = "a", "1"
	case *kmsg.CreateTopicsRequest:
		p := createTopic("made-"+string(rune('a'+version)), 1)
		p.Version = version
		return p
	case *kmsg.DeleteTopicsRequest:
		p := deleteTopic("none")
		p.Version, p.TopicNames = version, []string{"none"}
		return p
	case *kmsg.DeleteRecordsRequest:
		q.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 1}}}}
	case *kmsg.OffsetForLeaderEpochRequest:
		q.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
	case *kmsg.DescribeConfigsRequest:
		q.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: topic}}
	case *kmsg.AlterConfigsRequest:
		v := "1000"
		q.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: 2, ResourceName: topic, Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &v}}}}
	case *kmsg.IncrementalAlterConfigsRequest:
		v := "1000"
		q.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: 2, ResourceName: topic, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &v}}}}
	case *kmsg.CreatePartitionsRequest:
		q.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: topic, Count: 4 + int32(version)}}
	case *kmsg.DeleteGroupsRequest:
		q.Groups = []string{"none"}
	case *kmsg.OffsetDeleteRequest:
		q.Group = "g"
	case *kmsg.DescribeTopicPartitionsRequest:
		q.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: topic}}
		q.ResponsePartitionLimit = 10
	}
	return req
}

func TestEveryVersionThatIsAdvertisedIsAnsweredInItsOwnForm(t *testing.T) {
	for _, shards := range []int{1, 3} {
		n := bootNode(t, newMemDisk(), shards, "group.initial.rebalance.delay.ms=0")
		c := n.connect(shards - 1)
		n.mustCreate(c, "t", 2)
		c.ask(findGroup("g"))
		c.ask(produceTo("t", 0, -1, batchOf(2, 10)))
		id := n.shards[0].s.state.Image.TopicByName("t").ID
		for _, e := range api.Table {
			if !e.ForClients() {
				continue
			}
			for v := e.Min; v <= e.Max; v++ {
				req := minimal(e.Key, v, id)
				if e.Key == 0 && v < 3 {
					d := n.connect(0)
					d.send(req)
					n.run()
					if !d.closed {
						t.Fatalf("Produce v%d does not close the connection", v)
					}
					continue
				}
				resp := c.ask(req) // fails unless the answer decodes
				n.noError(resp)
			}
		}
		if !n.stop() {
			t.Fatal("the node does not stop")
		}
	}
}

// noError looks at the codes that say that the request itself was well-formed and served.
func (n *node) noError(resp kmsg.Response) {
	n.t.Helper()
	code := int16(0)
	switch r := resp.(type) {
	case *kmsg.ProduceResponse:
		code = r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.FetchResponse:
		code = r.ErrorCode + r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.ListOffsetsResponse:
		code = r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.MetadataResponse:
		code = r.Topics[0].ErrorCode
	case *kmsg.OffsetCommitResponse:
		code = r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.FindCoordinatorResponse:
		code = r.ErrorCode
	case *kmsg.ApiVersionsResponse:
		code = r.ErrorCode
	case *kmsg.CreateTopicsResponse:
		code = r.Topics[0].ErrorCode
	case *kmsg.DeleteRecordsResponse:
		code = r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.InitProducerIDResponse:
		code = r.ErrorCode
	case *kmsg.OffsetForLeaderEpochResponse:
		code = r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.DescribeConfigsResponse:
		code = r.Resources[0].ErrorCode
	case *kmsg.CreatePartitionsResponse:
		code = r.Topics[0].ErrorCode
	case *kmsg.DescribeTopicPartitionsResponse:
		code = r.Topics[0].ErrorCode
	case *kmsg.DescribeClusterResponse:
		code = r.ErrorCode
	}
	if code != 0 {
		n.t.Fatalf("%T v%d: code %s", resp, resp.GetVersion(), kerr.Code(code))
	}
}

func TestAConnectionThatGoesWhileItsFetchIsBeingReadLeavesNothingWaiting(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "t", 2)
	n.holdMail = func(from, to int) bool { return from == 1 }
	p := n.partOn("t", 1)
	c.send(fetchFrom("t", p, 0, 1<<30, 1))
	n.run()
	c.close()
	n.holdMail = nil
	n.run()
	if k := n.shards[0].s.state.Pending(); k != 0 {
		t.Fatalf("%d requests are left of a connection that is gone", k)
	}
}

func TestGrowthOnSeveralShardsCountsTogether(t *testing.T) {
	n := bootNode(t, newMemDisk(), 4)
	c, d := n.connect(0), n.connect(1)
	n.mustCreate(c, "t", 4)
	size := int32(len(batchOf(1, 100)))
	q := fetchFrom("t", 0, 0, 100_000, 4*size)
	for p := range int32(3) {
		addFetch(q, "t", p+1, 0)
	}
	corr := c.send(q)
	n.run()
	for p := range int32(4) {
		if c.answer(corr) != nil {
			t.Fatalf("answered after %d of 4 parts", p)
		}
		d.ask(produceTo("t", p, -1, batchOf(1, 100)))
	}
	if c.answer(corr) == nil {
		t.Fatal("min_bytes are there, on four shards, and the answer is not")
	}
}

func TestMinBytesAboveMaxBytesIsNotWaitedFor(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	c.ask(produceTo("t", 0, -1, batchOf(1, 100)))
	q := fetchFrom("t", 0, 0, 100_000, 1<<30)
	q.MaxBytes = 50
	corr := c.send(q)
	n.run()
	if r := c.answer(corr); r == nil || len(fetched(t, r).RecordBatches) == 0 {
		t.Fatal("want the one batch at once")
	}
	for _, zero := range []func(*kmsg.FetchRequest){
		func(q *kmsg.FetchRequest) { q.MinBytes = 0 },
		func(q *kmsg.FetchRequest) { q.MaxWaitMillis = 0 },
		func(q *kmsg.FetchRequest) { q.MaxBytes = 0 },
		func(q *kmsg.FetchRequest) { q.MaxBytes, q.MinBytes, q.MaxWaitMillis = -1, -1, -1 },
	} {
		q := fetchFrom("t", 0, 1, 100_000, 1)
		zero(q)
		corr := c.send(q)
		n.run()
		if c.answer(corr) == nil {
			t.Fatalf("%+v waits", q)
		}
	}
}

func TestAnErrorInAFetchSaysNothingElseOfThePartition(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "t", 2)
	c.ask(produceTo("t", 1, -1, batchOf(3, 100)))
	for _, x := range []struct {
		q    *kmsg.FetchRequest
		want kerr.Code
	}{
		{fetchFrom("t", 1, 4, 1000, 1), kerr.OffsetOutOfRange},
		{fetchFrom("t", 1, -1, 1000, 1), kerr.OffsetOutOfRange},
		{fetchFrom("t", 2, 0, 1000, 1), kerr.UnknownTopicOrPartition},
		{fetchFrom("none", 0, 0, 1000, 1), kerr.UnknownTopicOrPartition},
		{withEpoch(fetchFrom("t", 1, 0, 1000, 1), 99), kerr.UnknownLeaderEpoch},
	} {
		x.q.IsolationLevel = 1
		p := fetched(t, c.ask(x.q))
		if p.ErrorCode != int16(x.want) || p.HighWatermark != -1 || p.LastStableOffset != -1 || p.LogStartOffset != -1 || len(p.RecordBatches) != 0 {
			t.Fatalf("want only %s, got %+v", x.want, p)
		}
	}
	if !n.stop() {
		t.Fatal("the node does not stop")
	}
	n.disk.kill()
	n = bootNode(t, n.disk, 2) // a new leader epoch
	if p := fetched(t, n.connect(0).ask(withEpoch(fetchFrom("t", 1, 0, 1000, 1), 0))); p.ErrorCode != int16(kerr.FencedLeaderEpoch) || p.HighWatermark != -1 {
		t.Fatalf("want FENCED_LEADER_EPOCH, got %+v", p)
	}
}

func withEpoch(q *kmsg.FetchRequest, e int32) *kmsg.FetchRequest {
	q.Topics[0].Partitions[0].CurrentLeaderEpoch = e
	return q
}

func TestClientsCannotWriteToTheBrokersOwnTopics(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	c.ask(findGroup("g"))
	for _, acks := range []int16{1, -1} {
		if code, _ := produced(t, c.ask(produceTo("__consumer_offsets", 3, acks, batchOf(1, 10)))); code != int16(kerr.InvalidTopicException) {
			t.Fatalf("want INVALID_TOPIC_EXCEPTION, got %d", code)
		}
	}
}

func TestTheEndOfAnEpochInWhichNothingWasWrittenIsKnown(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	n.mustCreate(c, "empty", 1)
	c.ask(produceTo("t", 0, -1, batchOf(3, 10)))
	first := n.epochOf("t")
	for range 2 { // two more leader epochs
		n.stop()
		n.disk.kill()
		n = bootNode(t, n.disk, 1)
	}
	c = n.connect(0)
	now := n.epochOf("t")
	if now < first+2 {
		t.Fatalf("epochs %d, %d: the test is wrong", first, now)
	}
	q := kmsg.NewPtrListOffsetsRequest()
	q.Version, q.ReplicaID = 8, -1
	q.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}
	if p := c.ask(q).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]; p.LeaderEpoch != now || p.Offset != 3 {
		t.Fatalf("latest: %+v", p)
	}
	ask := func(topic string, epoch int32) (int32, int64) {
		q := kmsg.NewPtrOffsetForLeaderEpochRequest()
		q.Version, q.ReplicaID = 4, -1
		q.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1, LeaderEpoch: epoch}}}}
		p := c.ask(q).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
		if p.ErrorCode != 0 {
			t.Fatalf("code %d", p.ErrorCode)
		}
		return p.LeaderEpoch, p.EndOffset
	}
	for _, x := range []struct {
		topic       string
		asked, want int32
		end         int64
	}{{"t", now, now, 3}, {"t", now - 1, first, 3}, {"t", first, first, 3}, {"t", now + 1, -1, -1}, {"t", -1, -1, -1}, {"empty", now, now, 0}} {
		if e, end := ask(x.topic, x.asked); e != x.want || end != x.end {
			t.Fatalf("%s epoch %d: want %d ends at %d, got %d, %d", x.topic, x.asked, x.want, x.end, e, end)
		}
	}
}

func (n *node) epochOf(topic string) int32 {
	return n.shards[0].s.state.Image.TopicByName(topic).Partitions[0].LeaderEpoch
}

func TestMetadataMakesEachMissingTopicOnce(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(1)
	a, bad := "auto", "no good"
	q := kmsg.NewPtrMetadataRequest()
	q.Version, q.AllowAutoTopicCreation = 9, true
	q.Topics = []kmsg.MetadataRequestTopic{{Topic: &a}, {Topic: &bad}, {Topic: &a}}
	r := c.ask(q).(*kmsg.MetadataResponse)
	if r.Topics[0].ErrorCode != 0 || r.Topics[1].ErrorCode != int16(kerr.InvalidTopicException) || r.Topics[2].ErrorCode != 0 || len(r.Topics[0].Partitions) == 0 {
		t.Fatalf("%+v", r.Topics)
	}
	q = kmsg.NewPtrMetadataRequest()
	q.Version = 11
	q.Topics = []kmsg.MetadataRequestTopic{{Topic: nil, TopicID: [16]byte{1}}}
	if r := c.ask(q).(*kmsg.MetadataResponse); r.Topics[0].ErrorCode != int16(kerr.InvalidRequest) {
		t.Fatalf("%+v", r.Topics)
	}
}

func TestTopicsAreDescribedPageByPageAndEachPartitionOnce(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	for _, name := range []string{"a", "b", "c"} {
		n.mustCreate(c, name, 5)
	}
	for limit := int32(-1); limit <= 16; limit++ {
		seen := 0
		var cursor *kmsg.DescribeTopicPartitionsRequestCursor
		for pages := 0; ; pages++ {
			q := kmsg.NewPtrDescribeTopicPartitionsRequest()
			q.ResponsePartitionLimit, q.Cursor = limit, cursor
			r := c.ask(q).(*kmsg.DescribeTopicPartitionsResponse)
			k := 0
			for _, x := range r.Topics {
				k += len(x.Partitions)
			}
			if seen += k; k > int(max(limit, 1)) || pages > 20 {
				t.Fatalf("limit %d: a page of %d", limit, k)
			}
			if r.NextCursor == nil {
				break
			}
			x := kmsg.NewDescribeTopicPartitionsRequestCursor()
			x.Topic, x.Partition = r.NextCursor.Topic, r.NextCursor.Partition
			cursor = &x
		}
		if seen != 15 {
			t.Fatalf("limit %d: %d partitions", limit, seen)
		}
	}
	q := kmsg.NewPtrDescribeTopicPartitionsRequest()
	q.ResponsePartitionLimit = 10
	q.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "a"}}
	x := kmsg.NewDescribeTopicPartitionsRequestCursor()
	x.Topic = "b"
	q.Cursor = &x
	if r := c.ask(q).(*kmsg.DescribeTopicPartitionsResponse); r.Topics[0].ErrorCode != int16(kerr.InvalidRequest) {
		t.Fatalf("a cursor outside the list: %+v", r)
	}
}

func TestAProduceThatTimesOutIsForgottenOnlyWhenItsPartsAreBack(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "t", 2)
	n.run()
	q := produceTo("t", 0, -1, batchOf(1, 10))
	q.TimeoutMillis = 100
	y := kmsg.NewProduceRequestTopicPartition()
	y.Partition, y.Records = 1, batchOf(2, 10)
	q.Topics[0].Partitions = append(q.Topics[0].Partitions, y)
	n.holdDisk = func(r *disk.Request) bool { return r.Kind == disk.Write && r.Size == 0 && len(r.Vec) > 0 && r.Off == 0 }
	corr := c.send(q)
	n.wait(200 * clock.Millisecond)
	r := c.answer(corr)
	if r == nil {
		t.Fatal("no answer at the time-out")
	}
	for _, p := range r.(*kmsg.ProduceResponse).Topics[0].Partitions {
		if p.ErrorCode != int16(kerr.RequestTimedOut) {
			t.Fatalf("want REQUEST_TIMED_OUT, got %d", p.ErrorCode)
		}
	}
	if n.shards[0].s.state.Pending() != 1 {
		t.Fatal("the request was given back while another shard reads its frame")
	}
	n.holdDisk = nil
	n.wait(clock.Second)
	if k := n.shards[0].s.state.Pending(); k != 0 {
		t.Fatalf("%d requests are left", k)
	}
	if out := n.shards[0].pool.Out; out != 0 {
		t.Fatalf("%d bytes are still leased", out)
	}
	if x := fetched(t, c.ask(fetchFrom("t", 1, 0, 0, 1))); x.HighWatermark != 2 {
		t.Fatalf("the records are not there: %+v", x)
	}
}

func TestFramesAreGivenBackWhateverBecomesOfProduces(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "t", 2)
	for _, p := range []int32{0, 1, 2, -1} {
		for _, acks := range []int16{-1, 1, 7} {
			c.ask(produceTo("t", p, acks, batchOf(1, 10)))
			bad := batchOf(1, 10)
			bad[30] ^= 1
			c.ask(produceTo("t", p, acks, bad))
			c.ask(produceTo("t", p, acks, sequenced(5, 0, 0)))
			c.ask(produceTo("t", p, acks, sequenced(5, 0, 77)))
		}
	}
	n.wait(clock.Second)
	if out := n.shards[0].pool.Out; out != 0 {
		t.Fatalf("%d bytes are still leased", out)
	}
}

func TestStopAnswersPollsAtOnce(t *testing.T) {
	n := bootNode(t, newMemDisk(), 2)
	c := n.connect(0)
	n.mustCreate(c, "t", 2)
	q := fetchFrom("t", 0, 0, 1<<30, 1)
	addFetch(q, "t", 1, 0)
	corr := c.send(q)
	n.run()
	for _, x := range n.shards {
		x.step(step.Event{Kind: step.Stop})
	}
	n.run()
	if c.answer(corr) == nil {
		t.Fatal("a long poll holds the stop up")
	}
	n.wait(clock.Second)
	if !n.stopped() {
		t.Fatal("the node does not stop")
	}
}

// What a new leader has of the epoch before was committed by its predecessor as far as that one showed it, though its own high watermark lags: a
// consumer that asks where the epoch ended (KIP-320) and is told less takes what it has read for lost, and goes back (Kafka answers the log's end).
func TestALeaderWhoseHighWatermarkLagsTellsConsumersWhereTheEpochBeforeEnds(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c := n.connect(0)
	n.mustCreate(c, "t", 1)
	before := led(n, 1, 2, 3).LeaderEpoch
	c.send(produceTo("t", 0, -1, batchOf(3, 100)))
	n.run()
	if p := led(n, 1, 2, 3); p.HighWatermark() != 0 || p.Log.End() != 3 || !p.Lags() {
		t.Fatalf("the high watermark is %d of %d: the test is wrong", p.HighWatermark(), p.Log.End())
	}
	q := kmsg.NewPtrOffsetForLeaderEpochRequest()
	q.Version, q.ReplicaID = 4, -1
	q.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1, LeaderEpoch: before}}}}
	if p := c.ask(q).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.LeaderEpoch != before || p.EndOffset != 3 {
		t.Fatalf("epoch %d: want its end at 3, got %+v", before, p)
	}
}
