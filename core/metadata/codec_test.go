package metadata

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
)

func text(s string) *string { return &s }

// every has each record once, with every field set.
func every() []Record {
	return []Record{
		&NoOpRecord{},
		&ClusterRecord{"c1"},
		&FeatureLevelRecord{"metadata.version", 30},
		&RegisterBrokerRecord{NodeID: 1, Incarnation: [16]byte{1, 2}, BrokerEpoch: -1, Rack: text("r"),
			Listeners: []Listener{{"PLAINTEXT", 0, "h", 9092}}, LogDirs: [][16]byte{{3}}},
		&TopicRecord{"t", [16]byte{4}},
		&PartitionRecord{TopicID: [16]byte{4}, Partition: 0, Replicas: []int32{1, 2}, ISR: []int32{1}, Leader: 1, LeaderEpoch: 5, PartitionEpoch: 6, Dirs: [][16]byte{{3}, {}}},
		&PartitionChangeRecord{TopicID: [16]byte{4}, Partition: 0, Leader: Unchanged, ISR: []int32{}, Replicas: nil},
		&RemoveTopicRecord{[16]byte{4}},
		&ConfigRecord{ResourceBroker, "", "k", text("v")},
		&ConfigRecord{ResourceTopic, "t", "k", nil},
		&ProducerIDsRecord{1, 2, 1000},
	}
}

func flag(b bool) *bool { return &b }

// clustered has the records and the forms that a cluster adds, with every field set.
func clustered() []Record {
	return []Record{
		&BrokerChangeRecord{NodeID: 1, Epoch: 2, Fenced: flag(true), InShutdown: flag(false), LogDirs: [][16]byte{{3}}},
		&BrokerChangeRecord{NodeID: 1, Epoch: 2},
		&UnregisterBrokerRecord{1, 2},
		&RegisterBrokerRecord{NodeID: 1, BrokerEpoch: 9, Fenced: true, InShutdown: true, ActiveEpoch: 8},
		&PartitionRecord{TopicID: [16]byte{4}, Replicas: []int32{1, 2}, Leader: NoLeader, ELR: []int32{2}, LastKnownELR: []int32{1}, Adding: []int32{2}, Removing: []int32{1},
			Recovering: true, LastLeader: 1},
		&PartitionRecord{TopicID: [16]byte{4}, Partition: 1, Leader: NoLeader, LastLeader: NoLeader},
		&PartitionChangeRecord{TopicID: [16]byte{4}, Leader: NoLeader, ISR: []int32{}, ELR: []int32{1}, LastKnownELR: []int32{}, Adding: []int32{2}, Removing: []int32{1}, RecoveryState: Recovered},
	}
}

const goldenCluster = "00000000000000000707" +
	"0b001f00000001000000000000000202010203000000000000000000000000000000" +
	"0b000f000000010000000000000002000000" +
	"0c000c000000010000000000000002" +
	"0d00290000000100000000000000000000000000000000000000000000000900000001010000000000000008" +
	"0e0044040000000000000000000000000000000000000003000000010000000200ffffffff00000000000000000002000000020200000001020000000202000000010100000001" +
	"06002304000000000000000000000000000000000000010000ffffffff000000000000000000" +
	"0f002c0400000000000000000000000000000000000000ffffffff0100000200000001010200000002020000000102"

const golden = "00" + "0000000000000007" + "0b" + // version, term, count
	"010000" +
	"020003" + "026331" +
	"030013" + "106d657461646174612e76657273696f6e" + "001e" +
	"040043" + "00000001" + "01020000000000000000000000000000" + "ffffffffffffffff" + "02" + "09504c41494e54455854" + "0000" + "0168" + "00002384" + "010172" + "02" + "03000000000000000000000000000000" +
	"050012" + "0174" + "04000000000000000000000000000000" +
	"06004f" + "04000000000000000000000000000000" + "00000000" + "03" + "0000000100000002" + "02" + "00000001" + "00000001" + "00000005" + "00000006" + "03" + "0300000000000000000000000000000000000000000000000000000000000000" +
	"07001b" + "04000000000000000000000000000000" + "00000000" + "fffffffe" + "01" + "00" + "00" +
	"080010" + "04000000000000000000000000000000" +
	"090007" + "04" + "00" + "016b" + "010176" +
	"090006" + "02" + "0174" + "016b" + "00" +
	"0a0014" + "00000001" + "0000000000000002" + "00000000000003e8"

func TestAnEntryHasTheseBytes(t *testing.T) {
	e := Entry{Term: 7, Records: every()}
	if got := hex.EncodeToString(Encode(e)); got != golden {
		t.Fatalf("got  %s\nwant %s", got, golden)
	}
	b, _ := hex.DecodeString(golden)
	back, err := Decode(b)
	if err != nil || !reflect.DeepEqual(back, e) {
		t.Fatalf("%v\ngot  %+v\nwant %+v", err, back, e)
	}
}

// The bytes above are those of the first release: its logs and checkpoints must be readable for ever. These came with clusters.
func TestTheRecordsOfAClusterHaveTheseBytes(t *testing.T) {
	e := Entry{Term: 7, Records: clustered()}
	if got := hex.EncodeToString(Encode(e)); got != goldenCluster {
		t.Fatalf("got  %s\nwant %s", got, goldenCluster)
	}
	b, _ := hex.DecodeString(goldenCluster)
	back, err := Decode(b)
	if err != nil || !reflect.DeepEqual(back, e) {
		t.Fatalf("%v\ngot  %+v\nwant %+v", err, back, e)
	}
	for i := range b {
		if _, err := Decode(b[:i]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v", i, len(b), err)
		}
	}
}

const goldenFeatures = "00000000000000000701" +
	"0401320000000100000000000000000000000000000000" + "ffffffffffffffff" + "00" + "00" + "00" + "02" + "0d" + "67726f75702e76657273696f6e" + "00000001"

func TestWhatABrokerSupportsStandsBehindWhatAnOlderReaderKnows(t *testing.T) {
	e := Entry{Term: 7, Records: []Record{&RegisterBrokerRecord{NodeID: 1, BrokerEpoch: -1, Features: []FeatureRange{{"group.version", 0, 1}}}}}
	b := Encode(e)
	if got := hex.EncodeToString(b); got != goldenFeatures {
		t.Errorf("got  %s\nwant %s", got, goldenFeatures)
	}
	if back, err := Decode(b); err != nil || !reflect.DeepEqual(back, e) {
		t.Errorf("%v: %+v", err, back.Records[0])
	}
	img, _ := Empty().Apply(0, 7, e)
	if got := img.Broker(1).Features; !reflect.DeepEqual(got, e.Records[0].(*RegisterBrokerRecord).Features) {
		t.Errorf("the image has %v", got)
	}
	copied := Empty()
	img.Records(10, func(records []Record) { copied = copied.Load(records) })
	if copied.At(0, 7).Digest() != img.Digest() || len(copied.Broker(1).Features) != 1 {
		t.Errorf("a snapshot has %v", copied.Broker(1).Features)
	}
}

func TestALongFormThatSaysNothingMoreIsTheShortOne(t *testing.T) {
	b := Encode(Entry{Records: []Record{&RegisterBrokerRecord{NodeID: 1, BrokerEpoch: 9, Fenced: true, ActiveEpoch: 8}}})
	b[len(b)-10] = 0 // not fenced
	e, err := Decode(b)
	if err != nil || !reflect.DeepEqual(e.Records[0], &RegisterBrokerRecord{NodeID: 1, BrokerEpoch: 9}) {
		t.Fatalf("%v %+v", err, e.Records[0])
	}
}

func TestAnEntryThatIsCutShortIsNone(t *testing.T) {
	b, _ := hex.DecodeString(golden)
	for i := range b {
		if _, err := Decode(b[:i]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v", i, len(b), err)
		}
	}
}

func TestAnUnknownRecordIsRefusedAndALongerBodyOfANewerVersionIsNot(t *testing.T) {
	if _, err := Decode([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 99, 0, 0}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("unknown record: %v", err)
	}
	newer := []byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, byte(tagCluster), 1, 4, 2, 'c', '1', 77}
	e, err := Decode(newer)
	if err != nil || e.Records[0].(*ClusterRecord).ClusterID != "c1" {
		t.Errorf("newer version: %v", err)
	}
	newer[11] = 0
	if _, err := Decode(newer); !errors.Is(err, ErrCorrupt) {
		t.Errorf("longer body in version 0: %v", err)
	}
}

func TestDecodingAllocatesByWhatIsThereAndNotByWhatIsAnnounced(t *testing.T) {
	b := []byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 0, 0}
	if n := testing.AllocsPerRun(10, func() { _, _ = Decode(b) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := hex.DecodeString(golden)
	f.Add(b)
	b, _ = hex.DecodeString(goldenCluster)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(Encode(e))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%v: %+v became %+v", err, e, again)
		}
		img, _ := Empty().Apply(0, e.Term, e)
		img.check()
	})
}

func TestEncodingAppendsToWhatIsThere(t *testing.T) {
	e := Entry{Term: 7, Records: every()}
	if b := AppendEntry([]byte("x"), e); !bytes.Equal(b[1:], Encode(e)) || b[0] != 'x' {
		t.Fatal("changed")
	}
}
