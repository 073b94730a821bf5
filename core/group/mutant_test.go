//go:build mutants

package group

import (
	"fmt"
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// P6: a group answered before its record is below the high watermark.
func TestTheOracleSeesMutantP6(t *testing.T) {
	for _, line := range []string{"C: commit offsets=t1-0:7", "F: fetch offsets=t1-0"} {
		run := func() []string {
			w := newWorld()
			if line[0] == 'F' {
				w.send("C", ClientInfo{}, w.request("commit", args{"offsets": "t1-0:7"}))
			}
			w.run(t, line)
			return w.early
		}
		if early := run(); len(early) > 0 {
			t.Fatalf("%s: without the mutant: %v", line, early)
		}
		plant.Active, plant.Hits = plant.P6, 0
		early := run()
		plant.Active = plant.None
		if len(early) == 0 || plant.Hits == 0 {
			t.Fatalf("%s: the mutant was not seen; its site was reached %d times", line, plant.Hits)
		}
	}
}

// seen runs a story as it is, which must end well, and with a mutant, which must show.
func seen(t *testing.T, id plant.ID, story func() string) {
	t.Helper()
	if got := story(); got != "" {
		t.Fatalf("without the mutant: %s", got)
	}
	plant.Active, plant.Hits = id, 0
	got := story()
	plant.Active = plant.None
	if got == "" || plant.Hits == 0 {
		t.Fatalf("the mutant was not seen; its site was reached %d times", plant.Hits)
	}
}

// patient is a world in which offsets are kept for 15 s.
func patient() *world {
	w := newWorld()
	w.auto = true
	w.cfg.OffsetsRetentionMS, w.cfg.RetentionCheckIntervalMS = 15_000, 1000
	w.c.Unload(0)
	w.load()
	return w
}

func (w *world) commitFor(producer int64, group string, generation int32, offset int64) {
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.Version, q.TransactionalID, q.Group, q.ProducerID, q.Generation = 5, "x", group, producer, generation
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = offset
	q.Topics = append(q.Topics, kmsg.TxnOffsetCommitRequestTopic{Topic: "t1", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}})
	w.send("T", ClientInfo{}, q)
}

func (w *world) has(group string) int64 {
	if o := w.c.offsets.Get(group, "t1", 0); o != nil {
		return o.Offset
	}
	return -1
}

// T11: an offset expires though an open transaction would commit it anew.
func TestTheOracleSeesMutantT11(t *testing.T) {
	seen(t, plant.T11, func() string {
		w := patient()
		w.commitFor(7, "simple", -1, 5)
		w.send("E", ClientInfo{}, &kmsg.EndTxnRequest{Version: 5, ProducerID: 7, Commit: true})
		w.advance(14_000)
		w.commitFor(7, "simple", -1, 6)
		w.advance(4000)
		w.send("E", ClientInfo{}, &kmsg.EndTxnRequest{Version: 5, ProducerID: 7, Commit: true})
		if got := w.has("simple"); got != 6 {
			return fmt.Sprintf("6 was committed, it is %d", got)
		}
		return ""
	})
}

// G5: offsets expire by the age of their commit though the group lives (KIP-211).
func TestTheOracleSeesMutantG5(t *testing.T) {
	seen(t, plant.G5, func() string {
		w := patient()
		for _, line := range []string{"A: join v=3 protocols=range:t1 session=60000", "advance 3000", "A: sync member=c1/1 assign=c1/1:a", "C: commit member=c1/1 gen=1 offsets=t1-0:7", "advance 20000"} {
			w.run(t, line)
		}
		if got := w.has("g"); got != 7 {
			return fmt.Sprintf("7 was committed, and the group lives; it is %d", got)
		}
		return ""
	})
}

// G4: OffsetFetch answers REQUEST_TIMED_OUT, on which clients give up (KAFKA-17267).
func TestTheOracleSeesMutantG4(t *testing.T) {
	seen(t, plant.G4, func() string {
		w := newWorld()
		got := ""
		w.onReply = func(_ string, resp kmsg.Response) {
			if r, ok := resp.(*kmsg.OffsetFetchResponse); ok && r.Groups[0].ErrorCode != int16(kerr.NotCoordinator) {
				got = kerr.Code(r.Groups[0].ErrorCode).String()
			}
		}
		w.run(t, "C: commit offsets=t1-0:7")
		w.run(t, "F: fetch offsets=t1-0")
		w.advance(6000)
		return got
	})
}
