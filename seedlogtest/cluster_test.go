package seedlogtest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/seedlogtest"
)

// heard is a test that keeps what it is told, and stops where it is to.
type heard struct {
	testing.TB
	lines []string
}

func (h *heard) Helper() {}

func (h *heard) Log(args ...any) { h.lines = append(h.lines, fmt.Sprint(args...)) }

func (h *heard) Fatalf(format string, args ...any) {
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
	runtime.Goexit()
}

// stopped gives what a test that f fails was told.
func stopped(t *testing.T, f func(t testing.TB)) string {
	t.Helper()
	h, done := &heard{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		f(h)
	}()
	<-done
	return strings.Join(h.lines, "\n")
}

func TestASettingThatIsNotPossibleStopsTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := stopped(t, func(t testing.TB) { seedlogtest.New(t, seedlogtest.Config("num.partition", "3")) })
		require.Contains(t, told, "the nearest known name is num.partitions")
		told = stopped(t, func(t testing.TB) { seedlogtest.New(t, seedlogtest.Config("log.dirs", "a,b")) })
		require.Contains(t, told, "log.dirs is the cluster's to set")
		told = stopped(t, func(t testing.TB) { seedlogtest.New(t, seedlogtest.Nodes(0)) })
		require.Contains(t, told, "0 nodes")
	})
}

func TestABrokerThatIsNotThereStopsTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *seedlogtest.Cluster
		told := stopped(t, func(t testing.TB) {
			c = seedlogtest.New(t, seedlogtest.Nodes(1))
			c.Node(2).Kill()
		})
		require.Contains(t, told, "no node 2; there are 1 to 1")
		told = stopped(t, func(t testing.TB) { seedlogtest.New(t, seedlogtest.Nodes(1)).Leader("nothing", 0) })
		require.Contains(t, told, "nothing/0 has no leader")
	})
}

func TestBrokersLogWithTheTimeOfTheBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heard{TB: t}
		c := seedlogtest.New(h, seedlogtest.Verbose())
		require.Contains(t, c.Log(), "00:00:00.120 broker 1: founds a cluster of 3 controllers")
		require.Contains(t, strings.Join(h.lines, "\n"), "founds a cluster")
	})
}

func TestEveryMetadataIsReadFromTheNewestBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := acksAll(t)
		replicas, isr := c.Replicas(topic, 0)
		require.Equal(t, c.Leader(topic, 0).ID(), replicas[0])
		require.ElementsMatch(t, []int{1, 2, 3}, replicas)
		require.ElementsMatch(t, []int{1, 2, 3}, isr)
		replicas, isr = c.Replicas("nothing", 0)
		require.Empty(t, replicas)
		require.Empty(t, isr)
		alone := seedlogtest.New(t, seedlogtest.Nodes(1))
		require.Equal(t, 1, alone.Controller().ID())
	})
}

func TestClustersFollowOnEachOtherInBubblesOfTheirOwn(t *testing.T) {
	for _, codec := range []kgo.CompressionCodec{kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		for range 2 {
			synctest.Test(t, func(t *testing.T) {
				c := seedlogtest.New(t, seedlogtest.Nodes(1))
				cl := connect(t, c, kgo.ProducerBatchCompression(codec))
				require.NoError(t, cl.ProduceSync(within(t, time.Minute), kgo.StringRecord(strings.Repeat("0", 10_000))).FirstErr())
				require.EqualValues(t, 1, end(t, cl))
			})
			runtime.GC() // what has a finalizer must not need its bubble any more
		}
	}
}

func TestATransactionIsReadWholeAfterItsCoordinatorCrashed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Config("min.insync.replicas", "2"))
		cl := connect(t, c, kgo.TransactionalID("transfers"))
		reader := connect(t, c, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		ctx := within(t, 2*time.Minute)
		require.NoError(t, cl.BeginTransaction())
		write(t, cl, 0, 5)
		require.NoError(t, cl.EndTransaction(ctx, kgo.TryCommit))
		require.NoError(t, cl.BeginTransaction())
		write(t, cl, 5, 7)
		for id := range int32(4) {
			if n := c.Leader("__transaction_state", id); n != c.Leader(topic, 0) {
				n.Kill()
				break
			}
		}
		for cl.EndTransaction(ctx, kgo.TryAbort) != nil { // a request that the crash has cut off is the program's to try again
			require.NoError(t, ctx.Err())
		}
		require.NoError(t, cl.BeginTransaction())
		write(t, cl, 5, 10)
		require.NoError(t, cl.EndTransaction(ctx, kgo.TryCommit))
		read(t, reader, 0, 10)
	})
}

// Outside of a bubble a cluster works as well, and takes the time that it says.
func TestOutsideOfABubbleTimeIsReal(t *testing.T) {
	c := seedlogtest.New(t, seedlogtest.Nodes(1))
	cl := connect(t, c, kgo.ConsumeTopics(topic))
	write(t, cl, 0, 3)
	read(t, cl, 0, 3)
}
