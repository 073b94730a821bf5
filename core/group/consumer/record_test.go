package consumer

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
)

type noRules struct{}

func (noRules) MemberExpired(*Group, string, Timer) {}

func newGroup() *Group {
	e := env.New(0, nil, prng.New(1))
	e.Out = &step.Effects{}
	return New(e, noRules{}, "g")
}

func sample() Member {
	id := [16]byte{15: 7}
	return Member{
		ID: "m", Epoch: 5, PreviousEpoch: 4, State: UnrevokedPartitions, InstanceID: "i", ClientID: "c", ClientHost: "/h", RebalanceTimeoutMS: 9,
		Topics: []string{"a", "b"}, Regex: "r", Assignor: "range", Classic: &Classic{SessionTimeoutMS: 3, Protocols: []classic.Protocol{{Name: "p", Metadata: []byte{1}}}},
		Assigned: Assignment{{TopicID: id, Numbers: []int32{0, 2}, Epochs: []int32{4, 5}}}, Revoking: Assignment{{TopicID: id, Numbers: []int32{1}, Epochs: []int32{3}}},
	}
}

func samples() []coordinator.Record {
	m := sample()
	simple := m
	simple.Classic, simple.InstanceID, simple.Assignor, simple.Regex = nil, "", "", ""
	return []coordinator.Record{
		memberRecord("g", &m), memberRecord("g", &simple), metadataRecord("g", 6, 1), metadataRecord("g", 6, 0), targetMetadataRecord("g", 6, 2),
		targetRecord("g", "m", Assignment{{TopicID: [16]byte{15: 7}, Numbers: []int32{0, 2}}}), currentRecord("g", &m),
		regexRecord("g", "r", &Resolved{Topics: []string{"a"}, Version: 1, AtMS: 2}), tombstone(KeyPartitionMetadata, "g", ""), tombstone(KeyRegex, "g", "r"),
	}
}

// The forms are those that DumpLogSegments of Apache Kafka 4.3.1 shows as what they are here.
func TestRecordsHaveTheBytesThatKafkaReads(t *testing.T) {
	want := []string{
		"0005000167000 16d 0000 0269 00 0263 032f68 03 0261 0262 0272 00000009 0672616e6765 01 00 0c 01 00000003 02 0270 0201 00 00",
		"0005000167000 16d 0000 00 00 0263 032f68 03 0261 0262 01 00000009 00 01 00 01 00",
		"0003000167 0000 00000006 01 00 08 0000000000000001",
		"0003000167 0000 00000006 00",
		"0006000167 0000 00000006 01 00 08 0000000000000002",
		"0007000167000 16d 0000 02 00000000000000000000000000000007 03 00000000 00000002 00 00",
		"0008000167000 16d 0000 00000005 00000004 01 02 00000000000000000000000000000007 03 00000000 00000002 01 00 09 03 00000004 00000005 " +
			"02 00000000000000000000000000000007 02 00000001 01 00 05 02 00000003 00",
		"0010000167000 172 0000 02 0261 0000000000000001 0000000000000002 00",
		"0004000167",
		"0010000167000 172",
	}
	for i, r := range samples() {
		w, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(want[i]), []byte(" "), nil)))
		if got := append(bytes.Clone(r.Key), r.Value...); err != nil || !bytes.Equal(got, w) {
			t.Errorf("record %d: want %x (%v), got %x", i, w, err, got)
		}
	}
}

func TestAMemberIsReadBackAsItWasWritten(t *testing.T) {
	g, m := newGroup(), sample()
	for _, r := range []coordinator.Record{memberRecord("g", &m), currentRecord("g", &m)} {
		k, err := ReadKey(r.Key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Replay(k, r.Value); err != nil {
			t.Fatal(err)
		}
	}
	if got := *g.Member("m"); !reflect.DeepEqual(got, m) {
		t.Errorf("want %+v, got %+v", m, got)
	}
	again := newGroup()
	for _, r := range g.Records() {
		k, _ := ReadKey(r.Key)
		if _, err := again.Replay(k, r.Value); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(again.Records(), g.Records()) {
		t.Error("a group that was made of a group's records has others")
	}
}

func TestCurrentAssignmentsOfOlderBrokersCountFromTheMembersEpoch(t *testing.T) {
	m := Member{ID: "m", Epoch: -2, PreviousEpoch: -2, Assigned: Assignment{{TopicID: [16]byte{1}, Numbers: []int32{3}}}}
	r := currentRecord("g", &m)
	if err := readCurrent(r.Value, &m); err != nil {
		t.Fatal(err)
	}
	if e, ok := m.Assigned.Epoch([16]byte{1}, 3); !ok || e != 0 {
		t.Errorf("want epoch 0, got %d %v", e, ok)
	}
}

// FuzzReplay feeds arbitrary records to a group.
func FuzzReplay(f *testing.F) {
	for _, r := range samples() {
		f.Add(r.Key, r.Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		k, err := ReadKey(key)
		if err != nil || !IsKey(k.Kind) {
			return
		}
		g := newGroup()
		before := g.Records()
		if _, err := g.Replay(k, value); err != nil && !reflect.DeepEqual(before, g.Records()) {
			t.Fatal("a record that cannot be read changed the group")
		}
		g.State()
		ReadSubscription(value)
		ReadAssignment(value)
	})
}
