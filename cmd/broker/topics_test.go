package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What breaks clones (compat.md): each was a bug of some broker that speaks this protocol.

func TestMaxMessageBytesAndItsChangeAreKeptTo(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "limit", 1, "max.message.bytes=1000")
	r := n.raw()
	if p := r.put("limit", batch(1, make([]byte, 2000), nil)); p.ErrorCode != 10 || p.BaseOffset != -1 {
		t.Errorf("2000 bytes: code %d offset %d, want 10", p.ErrorCode, p.BaseOffset)
	}
	if p := r.put("limit", batch(1, make([]byte, 800), nil)); p.ErrorCode != 0 {
		t.Errorf("800 bytes: code %d", p.ErrorCode)
	}
	if c := alter(t, r, "limit", "max.message.bytes", "5000", 0); c != 0 {
		t.Fatalf("IncrementalAlterConfigs: code %d", c)
	}
	if p := r.put("limit", batch(1, make([]byte, 2000), nil)); p.ErrorCode != 0 {
		t.Errorf("2000 bytes under the new limit: code %d", p.ErrorCode)
	}
}

// alter changes one setting of a topic: op 0 set, 1 delete, 2 append, 3 subtract.
func alter(t testing.TB, r *raw, topic, name, value string, op int8) int16 {
	t.Helper()
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q.Version = 1
	x := kmsg.NewIncrementalAlterConfigsRequestResource()
	x.ResourceType, x.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value, c.Op = name, &value, kmsg.IncrementalAlterConfigOp(op)
	x.Configs = append(x.Configs, c)
	q.Resources = append(q.Resources, x)
	return r.ask(q).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode
}

func TestAppendAndSubtractChangeAListSetting(t *testing.T) {
	n := start(t, t.TempDir())
	cl := n.client()
	createTopic(t, cl, "list", 1)
	r := n.raw()
	for _, s := range []struct {
		value string
		op    int8
		code  int16
		want  string
	}{
		{"compact", 2, 0, "delete,compact"}, {"compact", 2, 0, "delete,compact"}, {"delete", 3, 0, "compact"},
		{"nonsense", 2, 40, "compact"}, {"", 1, 0, "delete"},
	} {
		if c := alter(t, r, "list", "cleanup.policy", s.value, s.op); c != s.code {
			t.Errorf("op %d %q: code %d, want %d", s.op, s.value, c, s.code)
		}
		if got := topicConfig(t, cl, "list", "cleanup.policy"); got != s.want {
			t.Errorf("op %d %q: cleanup.policy is %q, want %q", s.op, s.value, got, s.want)
		}
	}
	if c := alter(t, r, "list", "retention.ms", "1", 2); c != 42 && c != 40 {
		t.Errorf("APPEND to a setting that is no list: code %d", c)
	}
}

func TestARecordWithoutAKeyIsRefusedByACompactedTopic(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "compacted", 1, "cleanup.policy=compact")
	r := n.raw()
	keyless := batchOf(2, append(appendRecord(nil, 0, []byte("k"), []byte("v")), appendRecord(nil, 1, nil, []byte("v"))...), nil)
	p := r.put("compacted", keyless)
	if p.ErrorCode != 87 { // INVALID_RECORD
		t.Errorf("code %d, want 87", p.ErrorCode)
	}
	if len(p.ErrorRecords) != 1 || p.ErrorRecords[0].RelativeOffset != 1 {
		t.Logf("the answer does not say which record: %+v", p.ErrorRecords)
	}
	if p := r.put("compacted", batch(1, nil, nil)); p.ErrorCode != 0 || p.BaseOffset != 0 {
		t.Errorf("a tombstone: code %d offset %d", p.ErrorCode, p.BaseOffset)
	}
}

func TestBatchesThatAreWrongAreRefusedWithKafkasCodes(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "wrong", 1)
	spoilt := batch(1, []byte("v"), nil)
	spoilt[len(spoilt)-1] ^= 1
	now := time.Now().UnixMilli()
	for _, c := range []struct {
		name string
		b    []byte
		want []int16
	}{
		{"a wrong CRC", spoilt, []int16{2}},
		{"magic 1", func() []byte { b := batch(1, []byte("v"), nil); b[16] = 1; return b }(), []int16{2, 43, 87}},
		{"magic 3", func() []byte { b := batch(1, []byte("v"), nil); b[16] = 3; return b }(), []int16{2, 87}},
		{"two batches", append(batch(1, []byte("v"), nil), batch(1, []byte("v"), nil)...), []int16{87}},
		{"fewer records than said", batch(2, []byte("v"), func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 3, 2 }), []int16{2, 87}},
		{"more records than said", batch(3, []byte("v"), func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 2, 1 }), []int16{2, 87}},
		{"a last offset delta that is wrong", batch(3, []byte("v"), func(b *kmsg.RecordBatch) { b.LastOffsetDelta = 7 }), []int16{2, 87}},
		{"an unknown codec", batch(1, []byte("v"), func(b *kmsg.RecordBatch) { b.Attributes = 7 }), []int16{76}},
		{"gzip that is none", batch(1, []byte("v"), func(b *kmsg.RecordBatch) { b.Attributes = 1 }), []int16{2, 87}},
		{"a control batch", batch(1, []byte("v"), func(b *kmsg.RecordBatch) { b.Attributes = 0x20 }), []int16{87}},
		{"a timestamp of the future", batch(1, []byte("v"), func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = now+1e10, now+1e10 }), []int16{32}},
		{"no bytes", []byte{}, []int16{0, 2, 87}},
		{"cut off", batch(1, []byte("value"), nil)[:70], []int16{2, 87}},
	} {
		r := n.raw()
		p := r.put("wrong", c.b)
		ok := false
		for _, w := range c.want {
			ok = ok || p.ErrorCode == w
		}
		if !ok || p.BaseOffset > 0 {
			t.Errorf("%s: code %d offset %d, want one of %v", c.name, p.ErrorCode, p.BaseOffset, c.want)
		}
	}
	if end := n.raw().endOffset("wrong"); end != 0 {
		t.Errorf("%d records of refused batches are in the log", end)
	}
}

func TestPartitionsOfATopicNeverGetFewer(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "parts", 3)
	r := n.raw()
	for _, c := range []struct {
		topic string
		count int32
		want  int16
	}{{"parts", 2, 37}, {"parts", 3, 37}, {"parts", 0, 37}, {"parts", -1, 37}, {"parts", 5, 0}, {"parts", 4, 37}, {"nowhere", 9, 3}} {
		q := kmsg.NewPtrCreatePartitionsRequest()
		q.Version, q.TimeoutMillis = 3, 5000
		x := kmsg.NewCreatePartitionsRequestTopic()
		x.Topic, x.Count = c.topic, c.count
		q.Topics = append(q.Topics, x)
		got := r.ask(q).(*kmsg.CreatePartitionsResponse).Topics
		if len(got) != 1 || got[0].ErrorCode != c.want || got[0].Topic != c.topic {
			t.Errorf("%s to %d: %+v, want code %d", c.topic, c.count, got, c.want)
		}
	}
	if p := r.ask(produceRequest(9, -1, "parts", 4, batch(1, []byte("v"), nil))).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 {
		t.Errorf("Produce to a new partition: code %d", p.ErrorCode)
	}
}

func TestDescribeLogDirsTellsSizesThatAreThoseOfTheFiles(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "sized", 2)
	r := n.raw()
	for range 10 {
		r.put("sized", batch(1, make([]byte, 10_000), nil))
	}
	usable := func() int64 {
		q := kmsg.NewPtrDescribeLogDirsRequest()
		q.Version = 4
		return r.ask(q).(*kmsg.DescribeLogDirsResponse).Dirs[0].UsableBytes
	}
	eventually(t, 10*time.Second, "the free space is known", func() bool { return usable() > 0 })
	for version := int16(1); version <= 4; version++ {
		q := kmsg.NewPtrDescribeLogDirsRequest()
		q.Version = version
		resp := r.ask(q).(*kmsg.DescribeLogDirsResponse)
		if resp.ErrorCode != 0 || len(resp.Dirs) != 1 || resp.Dirs[0].ErrorCode != 0 || resp.Dirs[0].Dir != n.dir {
			t.Fatalf("version %d: %+v", version, resp)
		}
		sizes := map[int32]int64{}
		for _, x := range resp.Dirs[0].Topics {
			for _, p := range x.Partitions {
				if x.Topic == "sized" {
					sizes[p.Partition] = p.Size
				}
			}
		}
		st, err := os.Stat(filepath.Join(n.dir, "sized-0", "00000000000000000000.log"))
		if err != nil || sizes[0] != st.Size() || sizes[1] != 0 || len(sizes) != 2 {
			t.Errorf("version %d: sizes %v, the file has %d bytes (%v)", version, sizes, st.Size(), err)
		}
		if version >= 4 && (resp.Dirs[0].TotalBytes == 0 || resp.Dirs[0].UsableBytes <= 0) {
			t.Errorf("version %d: total %d usable %d", version, resp.Dirs[0].TotalBytes, resp.Dirs[0].UsableBytes)
		}
		q.Topics = []kmsg.DescribeLogDirsRequestTopic{} // empty is nothing, null is all
		if resp := r.ask(q).(*kmsg.DescribeLogDirsResponse); len(resp.Dirs) != 1 || len(resp.Dirs[0].Topics) != 0 {
			t.Errorf("version %d: an empty list of topics: %+v", version, resp.Dirs)
		}
	}
}

func TestListOffsetsKnowsTheSpecialTimestamps(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "times", 1)
	r := n.raw()
	base := time.Now().UnixMilli() - 100_000
	for _, d := range []int64{0, 10, 50, 20, 60, 60, 5} { // batches of two records at base+d and base+d+1
		rec := appendRecord(nil, 0, nil, []byte("v"))
		second := appendRecord(nil, 1, nil, []byte("v"))
		second[2] = 2 // timestamp delta of 1, in zigzag
		r.put("times", batchOf(2, append(rec, second...), func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = base+d, base+d+1 }))
	}
	deleteRecords(t, r, "times", 1, 0)
	for _, c := range []struct {
		name         string
		ask, off, ts int64
	}{
		{"latest", -1, 14, -1}, {"earliest", -2, 1, -1}, {"max timestamp", -3, 9, base + 61}, {"earliest local", -4, 1, -1}, {"latest tiered", -5, -1, -1},
		{"before all", 0, 1, base + 1}, {"the second record of a batch", base + 11, 3, base + 11}, {"between", base + 30, 4, base + 50},
		{"the last", base + 61, 9, base + 61}, {"after all", base + 62, -1, -1},
	} {
		if p := r.listOffset("times", c.ask); p.ErrorCode != 0 || p.Offset != c.off || p.Timestamp != c.ts {
			t.Errorf("%s: code %d offset %d timestamp %d, want offset %d timestamp %d", c.name, p.ErrorCode, p.Offset, p.Timestamp, c.off, c.ts)
		}
	}
	if p := r.listOffset("times", -99); p.ErrorCode != 35 {
		t.Errorf("timestamp -99: code %d, want 35", p.ErrorCode)
	}
}

func TestLogAppendTimeReplacesWhatTheProducerSaid(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "append", 1, "message.timestamp.type=LogAppendTime")
	r := n.raw()
	before := time.Now().UnixMilli()
	b := batch(3, []byte("v"), func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = 5, 5 })
	p := r.put("append", b)
	if p.ErrorCode != 0 || p.LogAppendTime < before {
		t.Fatalf("code %d, append time %d, want at least %d", p.ErrorCode, p.LogAppendTime, before)
	}
	cl := n.client(kgo.ConsumeTopics("append"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for _, rec := range cl.PollFetches(bounded(t, 10*time.Second)).Records() { // franz-go checks the CRC
		if rec.Timestamp.UnixMilli() != p.LogAppendTime || rec.Attrs.TimestampType() != 1 {
			t.Errorf("offset %d: time %d type %d", rec.Offset, rec.Timestamp.UnixMilli(), rec.Attrs.TimestampType())
		}
	}
	if got := r.listOffset("append", before); got.Offset != 0 {
		t.Errorf("the first record since %d is at %d", before, got.Offset)
	}
}

func TestTheTopicsCompressionTypeIsWhatIsStored(t *testing.T) {
	n := start(t, t.TempDir())
	for i, name := range []string{"uncompressed", "gzip", "snappy", "lz4", "zstd"} {
		topic := "to-" + name
		createTopic(t, n.client(), topic, 1, "compression.type="+name)
		l := newLedger()
		for k, c := range codecs {
			cl := n.client(kgo.ProducerBatchCompression(c.codec))
			if err := produceAll(bounded(t, 30*time.Second), cl, topic, uint32(k), 0, 300, l); err != nil || len(l.bad) > 0 {
				t.Fatalf("%s to %s: %v %v", c.name, name, err, l.bad)
			}
			cl.Close()
		}
		cl := n.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		all := readAll(t, cl, 5*300)
		for k := range codecs {
			if s := all[uint32(k)]; s == nil || len(s.at) != 300 || s.twice > 0 {
				t.Errorf("%s: source %d is not complete", topic, k)
			}
		}
		r := n.raw()
		for offset := int64(0); offset < 1500; {
			b := firstBatch(t, r.get(fetchRequest(11, topic, offset, 500, 1, 1, 1)).RecordBatches)
			if int(b.Attributes&7) != i {
				t.Fatalf("%s offset %d: stored with codec %d, want %d", topic, offset, b.Attributes&7, i)
			}
			offset = b.FirstOffset + int64(b.LastOffsetDelta) + 1
		}
	}
}

func TestRetentionBySizeAndByTimeMovesTheLogStart(t *testing.T) {
	n := start(t, t.TempDir(), "log.retention.check.interval.ms=100")
	cl := n.client()
	createTopic(t, cl, "by-size", 1, "segment.bytes=1048576", "retention.bytes=2097152")
	createTopic(t, cl, "by-time", 1, "retention.ms=86400000")
	createTopic(t, cl, "kept", 1, "segment.bytes=1048576", "retention.bytes=2097152", "cleanup.policy=compact")
	r := n.raw()
	for range 60 {
		r.put("by-size", batch(1, make([]byte, 100_000), nil))
		r.put("kept", batch(1, make([]byte, 100_000), nil))
	}
	eventually(t, 20*time.Second, "retention.bytes deletes segments", func() bool { return r.listOffset("by-size", -2).Offset > 20 })
	start := r.listOffset("by-size", -2).Offset
	if kept := (60 - start) * 100_000; kept < 2097152-1048576 || start >= 60 {
		t.Errorf("retention.bytes=2097152 left %d bytes", kept)
	}
	old := time.Now().UnixMilli() - 2*86_400_000
	for range 5 {
		r.put("by-time", batch(1, []byte("old"), func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = old, old }))
	}
	eventually(t, 20*time.Second, "retention.ms deletes the active segment too", func() bool { return r.listOffset("by-time", -2).Offset == 5 })
	if p := r.put("by-time", batch(1, []byte("new"), nil)); p.ErrorCode != 0 || p.BaseOffset != 5 {
		t.Errorf("after retention emptied the log: code %d offset %d, want 5", p.ErrorCode, p.BaseOffset)
	}
	if s := r.listOffset("kept", -2).Offset; s != 0 {
		t.Errorf("a compacted topic lost %d records to retention", s)
	}
	n.kill()
	n = restart(t, n, "log.retention.check.interval.ms=100")
	r = n.raw()
	eventually(t, 20*time.Second, "retention is where it was before the kill", func() bool {
		return r.listOffset("by-size", -2).Offset == start && r.listOffset("by-time", -2).Offset == 5
	})
	if e := r.endOffset("by-time"); e != 6 {
		t.Errorf("by-time ends at %d after a kill, want 6", e)
	}
}

// restart starts a node again on its directory.
func restart(t testing.TB, n *node, settings ...string) *node { return start(t, n.dir, settings...) }

func TestDeleteRecordsMovesTheLogStartForGood(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n.client(), "cut", 1, "segment.bytes=1048576")
	r := n.raw()
	for range 50 {
		r.put("cut", batch(10, make([]byte, 10_000), nil))
	}
	deleteRecords(t, r, "cut", 501, 1)
	deleteRecords(t, r, "cut", -2, 1)
	deleteRecords(t, r, "nowhere", 1, 3)
	for _, c := range [][2]int64{{333, 333}, {100, 333}, {-1, 500}} {
		if low := deleteRecords(t, r, "cut", c[0], 0); low != c[1] {
			t.Errorf("DeleteRecords to %d: low watermark %d, want %d", c[0], low, c[1])
		}
	}
	if p := r.put("cut", batch(1, []byte("v"), nil)); p.BaseOffset != 500 || p.LogStartOffset != 500 {
		t.Errorf("the next record is at %d, log start %d", p.BaseOffset, p.LogStartOffset)
	}
	eventually(t, 20*time.Second, "segments below the log start are deleted", func() bool {
		logs, _ := filepath.Glob(filepath.Join(n.dir, "cut-0", "*.log"))
		return len(logs) == 1
	})
	if c := n.term(); c != 0 {
		t.Errorf("exit code %d", c)
	}
	n = restart(t, n)
	if s, e := n.raw().listOffset("cut", -2).Offset, n.raw().endOffset("cut"); s != 500 || e != 501 {
		t.Errorf("after a restart: %d to %d, want 500 to 501", s, e)
	}
}

func TestTheMetadataStringOfACommitComesBack(t *testing.T) {
	n := start(t, t.TempDir())
	cl := n.client()
	createTopic(t, cl, "meta", 2)
	if c := commit(t, cl, "g", "meta", 0, 42, "what ünïcode said"); c != 0 {
		t.Fatalf("code %d", c)
	}
	if o, m := committed(t, cl, "g", "meta", 0); o != 42 || m != "what ünïcode said" {
		t.Errorf("offset %d metadata %q", o, m)
	}
	if o, m := committed(t, cl, "g", "meta", 1); o != -1 || m != "" {
		t.Errorf("nothing committed: offset %d metadata %q", o, m)
	}
	if c := commit(t, cl, "g", "meta", 0, 43, string(make([]byte, 5000))); c != 12 { // OFFSET_METADATA_TOO_LARGE
		t.Errorf("5000 bytes of metadata: code %d, want 12", c)
	}
	r := n.raw()
	for version := int16(1); version <= 7; version++ {
		q := kmsg.NewPtrOffsetFetchRequest()
		q.Version, q.Group = version, "g"
		x := kmsg.NewOffsetFetchRequestTopic()
		x.Topic, x.Partitions = "meta", []int32{0}
		q.Topics = append(q.Topics, x)
		resp := r.ask(q).(*kmsg.OffsetFetchResponse)
		if p := resp.Topics[0].Partitions[0]; p.Offset != 42 || deref(p.Metadata) != "what ünïcode said" {
			t.Errorf("OffsetFetch %d: %+v", version, p)
		}
		if version >= 2 { // null is all, empty is none
			q.Topics = nil
			if resp := r.ask(q).(*kmsg.OffsetFetchResponse); len(resp.Topics) != 1 {
				t.Errorf("OffsetFetch %d of all: %d topics", version, len(resp.Topics))
			}
			q.Topics = []kmsg.OffsetFetchRequestTopic{}
			if resp := r.ask(q).(*kmsg.OffsetFetchResponse); len(resp.Topics) != 0 {
				t.Errorf("OffsetFetch %d of none: %d topics", version, len(resp.Topics))
			}
		}
	}
}

func TestNullAndEmptyListsOfTopicsAreDifferentInMetadata(t *testing.T) {
	n := start(t, t.TempDir())
	for i := range 3 {
		createTopic(t, n.client(), fmt.Sprintf("m%d", i), 1)
	}
	r := n.raw()
	for version := int16(0); version <= 13; version++ {
		q := kmsg.NewPtrMetadataRequest()
		q.Version = version
		q.Topics = []kmsg.MetadataRequestTopic{}
		want := 0
		if version == 0 {
			want = 3 // an empty list was all, before null was
		}
		if resp := r.ask(q).(*kmsg.MetadataResponse); len(resp.Topics) != want {
			t.Errorf("Metadata %d of an empty list: %d topics, want %d", version, len(resp.Topics), want)
		}
		if version > 0 {
			q.Topics = nil
			if resp := r.ask(q).(*kmsg.MetadataResponse); len(resp.Topics) != 3 {
				t.Errorf("Metadata %d of null: %d topics, want 3", version, len(resp.Topics))
			}
		}
	}
}

func TestMetadataCreatesATopicOnlyWhereAllowed(t *testing.T) {
	n := start(t, t.TempDir())
	r := n.raw()
	ask := func(version int16, name string, allow bool) kmsg.MetadataResponseTopic {
		q := kmsg.NewPtrMetadataRequest()
		q.Version, q.AllowAutoTopicCreation = version, allow
		x := kmsg.NewMetadataRequestTopic()
		x.Topic = &name
		q.Topics = append(q.Topics, x)
		return r.ask(q).(*kmsg.MetadataResponse).Topics[0]
	}
	if got := ask(9, "auto", false); got.ErrorCode != 3 {
		t.Errorf("not allowed: code %d, want 3", got.ErrorCode)
	}
	if got := ask(9, "no/good", true); got.ErrorCode != 17 {
		t.Errorf("an invalid name: code %d, want 17", got.ErrorCode)
	}
	eventually(t, 10*time.Second, "the topic is created", func() bool { return ask(9, "auto", true).ErrorCode == 0 })
	eventually(t, 10*time.Second, "versions without the flag create too", func() bool { return ask(2, "auto-old", true).ErrorCode == 0 })
}
