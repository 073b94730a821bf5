package group

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/offsets"
	"github.com/seedlog/seedlog/core/records"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// The bytes were checked against Kafka's schemas, field by field: OffsetCommitKey and GroupMetadataKey, OffsetCommitValue and
// GroupMetadataValue in group-coordinator/src/main/resources/common/message.
func TestRecordsHaveKafkasBytes(t *testing.T) {
	id := "i"
	o := offsets.Offset{Offset: 258, LeaderEpoch: 3, Metadata: "m", CommitMS: 5, ExpireMS: -1}
	withID, withExpiry := o, o
	withID.TopicID = [16]byte{15: 9}
	withExpiry.ExpireMS = 7
	protocol, leader := "range", "a"
	generation := kmsg.GroupMetadataValue{
		ProtocolType: "consumer", Generation: 4, Protocol: &protocol, Leader: &leader, CurrentStateTimestamp: 6,
		Members: []kmsg.GroupMetadataValueMember{{
			MemberID: "a", InstanceID: &id, ClientID: "c", ClientHost: "/h", RebalanceTimeoutMillis: 1, SessionTimeoutMillis: 2,
			Subscription: []byte{1}, Assignment: []byte{2, 3},
		}},
	}
	const offsetKey = "0001" + "000167" + "000174" + "00000002"
	cases := []struct {
		name       string
		rec        coordinator.Record
		key, value string
	}{
		{"an offset", offsetRecord("g", "t", 2, &o), offsetKey, "0003" + "0000000000000102" + "00000003" + "00016d" + "0000000000000005"},
		{"an offset with a topic id", offsetRecord("g", "t", 2, &withID), offsetKey,
			"0004" + "0000000000000102" + "00000003" + "026d" + "0000000000000005" + "01" + "0010" + "00000000000000000000000000000009"},
		{"an offset that expires", offsetRecord("g", "t", 2, &withExpiry), offsetKey,
			"0001" + "0000000000000102" + "00016d" + "0000000000000005" + "0000000000000007"},
		{"a deleted offset", offsetRecord("g", "t", 2, nil), offsetKey, ""},
		{"a generation", groupRecord("g", &generation), "0002" + "000167",
			"0003" + "0008636f6e73756d6572" + "00000004" + "000572616e6765" + "000161" + "0000000000000006" + "00000001" +
				"000161" + "000169" + "000163" + "00022f68" + "00000001" + "00000002" + "0000000101" + "000000020203"},
		{"an empty group", groupRecord("g", &kmsg.GroupMetadataValue{CurrentStateTimestamp: -1}), "0002" + "000167",
			"0003" + "0000" + "00000000" + "ffff" + "ffff" + "ffffffffffffffff" + "00000000"},
		{"a deleted group", groupRecord("g", nil), "0002" + "000167", ""},
	}
	for _, c := range cases {
		if got := hex.EncodeToString(c.rec.Key); got != c.key {
			t.Errorf("%s: key want %s, got %s", c.name, c.key, got)
		}
		if got := hex.EncodeToString(c.rec.Value); got != c.value {
			t.Errorf("%s: value want %s, got %s", c.name, c.value, got)
		}
	}
}

func genString(t *rapid.T, label string) string {
	return rapid.SampledFrom([]string{"", "a", "group", "ünï", "x\x00y"}).Draw(t, label)
}

func genNullable(t *rapid.T, label string) *string {
	if rapid.Bool().Draw(t, label+" is null") {
		return nil
	}
	s := genString(t, label)
	return &s
}

func TestEveryVersionOfAValueReadsAsKmsgReadsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.Int16Range(0, 4).Draw(t, "version")
		ov := kmsg.OffsetCommitValue{
			Version: version, Offset: rapid.Int64().Draw(t, "offset"), LeaderEpoch: rapid.Int32().Draw(t, "epoch"),
			Metadata: genString(t, "metadata"), CommitTimestamp: rapid.Int64().Draw(t, "commit"), ExpireTimestamp: rapid.Int64Min(-1).Draw(t, "expire"),
			TopicID: [16]byte{rapid.Byte().Draw(t, "id")},
		}
		raw := ov.AppendTo(nil)
		var want kmsg.OffsetCommitValue
		must(want.ReadFrom(raw))
		got, err := readOffset(raw)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if version < 3 {
			want.LeaderEpoch = -1 // Kafka's default; kmsg leaves 0
		}
		if version != 1 {
			want.ExpireTimestamp = -1
		}
		if back := (offsets.Offset{Offset: want.Offset, LeaderEpoch: want.LeaderEpoch, Metadata: want.Metadata, CommitMS: want.CommitTimestamp, ExpireMS: want.ExpireTimestamp, TopicID: want.TopicID}); got != back {
			t.Fatalf("version %d: want %+v, got %+v", version, back, got)
		}

		gv := kmsg.GroupMetadataValue{
			Version: version, ProtocolType: genString(t, "type"), Generation: rapid.Int32().Draw(t, "generation"),
			Protocol: genNullable(t, "protocol"), Leader: genNullable(t, "leader"), CurrentStateTimestamp: rapid.Int64().Draw(t, "since"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			gv.Members = append(gv.Members, kmsg.GroupMetadataValueMember{
				MemberID: genString(t, "id"), InstanceID: genNullable(t, "instance"), ClientID: genString(t, "client"), ClientHost: genString(t, "host"),
				RebalanceTimeoutMillis: rapid.Int32().Draw(t, "rebalance"), SessionTimeoutMillis: rapid.Int32().Draw(t, "session"),
				Subscription: []byte(genString(t, "subscription")), Assignment: []byte(genString(t, "assignment")),
			})
		}
		raw = gv.AppendTo(nil)
		var wantGroup kmsg.GroupMetadataValue
		must(wantGroup.ReadFrom(raw))
		gotGroup, err := readGroup(raw)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if w, g := wantGroup.AppendTo(nil), gotGroup.AppendTo(nil); !bytes.Equal(w, g) {
			t.Fatalf("version %d: want %+v, got %+v", version, wantGroup, *gotGroup)
		}
		for cut := range raw {
			if v, err := readGroup(raw[:cut]); err == nil {
				t.Fatalf("a value cut at %d of %d reads as %+v", cut, len(raw), v)
			}
		}
	})
}

// seeds are records that are read, and some that are not.
func seeds() []coordinator.Record {
	p, l := "range", "a"
	id := "i"
	m := kmsg.GroupMetadataValueMember{MemberID: "a", InstanceID: &id, Subscription: subscription("t1"), SessionTimeoutMillis: 10}
	recs := []coordinator.Record{
		offsetRecord("g", "t1", 0, &offsets.Offset{Offset: 1, ExpireMS: -1}),
		offsetRecord("g", "t1", 0, &offsets.Offset{Offset: 1, ExpireMS: 3}),
		offsetRecord("g", "t1", 0, &offsets.Offset{Offset: 1, ExpireMS: -1, TopicID: [16]byte{1}}),
		offsetRecord("g", "t1", 0, nil),
		groupRecord("g", nil),
		groupRecord("g", &kmsg.GroupMetadataValue{ProtocolType: "consumer", Protocol: &p, Leader: &l, Members: []kmsg.GroupMetadataValueMember{m, m}}),
		{Key: []byte{0, 3, 0, 1, 'g'}, Value: []byte{0, 0}},
		{Key: []byte{0, 9}, Value: nil},
		{Key: nil, Value: nil},
		{Key: []byte{0, 2, 0, 1, 'g'}, Value: []byte{0, 5}},
	}
	v := kmsg.GroupMetadataValue{Version: 4, Leader: &l, Members: []kmsg.GroupMetadataValueMember{m}}
	return append(recs, coordinator.Record{Key: []byte{0, 2, 0, 1, 'h'}, Value: v.AppendTo(nil)})
}

// FuzzReplay feeds two arbitrary records to a coordinator that loads, brings it to life, and lets time pass over it.
func FuzzReplay(f *testing.F) {
	for _, r := range seeds() {
		f.Add(r.Key, r.Value, []byte{0, 2, 0, 1, 'g'}, []byte(nil), int64(-1))
		f.Add(seeds()[5].Key, seeds()[5].Value, r.Key, r.Value, int64(4))
	}
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte, producer int64) {
		w := newWorld()
		w.c = New(w.env, w.log, w.cfg, w.topics)
		b := records.NewBuilder(records.Options{HasProducer: producer >= 0, ProducerID: producer, Transactional: producer >= 0})
		b.Add(k1, v1, 1)
		b.Add(k2, v2, 1)
		if w.c.Load(records.View(b.Build())) != nil {
			return
		}
		w.c.ReplayMarker(producer, 0, true)
		w.log.end, w.log.hw = 2, 2
		w.c.Loaded()
		w.c.CheckInvariants()
		w.auto = true
		digest := w.c.Digest()
		w.send("list", ClientInfo{}, kmsg.NewPtrListGroupsRequest())
		if w.c.Digest() != digest {
			t.Fatal("a read changed durable state")
		}
		w.advance(3_600_000)
	})
}

func TestUnknownKeysAreSkippedAndUnreadableRecordsAreErrors(t *testing.T) {
	w := newWorld()
	cases := []struct {
		rec coordinator.Record
		ok  bool
	}{
		{coordinator.Record{Key: []byte{0, 10, 1, 2, 3}, Value: []byte{9}}, true},
		{coordinator.Record{Key: []byte{0, 3, 1, 2, 3}, Value: []byte{9}}, false},
		{coordinator.Record{Key: []byte{0x7f, 0xff}}, true},
		{coordinator.Record{Key: []byte{0}}, false},
		{coordinator.Record{Key: []byte{0, 1, 0, 9, 'g'}}, false},
		{coordinator.Record{Key: []byte{0, 2, 0, 1, 'g'}, Value: []byte{0, 5, 0}}, false},
		{coordinator.Record{Key: []byte{0, 2, 0, 1, 'g'}, Value: []byte{}}, false},
	}
	before := w.c.Digest()
	for _, c := range cases {
		if err := w.c.Replay(coordinator.Position{ProducerID: -1}, c.rec); (err == nil) != c.ok {
			t.Errorf("key %x value %x: error %v", c.rec.Key, c.rec.Value, err)
		}
	}
	if w.c.Digest() != before {
		t.Error("a record that was not read changed the state")
	}
}

func TestErrorResponsesSayTheCodeWhereverThereIsAPlace(t *testing.T) {
	for _, kind := range []string{"join", "sync", "heartbeat", "leave", "commit", "fetch", "offset-delete", "describe", "delete", "list", "hb", "describe848"} {
		w := newWorld()
		for v := int16(0); v <= 10; v++ {
			req := w.request(kind, args{"v": "5", "offsets": "t1-0:1"})
			if v > req.MaxVersion() {
				break
			}
			req.SetVersion(v)
			if f, ok := req.(*kmsg.OffsetFetchRequest); ok && v >= 8 {
				f.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g"}}
			}
			resp := ErrorResponse(req, 16)
			raw := resp.AppendTo(nil)
			back := reflect.New(reflect.TypeOf(resp).Elem()).Interface().(kmsg.Response)
			back.SetVersion(v)
			must(back.ReadFrom(raw))
			if !bytes.Contains([]byte(w.show(back)), []byte("NOT_COORDINATOR")) {
				t.Errorf("%s v%d: %s", kind, v, w.show(back))
			}
		}
	}
}

func TestARebalanceTimeoutOfZeroDoesNotFireForEver(t *testing.T) {
	w := newWorld()
	w.auto = true
	i1, i2, p := "i1", "i2", "range"
	v := kmsg.GroupMetadataValue{ProtocolType: "consumer", Protocol: &p, Leader: &i1, Members: []kmsg.GroupMetadataValueMember{
		{MemberID: i1, InstanceID: &i1, SessionTimeoutMillis: 10000}, {MemberID: i2, InstanceID: &i2, SessionTimeoutMillis: 10000},
	}}
	w.c.write("g", groupRecord("g", &v))
	w.reload(t)
	w.run(t, "L: leave members=|i1")
	w.advance(3_600_000) // panics if timers fire for ever
	if g := w.c.groups["g"]; g != nil && len(g.Members) > 0 {
		t.Fatalf("%d members are left", len(g.Members))
	}
}
