package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// elect asks for the preferred leader of a partition.
func (c *cluster) elect(topic string, n int32) kerr.Code {
	c.t.Helper()
	q := kmsg.NewPtrElectLeadersRequest()
	q.TimeoutMillis = 20_000
	x := kmsg.NewElectLeadersRequestTopic()
	x.Topic, x.Partitions = topic, []int32{n}
	q.Topics = append(q.Topics, x)
	return kerr.Code(asked[*kmsg.ElectLeadersResponse](c.t, c.dial(), q).Topics[0].Partitions[0].ErrorCode)
}

// The new disk is another directory (KIP-858): until the controller knows that the replicas lie there, nobody elects them.
func TestABrokerWhoseDiskWasReplacedCanLeadAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2", "auto.leader.rebalance.enable=false")
	assigned(t, c.dial(), "t", []int32{2, 1, 3})
	l := newLedger()
	if err := produceAll(bounded(t, 30*time.Second), c.dial(), "t", 1, 0, 300, l); err != nil || len(l.bad) > 0 {
		t.Fatal(err, l.bad)
	}
	c.nodes[1].kill()
	if err := os.RemoveAll(c.nodes[1].dir); err != nil {
		t.Fatal(err)
	}
	c.nodes[1] = c.begin(1).wentReady()
	c.inSync(0, "t", 3)
	var code kerr.Code
	eventually(t, 10*time.Second, "the preferred leader leads", func() bool {
		code = c.elect("t", 0)
		_, _, parts := c.describe(0, "t")
		return parts[0].Leader == 2
	})
	if code != kerr.None && code != kerr.ElectionNotNeeded {
		t.Errorf("the last election said %v", code)
	}
	c.sameLogs(1)
}

// A second disk is added to a broker and fails later: what lies there moves to others, and what does not stays. Its directory is taken away
// under the broker, which finds so when it begins a segment.
func TestADiskThatFailsTakesItsReplicasAndNothingElse(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2", "auto.leader.rebalance.enable=false", "log.roll.ms=300")
	first, second := c.nodes[1].dir, filepath.Join(c.dir, "second")
	if code := c.nodes[1].term(); code != 0 {
		t.Fatalf("code %d", code)
	}
	c.nodes[1] = c.beginOn(1, first+","+second).wentReady()
	const parts = 4
	assigned(t, c.dial(), "t", []int32{2, 1, 3}, []int32{2, 3, 1}, []int32{2, 1, 3}, []int32{2, 3, 1})
	l, cl := newLedger(), c.dial(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	next := uint64(0)
	put := func(n uint64) {
		t.Helper()
		if err := produceAll(bounded(t, 60*time.Second), cl, "t", 1, next, n, l); err != nil || len(l.bad) > 0 {
			t.Fatal(err, l.bad)
		}
		next += n
	}
	put(400)
	lost, err := filepath.Glob(filepath.Join(second, "t-*"))
	if kept, _ := filepath.Glob(filepath.Join(first, "t-*")); err != nil || len(lost) != parts/2 || len(kept) != parts/2 {
		t.Fatalf("%v in the first directory, %v in the second, %v", kept, lost, err)
	}
	isLost := func(n int32) bool { return slices.Contains(lost, filepath.Join(second, fmt.Sprintf("t-%d", n))) }
	if err := os.RemoveAll(second); err != nil {
		t.Fatal(err)
	}
	moved := func() bool {
		_, _, now := c.describe(0, "t")
		return !slices.ContainsFunc(now, func(p kmsg.MetadataResponseTopicPartition) bool {
			return p.Leader < 0 || isLost(p.Partition) != (p.Leader != 2)
		})
	}
	eventually(t, 60*time.Second, "what lay in the directory that failed is led by others", func() bool {
		put(400)
		return moved()
	})
	put(400)
	if code := c.nodes[1].term(); code != 0 {
		t.Errorf("the broker that has lost a disk ends with code %d", code)
	}
	c.nodes[1] = c.beginOn(1, first+","+second).wentReady()
	c.inSync(0, "t", 3)
	eventually(t, 20*time.Second, "the preferred leaders lead", func() bool {
		leads := 0
		for n := range int32(parts) {
			c.elect("t", n)
		}
		_, _, now := c.describe(0, "t")
		for _, p := range now {
			if p.Leader == 2 {
				leads++
			}
		}
		return leads == parts
	})
	put(400)
	all := readAll(t, c.dial(kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), int(next))
	same(t, 1, l, all[1])
}
