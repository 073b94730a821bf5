package client

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

func values(from int64, n int) []history.Record {
	rs := make([]history.Record, n)
	for i := range rs {
		rs[i] = history.Record{Offset: from + int64(i), Value: history.MakeValue(3, int64(i)*1000)}
	}
	return rs
}

// at writes a base offset, as a broker does: it lies outside the CRC.
func at(b []byte, base int64) []byte {
	binary.BigEndian.PutUint64(b, uint64(base))
	return b
}

func TestABatchOfEachCodecIsReadBack(t *testing.T) {
	for codec := int8(0); codec < codecs; codec++ {
		for _, keyed := range []bool{false, true} {
			for _, pad := range []int{0, 1, 200} {
				want := values(7, 40)
				b := at(appendBatch(nil, &batchSpec{codec: codec, pid: 5, epoch: 1, seq: 9, wall: 1e12, keyed: keyed, pad: pad, values: want}), 7)
				s := readBatches(b, 0)
				require.Empty(t, s.bad)
				require.Equal(t, want, s.records)
				require.Equal(t, int64(47), s.next)
				s = readBatches(b, 20)
				require.Equal(t, want[13:], s.records, "from the middle of a batch")
			}
		}
	}
}

// kmsg is a second opinion on the format.
func TestKmsgReadsOurBatches(t *testing.T) {
	b := appendBatch(nil, &batchSpec{pid: 5, epoch: 1, seq: 9, wall: 1e12, keyed: true, pad: 3, values: values(0, 2)})
	var rb kmsg.RecordBatch
	require.NoError(t, rb.ReadFrom(b))
	require.Equal(t, int32(2), rb.NumRecords)
	require.Equal(t, int64(5), rb.ProducerID)
	require.Equal(t, int32(9), rb.FirstSequence)
	require.Equal(t, int32(1), rb.LastOffsetDelta)
	size, k := binary.Varint(rb.Records)
	var r kmsg.Record
	require.NoError(t, r.ReadFrom(rb.Records[:int64(k)+size]))
	require.True(t, strings.HasPrefix(string(r.Value), "v3.0 "))
	require.Len(t, r.Key, 8)
}

func TestWhatNoBrokerMayServeIsNamed(t *testing.T) {
	two := func() []byte {
		b := at(appendBatch(nil, &batchSpec{pid: -1, values: values(0, 3)}), 10)
		return append(b, at(appendBatch(nil, &batchSpec{pid: -1, values: values(0, 2)}), 13)...)
	}
	first := len(two()) - len(appendBatch(nil, &batchSpec{pid: -1, values: values(0, 2)}))
	be := binary.BigEndian
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		bad   string
	}{
		"nothing":       {func(b []byte) []byte { return b }, ""},
		"a cut tail":    {func(b []byte) []byte { return b[:len(b)-1] }, ""},
		"a cut header":  {func(b []byte) []byte { return b[:first+5] }, ""},
		"only a piece":  {func(b []byte) []byte { return b[:first-1] }, "without one whole batch"},
		"a flipped bit": {func(b []byte) []byte { b[first-2] ^= 1; return b }, "bad CRC"},
		"magic 1":       {func(b []byte) []byte { b[batchMagic] = 1; return b }, "magic 1"},
		"a gap":         {func(b []byte) []byte { be.PutUint64(b[first:], 14); return b }, "gap"},
		"an overlap":    {func(b []byte) []byte { be.PutUint64(b[first:], 12); return b }, "gap"},
		"too low":       {func(b []byte) []byte { be.PutUint64(b, 0); return b }, "below the position"},
		"a wrong count": {func(b []byte) []byte {
			be.PutUint32(b[batchCount:], 2)
			be.PutUint32(b[batchCRC:], crcOf(b[:first]))
			return b
		}, "count 2"},
		"a negative length": {func(b []byte) []byte { be.PutUint32(b[batchLength:], 0xfffffff0); return b }, "batch of"},
		"a bad record":      {func(b []byte) []byte { b[batchHeader] = 200; be.PutUint32(b[batchCRC:], crcOf(b[:first])); return b }, "record 0"},
	} {
		s := readBatches(c.spoil(two()), 10)
		if c.bad == "" {
			require.Empty(t, s.bad, name)
			continue
		}
		require.Contains(t, s.bad, c.bad, name)
	}
}

func TestAnAnswerThatDoesNotFitItsRequestIsNamed(t *testing.T) {
	req := kmsg.NewPtrHeartbeatRequest()
	req.SetVersion(4)
	p := func() pending { return pending{corr: 7, api: 12, resp: req.ResponseKind()} }
	good := []byte{0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 27, 0}
	q := p()
	require.Empty(t, decode(q, good))
	require.Equal(t, int16(27), q.resp.(*kmsg.HeartbeatResponse).ErrorCode)
	require.Contains(t, decode(p(), []byte{0, 0}), "no correlation id")
	require.Contains(t, decode(p(), append([]byte{0, 0, 0, 8}, good[4:]...)), "correlation id 8")
	require.Contains(t, decode(p(), []byte{0, 0, 0, 7, 200}), "tags")
	require.NotEmpty(t, decode(p(), good[:8]))
}

func TestSequencesWrapAsKafkaWrapsThem(t *testing.T) {
	require.Equal(t, int32(0), addSequence(1<<31-1, 1))
	require.Equal(t, int32(1), addSequence(1<<31-2, 3))
	require.Equal(t, int32(9), addSequence(4, 5))
}

func TestTheRangeAssignorGivesEachPartitionOnce(t *testing.T) {
	topics := []topicInfo{{name: "a", parts: 5}, {name: "b", parts: 2}}
	var members []kmsg.JoinGroupResponseMember
	for i, subs := range [][]string{{"a", "b"}, {"a"}, {"a", "b"}} {
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Topics = subs
		m := kmsg.NewJoinGroupResponseMember()
		m.MemberID, m.ProtocolMetadata = string(rune('x'+i)), meta.AppendTo(nil)
		members = append(members, m)
	}
	got := map[string]map[int32]string{"a": {}, "b": {}}
	for _, a := range rangeAssign(members, topics) {
		var as kmsg.ConsumerMemberAssignment
		require.NoError(t, as.ReadFrom(a.MemberAssignment))
		for _, tp := range as.Topics {
			for _, p := range tp.Partitions {
				require.Empty(t, got[tp.Topic][p])
				got[tp.Topic][p] = a.MemberID
			}
		}
	}
	require.Equal(t, map[string]map[int32]string{"a": {0: "x", 1: "x", 2: "y", 3: "y", 4: "z"}, "b": {0: "x", 1: "z"}}, got)
}

func FuzzReadBatches(f *testing.F) {
	for codec := int8(0); codec < codecs; codec++ {
		f.Add(appendBatch(nil, &batchSpec{codec: codec, pid: -1, values: values(0, 3)}), int64(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, from int64) {
		s := readBatches(b, from)
		for _, r := range s.records {
			if s.bad == "" && r.Offset < from {
				t.Fatalf("offset %d below %d", r.Offset, from)
			}
		}
	})
}
