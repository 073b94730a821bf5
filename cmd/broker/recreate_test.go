package main_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func deleteRequest(topic string) *kmsg.DeleteTopicsRequest {
	q := kmsg.NewPtrDeleteTopicsRequest()
	x := kmsg.NewDeleteTopicsRequestTopic()
	x.Topic = &topic
	q.Version, q.TimeoutMillis, q.Topics = 6, 5000, append(q.Topics, x)
	return q
}

func createRequest(topic string, partitions int32) *kmsg.CreateTopicsRequest {
	q := kmsg.NewPtrCreateTopicsRequest()
	x := kmsg.NewCreateTopicsRequestTopic()
	x.Topic, x.NumPartitions, x.ReplicationFactor = topic, partitions, 1
	q.Version, q.TimeoutMillis, q.Topics = 7, 5000, append(q.Topics, x)
	return q
}

// TestATopicThatIsMadeAgainHasNothingOfItsNamesake deletes and creates without a pause, from two connections at once, so that logs are opened
// while those of the same name are still being opened or removed. Each round's record must be alone in its log, and stay there.
func TestATopicThatIsMadeAgainHasNothingOfItsNamesake(t *testing.T) {
	for _, shards := range []string{"shards=1", "shards=3"} {
		t.Run(shards, func(t *testing.T) { recreateRounds(t, shards) })
	}
}

func recreateRounds(t *testing.T, shards string) {
	n := start(t, t.TempDir(), shards)
	const partitions = 8
	r, other := n.raw(), n.raw()
	r.ask(createRequest("again", partitions))
	for round := range scale(20, 100, 1000) {
		for range 3 { // in flight together: who comes first is the broker's choice
			a, b := deleteRequest("again"), createRequest("again", partitions)
			ca, cb := r.send(a), other.send(b)
			r.answer(a, ca)
			other.answer(b, cb)
		}
		r.ask(createRequest("again", partitions)) // it may be there already
		value := binary.BigEndian.AppendUint64(nil, uint64(round))
		for p := range int32(partitions) {
			resp := r.ask(produceRequest(9, -1, "again", p, batch(1, value, nil))).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
			if resp.ErrorCode != 0 || resp.BaseOffset != 0 {
				t.Fatalf("round %d partition %d: code %d offset %d, want the first offset of a new log", round, p, resp.ErrorCode, resp.BaseOffset)
			}
		}
		if round%25 == 10 {
			n.kill() // what was removed stays so, what was written too
			n = restart(t, n, shards)
			r, other = n.raw(), n.raw()
		}
		for p := range int32(partitions) {
			f := fetchRequest(11, "again", 0, 500, 1, 1<<20, 1<<20)
			f.Topics[0].Partitions[0].Partition = p
			got := r.get(f)
			if got.ErrorCode != 0 || got.HighWatermark != 1 || !strings.Contains(string(got.RecordBatches), string(value)) {
				t.Fatalf("round %d partition %d: code %d, high watermark %d, %d bytes", round, p, got.ErrorCode, got.HighWatermark, len(got.RecordBatches))
			}
		}
	}
	eventually(t, 20*time.Second, "nothing of removed logs is left", func() bool {
		left, _ := filepath.Glob(filepath.Join(n.dir, "*-delete"))
		return len(left) == 0
	})
	if c := n.term(); c != 0 {
		t.Errorf("exit code %d", c)
	}
}

func TestATopicMadeAgainRightBeforeAKillIsEmptyAfterIt(t *testing.T) {
	n := start(t, t.TempDir())
	for round := range scale(3, 10, 100) {
		r, other := n.raw(), n.raw()
		if round == 0 {
			r.ask(createRequest("phoenix", 4))
		}
		for p := range int32(4) {
			r.ask(produceRequest(9, -1, "phoenix", p, batch(100, make([]byte, 5000), nil)))
		}
		r.send(deleteRequest("phoenix"))
		c := createRequest("phoenix", 4)
		// The kill comes as soon as the creation is answered, or the one after it, if the first came too early.
		for {
			if code := other.ask(c).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode; code == 0 {
				break
			}
		}
		n.kill()
		n = restart(t, n)
		r = n.raw()
		if end := r.endOffset("phoenix"); end != 0 {
			t.Fatalf("round %d: %d records of the deleted topic are in the new one", round, end)
		}
	}
}

func TestTheLogOfADeletedTopicThatAKillLeftIsNotTakenForAnothers(t *testing.T) {
	n := start(t, t.TempDir())
	r := n.raw()
	r.ask(createRequest("stray", 1))
	r.put("stray", batch(10, []byte("old"), nil))
	n.kill()
	// As if the kill had come after the deletion was committed, and before the files were removed.
	dir, kept := filepath.Join(n.dir, "stray-0"), filepath.Join(t.TempDir(), "kept")
	if err := os.Rename(dir, kept); err != nil {
		t.Skipf("cannot move a directory aside: %v", err)
	}
	n = restart(t, n)
	r = n.raw()
	r.ask(deleteRequest("stray"))
	n.kill()
	_ = os.RemoveAll(dir) // it is empty or gone
	if err := os.Rename(kept, dir); err != nil {
		t.Fatal(err)
	}
	leftover := filepath.Join(n.dir, "other-0.0123456789abcdef-delete")
	if err := os.MkdirAll(leftover, 0o755); err != nil {
		t.Fatal(err)
	}
	n = restart(t, n)
	r = n.raw()
	r.ask(createRequest("stray", 1))
	if end := r.endOffset("stray"); end != 0 {
		t.Errorf("%d records of the deleted topic are in the new one", end)
	}
	if p := r.put("stray", batch(1, []byte("new"), nil)); p.ErrorCode != 0 || p.BaseOffset != 0 {
		t.Errorf("the first record: code %d offset %d", p.ErrorCode, p.BaseOffset)
	}
	if exists(leftover) {
		t.Error("what is left of a removed log stays for ever")
	}
	n.kill()
	n = restart(t, n)
	if end := n.raw().endOffset("stray"); end != 1 {
		t.Errorf("after a kill the new topic ends at %d, want 1", end)
	}
}
