package seedlogtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/seedlogtest"
)

// acksAll makes a cluster of three in which an acknowledgement stands for two copies, with ten records.
func acksAll(t *testing.T, opts ...seedlogtest.Option) (*seedlogtest.Cluster, *kgo.Client) {
	t.Helper()
	c := seedlogtest.New(t, append([]seedlogtest.Option{seedlogtest.Nodes(3), seedlogtest.Config("min.insync.replicas", "2")}, opts...)...)
	cl := connect(t, c)
	write(t, cl, 0, 10)
	return c, cl
}

// everywhere does something to all brokers, then starts those that are down and waits for a whole cluster.
func everywhere(c *seedlogtest.Cluster, do func(n *seedlogtest.Node)) {
	for _, n := range all(c) {
		do(n)
	}
	for _, n := range all(c) {
		n.Restart()
	}
	c.Settle()
}

func TestWhatIsAcknowledgedSurvivesALossOfPowerEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		everywhere(c, (*seedlogtest.Node).CrashLosingUnsynced)
		require.EqualValues(t, 10, end(t, cl))
	})
}

func TestWhereEveryDiskLosesSyncsAcknowledgedRecordsAreGoneAfterALossOfPower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		for _, n := range all(c) {
			n.LoseSyncs()
		}
		write(t, cl, 10, 20)
		everywhere(c, (*seedlogtest.Node).CrashLosingUnsynced)
		require.EqualValues(t, 10, end(t, cl), "the disks kept what they did not sync")
	})
}

func TestWhereEveryDiskLosesSyncsAKillTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		for _, n := range all(c) {
			n.LoseSyncs()
		}
		write(t, cl, 10, 20)
		everywhere(c, (*seedlogtest.Node).Kill)
		require.EqualValues(t, 20, end(t, cl))
	})
}

func TestADiskThatIsHonestAgainSyncsWhatItLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		for _, n := range all(c) {
			n.LoseSyncs()
		}
		write(t, cl, 10, 20)
		for _, n := range all(c) {
			n.KeepSyncs()
		}
		write(t, cl, 20, 21)
		everywhere(c, (*seedlogtest.Node).CrashLosingUnsynced)
		require.EqualValues(t, 21, end(t, cl))
	})
}

func TestOneDiskOfThreeThatLosesSyncsCostsNothing(t *testing.T) {
	for id := range 3 {
		synctest.Test(t, func(t *testing.T) {
			c, cl := acksAll(t)
			c.Node(id + 1).LoseSyncs()
			write(t, cl, 10, 20)
			everywhere(c, (*seedlogtest.Node).CrashLosingUnsynced)
			require.EqualValues(t, 20, end(t, cl))
		})
	}
}

func TestUnderFlushPolicyOsALossOfPowerEverywhereTakesWhatWasNotSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t, seedlogtest.Config("flush.policy", "os"))
		everywhere(c, (*seedlogtest.Node).CrashLosingUnsynced)
		require.Less(t, end(t, cl), int64(10))
	})
}

func TestABrokerThatWasKilledAnswersAgainAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(1))
		cl := connect(t, c)
		write(t, cl, 0, 10)
		c.Node(1).Kill()
		require.False(t, c.Node(1).Up())
		require.Error(t, cl.Ping(within(t, 20*time.Second)))
		c.Node(1).Restart()
		require.True(t, c.Node(1).Up())
		write(t, cl, 10, 11)
		require.EqualValues(t, 11, end(t, cl))
	})
}

func TestABrokerThatStopsInGoodOrderGivesItsPartitionsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		leader := c.Leader(topic, 0)
		leader.Stop()
		require.False(t, leader.Up())
		require.NotEqual(t, leader, c.Leader(topic, 0))
		write(t, cl, 10, 20)
		leader.Restart()
		c.Settle()
		_, isr := c.Replicas(topic, 0)
		require.Contains(t, isr, leader.ID())
	})
}

func TestAPausedBrokerAnswersWhenItIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(1))
		cl := connect(t, c)
		write(t, cl, 0, 10)
		c.Node(1).Pause()
		time.AfterFunc(3*time.Second, c.Node(1).Resume)
		require.GreaterOrEqual(t, write(t, cl, 10, 11), 3*time.Second)
		require.True(t, c.Node(1).Up())
	})
}

func TestAPausedLeaderIsReplacedAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		old := c.Leader(topic, 0)
		old.Pause()
		write(t, cl, 10, 20)
		require.NotEqual(t, old, c.Leader(topic, 0))
		old.Resume()
		c.Settle()
		require.EqualValues(t, 20, end(t, cl))
	})
}

func TestAnotherControllerIsElectedWhenItsMachineLosesPower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		old := c.Controller()
		old.CrashLosingUnsynced()
		write(t, cl, 10, 20)
		require.NotEqual(t, old, c.Controller())
	})
}

func TestADiskThatStallsHoldsUpWhatWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(1))
		cl := connect(t, c)
		write(t, cl, 0, 10)
		c.Node(1).StallDisk(5 * time.Second)
		require.GreaterOrEqual(t, write(t, cl, 10, 11), 5*time.Second)
		require.Less(t, write(t, cl, 11, 12), time.Second)
	})
}

func TestASlowDiskMakesAcknowledgementsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(1))
		cl := connect(t, c)
		write(t, cl, 0, 10)
		fast := write(t, cl, 10, 20)
		c.Node(1).SlowDisk(100)
		require.Greater(t, write(t, cl, 20, 30), 10*fast)
		c.Node(1).SlowDisk(1)
		require.Less(t, write(t, cl, 30, 40), 10*fast)
	})
}

func TestABrokerWhoseDiskFailsASyncEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		leader := c.Leader(topic, 0)
		leader.FailSyncs(1)
		write(t, cl, 10, 20)
		require.False(t, leader.Up())
		require.Contains(t, c.Log(), "the broker ends with code 2")
		leader.Restart()
		c.Settle()
		require.EqualValues(t, 20, end(t, cl))
	})
}

func TestABrokerWithoutAnyRoomForItsMetadataEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		full := others(c, c.Controller())[0]
		full.LimitDisk(0)
		other := connect(t, c, kgo.DefaultProduceTopic("more")) // a new topic is metadata
		other.Produce(within(t, time.Minute), kgo.StringRecord("0"), nil)
		time.Sleep(10 * time.Second)
		require.False(t, full.Up())
		full.FreeDisk()
		full.Restart()
		c.Settle()
		require.EqualValues(t, 10, end(t, cl))
	})
}

func TestABrokerWithAnEmptyDiskFetchesItsReplicasAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := acksAll(t)
		wiped := c.Leader(topic, 0)
		wiped.Kill()
		wiped.WipeDisk()
		wiped.Restart()
		c.Settle()
		for _, n := range others(c, wiped)[:1] {
			n.Kill() // of the two that had the records one is left
		}
		require.EqualValues(t, 10, end(t, cl))
		_, isr := c.Replicas(topic, 0)
		require.Contains(t, isr, wiped.ID())
	})
}

func TestABrokerAloneThatIsGivenAnEmptyDiskHasNoRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(1))
		cl := connect(t, c)
		write(t, cl, 0, 10)
		c.Node(1).Kill()
		c.Node(1).WipeDisk()
		c.Node(1).Restart()
		require.Zero(t, end(t, cl))
	})
}

func TestASkewedClockStampsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(1), seedlogtest.Config("log.message.timestamp.type", "LogAppendTime"))
		cl := connect(t, c, kgo.ConsumeTopics(topic))
		stamp := func() time.Duration {
			require.NoError(t, cl.ProduceSync(within(t, time.Minute), kgo.StringRecord("x")).FirstErr())
			got := cl.PollRecords(within(t, time.Minute), 1)
			require.NoError(t, got.Err())
			return time.Until(got.Records()[0].Timestamp)
		}
		require.InDelta(t, 0, stamp().Seconds(), 1)
		c.Node(1).SkewClock(time.Hour)
		require.InDelta(t, 3600, stamp().Seconds(), 1)
		c.Node(1).SkewClock(-2 * time.Hour)
		require.InDelta(t, -3600, stamp().Seconds(), 1)
	})
}
