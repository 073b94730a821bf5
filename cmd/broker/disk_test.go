package main_test

import (
	"os"
	"testing"
	"time"

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
