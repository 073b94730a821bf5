package wire

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/kerr"
)

// ProduceResponse answers a Produce request, flattened like it.
type ProduceResponse struct {
	ThrottleMS int32
	Parts      []ProduceResult
	Nodes      []NodeEndpoint // leaders that CurrentLeader names, v10+ (KIP-951)
}

// ProduceResult is one partition's answer.
type ProduceResult struct {
	Topic          []byte
	TopicID        [16]byte
	NewTopic       bool // the first of its topic; Parts[0] is one
	Partition      int32
	Code           kerr.Code
	BaseOffset     int64 // -1 with an error
	LogAppendTime  int64 // ms; -1 unless message.timestamp.type=LogAppendTime
	LogStartOffset int64 // v5+; -1 with an error
	ErrorRecords   []RecordError
	Message        string        // v8+; empty is sent as null
	CurrentLeader  CurrentLeader // v10+
}

// RecordError tells which record of a refused batch is to blame (KIP-467).
type RecordError struct {
	Index   int32 // position in the batch, from 0
	Message string
}

// CurrentLeader tells a client that asked the wrong broker where to go (KIP-951). It is sent only if Known; -1 is no leader.
type CurrentLeader struct {
	Known bool
	ID    int32
	Epoch int32
}

// NodeEndpoint is a broker's address on the listener that the request came in by.
type NodeEndpoint struct {
	ID   int32
	Host string
	Port int32
	Rack string // empty is sent as null
}

// AppendProduceResponse writes the whole frame of an answer.
func AppendProduceResponse(dst []byte, version int16, corr int32, p *ProduceResponse) []byte {
	flex := version >= produceFlexible
	dst, start := StartFrame(dst)
	dst = AppendResponseHeader(dst, keyProduce, version, corr)
	dst = AppendArray(dst, flex, p.topics())
	for i := 0; i < len(p.Parts); {
		assert.That(p.Parts[i].NewTopic, "a run of produce results begins with NewTopic")
		end := i + 1
		for end < len(p.Parts) && !p.Parts[end].NewTopic {
			end++
		}
		dst = appendTopicKey(dst, flex, version >= produceTopicIDs, p.Parts[i].Topic, &p.Parts[i].TopicID)
		dst = AppendArray(dst, flex, end-i)
		for ; i < end; i++ {
			dst = p.Parts[i].append(dst, version, flex)
		}
		dst = AppendNoTags(dst, flex)
	}
	dst = AppendInt32(dst, p.ThrottleMS)
	if version >= produceCurrentLeader {
		dst = appendNodes(dst, p.Nodes)
	} else {
		dst = AppendNoTags(dst, flex)
	}
	return FinishFrame(dst, start, 0)
}

func (p *ProduceResponse) topics() (n int) {
	for i := range p.Parts {
		if p.Parts[i].NewTopic {
			n++
		}
	}
	return n
}

func (p *ProduceResult) append(dst []byte, version int16, flex bool) []byte {
	dst = AppendInt32(dst, p.Partition)
	dst = AppendInt16(dst, int16(p.Code))
	dst = AppendInt64(dst, p.BaseOffset)
	dst = AppendInt64(dst, p.LogAppendTime)
	if version >= produceLogStart {
		dst = AppendInt64(dst, p.LogStartOffset)
	}
	if version >= produceRecordErrors {
		dst = AppendArray(dst, flex, len(p.ErrorRecords))
		for i := range p.ErrorRecords {
			dst = AppendInt32(dst, p.ErrorRecords[i].Index)
			dst = AppendStringOrNull(dst, flex, p.ErrorRecords[i].Message)
			dst = AppendNoTags(dst, flex)
		}
		dst = AppendStringOrNull(dst, flex, p.Message)
	}
	if version < produceCurrentLeader || !p.CurrentLeader.Known {
		return AppendNoTags(dst, flex)
	}
	return p.CurrentLeader.appendTag(append(dst, 1), 0)
}

// appendTag writes the leader as the tagged field of that number.
func (l CurrentLeader) appendTag(dst []byte, tag byte) []byte {
	dst = append(dst, tag, 4+4+1)
	dst = AppendInt32(dst, l.ID)
	dst = AppendInt32(dst, l.Epoch)
	return append(dst, 0)
}

// appendNodes ends a response with its tagged fields: the endpoints as tag 0, or none.
func appendNodes(dst []byte, nodes []NodeEndpoint) []byte {
	if len(nodes) == 0 {
		return append(dst, 0)
	}
	dst, at := startTag(append(dst, 1), 0)
	dst = AppendArray(dst, true, len(nodes))
	for i := range nodes {
		dst = AppendInt32(dst, nodes[i].ID)
		dst = AppendString(dst, true, nodes[i].Host)
		dst = AppendInt32(dst, nodes[i].Port)
		dst = AppendStringOrNull(dst, true, nodes[i].Rack)
		dst = append(dst, 0)
	}
	return finishTag(dst, at)
}

// appendTopicKey is the inverse of topicKey.
func appendTopicKey[S text](dst []byte, flex, byID bool, name S, id *[16]byte) []byte {
	if byID {
		return append(dst, id[:]...)
	}
	return AppendString(dst, flex, name)
}
