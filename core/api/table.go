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
	where         listener // 0: clients
	controllers   bool     // the controller decides it
}

// listener says by which listeners an API is served, as the "listeners" of Kafka's message definitions.
type listener uint8

const (
	clients listener = 1 << iota // and brokers
	inner                        // controllers, and brokers that ask them
	both    = clients | inner
	nobody  = inner << 1 // the broker asks itself
)

// servedAt says whether an API is served to a client.
func (e *Entry) servedAt(c *Client) bool {
	if c.Inner {
		return e.where&inner != 0
	}
	return e.where == 0 || e.where&clients != 0
}

// ForClients says whether an API is served, and advertised, at the listeners of clients.
func (e *Entry) ForClients() bool { return e.servedAt(&Client{}) }

// ForControllers says whether an API is served at the controller listener.
func (e *Entry) ForControllers() bool { return e.servedAt(&Client{Inner: true}) }

// IsControllers says whether requests of a key are decided by the controller.
func IsControllers(key int16) bool {
	return key >= 0 && int(key) < len(byKey) && byKey[key] != nil && byKey[key].controllers
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
		{Key: keyProduce, Min: 0, Max: 13, Name: "Produce", hot: produce},
		{Key: keyFetch, Min: 4, Max: 18, Name: "Fetch", hot: fetch},
		{Key: 2, Min: 1, Max: 11, Name: "ListOffsets", cold: listOffsets},
		{Key: 3, Min: 0, Max: 13, Name: "Metadata", cold: metadataRequest},
		{Key: 8, Min: 2, Max: 10, Name: "OffsetCommit", cold: oneGroup},
		{Key: 9, Min: 1, Max: 10, Name: "OffsetFetch", cold: offsetFetch},
		{Key: 10, Min: 0, Max: 6, Name: "FindCoordinator", cold: findCoordinator},
		{Key: 11, Min: 0, Max: 9, Name: "JoinGroup", cold: oneGroup},
		{Key: 12, Min: 0, Max: 4, Name: "Heartbeat", cold: oneGroup},
		{Key: 13, Min: 0, Max: 5, Name: "LeaveGroup", cold: oneGroup},
		{Key: 14, Min: 0, Max: 5, Name: "SyncGroup", cold: oneGroup},
		{Key: 15, Min: 0, Max: 6, Name: "DescribeGroups", cold: describeGroups},
		{Key: 16, Min: 0, Max: 5, Name: "ListGroups", cold: listGroups},
		{Key: keyApiVersions, Min: 0, Max: 4, Name: "ApiVersions", cold: apiVersions, where: both},
		{Key: 19, Min: 2, Max: 7, Name: "CreateTopics", cold: toController, where: both, controllers: true},
		{Key: 20, Min: 1, Max: 6, Name: "DeleteTopics", cold: toController, where: both, controllers: true},
		{Key: 21, Min: 0, Max: 2, Name: "DeleteRecords", cold: deleteRecords},
		{Key: 22, Min: 0, Max: 5, Name: "InitProducerId", cold: initProducerID},
		{Key: 23, Min: 2, Max: 4, Name: "OffsetForLeaderEpoch", cold: offsetForLeaderEpoch},
		{Key: 24, Min: 0, Max: 5, Name: "AddPartitionsToTxn", cold: addPartitionsToTxn},
		{Key: 25, Min: 0, Max: 4, Name: "AddOffsetsToTxn", cold: addOffsetsToTxn},
		{Key: 26, Min: 0, Max: 5, Name: "EndTxn", cold: endTxn},
		{Key: 27, Min: 1, Max: 2, Name: "WriteTxnMarkers", cold: writeTxnMarkers},
		{Key: 28, Min: 0, Max: 5, Name: "TxnOffsetCommit", cold: oneGroup},
		{Key: 29, Min: 1, Max: 3, Name: "DescribeAcls", cold: describeACLs, where: both},
		{Key: 30, Min: 1, Max: 3, Name: "CreateAcls", cold: createACLs, where: both},
		{Key: 31, Min: 1, Max: 3, Name: "DeleteAcls", cold: deleteACLs, where: both},
		{Key: 32, Min: 1, Max: 4, Name: "DescribeConfigs", cold: describeConfigs, where: both},
		{Key: 33, Min: 0, Max: 2, Name: "AlterConfigs", cold: alterConfigs, where: both, controllers: true},
		{Key: 35, Min: 1, Max: 5, Name: "DescribeLogDirs", cold: describeLogDirs},
		{Key: 37, Min: 0, Max: 3, Name: "CreatePartitions", cold: toController, where: both, controllers: true},
		{Key: 38, Min: 1, Max: 3, Name: "CreateDelegationToken", cold: createToken},
		{Key: 39, Min: 1, Max: 2, Name: "RenewDelegationToken", cold: renewToken},
		{Key: 40, Min: 1, Max: 2, Name: "ExpireDelegationToken", cold: expireToken},
		{Key: 41, Min: 1, Max: 3, Name: "DescribeDelegationToken", cold: describeTokens},
		{Key: 42, Min: 0, Max: 2, Name: "DeleteGroups", cold: deleteGroups},
		{Key: 43, Min: 0, Max: 2, Name: "ElectLeaders", cold: toController, where: both, controllers: true},
		{Key: 44, Min: 0, Max: 1, Name: "IncrementalAlterConfigs", cold: alterConfigs, where: both, controllers: true},
		{Key: 45, Min: 0, Max: 1, Name: "AlterPartitionReassignments", cold: toController, where: both, controllers: true},
		{Key: 46, Min: 0, Max: 0, Name: "ListPartitionReassignments", cold: toController, where: both, controllers: true},
		{Key: 47, Min: 0, Max: 0, Name: "OffsetDelete", cold: oneGroup},
		{Key: 55, Min: 0, Max: 2, Name: "DescribeQuorum", cold: toController, where: both, controllers: true},
		{Key: 56, Min: 2, Max: 3, Name: "AlterPartition", cold: toController, where: inner, controllers: true},
		{Key: 57, Min: 0, Max: 2, Name: "UpdateFeatures", cold: toController, where: both, controllers: true},
		{Key: 58, Min: 0, Max: 0, Name: "Envelope", cold: toController, where: inner, controllers: true},
		{Key: 60, Min: 0, Max: 2, Name: "DescribeCluster", cold: describeCluster, where: both},
		{Key: 61, Min: 0, Max: 0, Name: "DescribeProducers", cold: describeProducers},
		{Key: 62, Min: 0, Max: 4, Name: "BrokerRegistration", cold: toController, where: inner, controllers: true},
		{Key: 63, Min: 0, Max: 1, Name: "BrokerHeartbeat", cold: toController, where: inner, controllers: true},
		{Key: 64, Min: 0, Max: 0, Name: "UnregisterBroker", cold: toController, where: both, controllers: true},
		{Key: 65, Min: 0, Max: 0, Name: "DescribeTransactions", cold: describeTransactions},
		{Key: 66, Min: 0, Max: 2, Name: "ListTransactions", cold: listTransactions},
		{Key: 67, Min: 0, Max: 0, Name: "AllocateProducerIds", cold: toController, where: inner, controllers: true},
		{Key: 68, Min: 0, Max: 1, Name: "ConsumerGroupHeartbeat", cold: consumerGroupHeartbeat},
		{Key: 69, Min: 0, Max: 1, Name: "ConsumerGroupDescribe", cold: consumerGroupDescribe},
		{Key: 73, Min: 0, Max: 0, Name: "AssignReplicasToDirs", cold: toController, where: inner, controllers: true},
		{Key: 74, Min: 0, Max: 1, Name: "ListConfigResources", cold: listConfigResources},
		{Key: 75, Min: 0, Max: 0, Name: "DescribeTopicPartitions", cold: describeTopicPartitions},
		{Key: 80, Min: 0, Max: 1, Name: "AddRaftVoter", cold: toController, where: both, controllers: true},
		{Key: 81, Min: 0, Max: 0, Name: "RemoveRaftVoter", cold: toController, where: both, controllers: true},
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
		resp := s.versions(0, r.Client)
		resp.ErrorCode = code(kerr.UnsupportedVersion)
		r.answer(resp)
		return
	}
	if e == nil || !e.servedAt(r.Client) || r.Version < e.Min || r.Version > e.Max || r.Key == keyProduce && r.Version < 3 {
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
