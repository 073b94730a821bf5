package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/wire"
)

// Entry is one API: its versions, and one of the two kinds of handler. Hot handlers decode in place; cold ones get what kmsg decoded.
type Entry struct {
	Key, Min, Max int16
	Name          string
	hot           func(*Request)
	cold          func(*Request, kmsg.Request)
}

// Table is all that is served, by key; ApiVersions advertises it. Versions as Apache Kafka 4.3.1. Produce 0-2 are advertised, since old
// librdkafka asks for them, and refused, as Kafka does (KIP-896).
var Table []Entry

// maxKeys is above the highest key.
const maxKeys = 96

// byKey finds an entry.
var byKey [maxKeys]*Entry

func init() {
	Table = []Entry{
		{keyProduce, 0, 13, "Produce", produce, nil},
		{keyFetch, 4, 18, "Fetch", fetch, nil},
		{2, 1, 11, "ListOffsets", nil, listOffsets},
		{3, 0, 13, "Metadata", nil, metadataRequest},
		{8, 2, 10, "OffsetCommit", nil, oneGroup},
		{9, 1, 10, "OffsetFetch", nil, offsetFetch},
		{10, 0, 6, "FindCoordinator", nil, findCoordinator},
		{11, 0, 9, "JoinGroup", nil, oneGroup},
		{12, 0, 4, "Heartbeat", nil, oneGroup},
		{13, 0, 5, "LeaveGroup", nil, oneGroup},
		{14, 0, 5, "SyncGroup", nil, oneGroup},
		{15, 0, 6, "DescribeGroups", nil, describeGroups},
		{16, 0, 5, "ListGroups", nil, listGroups},
		{keyApiVersions, 0, 4, "ApiVersions", nil, apiVersions},
		{19, 2, 7, "CreateTopics", nil, toController},
		{20, 1, 6, "DeleteTopics", nil, toController},
		{21, 0, 2, "DeleteRecords", nil, deleteRecords},
		{22, 0, 5, "InitProducerId", nil, initProducerID},
		{23, 2, 4, "OffsetForLeaderEpoch", nil, offsetForLeaderEpoch},
		{32, 1, 4, "DescribeConfigs", nil, describeConfigs},
		{33, 0, 2, "AlterConfigs", nil, toController},
		{35, 1, 5, "DescribeLogDirs", nil, describeLogDirs},
		{37, 0, 3, "CreatePartitions", nil, toController},
		{42, 0, 2, "DeleteGroups", nil, deleteGroups},
		{44, 0, 1, "IncrementalAlterConfigs", nil, toController},
		{47, 0, 0, "OffsetDelete", nil, oneGroup},
		{60, 0, 2, "DescribeCluster", nil, describeCluster},
		{75, 0, 0, "DescribeTopicPartitions", nil, describeTopicPartitions},
	}
	for i := range Table {
		byKey[Table[i].Key] = &Table[i]
	}
}

// Start begins a request. The connection calls it when it is the request's turn to begin.
func (s *State) Start(r *Request) {
	var e *Entry
	if r.Key >= 0 && int(r.Key) < len(byKey) {
		e = byKey[r.Key]
	}
	if r.Key == keyApiVersions && r.Version > e.Max || r.Key == keyApiVersions && r.Version < 0 {
		r.Version = 0
		resp := s.versions(0)
		resp.ErrorCode = code(kerr.UnsupportedVersion)
		r.answer(resp)
		return
	}
	if e == nil || r.Version < e.Min || r.Version > e.Max || r.Key == keyProduce && r.Version < 3 {
		r.Close()
		return
	}
	if e.hot != nil {
		e.hot(r)
		return
	}
	req, ok := wire.Cold(r.Key, r.Version, r.body)
	if !ok {
		r.Close()
		return
	}
	e.cold(r, req)
}

// Encode appends the response of a request that is done to the effects.
func (s *State) Encode(r *Request) {
	out := s.Env.Out
	if r.Key == keyFetch {
		r.encodeFetch()
		return
	}
	from := len(out.Arena)
	if r.Key == keyProduce {
		out.Arena = r.encodeProduce(out.Arena)
	} else {
		out.Arena = r.encodeCold(out.Arena)
	}
	s.send(r, from)
}

func (r *Request) encodeCold(dst []byte) []byte {
	dst, start := wire.StartFrame(dst)
	r.resp.SetVersion(r.Version)
	dst = wire.AppendResponseHeader(dst, r.Key, r.Version, r.Corr)
	dst = wire.AppendCold(dst, r.resp)
	return wire.FinishFrame(dst, start, 0)
}
