package seedlogtest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/seedlogtest"
)

func TestASlowLinkMakesAcknowledgementsOfAllSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		leader := c.Leader(topic, 0)
		for _, n := range others(c, leader) {
			c.SlowLink(leader.ID(), n.ID(), 200*time.Millisecond)
		}
		require.GreaterOrEqual(t, write(t, cl, 10, 11), 400*time.Millisecond, "a follower hears of a record and says so")
		c.Heal()
		write(t, cl, 11, 12)
		require.Less(t, write(t, cl, 12, 13), 200*time.Millisecond)
	})
}

func TestALeaderThatNobodyHearsIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		old := c.Leader(topic, 0)
		for _, n := range others(c, old) {
			c.CutLink(old.ID(), n.ID())
		}
		write(t, cl, 10, 20)
		require.NotEqual(t, old, c.Leader(topic, 0))
		c.Heal()
		c.Settle()
		require.EqualValues(t, 20, end(t, cl))
	})
}

func TestNoMajorityAcknowledgesNothingUntilThePartitionHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		c.Partition([]int{1}, []int{2}, []int{3})
		acknowledged := make(chan error, 1)
		cl.Produce(context.Background(), kgo.StringRecord("10"), func(_ *kgo.Record, err error) { acknowledged <- err })
		time.Sleep(time.Minute)
		require.Empty(t, acknowledged)
		c.Heal()
		require.NoError(t, <-acknowledged)
		require.EqualValues(t, 11, end(t, cl))
	})
}

func TestASecondPartitionTakesThePlaceOfTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		c.Partition([]int{1}, []int{2}, []int{3})
		c.Partition()
		write(t, cl, 10, 20)
	})
}

func TestAMachineThatIsCutOffReachesNobodyAndOthersDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		away := c.Machine("away")
		lonely := connect(t, c, kgo.Dialer(away.Dialer()))
		require.NoError(t, lonely.Ping(within(t, time.Second)))
		away.CutFrom()
		require.Error(t, lonely.Ping(within(t, 30*time.Second)))
		write(t, cl, 10, 11)
		away.Heal()
		require.NoError(t, lonely.Ping(within(t, 30*time.Second)))
		away.CutFrom(1, 2, 3)
		c.Heal()
		write(t, lonely, 11, 12)
	})
}

func TestFiveBrokersSurviveTwoCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(5), seedlogtest.Config("default.replication.factor", "5"), seedlogtest.Config("min.insync.replicas", "3"))
		cl := connect(t, c, kgo.ConsumeTopics(topic))
		write(t, cl, 0, 10)
		c.Leader(topic, 0).CrashLosingUnsynced()
		write(t, cl, 10, 20)
		c.Leader(topic, 0).Kill()
		write(t, cl, 20, 30)
		read(t, cl, 0, 30)
	})
}
