package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAGroupGoesOnFromItsCommitsWhenItsCoordinatorIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3, "min.insync.replicas=2", "offsets.topic.replication.factor=3")
	createReplicated(t, c.dial(), "work", 3, 3)
	l := newLedger()
	if err := produceAll(bounded(t, 30*time.Second), c.dial(), "work", 1, 0, 600, l); err != nil || len(l.acked) != 600 {
		t.Fatal(err, l.bad)
	}
	member := func() *kgo.Client {
		return c.dial(kgo.ConsumeTopics("work"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(200*time.Millisecond))
	}
	seen := map[uint64]int{}
	read := func(cl *kgo.Client, until int) {
		t.Helper()
		ctx := bounded(t, time.Minute)
		for len(seen) < until {
			fs := cl.PollRecords(ctx, 50)
			if ctx.Err() != nil {
				t.Fatalf("%d of %d records after a minute", len(seen), until)
			}
			fs.EachRecord(func(r *kgo.Record) {
				_, n, err := check(r)
				if err != nil {
					t.Fatal(err)
				}
				seen[n]++
			})
			commitRead(ctx, t, cl)
		}
	}
	w := newWitness(t, c.dial(), "g", "work", 3)
	cl := member()
	read(cl, 200)
	at := coordinator(t, cl, "g")
	c.nodes[at].kill()
	read(cl, 400)
	cl.Close()
	cl = member()
	read(cl, 600)
	twice := 0
	for _, n := range seen {
		if n > 1 {
			twice++
		}
	}
	if twice > 100 { // at most what two polls brought that were not committed
		t.Errorf("%d of 600 records were read twice: commits were lost", twice)
	}
	c.nodes[at] = c.begin(at).wentReady()
	eventually(t, time.Minute, "everything that was read is committed", func() bool { return w.total() == 600 })
	if w.end(); w.err != nil {
		t.Error(w.err)
	}
}

// commitRead commits what a member has read, as an application does: a commit that met a broker that had just died, or a group that was
// gathering anew, is tried again.
func commitRead(ctx context.Context, t testing.TB, cl *kgo.Client) {
	t.Helper()
	again := []error{kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := cl.CommitUncommittedOffsets(ctx)
		if err == nil {
			return
		}
		if answer := (*kerr.Error)(nil); errors.As(err, &answer) && !answer.Retriable && !slices.Contains(again, error(answer)) {
			t.Fatal(err)
		}
		t.Logf("a commit is tried again: %v", err)
		select {
		case <-ctx.Done():
			t.Fatalf("what was read could not be committed: %v", err)
		case <-tick.C:
		}
	}
}

func TestAPartitionMovesToOtherBrokersAndLeavesNothingBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3)
	cl := c.dial()
	createReplicated(t, cl, "moves", 1, 1)
	l := newLedger()
	if err := produceAll(bounded(t, 30*time.Second), c.dial(), "moves", 1, 0, 500, l); err != nil {
		t.Fatal(err)
	}
	_, _, parts := c.describe(0, "moves")
	from := parts[0].Leader
	to := []int32{from%3 + 1, (from+1)%3 + 1}
	reassign(t, cl, "moves", func(int32) []int32 { return to }, 1)
	eventually(t, 30*time.Second, "the partition has moved", func() bool {
		_, _, parts := c.describe(0, "moves")
		return slices.Equal(parts[0].Replicas, to) && len(parts[0].ISR) == 2 && slices.Contains(to, parts[0].Leader)
	})
	eventually(t, 30*time.Second, "its directory is gone where it was", func() bool {
		names, err := os.ReadDir(filepath.Join(c.dir, fmt.Sprint(from-1)))
		return err == nil && !slices.ContainsFunc(names, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "moves-") })
	})
	if err := produceAll(bounded(t, 30*time.Second), c.dial(), "moves", 1, 500, 500, l); err != nil || len(l.acked) != 1000 {
		t.Fatal(err, l.bad)
	}
	all := readAll(t, c.dial(kgo.ConsumeTopics("moves"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 1000)
	same(t, 1, l, all[1])
	// And back, to where its name was removed.
	reassign(t, cl, "moves", func(int32) []int32 { return []int32{from} }, 1)
	eventually(t, 30*time.Second, "the partition is back", func() bool {
		_, _, parts := c.describe(0, "moves")
		return slices.Equal(parts[0].Replicas, []int32{from}) && parts[0].Leader == from
	})
	all = readAll(t, c.dial(kgo.ConsumeTopics("moves"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 1000)
	same(t, 1, l, all[1])
}

func TestAdminRequestsGoThroughAnyBrokerWhileTheControllerChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes")
	}
	c := newCluster(t, 3)
	for i := range 3 {
		at := c.controller(0)
		c.nodes[at].kill()
		ask := (at + 1) % 3
		cl := dial(t, c.clients[ask])
		name := fmt.Sprintf("after-%d", i)
		createReplicated(t, cl.Broker(ask+1), name, 2, 2)
		if _, _, parts := c.describe(ask, name); len(parts) != 2 {
			t.Fatalf("the broker that answered knows %d partitions", len(parts))
		}
		d := kmsg.NewPtrDeleteTopicsRequest()
		x := kmsg.NewDeleteTopicsRequestTopic()
		x.Topic = &name
		d.Topics, d.TopicNames, d.TimeoutMillis = append(d.Topics, x), []string{name}, 20_000
		resp, err := d.RequestWith(bounded(t, 30*time.Second), cl.Broker(ask+1))
		if err != nil || resp.Topics[0].ErrorCode != 0 {
			t.Fatal(err, resp)
		}
		c.nodes[at] = c.begin(at).wentReady()
	}
}
