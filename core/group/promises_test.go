package group

import (
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestNothingIsToldBeforeItsRecordIsBelowTheHighWatermark(t *testing.T) {
	for _, lines := range [][]string{
		{"C: commit offsets=t1-0:7"},
		{"C: commit offsets=t1-0:7", "F: fetch offsets=t1-0"},
	} {
		w := newWorld()
		for _, line := range lines {
			w.run(t, line)
		}
		if len(w.early) > 0 {
			t.Errorf("%v: %v", lines, w.early)
		}
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

func TestAnOffsetThatAnOpenTransactionCommitsAnewDoesNotExpire(t *testing.T) {
	w := patient()
	w.commitFor(7, "simple", -1, 5)
	w.send("E", ClientInfo{}, &kmsg.EndTxnRequest{Version: 5, ProducerID: 7, Commit: true})
	w.advance(14_000)
	w.commitFor(7, "simple", -1, 6)
	w.advance(4000)
	w.send("E", ClientInfo{}, &kmsg.EndTxnRequest{Version: 5, ProducerID: 7, Commit: true})
	if got := w.has("simple"); got != 6 {
		t.Errorf("6 was committed, it is %d", got)
	}
}

func TestOffsetsDoNotExpireByTheAgeOfTheirCommitWhileTheirGroupLives(t *testing.T) {
	w := patient()
	for _, line := range []string{"A: join v=3 protocols=range:t1 session=60000", "advance 3000", "A: sync member=c1/1 assign=c1/1:a", "C: commit member=c1/1 gen=1 offsets=t1-0:7", "advance 20000"} {
		w.run(t, line)
	}
	if got := w.has("g"); got != 7 {
		t.Errorf("7 was committed, and the group lives; it is %d", got)
	}
}

// A static member may come back with another subscription, and the group goes on as it is.
func TestOffsetsOfWhatAStaticMemberReadsSinceItCameBackDoNotExpire(t *testing.T) {
	w := patient()
	for _, line := range []string{"A: join v=5 protocols=range:t2 session=60000 instance=i", "advance 3000", "A: sync v=3 member=i/1 instance=i assign=i/1:a",
		"C: commit member=i/1 gen=1 instance=i offsets=t1-0:7", "B: join v=5 protocols=range:t1 session=60000 instance=i", "advance 20000"} {
		w.run(t, line)
	}
	if got := w.has("g"); got != 7 {
		t.Errorf("7 was committed, and the member reads its topic; it is %d", got)
	}
}

// A client gives up where an OffsetFetch is answered with REQUEST_TIMED_OUT.
func TestOffsetsThatCannotBeToldYetAreRefusedWithWhatEveryClientTriesAgainOn(t *testing.T) {
	w := newWorld()
	var got []kerr.Code
	w.onReply = func(_ string, resp kmsg.Response) {
		if r, ok := resp.(*kmsg.OffsetFetchResponse); ok {
			got = append(got, kerr.Code(r.Groups[0].ErrorCode))
		}
	}
	w.run(t, "C: commit offsets=t1-0:7")
	w.run(t, "F: fetch offsets=t1-0")
	w.advance(6000)
	if len(got) != 1 || got[0] != kerr.NotCoordinator {
		t.Errorf("want NOT_COORDINATOR, got %v", got)
	}
}
