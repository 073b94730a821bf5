package config

import (
	"strconv"
	"strings"
)

// FlushPolicy says when bytes count as written (design.md, Log and durability).
type FlushPolicy uint8

// The flush policies.
const (
	FlushAck FlushPolicy = iota // a log's end is its synced end wherever the protocol counts it
	FlushOS                     // Kafka's own behaviour
)

// Listener is one entry of listeners or advertised.listeners.
type Listener struct {
	Name     string // upper case: PLAINTEXT
	Protocol string // PLAINTEXT: what listener.security.protocol.map gives for Name
	Host     string // "" in listeners: every interface
	Port     int32  // 0: the system chooses; advertised then is what it chose
}

// Node is a broker's settings, validated. It is never changed after Load; With gives a copy.
type Node struct {
	NodeID              int32
	ClusterID           string // from CLUSTER_ID; "": make one, or take what meta.properties has
	Rack                string // broker.rack; "": none
	RackAwareReads      bool   // replica.selector.class: consumers are sent to a replica in their rack (KIP-392)
	Listeners           []Listener
	Advertised          []Listener // one for each of Listeners, in their order; Host "" or Port 0: as the listener got it
	ControllerListeners []Listener // those that controller.listener.names names; a clustered node has one, of port 0 if it was given none
	ControllerAdvertise []Listener // one for each of ControllerListeners: where other nodes reach it
	InterBroker         string     // the listener of Listeners that brokers use among themselves; "" without one
	Clustered           bool       // the metadata log is agreed in a quorum; otherwise this node is sole
	Broker              bool       // process.roles holds broker: it has partitions, and listeners for clients
	Controller          bool       // process.roles holds controller: it may be a voter
	QuorumServers       []string   // host:port of the founding members of the quorum, 1, 3 or 5, in the order given; none if not Clustered
	LogDirs             []string   // at least one, each once
	LogDir              string     // the first of them, which holds the metadata log too
	Admin               string     // admin.listener, host:port
	Flush               FlushPolicy
	Shards              int32 // 0: the driver chooses, min(4, cores/2), at least 1

	DiskReserveBytes       int64
	AutoCreateTopics       bool
	DeleteTopicEnable      bool
	NumPartitions          int32
	ReplicationFactor      int32 // default.replication.factor
	SocketRequestMaxBytes  int32
	MaxConnections         int32
	ConnectionsMaxIdleMS   int64 // below 0: never
	RetentionCheckMS       int64
	FetchMaxBytes          int32
	FetchSessionSlots      int32 // max.incremental.fetch.session.cache.slots
	RequestPartitionLimit  int32 // max.request.partition.size.limit
	ProducerIDExpirationMS int64
	RecoveryCheckpointMS   int64 // log.flush.offset.checkpoint.interval.ms

	BrokerHeartbeatIntervalMS    int32
	BrokerSessionTimeoutMS       int32
	InitialRegistrationTimeoutMS int32
	RequestTimeoutMS             int32
	ControlledShutdown           bool
	AutoLeaderRebalance          bool
	LeaderImbalanceCheckMS       int64 // leader.imbalance.check.interval.seconds
	UncleanElectionMS            int64 // unclean.leader.election.interval.ms
	ReplicaFetchBackoffMS        int32
	ReplicaFetchMaxBytes         int32
	ReplicaFetchMinBytes         int32
	ReplicaFetchResponseMaxBytes int32
	ReplicaFetchWaitMaxMS        int32
	ReplicaLagTimeMaxMS          int64
	ReplicaSocketTimeoutMS       int32
	LeaderThrottledRate          int64 // leader.replication.throttled.rate, bytes a second; the largest number: no limit
	FollowerThrottledRate        int64

	OffsetsPartitions            int32
	OffsetsReplicationFactor     int32
	OffsetsSegmentBytes          int32
	OffsetsRetentionMS           int64 // offsets.retention.minutes
	OffsetsRetentionCheckMS      int64
	OffsetMetadataMaxBytes       int32
	OffsetsCommitTimeoutMS       int32
	GroupMinSessionTimeoutMS     int32
	GroupMaxSessionTimeoutMS     int32
	GroupInitialRebalanceDelayMS int32
	GroupMaxSize                 int32
	Consumers                    ConsumerGroups // group.consumer.*
	TransactionPartitions        int32          // transaction.state.log.num.partitions
	TransactionReplicationFactor int32
	TransactionSegmentBytes      int32
	TransactionMinISR            int32
	TransactionMaxTimeoutMS      int32
	TransactionAbortEachMS       int32 // transaction.abort.timed.out.transaction.cleanup.interval.ms
	TransactionExpireEachMS      int32 // transaction.remove.expired.transaction.cleanup.interval.ms
	TransactionalIDExpirationMS  int64
	TransactionalIDFirstEpoch    int16 // internal.transactional.id.first.epoch
	CleanerEnable                bool
	CleanerBackoffMS             int64
	CleanerMapBytes              int64 // log.cleaner.dedupe.buffer.size
	CleanerRate                  int64 // log.cleaner.io.max.bytes.per.second; the largest number: no limit
	MetadataSnapshotBytes        int64 // metadata.log.max.record.bytes.between.snapshots

	// Topic is what a topic gets that overrides nothing.
	Topic Topic

	static         Pairs // what file, environment and --set gave, by name
	dynamicDefault Pairs // what AlterConfigs gave for all brokers
	dynamic        Pairs // what AlterConfigs gave for this broker
}

// CompressionProducer in Topic.Compression keeps the producer's codec.
const CompressionProducer int8 = -1

// Topic is a topic's effective settings.
type Topic struct {
	Compression           int8 // CompressionProducer, or a codec as in the attributes of a batch: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
	GzipLevel             int32
	LZ4Level              int32
	ZstdLevel             int32
	LogAppendTime         bool // message.timestamp.type=LogAppendTime
	TimestampBeforeMaxMS  int64
	TimestampAfterMaxMS   int64
	MaxMessageBytes       int32
	SegmentBytes          int32
	SegmentMS             int64
	SegmentJitterMS       int64
	SegmentIndexBytes     int32
	IndexIntervalBytes    int32
	RetentionMS           int64 // -1: no limit
	RetentionBytes        int64 // -1: no limit
	Delete                bool  // cleanup.policy holds delete
	Compact               bool  // cleanup.policy holds compact: records need keys
	MinInsyncReplicas     int32
	FileDeleteDelayMS     int64
	FlushMessages         int64
	FlushMS               int64
	MinCleanableRatioPPM  int64 // min.cleanable.dirty.ratio in millionths
	DeleteRetentionMS     int64
	MinCompactionLagMS    int64
	MaxCompactionLagMS    int64
	Preallocate           bool
	UncleanLeaderElection bool
	LeaderThrottled       string // leader.replication.throttled.replicas, see Throttles
	FollowerThrottled     string
}

// Throttles says whether a list of throttled replicas has a partition's replica on a broker (KIP-73).
func Throttles(list string, partition, broker int32) bool {
	for rest := list; rest != ""; {
		var x string
		x, rest, _ = strings.Cut(rest, ",")
		if x = strings.TrimSpace(x); x == "*" {
			return true
		}
		p, b, _ := strings.Cut(x, ":")
		n, err := strconv.ParseInt(p, 10, 32)
		id, err2 := strconv.ParseInt(b, 10, 32)
		if err == nil && err2 == nil && int32(n) == partition && int32(id) == broker {
			return true
		}
	}
	return false
}
