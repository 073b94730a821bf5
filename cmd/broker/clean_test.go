package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// compacted has a log cleaned as soon as there is something to clean.
var compacted = []string{
	"cleanup.policy=compact", "min.cleanable.dirty.ratio=0", "max.compaction.lag.ms=200", "delete.retention.ms=300", "internal.segment.bytes=20000", "retention.ms=-1",
}

// contents reads a partition up to its end as a consumer of read_committed does: the values by key, and how many records there were.
func contents(t testing.TB, n *node, topic string) (map[string]string, int) {
	t.Helper()
	cl := n.client()
	req := kmsg.NewPtrListOffsetsRequest()
	rt, rp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	rt.Topic, rp.Timestamp, req.IsolationLevel, rt.Partitions = topic, -1, 1, nil
	rt.Partitions = append(rt.Partitions, rp)
	req.ReplicaID, req.Topics = -1, append(req.Topics, rt)
	resp, err := req.RequestWith(bounded(t, 10*time.Second), cl)
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("end of %s: %v %+v", topic, err, resp)
	}
	end := resp.Topics[0].Partitions[0].Offset
	reader := n.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer reader.Close()
	values, count := map[string]string{}, 0
	mark := n.client(kgo.DefaultProduceTopic(topic))
	last := mark.ProduceSync(bounded(t, 10*time.Second), &kgo.Record{Key: []byte("the end"), Value: []byte("x")})
	if last.FirstErr() != nil {
		t.Fatal(last.FirstErr())
	}
	for {
		fs := reader.PollFetches(bounded(t, 20*time.Second))
		if err := fs.Err(); err != nil {
			t.Fatalf("%s to %d: %v", topic, end, err)
		}
		over := false
		fs.EachRecord(func(r *kgo.Record) {
			switch {
			case r.Offset >= last[0].Record.Offset:
				over = true
			case r.Attrs.IsControl() || string(r.Key) == "the end":
			default:
				count++
				if values[string(r.Key)] = string(r.Value); r.Value == nil {
					values[string(r.Key)] = "gone"
				}
			}
		})
		if over {
			return values, count
		}
	}
}

func TestACompactedTopicKeepsTheLatestOfEachKeyAcrossKillsOfTheBroker(t *testing.T) {
	dir, addr := t.TempDir(), freePort(t)
	settings := []string{at(addr), "log.cleaner.backoff.ms=20"}
	n := start(t, dir, settings...)
	createTopic(t, n.client(), "table", 1, compacted...)
	cl := n.client(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic("table"), kgo.ProducerLinger(0))
	want := map[string]string{}
	produced := 0
	for round := range scale(2, 4, 20) {
		killed := make(chan struct{})
		go func() {
			time.Sleep(time.Duration(300+rand.IntN(700)) * time.Millisecond)
			n.kill()
			close(killed)
		}()
		for batch, over := 0, false; !over; batch++ {
			var recs []*kgo.Record
			for i := range 20 {
				r := &kgo.Record{Key: []byte(fmt.Sprintf("key %d", rand.IntN(300))), Value: []byte(fmt.Sprintf("%d.%d.%d %s", round, batch, i, strings.Repeat("v", rand.IntN(200))))}
				if want[string(r.Key)] = string(r.Value); rand.IntN(5) == 0 {
					r.Value = nil
					want[string(r.Key)] = "gone"
				}
				recs = append(recs, r)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			done := make(chan error, 1)
			go func() { done <- cl.ProduceSync(ctx, recs...).FirstErr() }()
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
			case <-killed:
				n = start(t, dir, settings...)
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				over = true
			}
			cancel()
			produced += len(recs)
		}
	}
	live := 0
	for _, v := range want {
		if v != "gone" {
			live++
		}
	}
	var got map[string]string
	count := 0
	eventually(t, time.Minute, "the topic is clean", func() bool {
		time.Sleep(200 * time.Millisecond)
		got, count = contents(t, n, "table")
		return count == live
	})
	for k, v := range want {
		if v != "gone" && got[k] != v || v == "gone" && got[k] != "" {
			t.Errorf("%s: got %q, want %q", k, got[k], v)
		}
	}
	t.Logf("%d records of %d are left", count, produced)
	if c := n.term(); c != 0 {
		t.Fatalf("exit code %d", c)
	}
	dumped(t, filepath.Join(dir, "table-0"))
	if b, err := os.ReadFile(filepath.Join(dir, "cleaner-offset-checkpoint")); err != nil || !strings.Contains(string(b), "table 0 ") {
		t.Errorf("the checkpoint of cleans: %q %v", b, err)
	}
}

// dumped has Kafka's tool read the segments of a log, if it is here.
func dumped(t *testing.T, dir string) {
	if _, err := exec.LookPath("java"); err != nil || os.Getenv("KAFKA_PEER_DIR") == "" {
		return
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	out := kafkaTool(t, "", "org.apache.kafka.tools.DumpLogSegments", "--print-data-log", "--files", strings.Join(found, ","))
	if strings.Contains(out, "isvalid: false") || !strings.Contains(out, "isvalid: true") {
		t.Errorf("the batches of the dump: %s", clip(out))
	}
}

func TestACompactedTopicHidesAbortedTransactionsAndKeepsCommittedOnes(t *testing.T) {
	n := start(t, t.TempDir(), "log.cleaner.backoff.ms=20", "transaction.state.log.num.partitions=2")
	createTopic(t, n.client(), "accounts", 1, compacted...)
	ctx := bounded(t, time.Minute)
	cl := n.client(kgo.DefaultProduceTopic("accounts"), kgo.TransactionalID("bank"))
	want := map[string]string{}
	for i := range 60 {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		commit := rand.IntN(3) > 0
		for range 5 {
			key, value := fmt.Sprintf("account %d", rand.IntN(20)), fmt.Sprintf("%d %v %s", i, commit, strings.Repeat("v", 500))
			if err := cl.ProduceSync(ctx, &kgo.Record{Key: []byte(key), Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if commit {
				want[key] = value
			}
		}
		if err := cl.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			t.Fatal(err)
		}
	}
	var got map[string]string
	eventually(t, 30*time.Second, "the topic is clean", func() bool {
		count := 0
		got, count = contents(t, n, "accounts")
		return count == len(want)
	})
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: got %q, want %q", k, got[k], v)
		}
	}
	// Another life of the producer goes on where this one was.
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Key: []byte("account 0"), Value: []byte("last")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}
