package client

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/sim/coverage"
	"github.com/seedlog/seedlog/sim/history"
)

func TestWhatClientsAskAndAreToldIsCounted(t *testing.T) {
	s := &Shared{Seen: coverage.NewTally()}
	q := kmsg.NewPtrProduceRequest()
	q.SetVersion(9)
	q.Acks = -1
	batch := appendBatch(nil, &batchSpec{codec: codecZstd, pid: 7, seq: 1<<31 - 1, values: make([]history.Record, 5)})
	q.Topics = []kmsg.ProduceRequestTopic{{Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch}, {Records: []byte("x")}}}}
	s.asked(q)
	r := q.ResponseKind().(*kmsg.ProduceResponse)
	r.Topics = []kmsg.ProduceResponseTopic{{Partitions: []kmsg.ProduceResponseTopicPartition{{}, {ErrorCode: int16(kerr.CorruptMessage)}}}}
	s.told(r)
	s.told(kmsg.NewPtrProduceResponse())
	n := s.Seen.Counts()
	for _, name := range []string{"ask Produce v9", "produce acks -1", "batch codec zstd", "batch records 2^2", "batch of an idempotent producer",
		"batch whose sequence wraps", "batch without a head of magic 2", "told Produce CORRUPT_MESSAGE", "told Produce NONE"} {
		require.EqualValues(t, 1, n[name], name)
	}
	(&Shared{}).asked(q)
	(&Shared{}).told(r) // nobody counts
}

func TestErrorCodesAreFoundAtAnyDepth(t *testing.T) {
	s := &Shared{Seen: coverage.NewTally()}
	r := kmsg.NewPtrOffsetFetchResponse()
	r.Groups = []kmsg.OffsetFetchResponseGroup{{ErrorCode: int16(kerr.NotCoordinator), Topics: []kmsg.OffsetFetchResponseGroupTopic{
		{Partitions: []kmsg.OffsetFetchResponseGroupTopicPartition{{ErrorCode: int16(kerr.UnstableOffsetCommit)}}}}}}
	s.told(r)
	require.Equal(t, map[string]int64{"told OffsetFetch NOT_COORDINATOR": 1, "told OffsetFetch UNSTABLE_OFFSET_COMMIT": 1}, s.Seen.Counts())
}
