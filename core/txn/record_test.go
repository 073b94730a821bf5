package txn

import (
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/seedlog/seedlog/core/coordinator"
)

// golden are what TransactionLog of Apache Kafka 4.3.1 writes, by state, without and with transaction.version 2.
var golden = []struct {
	level int16
	state State
	value string
}{
	{0, Empty, "00000000011f71fb04cb00070000ea6000ffffffff0000018bcfe568020000018bcfe56801"},
	{0, Ongoing, "00000000011f71fb04cb00070000ea60010000000100017400000001000000030000018bcfe568020000018bcfe56801"},
	{0, PrepareCommit, "00000000011f71fb04cb00070000ea60020000000100017400000001000000030000018bcfe568020000018bcfe56801"},
	{0, CompleteAbort, "00000000011f71fb04cb00070000ea6005000000000000018bcfe568020000018bcfe56801"},
	{2, Empty, "00010000011f71fb04cb00070000ea6000000000018bcfe568020000018bcfe56801020008000000000000004d02020002"},
	{2, Ongoing, "00010000011f71fb04cb00070000ea60010202740200000003000000018bcfe568020000018bcfe56801020008000000000000004d02020002"},
	{2, PrepareCommit, "00010000011f71fb04cb00070000ea60020202740200000003000000018bcfe568020000018bcfe56801030008000000000000004d0108000000000000006302020002"},
	{2, CompleteAbort, "00010000011f71fb04cb00070000ea6005010000018bcfe568020000018bcfe56801020008000000000000004d02020002"},
}

func goldenMetadata(level int16, s State) Metadata {
	m := Metadata{
		ProducerID: 1234567890123, PreviousID: 77, NextID: noID, Epoch: 7, TimeoutMS: 60000, State: s,
		StartMS: 1700000000001, UpdatedMS: 1700000000002, ClientVer: level, lastEpoch: noEpoch,
	}
	if s == Ongoing || s == PrepareCommit {
		m.Partitions = Partitions{{"t", []int32{3}}}
	}
	if s == PrepareCommit {
		m.NextID = 99
	}
	return m
}

func TestRecordsAreKafkasToTheByte(t *testing.T) {
	for _, g := range golden {
		m := goldenMetadata(g.level, g.state)
		r := record("my-id", &m, g.level)
		if got := hex.EncodeToString(r.Key); got != "000000056d792d6964" {
			t.Errorf("key: %s", got)
		}
		if got := hex.EncodeToString(r.Value); got != g.value {
			t.Errorf("%d %s:\nwant %s\n got %s", g.level, g.state, g.value, got)
		}
		if g.level == 0 {
			m.PreviousID, m.NextID = noID, noID // which the older form has no place for
		}
		if got, err := readValue(r.Value); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%d %s: read as %+v, %v", g.level, g.state, got, err)
		}
	}
	if r := record("my-id", nil, 2); r.Value != nil {
		t.Error("a tombstone has a value")
	}
}

func TestWhatCannotBeReadChangesNothing(t *testing.T) {
	w := newWorld()
	w.init("init", "x")
	before := w.c.Digest()
	good := record("x", &w.c.ids["x"].Metadata, 2)
	later := append([]byte{0, 2}, good.Value[2:]...)
	dead := append([]byte{}, good.Value...)
	dead[16] = byte(Dead)
	for name, c := range map[string]struct {
		rec coordinator.Record
		ok  bool
	}{
		"no key":               {coordinator.Record{Value: good.Value}, false},
		"half a key":           {coordinator.Record{Key: good.Key[:4], Value: good.Value}, false},
		"a key of another day": {coordinator.Record{Key: []byte{0, 9, 1}, Value: good.Value}, true},
		"an empty value":       {coordinator.Record{Key: good.Key, Value: []byte{}}, false},
		"half a value":         {coordinator.Record{Key: good.Key, Value: good.Value[:20]}, false},
		"a later version":      {coordinator.Record{Key: good.Key, Value: later}, false},
		"a state of no record": {coordinator.Record{Key: good.Key, Value: dead}, false},
	} {
		if err := w.c.Replay(coordinator.Position{}, c.rec); (err == nil) != c.ok {
			t.Errorf("%s: error %v", name, err)
		}
		if w.c.Digest() != before {
			t.Errorf("%s: changed the state", name)
		}
	}
}

func FuzzAValueIsReadOrRefused(f *testing.F) {
	for _, g := range golden {
		b, _ := hex.DecodeString(g.value)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readValue(b)
		if err != nil {
			return
		}
		again, err := readValue(record("x", &m, 2).Value)
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

// A value announces four thousand million tagged fields behind itself.
func TestAValueThatAnnouncesMoreTaggedFieldsThanItHasIsRefused(t *testing.T) {
	if _, err := readValue([]byte("\x00\x01\x00\x00\x01\x1f\xce\x01\xe5\xcf\x00\a\x00\x00\xea`\x02\x02\x02t\x00\xff\xff\xff\xff\x0f\x01\x00\x80\x00")); err == nil {
		t.Fatal("it is taken")
	}
}
