package wire

import (
	"math"

	"github.com/seedlog/seedlog/core/kerr"
)

// NoOperations stands for authorized operations that were not asked for.
const NoOperations = math.MinInt32

// MetadataResponse answers a Metadata request.
type MetadataResponse struct {
	ThrottleMS        int32 // v3+
	Brokers           []NodeEndpoint
	ClusterID         string // v2+
	ControllerID      int32  // v1+; -1: unknown
	Topics            []MetadataTopicResult
	ClusterOperations int32     // v8 to v10; a bit set, or NoOperations
	Code              kerr.Code // v13+
}

// MetadataTopicResult is one topic's answer.
type MetadataTopicResult struct {
	Code       kerr.Code
	Name       string
	NoName     bool     // asked for by an id that is unknown: the name is null from v12 on, and empty before
	ID         [16]byte // v10+
	Internal   bool     // v1+
	Partitions []MetadataPartition
	Operations int32 // v8+; a bit set, or NoOperations
}

// MetadataPartition is one partition's state.
type MetadataPartition struct {
	Code        kerr.Code
	Partition   int32
	Leader      int32 // -1: none
	LeaderEpoch int32 // v7+
	Replicas    []int32
	ISR         []int32
	Offline     []int32 // v5+
}

// AppendMetadataResponse writes the whole frame of an answer.
func AppendMetadataResponse(dst []byte, version int16, corr int32, m *MetadataResponse) []byte {
	flex := version >= metadataFlexible
	dst, start := StartFrame(dst)
	dst = AppendResponseHeader(dst, keyMetadata, version, corr)
	if version >= metadataThrottle {
		dst = AppendInt32(dst, m.ThrottleMS)
	}
	dst = AppendArray(dst, flex, len(m.Brokers))
	for i := range m.Brokers {
		dst = appendBroker(dst, version, flex, &m.Brokers[i])
	}
	if version >= metadataClusterID {
		dst = AppendStringOrNull(dst, flex, m.ClusterID)
	}
	if version >= 1 {
		dst = AppendInt32(dst, m.ControllerID)
	}
	dst = AppendArray(dst, flex, len(m.Topics))
	for i := range m.Topics {
		dst = m.Topics[i].append(dst, version, flex)
	}
	if version >= metadataOperations && version <= metadataClusterOperations {
		dst = AppendInt32(dst, m.ClusterOperations)
	}
	if version >= metadataCode {
		dst = AppendInt16(dst, int16(m.Code))
	}
	return FinishFrame(AppendNoTags(dst, flex), start, 0)
}

func appendBroker(dst []byte, version int16, flex bool, b *NodeEndpoint) []byte {
	dst = AppendInt32(dst, b.ID)
	dst = AppendString(dst, flex, b.Host)
	dst = AppendInt32(dst, b.Port)
	if version >= 1 {
		dst = AppendStringOrNull(dst, flex, b.Rack)
	}
	return AppendNoTags(dst, flex)
}

func (t *MetadataTopicResult) append(dst []byte, version int16, flex bool) []byte {
	dst = AppendInt16(dst, int16(t.Code))
	if t.NoName && version >= metadataNullName {
		dst = AppendNull(dst, flex)
	} else {
		dst = AppendString(dst, flex, t.Name)
	}
	if version >= metadataTopicIDs {
		dst = AppendUUID(dst, t.ID)
	}
	if version >= 1 {
		dst = AppendBool(dst, t.Internal)
	}
	dst = AppendArray(dst, flex, len(t.Partitions))
	for i := range t.Partitions {
		dst = t.Partitions[i].append(dst, version, flex)
	}
	if version >= metadataOperations {
		dst = AppendInt32(dst, t.Operations)
	}
	return AppendNoTags(dst, flex)
}

func (p *MetadataPartition) append(dst []byte, version int16, flex bool) []byte {
	dst = AppendInt16(dst, int16(p.Code))
	dst = AppendInt32(dst, p.Partition)
	dst = AppendInt32(dst, p.Leader)
	if version >= metadataLeaderEpoch {
		dst = AppendInt32(dst, p.LeaderEpoch)
	}
	dst = AppendInt32s(dst, flex, p.Replicas)
	dst = AppendInt32s(dst, flex, p.ISR)
	if version >= metadataOffline {
		dst = AppendInt32s(dst, flex, p.Offline)
	}
	return AppendNoTags(dst, flex)
}
