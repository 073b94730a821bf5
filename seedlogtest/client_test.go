package seedlogtest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/seedlogtest"
)

const topic = "orders"

// connect makes a client for one topic, which is made when it is first used.
func connect(t *testing.T, c *seedlogtest.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	all := []kgo.Opt{kgo.SeedBrokers(c.Addrs()...), kgo.Dialer(c.Dialer()), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic(topic),
		kgo.MetadataMinAge(100 * time.Millisecond)}
	cl, err := kgo.NewClient(append(all, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

// within gives a context that ends after some virtual time.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// write produces the numbers from..to-1, each acknowledged before the next, and says how long it took.
func write(t *testing.T, cl *kgo.Client, from, to int) time.Duration {
	t.Helper()
	began := time.Now()
	ctx := within(t, 2*time.Minute)
	for i := from; i < to; i++ {
		require.NoError(t, cl.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr())
	}
	return time.Since(began)
}

// read consumes the next n records, which are the numbers from `from` on.
func read(t *testing.T, cl *kgo.Client, from, n int) {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	for at := from; at < from+n; {
		got := cl.PollRecords(ctx, from+n-at)
		require.NoError(t, got.Err())
		for _, r := range got.Records() {
			require.Equal(t, fmt.Sprint(at), string(r.Value))
			at++
		}
	}
}

// end gives the end of the topic's one partition, as consumers see it.
func end(t *testing.T, cl *kgo.Client) int64 {
	t.Helper()
	q := kmsg.NewPtrListOffsetsRequest()
	q.ReplicaID = -1
	q.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: 0, CurrentLeaderEpoch: -1, Timestamp: -1}}}}
	for ctx := within(t, time.Minute); ; time.Sleep(100 * time.Millisecond) { // a client tries again what is answered, not a dial
		r, err := q.RequestWith(ctx, cl)
		if err == nil && r.Topics[0].Partitions[0].ErrorCode == 0 {
			return r.Topics[0].Partitions[0].Offset
		}
		require.NoError(t, ctx.Err(), err)
	}
}

// others gives the brokers but one.
func others(c *seedlogtest.Cluster, n *seedlogtest.Node) (all []*seedlogtest.Node) {
	for id := 1; id <= len(c.Addrs()); id++ {
		if id != n.ID() {
			all = append(all, c.Node(id))
		}
	}
	return all
}

// all gives all brokers.
func all(c *seedlogtest.Cluster) []*seedlogtest.Node { return append(others(c, c.Node(1)), c.Node(1)) }

func ids(nodes []*seedlogtest.Node) (all []int) {
	for _, n := range nodes {
		all = append(all, n.ID())
	}
	return all
}
