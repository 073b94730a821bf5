package main_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// firstBatch decodes the first batch of a response.
func firstBatch(t testing.TB, b []byte) kmsg.RecordBatch {
	t.Helper()
	var x kmsg.RecordBatch
	if err := x.ReadFrom(b); err != nil {
		t.Fatalf("%d bytes are no batch: %v", len(b), err)
	}
	return x
}

// get fetches partition 0.
func (r *raw) get(q *kmsg.FetchRequest) kmsg.FetchResponseTopicPartition {
	r.t.Helper()
	resp := r.ask(q).(*kmsg.FetchResponse)
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 {
		r.t.Fatalf("Fetch: code %d, %d topics", resp.ErrorCode, len(resp.Topics))
	}
	return resp.Topics[0].Partitions[0]
}

func TestTheFirstBatchIsReturnedHoweverSmallTheLimitsAre(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "big", 1)
	r := n.raw()
	big := batch(1, make([]byte, 300_000), nil)
	r.put("big", big)
	r.put("big", batch(1, []byte("small"), nil))
	for _, version := range []int16{4, 7, 11, 12} {
		for _, lim := range [][2]int32{{1, 1}, {1 << 20, 1}, {1, 1 << 20}, {0, 0}} {
			p := r.get(fetchRequest(version, "big", 0, 500, 1, lim[0], lim[1]))
			if p.ErrorCode != 0 || len(p.RecordBatches) != len(big) {
				t.Errorf("version %d limits %v: code %d, %d bytes, want the first batch alone, %d", version, lim, p.ErrorCode, len(p.RecordBatches), len(big))
			}
		}
	}
	if p := r.get(fetchRequest(11, "big", 0, 500, 1, 1<<20, 1<<20)); len(p.RecordBatches) <= len(big) {
		t.Errorf("with room for both: %d bytes", len(p.RecordBatches))
	}
}

func TestOnlyOnePartitionMayExceedTheLimitOfAResponse(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "pair", 2)
	r := n.raw()
	for p := range int32(2) {
		r.ask(produceRequest(9, -1, "pair", p, batch(1, make([]byte, 50_000), nil)))
	}
	q := fetchRequest(11, "pair", 0, 500, 1, 1000, 1000)
	second := kmsg.NewFetchRequestTopicPartition()
	second.Partition, second.PartitionMaxBytes = 1, 1000
	q.Topics[0].Partitions = append(q.Topics[0].Partitions, second)
	resp := r.ask(q).(*kmsg.FetchResponse)
	got := 0
	for _, p := range resp.Topics[0].Partitions {
		if len(p.RecordBatches) > 0 {
			got++
		}
	}
	if got != 1 {
		t.Errorf("%d partitions brought a batch above the limit, want 1", got)
	}
}

func TestAFetchInTheMiddleOfABatchBringsThatBatch(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "mid", 1, "segment.bytes=1048576")
	r := n.raw()
	for range 300 {
		r.put("mid", batch(10, make([]byte, 1000), nil))
	}
	for _, offset := range []int64{0, 1, 9, 10, 15, 999, 1500, 1501, 2994, 2999} {
		p := r.get(fetchRequest(11, "mid", offset, 500, 1, 1, 1))
		if b := firstBatch(t, p.RecordBatches); b.FirstOffset != offset/10*10 {
			t.Errorf("offset %d: the first batch begins at %d, want %d", offset, b.FirstOffset, offset/10*10)
		}
	}
	n.kill()
	n = start(t, n.dir)
	r = n.raw()
	for _, offset := range []int64{5, 1995, 2999} {
		p := r.get(fetchRequest(11, "mid", offset, 500, 1, 1, 1))
		if b := firstBatch(t, p.RecordBatches); b.FirstOffset != offset/10*10 {
			t.Errorf("after kill -9, offset %d: the first batch begins at %d", offset, b.FirstOffset)
		}
	}
}

func TestOffsetsOutsideTheLogAreOutOfRange(t *testing.T) {
	n := start(t, t.TempDir())
	cl := n.client()
	createTopic(t, cl, "range", 1)
	r := n.raw()
	for range 10 {
		r.put("range", batch(10, []byte("v"), nil))
	}
	deleteRecords(t, r, "range", 25, 0)
	for offset, want := range map[int64]int16{-1: 1, 0: 1, 24: 1, 25: 0, 99: 0, 100: 0, 101: 1, 1 << 40: 1} {
		p := r.get(fetchRequest(11, "range", offset, 1, 0, 1<<20, 1<<20))
		if p.ErrorCode != want {
			t.Errorf("offset %d: code %d, want %d", offset, p.ErrorCode, want)
		}
		if want == 0 && (p.LogStartOffset != 25 || p.HighWatermark != 100) {
			t.Errorf("offset %d: log start %d, high watermark %d", offset, p.LogStartOffset, p.HighWatermark)
		}
	}
	// A fetch at the log start, in the middle of a batch.
	if b := firstBatch(t, r.get(fetchRequest(11, "range", 25, 500, 1, 1, 1)).RecordBatches); b.FirstOffset != 20 {
		t.Errorf("the batch that holds offset 25 begins at %d", b.FirstOffset)
	}
	q := fetchRequest(11, "range", 25, 1, 0, 1<<20, 1<<20)
	q.Topics[0].Partitions[0].CurrentLeaderEpoch = 1000
	if p := r.get(q); p.ErrorCode != 75 { // UNKNOWN_LEADER_EPOCH
		t.Errorf("a leader epoch of the future: code %d, want 75", p.ErrorCode)
	}
}

// deleteRecords moves the log start of partition 0 and checks the answer's code.
func deleteRecords(t testing.TB, r *raw, topic string, to int64, want int16) int64 {
	t.Helper()
	q := kmsg.NewPtrDeleteRecordsRequest()
	q.Version, q.TimeoutMillis = 2, 5000
	x := kmsg.NewDeleteRecordsRequestTopic()
	x.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Offset = to
	x.Partitions = append(x.Partitions, p)
	q.Topics = append(q.Topics, x)
	got := r.ask(q).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
	if got.ErrorCode != want {
		t.Errorf("DeleteRecords of %s to %d: code %d, want %d", topic, to, got.ErrorCode, want)
	}
	return got.LowWatermark
}

func TestALongPollWaitsForMinBytesAndNotPastMaxWait(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "poll", 1)
	r := n.raw()
	begin := time.Now()
	if p := r.get(fetchRequest(11, "poll", 0, 300, 1, 1<<20, 1<<20)); len(p.RecordBatches) != 0 {
		t.Errorf("%d bytes from nothing", len(p.RecordBatches))
	}
	if d := time.Since(begin); d < 290*time.Millisecond {
		t.Errorf("answered after %v, before max wait", d)
	}
	f := fetchRequest(11, "poll", 0, 60_000, 5_000, 1<<20, 1<<20)
	corr := r.send(f)
	w := n.raw()
	one := batch(1, make([]byte, 1000), nil)
	for range 5 {
		w.put("poll", one)
	}
	if p := r.answer(f, corr).(*kmsg.FetchResponse).Topics[0].Partitions[0]; len(p.RecordBatches) < 5_000 {
		t.Errorf("answered with %d bytes, min bytes is 5000", len(p.RecordBatches))
	}
}

// session is a client's side of KIP-227.
type session struct {
	r     *raw
	id    int32
	epoch int32
}

// ask sends what changed and gives what the response names: partition to its number of bytes, or minus its code.
func (s *session) ask(offsets map[int32]int64, forget ...int32) (map[int32]int, int16) {
	s.r.t.Helper()
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionID, q.SessionEpoch = 12, 0, 0, 1<<20, s.id, s.epoch
	t := kmsg.NewFetchRequestTopic()
	t.Topic = "session"
	for n := range int32(8) {
		if o, ok := offsets[n]; ok {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.FetchOffset, p.PartitionMaxBytes = n, o, 1<<20
			t.Partitions = append(t.Partitions, p)
		}
	}
	if len(t.Partitions) > 0 {
		q.Topics = append(q.Topics, t)
	}
	if len(forget) > 0 {
		f := kmsg.NewFetchRequestForgottenTopic()
		f.Topic, f.Partitions = "session", forget
		q.ForgottenTopics = append(q.ForgottenTopics, f)
	}
	resp := s.r.ask(q).(*kmsg.FetchResponse)
	got := map[int32]int{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			got[p.Partition] = len(p.RecordBatches)
			if p.ErrorCode != 0 {
				got[p.Partition] = -int(p.ErrorCode)
			}
		}
	}
	if resp.ErrorCode == 0 {
		s.id = resp.SessionID
		s.epoch++
	}
	return got, resp.ErrorCode
}

func TestAFetchSessionNamesOnlyWhatChanged(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "session", 8)
	w := n.raw()
	size := len(batch(1, []byte("v"), nil))
	put := func(p int32) { w.ask(produceRequest(9, -1, "session", p, batch(1, []byte("v"), nil))) }
	s := &session{r: n.raw()}
	expect := func(what string, got map[int32]int, code int16, want map[int32]int) {
		t.Helper()
		if code != 0 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: code %d, %v, want %v", what, code, got, want)
		}
	}
	got, c := s.ask(map[int32]int64{0: 0, 1: 0, 2: 0})
	expect("a full fetch names all", got, c, map[int32]int{0: 0, 1: 0, 2: 0})
	if s.id == 0 {
		t.Fatal("no session")
	}
	got, c = s.ask(nil)
	expect("nothing changed", got, c, map[int32]int{})
	put(1)
	got, c = s.ask(nil)
	expect("one has records", got, c, map[int32]int{1: size})
	got, c = s.ask(map[int32]int64{1: 1})
	expect("read past it", got, c, map[int32]int{})
	got, c = s.ask(map[int32]int64{5: 0})
	expect("a new partition is named at once", got, c, map[int32]int{5: 0})
	put(0)
	put(2)
	put(5)
	got, c = s.ask(nil, 0)
	expect("a forgotten one is not named", got, c, map[int32]int{2: size, 5: size})
	got, c = s.ask(map[int32]int64{2: 1, 5: 1, 0: 0}) // back again
	expect("a forgotten one that is added again", got, c, map[int32]int{0: size})
	got, c = s.ask(map[int32]int64{0: 99})
	expect("an error", got, c, map[int32]int{0: -1})
	got, c = s.ask(map[int32]int64{0: 1})
	if _, named := got[0]; !named || c != 0 {
		t.Errorf("after an error the partition is told once more: %v, code %d", got, c)
	}
	s.epoch += 3
	if _, c = s.ask(nil); c != 71 {
		t.Errorf("a wrong epoch: code %d, want 71", c)
	}
	s.epoch = 5
	s.id ^= 0x100
	if _, c = s.ask(nil); c != 70 {
		t.Errorf("an unknown session: code %d, want 70", c)
	}
}

func TestTopicIdsAreServedByFetchAndMetadata(t *testing.T) {
	n := start(t, t.TempDir())
	cl := n.client()
	id := createTopic(t, cl, "ids", 1)
	r := n.raw()
	r.put("ids", batch(1, []byte("v"), nil))
	for version := int16(13); version <= 18; version++ {
		q := fetchRequest(version, "", 0, 500, 1, 1<<20, 1<<20)
		q.Topics[0].TopicID = id
		if resp := r.ask(q).(*kmsg.FetchResponse); resp.ErrorCode != 0 || resp.Topics[0].TopicID != id || len(resp.Topics[0].Partitions[0].RecordBatches) == 0 {
			t.Errorf("Fetch %d by id: %+v", version, resp)
		}
		q.Topics[0].TopicID[3] ^= 1
		if resp := r.ask(q).(*kmsg.FetchResponse); resp.Topics[0].Partitions[0].ErrorCode != 100 {
			t.Errorf("Fetch %d by an unknown id: code %d, want 100", version, resp.Topics[0].Partitions[0].ErrorCode)
		}
	}
	p := produceRequest(13, -1, "", 0, batch(1, []byte("v"), nil))
	p.Topics[0].TopicID = id
	if got := r.ask(p).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != 1 {
		t.Errorf("Produce 13: code %d offset %d", got.ErrorCode, got.BaseOffset)
	}
	for version := int16(10); version <= 13; version++ {
		q := kmsg.NewPtrMetadataRequest()
		q.Version = version
		x := kmsg.NewMetadataRequestTopic()
		name := "ids"
		x.Topic = &name
		if version >= 12 {
			x.Topic, x.TopicID = nil, id
		}
		q.Topics = append(q.Topics, x)
		resp := r.ask(q).(*kmsg.MetadataResponse)
		if got := resp.Topics[0]; got.ErrorCode != 0 || deref(got.Topic) != "ids" || got.TopicID != id {
			t.Errorf("Metadata %d: %+v", version, got)
		}
	}
	// A topic of the same name has another id after it was deleted and made again.
	d := kmsg.NewPtrDeleteTopicsRequest()
	x := kmsg.NewDeleteTopicsRequestTopic()
	x.TopicID = id
	d.Version, d.Topics = 6, append(d.Topics, x)
	if got := r.ask(d).(*kmsg.DeleteTopicsResponse).Topics[0]; got.ErrorCode != 0 {
		t.Fatalf("DeleteTopics by id: code %d", got.ErrorCode)
	}
	if again := createTopic(t, cl, "ids", 1); again == id {
		t.Error("the new topic has the old one's id")
	}
	if end := r.endOffset("ids"); end != 0 {
		t.Errorf("the new topic has %d records of the old one", end)
	}
	q := fetchRequest(13, "", 0, 0, 0, 1<<20, 1<<20)
	q.Topics[0].TopicID = id
	if got := r.get(q); got.ErrorCode != 100 {
		t.Errorf("Fetch by the deleted topic's id: code %d, want 100", got.ErrorCode)
	}
}
