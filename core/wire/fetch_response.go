package wire

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/kerr"
)

// A Fetch response is written in pieces, because the record bytes are file extents that never pass through memory:
//
//	StartFrame, AppendResponseHeader, AppendFetchHead
//	  AppendFetchTopic
//	    AppendFetchPartition  ← ends with the length of the records
//	    (RecordsLen bytes leave here, as an extent, or are appended by the caller)
//	    AppendFetchPartitionEnd
//	  AppendFetchTopicEnd
//	AppendFetchEnd, FinishFrame(…, bytes that left as extents)

// FetchHead is what precedes the topics.
type FetchHead struct {
	ThrottleMS int32
	Code       kerr.Code // v7+
	SessionID  int32     // v7+; 0: no session
}

// AbortedTxn tells a read_committed consumer to skip a producer's records from an offset on.
type AbortedTxn struct {
	ProducerID  int64
	FirstOffset int64
}

// FetchPartResult is one partition's answer without its records.
type FetchPartResult struct {
	Partition            int32
	Code                 kerr.Code
	HighWatermark        int64        // -1 with an error
	LastStableOffset     int64        // -1 with an error
	LogStartOffset       int64        // v5+; -1 with an error
	Aborted              []AbortedTxn // nil is sent as null, as Kafka does for read_uncommitted; otherwise not nil, if empty
	PreferredReadReplica int32        // v11+; -1: none
	RecordsLen           int32        // bytes that follow; 0 with an error, too
	Diverging            bool         // v12+: DivergingEpoch and DivergingEndOffset are sent (KIP-595)
	DivergingEpoch       int32
	DivergingEndOffset   int64
	CurrentLeader        CurrentLeader // v12+
	Sparse               int64         // ours, v12+: gaps between batches below are compaction's; 0: not said
}

// AppendFetchHead writes what precedes the topics, and their number.
func AppendFetchHead(dst []byte, version int16, h FetchHead, nTopics int) []byte {
	dst = AppendInt32(dst, h.ThrottleMS)
	if version >= fetchSessions {
		dst = AppendInt16(dst, int16(h.Code))
		dst = AppendInt32(dst, h.SessionID)
	}
	return AppendArray(dst, version >= fetchFlexible, nTopics)
}

// AppendFetchTopic begins a topic of nParts partitions.
func AppendFetchTopic[S text](dst []byte, version int16, name S, id [16]byte, nParts int) []byte {
	flex := version >= fetchFlexible
	dst = appendTopicKey(dst, flex, version >= fetchTopicIDs, name, &id)
	return AppendArray(dst, flex, nParts)
}

// AppendFetchPartition writes a partition up to and including the length of its records.
func AppendFetchPartition(dst []byte, version int16, p *FetchPartResult) []byte {
	assert.That(p.RecordsLen >= 0, "the length of records is not negative")
	flex := version >= fetchFlexible
	dst = AppendInt32(dst, p.Partition)
	dst = AppendInt16(dst, int16(p.Code))
	dst = AppendInt64(dst, p.HighWatermark)
	dst = AppendInt64(dst, p.LastStableOffset)
	if version >= fetchLogStart {
		dst = AppendInt64(dst, p.LogStartOffset)
	}
	dst = appendAborted(dst, flex, p.Aborted)
	if version >= fetchRack {
		dst = AppendInt32(dst, p.PreferredReadReplica)
	}
	return AppendArray(dst, flex, int(p.RecordsLen))
}

func appendAborted(dst []byte, flex bool, txns []AbortedTxn) []byte {
	if txns == nil {
		return AppendArray(dst, flex, -1)
	}
	dst = AppendArray(dst, flex, len(txns))
	for i := range txns {
		dst = AppendInt64(dst, txns[i].ProducerID)
		dst = AppendInt64(dst, txns[i].FirstOffset)
		dst = AppendNoTags(dst, flex)
	}
	return dst
}

// AppendFetchPartitionEnd writes what follows the records: the tagged fields.
func AppendFetchPartitionEnd(dst []byte, version int16, p *FetchPartResult) []byte {
	if version < fetchFlexible {
		return dst
	}
	n := byte(0)
	if p.Diverging {
		n++
	}
	if p.CurrentLeader.Known {
		n++
	}
	if p.Sparse > 0 {
		n++
	}
	dst = append(dst, n)
	if p.Diverging {
		dst = append(dst, 0, 4+8+1)
		dst = AppendInt32(dst, p.DivergingEpoch)
		dst = AppendInt64(dst, p.DivergingEndOffset)
		dst = append(dst, 0)
	}
	if p.CurrentLeader.Known {
		dst = p.CurrentLeader.appendTag(dst, 1)
	}
	if p.Sparse > 0 {
		dst = AppendInt64(append(binary.AppendUvarint(dst, tagPrivate), 8), p.Sparse)
	}
	return dst
}

// AppendFetchTopicEnd ends a topic.
func AppendFetchTopicEnd(dst []byte, version int16) []byte {
	return AppendNoTags(dst, version >= fetchFlexible)
}

// AppendFetchEnd ends the response with the endpoints of the leaders that CurrentLeader fields name, where the version has them (v16+).
func AppendFetchEnd(dst []byte, version int16, nodes []NodeEndpoint) []byte {
	if version >= fetchNodeEndpoints {
		return appendNodes(dst, nodes)
	}
	return AppendNoTags(dst, version >= fetchFlexible)
}
