package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// quickConsumers lets consumer groups notice within a second or two what takes Kafka's defaults a minute.
var quickConsumers = []string{
	"group.consumer.min.session.timeout.ms=1000", "group.consumer.session.timeout.ms=2000", "group.consumer.min.heartbeat.interval.ms=100",
	"group.consumer.heartbeat.interval.ms=200", "group.consumer.assignment.interval.ms=0", "group.min.session.timeout.ms=500",
}

// described gives a consumer group.
func (n *node) described(cl *kgo.Client, group string) kmsg.ConsumerGroupDescribeResponseGroup {
	n.t.Helper()
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{group}
	ctx := bounded(n.t, 20*time.Second)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		n.t.Fatal(err)
	}
	return resp.Groups[0]
}

// settled waits until a group is stable with so many members, which have all of so many partitions.
func (n *node) settled(cl *kgo.Client, group string, members, partitions int) {
	n.t.Helper()
	eventually(n.t, 30*time.Second, "the group settles", func() bool {
		g := n.described(cl, group)
		has := 0
		for _, m := range g.Members {
			for _, t := range m.Assignment.TopicPartitions {
				has += len(t.Partitions)
			}
		}
		return g.ErrorCode == 0 && g.State == "Stable" && len(g.Members) == members && has == partitions
	})
}

func TestAConsumerGroupReadsEverythingWhileMembersComeAndLeaveAndOneIsKilled(t *testing.T) {
	count := scale(2_000, 30_000, 500_000)
	n := start(t, t.TempDir(), quickConsumers...)
	producer := n.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.MaxBufferedRecords(20_000))
	createTopic(t, producer, "shared", 6)
	g := &readers{at: map[uint64]place{}}
	var members []*kgo.Client
	var cutters []*cutter
	join := func() {
		c := &cutter{}
		cl := n.client(kgo.Dialer(c.dial), kgo.ConsumeTopics("shared"), kgo.ConsumerGroup("new"), kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer(),
			kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		go g.consume(cl, 3)
		members, cutters = append(members, cl), append(cutters, c)
	}
	join()
	join()
	l := newLedger()
	ctx := bounded(t, 5*time.Minute)
	if err := produceAll(ctx, producer, "shared", 0, 0, uint64(count/2), l); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "a third is read", func() bool { return g.count() > count/3 })
	join()
	n.settled(producer, "new", 3, 6)
	cutters[0].kill()
	if err := produceAll(ctx, producer, "shared", 0, uint64(count/2), uint64(count-count/2), l); err != nil {
		t.Fatal(err)
	}
	n.settled(producer, "new", 2, 6)
	members[1].LeaveGroup()
	n.settled(producer, "new", 1, 6)
	eventually(t, time.Minute, "everything is read", func() bool { return g.count() == count })
	if g.err != nil {
		t.Fatal(g.err)
	}
	members[2].LeaveGroup()
	if d := n.described(producer, "new"); d.State != "Empty" {
		t.Fatalf("want an empty group, got %s", d.State)
	}
}

func TestKafkasToolsReadInAConsumerGroupAndShowIt(t *testing.T) {
	kafkaPeer(t)
	count := scale(200, 2_000, 20_000)
	n := start(t, t.TempDir(), quickConsumers...)
	cl := n.client()
	createTopic(t, cl, "shown", 3)
	kafkaTool(t, linesOf(count, "\t"), "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", n.addr, "--topic", "shown")
	out := kafkaTool(t, "", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", n.addr, "--topic", "shown", "--group", "shown", "--from-beginning",
		"--max-messages", fmt.Sprint(count), "--timeout-ms", "60000", "--command-property", "group.protocol=consumer")
	if got := strings.Count(out, "\n"); got != count {
		t.Errorf("want %d lines, got %d", count, got)
	}
	out = kafkaTool(t, "", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", n.addr, "--describe", "--group", "shown")
	if lines := strings.Count(out, "shown "); lines < 3 {
		t.Errorf("the group's offsets: %s", out)
	}
	out = kafkaTool(t, "", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", n.addr, "--list", "--type", "consumer", "--state", "empty")
	if !strings.Contains(out, "shown") {
		t.Errorf("consumer groups that are empty: %s", out)
	}
}
