package wire

import (
	"bytes"
	"testing"
)

func TestATaggedFieldOfOnePartitionDoesNotLeakIntoTheNext(t *testing.T) {
	// Fetch v18, one topic, two partitions of which the first has both tagged fields.
	part := "00000001 00000002 0000000000000003 00000004 0000000000000005 00000006"
	body := fromHex(t, "00000000 00000000 00000000 00 00000000 00000000"+
		"02 00000000000000000000000000000001 03"+part+"02 00 10 000000000000000000000000000000aa 01 08 0000000000000007"+part+"00 00 01 01 00")
	var q FetchRequest
	if !q.Decode(18, body) || len(q.Parts) != 2 {
		t.Fatalf("%+v", q)
	}
	if p := q.Parts[0]; p.DirectoryID[15] != 0xaa || p.HighWatermark != 7 {
		t.Errorf("first: %+v", p)
	}
	if p := q.Parts[1]; p.DirectoryID != [16]byte{} || p.HighWatermark != FetchHighWatermarkOff {
		t.Errorf("second: %+v", p)
	}
}

func TestDecodersForgetTheirLastRequest(t *testing.T) {
	var f FetchRequest
	f.Decode(18, fetchOfTwo(18))
	if !f.Decode(4, fetchOfTwo(4)) || f.ClusterID != nil || f.Rack != nil || f.Forgotten != nil && len(f.Forgotten) > 0 || f.ReplicaID != -1 {
		t.Errorf("%+v", f)
	}
	var p ProduceRequest
	p.Decode(9, produceOfTwo(9))
	if !p.Decode(3, fromHex(t, "ffff 0001 00000000 00000000")) || p.HasTxnID || p.TransactionalID != nil || len(p.Parts) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestTheReplicaStateOfAFetchIsReadFromV15On(t *testing.T) {
	var f FetchRequest
	for v := int16(12); v <= FetchMax; v++ {
		if want := v >= 15; !f.Decode(v, fetchOfTwo(v)) || (f.ReplicaID == 3) != want {
			t.Errorf("v%d: replica id %d", v, f.ReplicaID)
		}
	}
	malformed := fromHex(t, "00000000 00000000 00000000 00 00000000 00000000 01 01 01  01 01 0d 00000001 0000000000000002 05")
	if f.Decode(15, malformed) {
		t.Error("a replica state that ends in the midst of its tagged fields is taken")
	}
}

func TestMorePartitionsThanTheLimitAreRefused(t *testing.T) {
	var p ProduceRequest
	var f FetchRequest
	var m MetadataRequest
	for _, n := range []int{maxParts, maxParts + 1} {
		want := n == maxParts
		count := AppendInt32(nil, int32(n))
		topic := append(fromHex(t, "00000001 0001 74"), count...)
		body := append(append(fromHex(t, "ffff 0001 00000000"), topic...), bytes.Repeat(fromHex(t, "00000000 ffffffff"), n)...)
		if got := p.Decode(3, body); got != want {
			t.Errorf("produce, %d: %v", n, got)
		}
		body = append(append(fromHex(t, "ffffffff 00000000 00000000 00000000 00"), topic...), make([]byte, n*16)...)
		if got := f.Decode(4, body); got != want {
			t.Errorf("fetch, %d: %v", n, got)
		}
		if got := m.Decode(1, append(count, make([]byte, n*2)...)); got != want {
			t.Errorf("metadata, %d: %v", n, got)
		}
	}
	if p.Decode(3, produceOfTwo(3)); cap(p.Parts) >= maxParts {
		t.Error("one large request's memory is kept for ever")
	}
}

func TestMetadataAsksForAllTopicsInTheFormOfItsVersion(t *testing.T) {
	for _, c := range []struct {
		version int16
		body    string
		all, ok bool
	}{
		{0, "00000000", true, true},
		{0, "ffffffff", false, false},
		{1, "00000000", false, true},
		{1, "ffffffff", true, true},
		{1, "fffffffe", true, true}, // any negative number is null
		{9, "00 01 00 00 00", true, true},
		{9, "01 01 00 00 00", false, true},
		{9, "ffffffff0f 01 00 00 00", true, true},
	} {
		var q MetadataRequest
		if ok := q.Decode(c.version, fromHex(t, c.body)); ok != c.ok || ok && q.AllTopics != c.all {
			t.Errorf("v%d %s: %v, %+v", c.version, c.body, ok, q)
		}
	}
}

func TestANullableStructIsNullForAnyNegativeByte(t *testing.T) {
	// DescribeTopicPartitions v0: no topics, limit 1, no cursor.
	for _, mark := range []string{"ff", "fe", "80"} {
		if _, ok := Cold(75, 0, fromHex(t, "01 00000001"+mark+"00")); !ok {
			t.Errorf("%s is not null", mark)
		}
	}
	if _, ok := Cold(75, 0, fromHex(t, "01 00000001 01 02 74 00000001 00 00")); !ok {
		t.Error("a cursor is refused")
	}
}
