package wire

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/kerr"
)

// fromHex gives the bytes of a golden text, in which blanks and line ends only guide the eye.
func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequestHeadersOfEachFormAreParsed(t *testing.T) {
	for _, c := range []struct {
		frame string
		want  Header
		body  string
		ok    bool
	}{
		{"0007 0000 00000009 aa", Header{Key: 7, Corr: 9}, "aa", true},                                                                  // v0: no client id
		{"0000 0008 00000009 0002 6869 aa", Header{Key: 0, Version: 8, Corr: 9, ClientID: []byte("hi"), HasClientID: true}, "aa", true}, // v1
		{"0000 0008 00000009 ffff aa", Header{Key: 0, Version: 8, Corr: 9}, "aa", true},
		{"0000 0009 00000009 0002 6869 00 aa", Header{Key: 0, Version: 9, Corr: 9, ClientID: []byte("hi"), HasClientID: true, Flexible: true}, "aa", true}, // v2
		{"0000 0009 00000009 ffff 01 05 02 dddd aa", Header{Key: 0, Version: 9, Corr: 9, Flexible: true}, "aa", true},                                      // a tagged field
		{"0000 0009 00000009 ffff ffffffff0f aa", Header{Key: 0, Version: 9, Corr: 9, Flexible: true}, "aa", true},                                         // minus one tagged fields
		{"0012 0063 00000009 ffff 00 aa", Header{Key: 18, Version: 99, Corr: 9, Flexible: true}, "aa", true},                                               // a version of the future
		{"0012 ffff 00000009 ffff aa", Header{Key: 18, Version: -1, Corr: 9}, "aa", true},
		{"0011 0001 00000009 ffff", Header{Key: 17, Version: 1, Corr: 9}, "", true},
		{"0000 0008 00000009 0003 6869", Header{}, "", false},
		{"0000 0008 00000009", Header{}, "", false},
		{"0000 0008 0000", Header{}, "", false},
		{"0000 0009 00000009 ffff", Header{}, "", false},
		{"0fff 0008 00000009 ffff", Header{}, "", false}, // no such key
		{"ffff 0008 00000009 ffff", Header{}, "", false},
		{"", Header{}, "", false},
	} {
		h, body, ok := ParseHeader(fromHex(t, c.frame))
		if ok != c.ok {
			t.Errorf("%s: ok %v, want %v", c.frame, ok, c.ok)
		}
		if ok && (!reflect.DeepEqual(h, c.want) || !bytes.Equal(body, fromHex(t, c.body))) {
			t.Errorf("%s:\ngot  %+v %x\nwant %+v %s", c.frame, h, body, c.want, c.body)
		}
	}
}

func TestOurOwnRequestHeadersAreParsedAgain(t *testing.T) {
	for _, c := range [][2]int16{{0, 3}, {0, 9}, {1, 18}, {7, 0}, {18, 4}} {
		h, body, ok := ParseHeader(append(AppendRequestHeader(nil, c[0], c[1], 5, "me"), 0xaa))
		if !ok || h.Key != c[0] || h.Version != c[1] || h.Corr != 5 || !bytes.Equal(body, []byte{0xaa}) {
			t.Errorf("%v: %+v %x %v", c, h, body, ok)
		}
	}
}

func TestTheResponseHeaderOfApiVersionsIsNeverFlexible(t *testing.T) {
	for _, c := range []struct {
		key, version int16
		want         string
	}{{18, 4, "00000001"}, {18, 0, "00000001"}, {0, 8, "00000001"}, {0, 9, "0000000100"}, {17, 1, "00000001"}} {
		if got := AppendResponseHeader(nil, c.key, c.version, 1); !bytes.Equal(got, fromHex(t, c.want)) {
			t.Errorf("key %d v%d: got %x, want %s", c.key, c.version, got, c.want)
		}
	}
}

func TestAFrameCountsTheBytesThatLeaveAsExtents(t *testing.T) {
	dst, start := StartFrame([]byte("ab"))
	dst = FinishFrame(append(dst, 1, 2, 3), start, 1000)
	if want := fromHex(t, "6162 000003eb 010203"); !bytes.Equal(dst, want) {
		t.Errorf("got %x, want %x", dst, want)
	}
	defer func() {
		if _, ok := recover().(assert.Failure); !ok {
			t.Error("a frame above 2 GiB does not assert")
		}
	}()
	FinishFrame(dst, start, 1<<31)
}

func TestGoldenProduceRequest(t *testing.T) {
	body := fromHex(t, `
		02 74  ffff  00007530
		02  04 666f6f
		    03  00000001  05 deadbeef  00
		        00000002  00  00
		    00
		00`)
	var q ProduceRequest
	if !q.Decode(9, body) {
		t.Fatal("refused")
	}
	want := ProduceRequest{TransactionalID: []byte("t"), HasTxnID: true, Acks: -1, TimeoutMS: 30000, Parts: []ProducePart{
		{Topic: []byte("foo"), NewTopic: true, TopicParts: 2, Partition: 1, Records: []byte{0xde, 0xad, 0xbe, 0xef}},
		{Topic: []byte("foo"), TopicParts: 2, Partition: 2},
	}}
	if !reflect.DeepEqual(q, want) {
		t.Errorf("got %+v, want %+v", q, want)
	}
	if &q.Parts[0].Records[0] != &body[len(body)-13] {
		t.Error("the records are a copy")
	}
}

func TestGoldenProduceResponse(t *testing.T) {
	p := ProduceResponse{Parts: []ProduceResult{{Topic: []byte("foo"), NewTopic: true, Partition: 1, Code: kerr.NotLeaderForPartition, BaseOffset: -1, LogAppendTime: -1, LogStartOffset: -1,
		CurrentLeader: CurrentLeader{true, 3, 7}}}, Nodes: []NodeEndpoint{{3, "h", 9092, ""}}}
	for version, want := range map[int16]string{
		3: `0000002b 00000005  00000001 0003666f6f 00000001 00000001 0006 ffffffffffffffff ffffffffffffffff  00000000`,
		12: `0000004c 00000005 00  02 04666f6f 02 00000001 0006 ffffffffffffffff ffffffffffffffff ffffffffffffffff 01 00
		     01 00 09 00000003 00000007 00  00  00000000  01 00 0d 02 00000003 0268 00002384 00 00`,
	} {
		if got := AppendProduceResponse(nil, version, 5, &p); !bytes.Equal(got, fromHex(t, want)) {
			t.Errorf("v%d:\ngot  %x\nwant %x", version, got, fromHex(t, want))
		}
	}
}

func TestGoldenFetchResponse(t *testing.T) {
	topics := []fetchTopicResult{{id: [16]byte{15: 1}, records: [][]byte{{0xaa, 0xbb}}, parts: []FetchPartResult{{Partition: 1, HighWatermark: 4, LastStableOffset: 3, PreferredReadReplica: -1, RecordsLen: 2,
		Aborted: []AbortedTxn{{9, 2}}, Diverging: true, DivergingEpoch: 1, DivergingEndOffset: 2}}}}
	want := fromHex(t, `0000006a 00000005 00  00000000 0000 00000000  02 00000000000000000000000000000001
		02 00000001 0000 0000000000000004 0000000000000003 0000000000000000  02 0000000000000009 0000000000000002 00
		ffffffff  03 aabb  01 00 0d 00000001 0000000000000002 00  00  00`)
	got := fetchFrame(nil, 13, 5, FetchHead{}, topics, nil)
	if !bytes.Equal(got, want) {
		t.Errorf("\ngot  %x\nwant %x", got, want)
	}
}

func TestATopicIsTakenFromItsNameOrItsID(t *testing.T) {
	id := [16]byte{1}
	if got := AppendFetchTopic(nil, 12, []byte("ab"), id, 1); !bytes.Equal(got, fromHex(t, "03 6162 02")) {
		t.Errorf("%x", got)
	}
	if got := AppendFetchTopic(nil, 13, "ab", id, 1); !bytes.Equal(got, fromHex(t, "01000000000000000000000000000000 02")) {
		t.Errorf("%x", got)
	}
}

func TestStringsLongerThanKafkasLimitAreCut(t *testing.T) {
	for _, flex := range []bool{false, true} {
		r := Reader{B: AppendString(nil, flex, strings.Repeat("x", 40000))}
		if s := r.String(flex); len(s) != maxString || !r.OK() || len(r.B) != 0 {
			t.Errorf("flexible %v: %d bytes, %v", flex, len(s), r.OK())
		}
	}
	r := Reader{B: append(AppendUvarint(nil, 32769), make([]byte, 40000)...)}
	if r.String(true); r.OK() {
		t.Error("a compact string of 32,768 bytes is taken")
	}
}

func TestFailureSticks(t *testing.T) {
	r := Reader{B: []byte{0, 0, 0, 1, 0xff}}
	if r.Int32(); !r.OK() {
		t.Fatal("not enough for four bytes")
	}
	if v := r.Int16(); v != 0 || r.OK() || r.B != nil {
		t.Errorf("%d %v %x", v, r.OK(), r.B)
	}
	if r.Int8() != 0 || r.Int64() != 0 || r.UUID() != [16]byte{} || r.Span(0) == nil && r.OK() || r.OK() {
		t.Error("a failed reader goes on")
	}
}

func TestTheHotCodecsDoNotAllocate(t *testing.T) {
	var produce ProduceRequest
	var fetch FetchRequest
	arena := make([]byte, 0, 4096)
	producers, fetches := fuller(t, keyProduce), fuller(t, keyFetch)
	answer := ProduceResponse{Parts: []ProduceResult{{Topic: []byte("foo"), NewTopic: true, CurrentLeader: CurrentLeader{true, 1, 2}}, {Message: "no"}}, Nodes: []NodeEndpoint{{1, "h", 2, "r"}}}
	topics := []fetchTopicResult{{name: "foo", records: [][]byte{nil}, parts: []FetchPartResult{{Aborted: []AbortedTxn{{1, 2}}, Diverging: true}}}}
	for name, f := range map[string]func(){
		"header":           func() { ParseHeader(arena[:40:40]) },
		"produce request":  func() { each(producers, produce.Decode) },
		"fetch request":    func() { each(fetches, fetch.Decode) },
		"produce response": func() { AppendProduceResponse(arena, 12, 1, &answer) },
		"fetch response":   func() { fetchFrame(arena, 16, 1, FetchHead{}, topics, answer.Nodes) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func each(bodies map[int16][]byte, decode func(int16, []byte) bool) {
	for v := int16(0); v < 32; v++ {
		if b, ok := bodies[v]; ok && !decode(v, b) {
			panic("refused")
		}
	}
}

// fuller gives, by version, a request with two topics of two partitions.
func fuller(t *testing.T, key int16) map[int16][]byte {
	bodies := map[int16][]byte{}
	lo, hi := int16(ProduceMin), int16(ProduceMax)
	if key == keyFetch {
		lo, hi = FetchMin, FetchMax
	}
	for v := lo; v <= hi; v++ {
		if key == keyProduce {
			bodies[v] = produceOfTwo(v)
		} else {
			bodies[v] = fetchOfTwo(v)
		}
	}
	return bodies
}

func produceOfTwo(v int16) []byte {
	req := kmsg.NewProduceRequest()
	req.SetVersion(v)
	req.TransactionID = kmsg.StringPtr("txn")
	for range 2 {
		topic := kmsg.NewProduceRequestTopic()
		topic.Topic = "topic"
		topic.Partitions = []kmsg.ProduceRequestTopicPartition{{Partition: 1, Records: []byte("abc")}, {Partition: 2}}
		req.Topics = append(req.Topics, topic)
	}
	return req.AppendTo(nil)
}

func fetchOfTwo(v int16) []byte {
	req := kmsg.NewFetchRequest()
	req.SetVersion(v)
	req.Rack, req.ClusterID, req.ReplicaState.ID = "rack", kmsg.StringPtr("cluster"), 3
	for range 2 {
		topic, part, forgotten := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition(), kmsg.NewFetchRequestForgottenTopic()
		topic.Topic, forgotten.Topic, forgotten.Partitions, part.HighWatermark = "topic", "topic", []int32{1, 2}, 3
		topic.Partitions = []kmsg.FetchRequestTopicPartition{part, part}
		req.Topics, req.ForgottenTopics = append(req.Topics, topic), append(req.ForgottenTopics, forgotten)
	}
	return req.AppendTo(nil)
}
