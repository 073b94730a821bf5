package main_test

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// copier reads one topic as a member of a group and writes what it reads to another, in transactions that commit the offsets too, until it is stopped.
func copier(t testing.TB, id, group, in, out string, opts ...kgo.Opt) (stop func()) {
	t.Helper()
	opts = append([]kgo.Opt{kgo.TransactionalID(id), kgo.ConsumerGroup(group), kgo.ConsumeTopics(in), kgo.DefaultProduceTopic(out), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.TransactionTimeout(10 * time.Second), kgo.DialTimeout(time.Second),
		kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond), kgo.FetchMaxWait(300 * time.Millisecond)}, opts...)
	s, err := kgo.NewGroupTransactSession(opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer s.Close()
		for ctx.Err() == nil {
			fetches := s.PollRecords(ctx, 40)
			if fetches.Empty() {
				continue
			}
			if s.Begin() != nil {
				continue
			}
			first := kgo.AbortingFirstErrPromise(s.Client())
			fetches.EachRecord(func(r *kgo.Record) { s.Produce(ctx, &kgo.Record{Value: r.Value}, first.Promise()) })
			_, _ = s.End(ctx, kgo.TransactionEndTry(first.Err() == nil)) // what is not committed is read again
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// copied waits until as many records stand in a topic as are wanted, and gives how often each does.
func copied(t testing.TB, topic string, want int, opts ...kgo.Opt) map[string]int {
	t.Helper()
	r, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DialTimeout(time.Second)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := map[string]int{}
	ctx, cancel := context.WithTimeout(context.Background(), patience*90*time.Second)
	defer cancel()
	for len(all) < want && ctx.Err() == nil {
		fetches := r.PollFetches(ctx)
		fetches.EachRecord(func(r *kgo.Record) { all[string(r.Value)]++ })
	}
	quiet, stop := context.WithTimeout(context.Background(), 2*time.Second) // what stands there twice comes too
	defer stop()
	for quiet.Err() == nil {
		fetches := r.PollFetches(quiet)
		fetches.EachRecord(func(r *kgo.Record) { all[string(r.Value)]++ })
	}
	return all
}

// onceEach says what does not stand in the output once.
func onceEach(all map[string]int, n int) string {
	var wrong []string
	for i := range n {
		if k := all[fmt.Sprint("v", i)]; k != 1 {
			wrong = append(wrong, fmt.Sprintf("v%d %d times", i, k))
		}
	}
	sort.Strings(wrong)
	return strings.Join(wrong[:min(len(wrong), 10)], ", ")
}

func putEach(t testing.TB, cl *kgo.Client, topic string, from, n int) {
	t.Helper()
	for i := range n {
		if err := cl.ProduceSync(bounded(t, time.Minute), &kgo.Record{Topic: topic, Value: fmt.Append(nil, "v", from+i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAGroupCopiesATopicExactlyOnceAcrossKillsOfTheBroker(t *testing.T) {
	dir, addr := t.TempDir(), freePort(t)
	settings := []string{at(addr), "offsets.topic.num.partitions=1", "transaction.state.log.num.partitions=2", "group.initial.rebalance.delay.ms=0", "disk.reserve.bytes=0"}
	n := start(t, dir, settings...)
	seed := kgo.SeedBrokers(addr)
	cl := n.client()
	createTopic(t, cl, "in", 3)
	createTopic(t, cl, "out", 2)
	defer copier(t, "copier-1", "copiers", "in", "out", seed)()
	defer copier(t, "copier-2", "copiers", "in", "out", seed)()
	const each = 60
	rounds := scale(2, 3, 10)
	for round := range rounds {
		putEach(t, cl, "in", round*each, each)
		n.kill()
		n = start(t, dir, settings...)
	}
	putEach(t, cl, "in", rounds*each, each)
	if wrong := onceEach(copied(t, "out", (rounds+1)*each, seed), (rounds+1)*each); wrong != "" {
		t.Errorf("not copied once: %s", wrong)
	}
}

func TestAGroupCopiesATopicExactlyOnceWhileBrokersOfAClusterAreKilled(t *testing.T) {
	c := newCluster(t, 3, "group.initial.rebalance.delay.ms=0")
	eager := []kgo.Opt{kgo.SeedBrokers(c.clients...), kgo.MetadataMinAge(200 * time.Millisecond)}
	cl := c.dial(eager...)
	createReplicated(t, cl, "in", 3, 3, "min.insync.replicas=2")
	createReplicated(t, cl, "out", 2, 3, "min.insync.replicas=2")
	defer copier(t, "copier-1", "copiers", "in", "out", eager...)()
	defer copier(t, "copier-2", "copiers", "in", "out", eager...)()
	const each = 60
	rounds := scale(1, 3, 12)
	for round := range rounds {
		putEach(t, cl, "in", round*each, each)
		c.nodes[round%3].kill()
		c.nodes[round%3] = c.begin(round % 3).wentReady()
	}
	putEach(t, cl, "in", rounds*each, each)
	if wrong := onceEach(copied(t, "out", (rounds+1)*each, eager...), (rounds+1)*each); wrong != "" {
		t.Errorf("not copied once: %s", wrong)
	}
}

// TestKafkasTransactionsToolShowsAndAbortsATransaction has Kafka's kafka-transactions list, describe, look for what hangs, and abort it.
func TestKafkasTransactionsToolShowsAndAbortsATransaction(t *testing.T) {
	kafkaPeer(t)
	n := start(t, t.TempDir())
	cl := n.client()
	createTopic(t, cl, "txns", 1)
	x := n.client(kgo.TransactionalID("hangs"), kgo.TransactionTimeout(10*time.Minute))
	if err := x.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	putEach(t, x, "txns", 0, 3)
	tool := func(args ...string) string {
		return kafkaTool(t, "", "org.apache.kafka.tools.TransactionsCommand", append([]string{"--bootstrap-server", n.addr}, args...)...)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"list"}, "hangs"},
		{[]string{"describe", "--transactional-id", "hangs"}, "Ongoing"},
		{[]string{"describe-producers", "--topic", "txns", "--partition", "0"}, "CurrentTransactionStartOffset"},
		{[]string{"find-hanging", "--broker-id", "1", "--max-transaction-timeout", "0"}, "ProducerId"},
	} {
		if out := tool(c.args...); !strings.Contains(out, c.want) {
			t.Errorf("kafka-transactions %s: no %q in\n%s", c.args[0], c.want, out)
		}
	}
	if latest(t, cl, "txns", 0, 1) != 0 {
		t.Error("the transaction is not open")
	}
	tool("abort", "--topic", "txns", "--partition", "0", "--start-offset", "0")
	if got := latest(t, cl, "txns", 0, 1); got != 4 {
		t.Errorf("after the abort the last stable offset is %d, want 4", got)
	}
}
