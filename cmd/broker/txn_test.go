package main_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// transactor is one transactional producer: transactions of some records in every partition of a topic, of which some are aborted. What is not known, because the
// commit was not answered, counts as either.
type transactor struct {
	t     testing.TB
	id    string
	topic string
	parts int32
	cl    *kgo.Client
	mu    sync.Mutex
	done  map[string]bool // transaction to whether it was committed; those in doubt are not in it
	began int
	stop  chan struct{}
	once  sync.Once
	ended sync.WaitGroup
}

func newTransactor(t testing.TB, id, topic string, parts int32, opts ...kgo.Opt) *transactor {
	x := &transactor{t: t, id: id, topic: topic, parts: parts, done: map[string]bool{}, stop: make(chan struct{})}
	opts = append([]kgo.Opt{kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(20 * time.Second), kgo.DialTimeout(time.Second)}, opts...)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	x.cl = cl
	t.Cleanup(cl.Close)
	x.ended.Add(1)
	go x.run()
	t.Cleanup(x.halt)
	return x
}

func (x *transactor) halt() {
	x.once.Do(func() { close(x.stop) })
	x.ended.Wait()
}

func (x *transactor) run() {
	defer x.ended.Done()
	rnd := rand.New(rand.NewPCG(uint64(len(x.id)), 7))
	for n := 0; ; n++ {
		select {
		case <-x.stop:
			return
		default:
		}
		name := fmt.Sprintf("%s-%d", x.id, n)
		commit := rnd.IntN(3) > 0
		if err := x.cl.BeginTransaction(); err != nil {
			x.t.Errorf("begin %s: %v", name, err)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		ok := x.produce(ctx, name)
		try := kgo.TryCommit
		if !commit || !ok {
			try = kgo.TryAbort
		}
		err := x.cl.EndTransaction(ctx, try)
		cancel()
		x.mu.Lock()
		x.began++
		if err == nil {
			x.done[name] = bool(try)
		}
		x.mu.Unlock()
		if err != nil {
			x.t.Logf("end %s: %v", name, err)
			if errors.Is(err, context.DeadlineExceeded) {
				x.t.Errorf("%s hangs", name)
				return
			}
			if x.cl.EndTransaction(context.Background(), kgo.TryAbort) != nil {
				return
			}
		}
	}
}

// produce sends the records of a transaction, some to each partition, and says whether all were taken.
func (x *transactor) produce(ctx context.Context, name string) bool {
	ok := true
	var mu sync.Mutex
	for i := range int32(2 * x.parts) {
		x.cl.Produce(ctx, &kgo.Record{Topic: x.topic, Partition: i % x.parts, Value: []byte(fmt.Sprintf("%s/%d", name, i))}, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			ok = ok && err == nil
			if err != nil {
				x.t.Logf("%s: %v", name, err)
			}
		})
	}
	if err := x.cl.Flush(ctx); err != nil {
		return false
	}
	mu.Lock()
	defer mu.Unlock()
	return ok
}

func (x *transactor) transactions() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.began
}

// readTopic reads a topic to its end, in order.
func readTopic(t testing.TB, cl *kgo.Client, level kgo.IsolationLevel, topic string, parts int32) map[int32][]string {
	ctx := bounded(t, time.Minute)
	ends := map[int32]int64{}
	all := map[int32][]string{}
	offsets := map[int32]kgo.Offset{}
	for p := range parts {
		eventually(t, 30*time.Second, "the markers of the last transactions are written", func() bool { // a commit is answered before
			ends[p] = latest(t, cl, topic, p, 1)
			return ends[p] == latest(t, cl, topic, p, 0)
		})
		offsets[p] = kgo.NewOffset().AtStart()
	}
	r, err := kgo.NewClient(kgo.SeedBrokers(cl.OptValue(kgo.SeedBrokers).([]string)...), kgo.FetchIsolationLevel(level), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}), kgo.KeepControlRecords(),
		kgo.FetchMaxPartitionBytes(3000))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	at := map[int32]int64{}
	for {
		behind := false
		for p := range parts {
			behind = behind || at[p] < ends[p]
		}
		if !behind {
			return all
		}
		fs := r.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("read to %v of %v", at, ends)
		}
		fs.EachRecord(func(rec *kgo.Record) {
			at[rec.Partition] = rec.Offset + 1
			if !rec.Attrs.IsControl() {
				all[rec.Partition] = append(all[rec.Partition], string(rec.Value))
			}
		})
		fs.EachPartition(func(p kgo.FetchTopicPartition) { // what is left out at the end is passed over
			if p.LastStableOffset >= ends[p.Partition] && len(p.Records) == 0 && at[p.Partition] > 0 {
				at[p.Partition] = ends[p.Partition]
			}
		})
	}
}

// latest asks ListOffsets with an isolation level.
func latest(t testing.TB, cl *kgo.Client, topic string, p int32, isolation int8) int64 {
	q := kmsg.NewPtrListOffsetsRequest()
	q.ReplicaID, q.IsolationLevel = -1, isolation
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = p, -1
	x := kmsg.NewListOffsetsRequestTopic()
	x.Topic, x.Partitions = topic, append(x.Partitions, part)
	q.Topics = append(q.Topics, x)
	for _, s := range cl.RequestSharded(bounded(t, 10*time.Second), q) {
		if s.Err == nil {
			return s.Resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].Offset
		}
		t.Fatal(s.Err)
	}
	return -1
}

// judgeCommitted compares what read_committed readers see with what the producers were told: a committed transaction whole, an aborted one not at all, one in doubt
// whole or not at all.
func judgeCommitted(t testing.TB, seen map[int32][]string, parts int32, xs ...*transactor) {
	t.Helper()
	records := map[string][]string{}
	for p := range parts {
		for _, v := range seen[p] {
			name, _, _ := strings.Cut(v, "/")
			if slices.Contains(records[name], v) {
				t.Errorf("%s is read twice", v)
			}
			records[name] = append(records[name], v)
		}
	}
	whole := int(2 * parts)
	commits := 0
	for _, x := range xs {
		x.mu.Lock()
		for name, committed := range x.done {
			switch n := len(records[name]); {
			case committed && n != whole:
				t.Errorf("%s was committed, %d of its %d records are read: %q", name, n, whole, records[name])
			case !committed && n > 0:
				t.Errorf("%s was aborted, %d of its records are read", name, n)
			case committed:
				commits++
			}
		}
		x.mu.Unlock()
	}
	for name, list := range records {
		if len(list) != whole {
			t.Errorf("%s is torn: %q", name, list)
		}
	}
	t.Logf("%d transactions read, %d of them known to be committed", len(records), commits)
	if commits == 0 {
		t.Error("no transaction was committed")
	}
}

func TestReadCommittedSeesCommittedTransactionsWholeAndAbortedOnesNever(t *testing.T) {
	n := start(t, t.TempDir())
	cl := n.client()
	createTopic(t, cl, "txns", 3)
	x := newTransactor(t, "one", "txns", 3, kgo.SeedBrokers(n.addr))
	y := newTransactor(t, "two", "txns", 3, kgo.SeedBrokers(n.addr))
	eventually(t, time.Minute, "transactions end", func() bool { return x.transactions() > 40 && y.transactions() > 40 })
	x.halt()
	y.halt()
	judgeCommitted(t, readTopic(t, cl, kgo.ReadCommitted(), "txns", 3), 3, x, y)
	dirty := 0
	for _, v := range readTopic(t, cl, kgo.ReadUncommitted(), "txns", 3) {
		dirty += len(v)
	}
	if want := 6 * (x.transactions() + y.transactions()); dirty != want {
		t.Errorf("read_uncommitted sees %d records of %d", dirty, want)
	}
}

func TestTransactionsAreWholeAcrossKillsOfTheBroker(t *testing.T) {
	for _, policy := range []string{"ack", "os"} {
		t.Run(policy, func(t *testing.T) {
			dir, addr := t.TempDir(), freePort(t)
			settings := []string{at(addr), "flush.policy=" + policy}
			n := start(t, dir, settings...)
			createTopic(t, n.client(), "txns", 3)
			x := newTransactor(t, "one", "txns", 3, kgo.SeedBrokers(addr))
			y := newTransactor(t, "two", "txns", 3, kgo.SeedBrokers(addr))
			for range scale(2, 3, 20) {
				goal := min(x.transactions(), y.transactions()) + 20 + rand.IntN(30)
				eventually(t, time.Minute, "transactions go on", func() bool { return x.transactions() > goal && y.transactions() > goal })
				n.kill()
				n = start(t, dir, settings...)
			}
			goal := max(x.transactions(), y.transactions()) + 10
			eventually(t, time.Minute, "transactions go on", func() bool { return x.transactions() > goal && y.transactions() > goal })
			x.halt()
			y.halt()
			judgeCommitted(t, readTopic(t, n.client(), kgo.ReadCommitted(), "txns", 3), 3, x, y)
		})
	}
}

func TestTransactionsAreWholeWhileBrokersOfAClusterAreKilled(t *testing.T) {
	c := newCluster(t, 3)
	eager := []kgo.Opt{kgo.SeedBrokers(c.clients...), kgo.MetadataMinAge(200 * time.Millisecond)}
	cl := c.dial(eager...)
	createReplicated(t, cl, "txns", 3, 3, "min.insync.replicas=2")
	x := newTransactor(t, "one", "txns", 3, eager...)
	y := newTransactor(t, "two", "txns", 3, eager...)
	for i := range scale(1, 3, 12) {
		goal := min(x.transactions(), y.transactions()) + 10 + rand.IntN(20)
		eventually(t, time.Minute, "transactions go on", func() bool { return x.transactions() > goal && y.transactions() > goal })
		c.nodes[i%3].kill()
		goal = min(x.transactions(), y.transactions()) + 5
		eventually(t, time.Minute, "transactions go on without a broker", func() bool { return x.transactions() > goal && y.transactions() > goal })
		c.nodes[i%3] = c.begin(i % 3).wentReady()
	}
	x.halt()
	y.halt()
	judgeCommitted(t, readTopic(t, cl, kgo.ReadCommitted(), "txns", 3), 3, x, y)
}
