package main_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The rules are compat.md's, "How Apache Kafka answers what it should not be sent", as seen on Apache Kafka 4.3.1.

func TestApiVersionsOfAnUnknownVersionIsAnsweredInTheFormOfVersionZero(t *testing.T) {
	n := start(t, t.TempDir())
	for _, version := range []int16{5, 99, 32767, -1} {
		r := n.raw()
		r.write(frame(header(18, version, 77, true), []byte{2, 'x', 2, '1', 0}))
		corr, b, err := r.next()
		if err != nil || corr != 77 {
			t.Fatalf("version %d: %v, correlation id %d", version, err, corr)
		}
		resp := kmsg.NewPtrApiVersionsResponse()
		if err := resp.ReadFrom(b); err != nil || resp.ErrorCode != 35 {
			t.Errorf("version %d: %v, code %d, want 35", version, err, resp.ErrorCode)
		}
		found := false
		for _, k := range resp.ApiKeys {
			found = found || k.ApiKey == 18
		}
		if !found {
			t.Errorf("version %d: the answer does not name ApiVersions, from which clients choose", version)
		}
		r.alive(fmt.Sprintf("version %d", version))
	}
}

func TestAClientSoftwareNameThatIsNotOneIsRefusedAndTheConnectionStays(t *testing.T) {
	n := start(t, t.TempDir())
	for _, name := range [][2]string{{"", "1"}, {"a b", "1"}, {"-a", "1"}, {"a", "1!"}, {"a.", "1"}, {"é", "1"}} {
		r := n.raw()
		q := kmsg.NewPtrApiVersionsRequest()
		q.Version, q.ClientSoftwareName, q.ClientSoftwareVersion = 3, name[0], name[1]
		if resp := r.ask(q).(*kmsg.ApiVersionsResponse); resp.ErrorCode != 42 {
			t.Errorf("%q: code %d, want 42", name, resp.ErrorCode)
		}
		r.alive(fmt.Sprintf("%q", name))
	}
}

func TestWhatCannotBeReadClosesItsConnectionOnly(t *testing.T) {
	n := start(t, t.TempDir())
	size := func(s uint32) []byte { return binary.BigEndian.AppendUint32(nil, s) }
	metadata := func(version int16, body ...byte) []byte { return frame(header(3, version, 1, version >= 9), body) }
	cases := []struct {
		name string
		b    []byte
	}{
		{"length zero", size(0)},
		{"a negative length", size(0xffffffff)},
		{"the most negative length", size(0x80000000)},
		{"a length above socket.request.max.bytes", size(100<<20 + 1)},
		{"the largest length", size(0x7fffffff)},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
		{"TLS", []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}},
		{"a frame of one byte", frame([]byte{0})},
		{"a header cut off", frame(header(3, 1, 1, false)[:7])},
		{"a client id longer than the frame", frame([]byte{0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 'x'})},
		{"an unknown key", frame(header(999, 0, 1, false))},
		{"a negative key", frame(header(-1, 0, 1, false))},
		{"a key that only brokers serve", frame(header(56, 0, 1, true), []byte{0})},
		{"Metadata 14", metadata(14, 0, 0, 0, 0)},
		{"Metadata -1", metadata(-1, 0, 0, 0, 0)},
		{"Fetch 3", frame(header(1, 3, 1, false), make([]byte, 20))},
		{"Produce 14", frame(header(0, 14, 1, true), make([]byte, 20))},
		{"ListOffsets 0", frame(header(2, 0, 1, false), make([]byte, 8))},
		{"a body cut off", metadata(1, 0, 0, 0, 1, 0, 5, 'a')},
		{"a body of nothing", metadata(1)},
		{"an array of 0x7fffffff", metadata(1, 0x7f, 0xff, 0xff, 0xff)},
		{"an array of 0x7ffffff0 in compact form", metadata(9, 0xf1, 0xff, 0xff, 0xff, 0x07, 0, 0, 0, 0)},
		{"a string of negative length", metadata(1, 0, 0, 0, 1, 0xff, 0xfe)},
		{"an endless varint", metadata(9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
		{"a tag longer than the frame", frame(header(3, 9, 1, false), []byte{1, 0, 0x7f, 0})},
	}
	for _, c := range cases {
		r := n.raw()
		r.write(c.b)
		r.closed(c.name)
	}
	for _, key := range []int16{0, 1} {
		for _, version := range []int16{3, 7, 9, 12, 13} {
			if key == 1 && version == 3 {
				continue
			}
			flexible := key == 0 && version >= 9 || key == 1 && version >= 12
			for _, body := range [][]byte{nil, {1}, {0xff, 0xff, 0xff, 0xff, 0x7f, 0xff}, make([]byte, 5)} {
				r := n.raw()
				r.write(frame(header(key, version, 1, flexible), body))
				r.closed(fmt.Sprintf("key %d version %d body %x", key, version, body))
			}
		}
	}
	n.raw().alive("after all of it")
}

func TestProduceUpToVersionTwoIsAdvertisedAndClosedOn(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "old", 1)
	for version := int16(0); version <= 2; version++ {
		r := n.raw()
		q := kmsg.NewPtrApiVersionsRequest()
		for _, k := range r.ask(q).(*kmsg.ApiVersionsResponse).ApiKeys {
			if k.ApiKey == 0 && k.MinVersion != 0 {
				t.Errorf("Produce is advertised from %d", k.MinVersion)
			}
		}
		r.send(produceRequest(version, 1, "old", 0, batch(1, []byte("v"), nil)))
		r.closed(fmt.Sprintf("Produce %d", version))
	}
}

func TestACompactCountOfAllOnesIsNull(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "one", 1)
	createTopic(t, n.client(), "two", 1)
	r := n.raw()
	// Metadata 9: topics null, then auto-creation, two flags, tags.
	r.write(frame(header(3, 9, 5, true), []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0, 0, 0}))
	q := kmsg.NewPtrMetadataRequest()
	q.Version = 9
	if resp := r.answer(q, 5).(*kmsg.MetadataResponse); len(resp.Topics) != 2 {
		t.Errorf("%d topics, want all, which are 2", len(resp.Topics))
	}
	// The same number as a count of tags: none.
	r.write(frame(header(3, 9, 6, true), []byte{1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}))
	if resp := r.answer(q, 6).(*kmsg.MetadataResponse); len(resp.Topics) != 0 {
		t.Errorf("%d topics, want none for an empty array", len(resp.Topics))
	}
	r.alive("null counts")
}

func TestUnknownTagsAreSkipped(t *testing.T) {
	n := start(t, t.TempDir())
	r := n.raw()
	h := header(3, 9, 9, false)
	r.write(frame(h, []byte{2, 5, 3, 'a', 'b', 'c', 0x80, 1, 0}, []byte{1, 1, 0, 0, 1, 0x63, 2, 9, 9}))
	q := kmsg.NewPtrMetadataRequest()
	q.Version = 9
	if resp := r.answer(q, 9).(*kmsg.MetadataResponse); len(resp.Brokers) != 1 {
		t.Errorf("%d brokers", len(resp.Brokers))
	}
}

func TestProduceWithoutAcksIsAnsweredByNothingOrByAClose(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "quiet", 1)
	r := n.raw()
	r.send(produceRequest(9, 0, "quiet", 0, batch(3, []byte("v"), nil)))
	r.alive("acks=0") // the next frame is that of ApiVersions
	eventually(t, 10*time.Second, "what was sent with acks=0 can be read", func() bool { return r.endOffset("quiet") == 3 })
	spoilt := batch(1, []byte("v"), nil)
	spoilt[len(spoilt)-1] ^= 1
	for what, q := range map[string]*kmsg.ProduceRequest{
		"an unknown topic":     produceRequest(9, 0, "nowhere", 0, batch(1, []byte("v"), nil)),
		"an unknown partition": produceRequest(9, 0, "quiet", 7, batch(1, []byte("v"), nil)),
		"a wrong CRC":          produceRequest(9, 0, "quiet", 0, spoilt),
	} {
		r := n.raw()
		r.send(q)
		r.closed("acks=0 with " + what)
	}
	if p := n.raw().ask(produceRequest(9, 2, "quiet", 0, batch(1, []byte("v"), nil))).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.ErrorCode != 21 {
		t.Errorf("acks=2: code %d, want 21", p.ErrorCode)
	}
}

func TestConnectionsThatComeAndGoMeetTheirShardsInOrder(t *testing.T) {
	n := start(t, t.TempDir(), "shards=3")
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range scale(200, 800, 20_000) {
				c, err := net.Dial("tcp", n.addr)
				if err != nil {
					t.Errorf("worker %d, connection %d: %v", w, i, err)
					return
				}
				// Half of them are closed by the broker, half by us.
				if _, err := c.Write(frame(header([]int16{999, 18}[i%2], 0, 1, false))); err != nil {
					t.Log(err)
				}
				if i%4 < 2 {
					_, _ = c.Read(make([]byte, 1000)) // an answer, or the end
				}
				c.Close()
			}
		}()
	}
	wg.Wait()
	n.raw().alive("after many connections")
}

// endOffset asks for the end of partition 0.
func (r *raw) endOffset(topic string) int64 {
	r.t.Helper()
	return r.listOffset(topic, -1).Offset
}

func (r *raw) listOffset(topic string, ts int64) kmsg.ListOffsetsResponseTopicPartition {
	r.t.Helper()
	q := kmsg.NewPtrListOffsetsRequest()
	q.Version, q.ReplicaID = 9, -1
	x := kmsg.NewListOffsetsRequestTopic()
	x.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = ts
	x.Partitions = append(x.Partitions, p)
	q.Topics = append(q.Topics, x)
	return r.ask(q).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
}

func TestAnswersKeepTheOrderOfTheRequestsPastAFetchThatWaits(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "wait", 1)
	r := n.raw()
	f := fetchRequest(11, "wait", 0, 60_000, 1, 1<<20, 1<<20)
	a := r.send(f)
	v := kmsg.NewPtrApiVersionsRequest()
	b := r.send(v)
	m := kmsg.NewPtrMetadataRequest()
	m.Version = 5
	c := r.send(m)
	p := produceRequest(9, -1, "wait", 0, batch(1, []byte("late"), nil))
	d := r.send(p)
	n.raw().put("wait", batch(1, []byte("wakes"), nil)) // ends the wait of 60 s
	if got := r.answer(f, a).(*kmsg.FetchResponse).Topics[0].Partitions[0]; got.ErrorCode != 0 || len(got.RecordBatches) == 0 {
		t.Errorf("Fetch: code %d, %d bytes", got.ErrorCode, len(got.RecordBatches))
	}
	r.answer(v, b)
	r.answer(m, c)
	if got := r.answer(p, d).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; got.BaseOffset != 1 {
		t.Errorf("Produce after the Fetch: offset %d, want 1", got.BaseOffset)
	}
}

func TestManyRequestsInOneSegmentAndOneRequestInManyAreTheSame(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "pipe", 1)
	r := n.raw()
	var all []byte
	const count = 200
	for i := range count {
		q := produceRequest(9, -1, "pipe", 0, batch(1, fmt.Appendf(nil, "v%d", i), nil))
		all = append(all, r.bytesOf(q)...)
	}
	r.write(all)
	q := kmsg.NewPtrProduceRequest()
	q.Version = 9
	for i := range int32(count) {
		if p := r.answer(q, i+1).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != int64(i) {
			t.Fatalf("request %d: code %d offset %d", i, p.ErrorCode, p.BaseOffset)
		}
	}
	one := r.bytesOf(produceRequest(9, -1, "pipe", 0, batch(1, []byte("slow"), nil)))
	for i := range one {
		r.write(one[i : i+1])
	}
	if p := r.answer(q, count+1).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.BaseOffset != count {
		t.Errorf("byte by byte: code %d offset %d", p.ErrorCode, p.BaseOffset)
	}
}

func TestEveryRequestAboutATopicThatIsNotThereIsAnswered(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "there", 1)
	r := n.raw()
	for _, c := range []struct {
		topic string
		part  int32
	}{{"nowhere", 0}, {"there", 1}, {"there", -1}, {"", 0}, {"..", 0}, {"nowhere", -1 << 31}} {
		l := kmsg.NewPtrListOffsetsRequest()
		l.Version, l.Topics = 9, []kmsg.ListOffsetsRequestTopic{{Topic: c.topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: c.part, Timestamp: -1}}}}
		if p := r.ask(l).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]; p.ErrorCode != 3 || p.Offset != -1 {
			t.Errorf("ListOffsets %v: %+v", c, p)
		}
		d := kmsg.NewPtrDeleteRecordsRequest()
		d.Version, d.Topics = 2, []kmsg.DeleteRecordsRequestTopic{{Topic: c.topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: c.part}}}}
		if p := r.ask(d).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]; p.ErrorCode != 3 {
			t.Errorf("DeleteRecords %v: %+v", c, p)
		}
		e := kmsg.NewPtrOffsetForLeaderEpochRequest()
		e.Version, e.Topics = 4, []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: c.topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{Partition: c.part}}}}
		if p := r.ask(e).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]; p.ErrorCode != 3 {
			t.Errorf("OffsetForLeaderEpoch %v: %+v", c, p)
		}
		s := kmsg.NewPtrDescribeLogDirsRequest()
		s.Version, s.Topics = 4, []kmsg.DescribeLogDirsRequestTopic{{Topic: c.topic, Partitions: []int32{c.part}}}
		if x := r.ask(s).(*kmsg.DescribeLogDirsResponse); len(x.Dirs) != 1 || len(x.Dirs[0].Topics) != 0 {
			t.Errorf("DescribeLogDirs %v: %+v", c, x)
		}
		f := fetchRequest(11, c.topic, 0, 0, 0, 1000, 1000)
		f.Topics[0].Partitions[0].Partition = c.part
		if p := r.get(f); p.ErrorCode != 3 {
			t.Errorf("Fetch %v: code %d", c, p.ErrorCode)
		}
		w := produceRequest(9, 1, c.topic, c.part, batch(1, nil, nil))
		if p := r.ask(w).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.ErrorCode != 3 || p.BaseOffset != -1 {
			t.Errorf("Produce %v: %+v", c, p)
		}
	}
	r.alive("after all of it")
}

// TestEveryVersionOfEveryApiIsAnsweredForEmptyRequests sends what kmsg makes of a zero request, in each version that is advertised.
func TestEveryVersionOfEveryApiIsAnsweredForEmptyRequests(t *testing.T) {
	n := start(t, t.TempDir())
	q := kmsg.NewPtrApiVersionsRequest()
	for _, k := range n.raw().ask(q).(*kmsg.ApiVersionsResponse).ApiKeys {
		for v := max(k.MinVersion, 0); v <= k.MaxVersion; v++ {
			if k.ApiKey == 0 && v < 3 {
				continue
			}
			req := kmsg.RequestForKey(k.ApiKey)
			if req.MaxVersion() < v {
				t.Logf("%s %d: kmsg knows versions up to %d", kmsg.NameForKey(k.ApiKey), v, req.MaxVersion())
				continue
			}
			req.SetVersion(v)
			switch x := req.(type) {
			case *kmsg.ProduceRequest:
				x.Acks = -1
			case *kmsg.FetchRequest:
				x.SessionEpoch = -1
			}
			r := n.raw()
			r.ask(req)
			r.alive(fmt.Sprintf("%s %d", kmsg.NameForKey(k.ApiKey), v))
		}
	}
}
