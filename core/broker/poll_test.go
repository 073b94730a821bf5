package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/io/clock"
)

func produced(t testing.TB, r kmsg.Response) (code int16, base int64) {
	t.Helper()
	p := r.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return p.ErrorCode, p.BaseOffset
}

func TestAProducedBatchIsFetchedAgainFromEachShardAndByEachShard(t *testing.T) {
	for _, shards := range []int{1, 2, 4} {
		n := bootNode(t, newMemDisk(), shards)
		n.mustCreate(n.connect(0), "t", 8)
		for s := range shards {
			c := n.connect(s)
			for p := int32(0); p < 8; p++ {
				if code, base := produced(t, c.ask(produceTo("t", p, -1, batchOf(2, 10)))); code != 0 || base != int64(s)*2 {
					t.Fatalf("%d shards: want base %d, got %d (code %d)", shards, s*2, base, code)
				}
				r := c.ask(fetchFrom("t", p, int64(s)*2, 500, 1)).(*kmsg.FetchResponse)
				if x := r.Topics[0].Partitions[0]; x.ErrorCode != 0 || len(x.RecordBatches) == 0 || x.HighWatermark != int64(s)*2+2 {
					t.Fatalf("%d shards: %+v", shards, x)
				}
			}
		}
		if !n.stop() {
			t.Fatalf("%d shards: the node does not stop", shards)
		}
	}
}

func TestDeletingRecordsWhileAConsumerWaitsAtTheEndLeavesItWaiting(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c, d := n.connect(0), n.connect(0)
	n.mustCreate(c, "t", 1)
	c.ask(produceTo("t", 0, -1, batchOf(3, 10)))
	corr := c.send(fetchFrom("t", 0, 3, 10_000, 1))
	n.run()
	q := kmsg.NewPtrDeleteRecordsRequest()
	q.Version, q.TimeoutMillis = 2, 1000
	x := kmsg.NewDeleteRecordsRequestTopic()
	x.Topic = "t"
	x.Partitions = []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: 2}}
	q.Topics = append(q.Topics, x)
	d.ask(q)
	if c.answer(corr) != nil {
		t.Fatal("the long poll was answered although nothing came")
	}
	n.wait(11 * clock.Second)
	if c.answer(corr) == nil {
		t.Fatal("the long poll was not answered at its deadline")
	}
}

func TestAWatchThatIsSetAgainWhileOneFiresWaitsForNewGrowth(t *testing.T) {
	n := bootNode(t, newMemDisk(), 1)
	c, d := n.connect(0), n.connect(0)
	n.mustCreate(c, "t", 1)
	q := fetchFrom("t", 0, 0, 10_000, 500)
	q.Topics[0].Partitions[0].PartitionMaxBytes = 1 // one batch, whatever comes
	corr := c.send(q)
	n.run()
	d.ask(produceTo("t", 0, -1, batchOf(1, 100)))
	d.ask(produceTo("t", 0, -1, batchOf(1, 1000)))
	if c.answer(corr) != nil {
		t.Fatal("answered with fewer than min_bytes before the deadline")
	}
	n.wait(11 * clock.Second)
	if c.answer(corr) == nil {
		t.Fatal("the long poll was not answered at its deadline")
	}
}
