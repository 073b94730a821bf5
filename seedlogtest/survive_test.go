package seedlogtest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/seedlogtest"
)

// These are the examples that the package's documentation names: what a program's own tests look like. The first one is README's, whole; the
// others leave to client_test.go what it shows.

func TestAConsumerSurvivesALeaderCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(3), seedlogtest.Config("min.insync.replicas", "2"))
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.Dialer(c.Dialer()),
			kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("orders"), kgo.ConsumeTopics("orders"))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of virtual time
		defer cancel()
		for i := range 10 {
			if err := cl.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if i == 5 {
				c.Leader("orders", 0).Kill()
			}
		}
		for i := range 10 {
			if r := cl.PollRecords(ctx, 1).Records(); len(r) != 1 || string(r[0].Value) != fmt.Sprint(i) {
				t.Fatalf("order %d: got %v", i, r)
			}
		}
	})
}

func TestAProducerWaitsForAFullDiskAndAConsumerMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(3))
		cl := connect(t, c, kgo.ConsumeTopics(topic))
		write(t, cl, 0, 10)

		leader := c.Leader(topic, 0)
		leader.FillDisk()
		time.Sleep(2 * time.Second) // the broker looks each second
		acknowledged := make(chan error, 1)
		cl.Produce(context.Background(), kgo.StringRecord("10"), func(_ *kgo.Record, err error) { acknowledged <- err })
		time.Sleep(20 * time.Second)
		require.Empty(t, acknowledged, "a full disk has acknowledged a record")
		require.True(t, leader.Up())
		read(t, cl, 0, 10) // what is there can be read all the while

		leader.FreeDisk()
		require.NoError(t, <-acknowledged)
		write(t, cl, 11, 20)
		read(t, cl, 10, 10)
	})
}

func TestAConsumerSurvivesAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(3), seedlogtest.Config("min.insync.replicas", "2"))
		cl := connect(t, c, kgo.ConsumeTopics(topic))
		write(t, cl, 0, 10)

		old := c.Leader(topic, 0)
		c.Partition([]int{old.ID()}, ids(others(c, old)))

		// The client still reaches the old leader, which cannot acknowledge anything by itself.
		write(t, cl, 10, 20)
		require.NotEqual(t, old, c.Leader(topic, 0))
		read(t, cl, 0, 20)

		c.Heal()
		c.Settle()
		write(t, cl, 20, 30)
		read(t, cl, 20, 10)
		require.EqualValues(t, 30, end(t, cl))
	})
}

func TestAConsumerSurvivesALostFsync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(3), seedlogtest.Config("min.insync.replicas", "2"))
		cl := connect(t, c, kgo.ConsumeTopics(topic))
		write(t, cl, 0, 10)

		liar := c.Leader(topic, 0)
		liar.LoseSyncs()
		write(t, cl, 10, 20)
		liar.CrashLosingUnsynced()
		liar.KeepSyncs()
		liar.Restart()
		c.Settle()

		write(t, cl, 20, 30)
		read(t, cl, 0, 30)
	})
}

func TestMembersOfAGroupTakeOverFromOneThatIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(3), seedlogtest.Config("num.partitions", "2"))
		group := []kgo.Opt{kgo.ConsumeTopics(topic), kgo.ConsumerGroup("billing"), kgo.DisableAutoCommit()}
		writer := connect(t, c)
		write(t, writer, 0, 1) // the topic is there
		here := connect(t, c, group...)
		away := c.Machine("away")
		there := connect(t, c, append(group, kgo.Dialer(away.Dialer()))...)
		seen := func(cl *kgo.Client) (partitions map[int32]bool) {
			partitions = map[int32]bool{}
			for _, r := range cl.PollFetches(within(t, time.Second)).Records() {
				partitions[r.Partition] = true
			}
			return partitions
		}
		time.Sleep(10 * time.Second)
		seen(here)
		seen(there)
		away.CutFrom()
		time.Sleep(time.Minute) // the session of 45 s is over
		for i := range 100 {
			require.NoError(t, writer.ProduceSync(within(t, time.Minute), kgo.KeyStringRecord(fmt.Sprint(i), "x")).FirstErr())
		}
		require.Len(t, seen(here), 2)
	})
}
