package wire

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
)

func TestGoldenFollowerFetchRequest(t *testing.T) {
	id := [16]byte{15: 1}
	q := FetchRequest{ReplicaID: 2, ReplicaEpoch: 9, MaxWaitMS: 500, MinBytes: 1, MaxBytes: 10 << 20, SessionID: 7, SessionEpoch: 3,
		Parts: []FetchPart{
			{TopicID: id, NewTopic: true, Partition: 4, CurrentLeaderEpoch: 5, FetchOffset: 6, LastFetchedEpoch: 5, LogStartOffset: 1, MaxBytes: 1 << 20, HighWatermark: FetchHighWatermarkOff},
			{TopicID: id, Partition: 8, CurrentLeaderEpoch: 5, LastFetchedEpoch: -1, MaxBytes: 1 << 20, HighWatermark: 3},
		},
		Forgotten: []FetchPart{{TopicID: id, NewTopic: true, Partition: 1}}}
	head := "000001f4 00000001 00a00000 00 00000007 00000003"
	want := fromHex(t, head+`
		02 00000000000000000000000000000001
		   03 00000004 00000005 0000000000000006 00000005 0000000000000001 00100000 00
		      00000008 00000005 0000000000000000 ffffffff 0000000000000000 00100000 01 01 08 0000000000000003
		   00
		02 00000000000000000000000000000001 02 00000001 00
		01
		01 01 0d 00000002 0000000000000009 00`)
	if got := q.AppendTo(nil, 18); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestAFollowersRefusalAndTheLeadersGapsAreTaggedFieldsThatOthersSkip(t *testing.T) {
	part := FetchPart{NewTopic: true, HighWatermark: FetchHighWatermarkOff, Refused: true}
	for v := int16(fetchTopicIDs); v <= FetchMax; v++ {
		b := (&FetchRequest{ReplicaID: 1, Parts: []FetchPart{part}}).AppendTo(nil, v)
		if !bytes.Contains(b, fromHex(t, "01 904e 00")) {
			t.Fatalf("v%d: %x", v, b)
		}
		k := kmsg.NewPtrFetchRequest()
		k.SetVersion(v)
		if err := k.ReadFrom(b); err != nil {
			t.Fatalf("v%d: kmsg: %v", v, err)
		}
		var q FetchRequest
		if !q.Decode(v, b) || !q.Parts[0].Refused {
			t.Fatalf("v%d: %+v", v, q.Parts)
		}
		stranger := bytes.Replace(b, fromHex(t, "01 904e 00"), fromHex(t, "01 904e 01 00"), 1)
		if !q.Decode(v, stranger) || q.Parts[0].Refused {
			t.Fatalf("v%d: somebody else's field of that number: %+v", v, q.Parts)
		}
		r := FetchPartResult{Sparse: 7}
		if end := AppendFetchPartitionEnd(nil, v, &r); !bytes.Equal(end, fromHex(t, "01 904e 08 0000000000000007")) {
			t.Fatalf("v%d: %x", v, end)
		}
	}
}

func TestGoldenFetchResponseIsReadInPlace(t *testing.T) {
	body := fromHex(t, `
		00000005 0000 00000007
		02 00000000000000000000000000000001
		   03 00000004 0000 0000000000000010 0000000000000011 0000000000000002 00 ffffffff 05 deadbeef 00
		      00000008 0006 ffffffffffffffff ffffffffffffffff ffffffffffffffff 02 0000000000000003 0000000000000004 00 00000009 01
		      03 00 0d 00000005 0000000000000006 00  01 09 00000002 00000007 00  02 0d 0000000000000008 00000009 00
		   00
		01 00 0d 02 00000002 02 68 00002384 00 00`)
	var p FetchResponse
	if !p.Decode(17, body) {
		t.Fatal("refused")
	}
	id := [16]byte{15: 1}
	want := FetchResponse{ThrottleMS: 5, SessionID: 7, Parts: []FetchedPart{
		{FetchPartResult: FetchPartResult{Partition: 4, HighWatermark: 16, LastStableOffset: 17, LogStartOffset: 2, PreferredReadReplica: -1, RecordsLen: 4,
			DivergingEpoch: -1, DivergingEndOffset: -1, CurrentLeader: CurrentLeader{false, -1, -1}},
			TopicID: id, NewTopic: true, Records: []byte{0xde, 0xad, 0xbe, 0xef}, Snapshot: SnapshotID{-1, -1}},
		{FetchPartResult: FetchPartResult{Partition: 8, Code: kerr.NotLeaderForPartition, HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1, PreferredReadReplica: 9,
			Aborted: []AbortedTxn{{3, 4}}, Diverging: true, DivergingEpoch: 5, DivergingEndOffset: 6, CurrentLeader: CurrentLeader{true, 2, 7}},
			TopicID: id, Records: []byte{}, Snapshot: SnapshotID{8, 9}},
	}, Nodes: []FetchedNode{{2, []byte("h"), 9092, nil}}}
	p.aborted = nil
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
	if &p.Parts[0].Records[0] != &body[bytes.Index(body, []byte{0xde, 0xad})] {
		t.Error("the records are a copy")
	}
}

// withoutTags takes away the tagged fields that nobody knows, which a decoder of ours does not keep.
func withoutTags(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			withoutTags(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			withoutTags(v.Field(i))
		}
	}
}

func TestFetchRequestsAreTheBytesThatKmsgWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := kmsg.NewPtrFetchRequest()
		version := int16(rapid.IntRange(FetchMin, FetchMax).Draw(t, "version"))
		k.SetVersion(version)
		fill(t, reflect.ValueOf(k).Elem(), 0)
		withoutTags(reflect.ValueOf(k).Elem())
		if version < 15 {
			k.ReplicaState = kmsg.NewFetchRequestReplicaState()
		}
		var topics []kmsg.FetchRequestTopic
		for _, x := range k.Topics {
			for i := range x.Partitions {
				if p := &x.Partitions[i]; version < 17 {
					p.ReplicaDirectoryID = [16]byte{}
				}
				if p := &x.Partitions[i]; version < 18 {
					p.HighWatermark = math.MaxInt64
				}
			}
			if len(x.Partitions) > 0 {
				topics = append(topics, x)
			}
		}
		k.Topics = topics
		var forgotten []kmsg.FetchRequestForgottenTopic
		for _, x := range k.ForgottenTopics {
			if len(x.Partitions) > 0 {
				forgotten = append(forgotten, x)
			}
		}
		k.ForgottenTopics = forgotten
		want := k.AppendTo(nil)
		var q FetchRequest
		if !q.Decode(version, want) {
			t.Fatalf("refused %x", want)
		}
		if got := q.AppendTo([]byte("x"), version)[1:]; !bytes.Equal(got, want) {
			t.Fatalf("v%d\ngot  %x\nwant %x", version, got, want)
		}
	})
}

// expectedResponse is what we read, made from what kmsg reads.
func expectedResponse(k *kmsg.FetchResponse) *FetchResponse {
	p := &FetchResponse{ThrottleMS: k.ThrottleMillis, Code: kerr.Code(k.ErrorCode), SessionID: k.SessionID}
	for _, x := range k.Topics {
		for i, y := range x.Partitions {
			f := FetchedPart{Topic: []byte(x.Topic), TopicID: x.TopicID, NewTopic: i == 0, Records: y.RecordBatches, Snapshot: SnapshotID{-1, -1}}
			f.FetchPartResult = FetchPartResult{Partition: y.Partition, Code: kerr.Code(y.ErrorCode), HighWatermark: y.HighWatermark, LastStableOffset: y.LastStableOffset, LogStartOffset: y.LogStartOffset,
				PreferredReadReplica: y.PreferredReadReplica, RecordsLen: int32(len(y.RecordBatches)), DivergingEpoch: -1, DivergingEndOffset: -1, CurrentLeader: CurrentLeader{false, -1, -1}}
			if y.AbortedTransactions != nil {
				f.Aborted = []AbortedTxn{}
			}
			for _, a := range y.AbortedTransactions {
				f.Aborted = append(f.Aborted, AbortedTxn{a.ProducerID, a.FirstOffset})
			}
			f.DivergingEpoch, f.DivergingEndOffset, f.Diverging = y.DivergingEpoch.Epoch, y.DivergingEpoch.EndOffset, y.DivergingEpoch.Epoch >= 0
			f.CurrentLeader = CurrentLeader{y.CurrentLeader.LeaderEpoch >= 0, y.CurrentLeader.LeaderID, y.CurrentLeader.LeaderEpoch}
			f.Snapshot = SnapshotID{y.SnapshotID.EndOffset, y.SnapshotID.Epoch}
			p.Parts = append(p.Parts, f)
		}
	}
	for _, b := range k.Brokers {
		n := FetchedNode{ID: b.NodeID, Host: []byte(b.Host), Port: b.Port}
		n.Rack, _ = orNil(b.Rack)
		p.Nodes = append(p.Nodes, n)
	}
	return p
}

// judgeResponse compares our reading with kmsg's, where both take the bytes; what kmsg writes again the same must be taken.
func judgeResponse(t failer, version int16, body []byte) {
	t.Helper()
	var p FetchResponse
	ok := p.Decode(version, bytes.Clone(body))
	k := kmsg.NewPtrFetchResponse()
	k.SetVersion(version)
	err := k.ReadFrom(bytes.Clone(body))
	if !ok {
		if err == nil && bytes.Equal(k.AppendTo(nil), body) {
			t.Fatalf("v%d: refused %x", version, body)
		}
		return
	}
	if err != nil {
		return // kmsg's schema knows tagged fields in versions where Kafka skips them, and refuses what Kafka's varints take
	}
	if version < 16 {
		k.Brokers = nil
	}
	want := expectedResponse(k)
	p.aborted = nil
	for _, r := range []*FetchResponse{&p, want} {
		for i := range r.Parts {
			if len(r.Parts[i].Records) == 0 { // kmsg does not tell empty from null
				r.Parts[i].Records = nil
			}
			if r.Parts[i].Aborted != nil && len(r.Parts[i].Aborted) == 0 {
				r.Parts[i].Aborted = nil
			}
		}
		withoutEmpty(reflect.ValueOf(r), "")
	}
	if !reflect.DeepEqual(&p, want) {
		t.Fatalf("v%d:\ngot  %+v\nwant %+v\nof %x", version, &p, want, body)
	}
}

func TestFetchResponsesOfEachVersionAreReadAsKmsgDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := kmsg.NewPtrFetchResponse()
		k.SetVersion(int16(rapid.IntRange(FetchMin, FetchMax).Draw(t, "version")))
		fill(t, reflect.ValueOf(k).Elem(), 0)
		body := k.AppendTo(nil)
		judgeResponse(t, k.Version, body)
		judgeResponse(t, k.Version, body[:rapid.IntRange(0, len(body)).Draw(t, "cut")])
		if len(body) > 0 {
			body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			judgeResponse(t, k.Version, body)
		}
	})
}

func TestWhatABrokerWritesItsFollowerReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw{t}
		version := int16(rapid.IntRange(13, FetchMax).Draw(t, "version"))
		var topics []fetchTopicResult
		for range d.n(3) {
			ft := fetchTopicResult{id: d.uuid()}
			for range d.n(3) {
				p, records := d.fetchResult(version)
				ft.parts, ft.records = append(ft.parts, p), append(ft.records, records)
			}
			topics = append(topics, ft)
		}
		frame := fetchFrame(nil, version, 5, FetchHead{1, 0, 3}, topics, nil)
		corr, body, ok := ParseResponseHeader(frame[4:], keyFetch, version)
		var p FetchResponse
		if !ok || corr != 5 || !p.Decode(version, body) {
			t.Fatal("refused")
		}
		i := 0
		for _, x := range topics {
			for j, y := range x.parts {
				got := p.Parts[i]
				i++
				if got.TopicID != x.id || got.Partition != y.Partition || !bytes.Equal(got.Records, x.records[j]) || got.Diverging != y.Diverging || got.CurrentLeader.Known != y.CurrentLeader.Known ||
					got.Sparse != y.Sparse || y.Diverging && got.DivergingEndOffset != y.DivergingEndOffset || y.CurrentLeader.Known && got.CurrentLeader != y.CurrentLeader || len(got.Aborted) != len(y.Aborted) {
					t.Fatalf("got %+v, want %+v", got, y)
				}
			}
		}
		if i != len(p.Parts) {
			t.Fatalf("%d partitions, want %d", len(p.Parts), i)
		}
	})
}

func FuzzFetchResponse(f *testing.F) {
	for v := int16(FetchMin); v <= FetchMax; v++ {
		k := kmsg.NewPtrFetchResponse()
		k.SetVersion(v)
		x := kmsg.NewFetchResponseTopic()
		y := kmsg.NewFetchResponseTopicPartition()
		y.RecordBatches, y.DivergingEpoch.Epoch, y.CurrentLeader.LeaderEpoch = []byte("records"), 1, 2
		y.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1}}
		x.Partitions = append(x.Partitions, y)
		k.Topics = append(k.Topics, x)
		k.Brokers = append(k.Brokers, kmsg.FetchResponseBroker{Host: "h"})
		f.Add(v, k.AppendTo(nil))
		z := &k.Topics[0].Partitions[0] // and without the -1 of what is not known, so that kmsg may read what becomes of it
		z.LastStableOffset, z.LogStartOffset, z.PreferredReadReplica, z.DivergingEpoch.EndOffset, z.CurrentLeader.LeaderID = 5, 0, 0, 3, 1
		z.SnapshotID.EndOffset, z.SnapshotID.Epoch = 0, 0
		f.Add(v, k.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		var p FetchResponse
		switch {
		case version < FetchMin || version > FetchMax:
		case longVarint(body): // kmsg counts up to any number of tagged fields, there or not
			p.Decode(version, bytes.Clone(body))
		default:
			judgeResponse(t, version, body)
		}
	})
}

// longVarint says that a number above 2^21 may stand somewhere as a varint.
func longVarint(b []byte) bool {
	n := 0
	for _, c := range b {
		if n++; c < 0x80 {
			n = 0
		}
		if n > 2 {
			return true
		}
	}
	return false
}

func TestAWarmFollowerReadsAndWritesWithoutAllocating(t *testing.T) {
	topics := []fetchTopicResult{{id: [16]byte{1}}}
	for i := range 50 {
		topics[0].parts = append(topics[0].parts, FetchPartResult{Partition: int32(i), RecordsLen: 4, Aborted: []AbortedTxn{{1, 2}}, Diverging: true})
		topics[0].records = append(topics[0].records, []byte("four"))
	}
	frame := fetchFrame(nil, 17, 5, FetchHead{}, topics, []NodeEndpoint{{1, "host", 2, "rack"}})
	body := frame[9:]
	var p FetchResponse
	q := FetchRequest{ReplicaID: 1, SessionID: 3}
	for i := range 50 {
		q.Parts = append(q.Parts, FetchPart{NewTopic: i == 0, Partition: int32(i), HighWatermark: FetchHighWatermarkOff})
	}
	dst := make([]byte, 0, 1<<16)
	if got := testing.AllocsPerRun(100, func() {
		if !p.Decode(17, body) {
			t.Fatal("refused")
		}
		dst = q.AppendTo(dst[:0], 17)
	}); got > 0 {
		t.Fatalf("%v allocations", got)
	}
}
