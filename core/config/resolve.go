package config

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/assert"
)

// value gives the effective value of a broker setting, canonical; false: none.
func (n *Node) value(s *Setting) (string, bool) {
	for _, layer := range [...]Pairs{n.dynamic, n.dynamicDefault, n.static} {
		if v, ok := layer.Get(s.Name); ok {
			return s.canonical(v), true
		}
	}
	return s.Default, s.Flags&null == 0
}

func (n *Node) text(name string) string {
	s := Broker(name)
	assert.Thatf(s != nil, "config: %s is not in the registry", name)
	v, _ := n.value(s)
	return v
}

func (n *Node) flag(name string) bool { return n.text(name) == "true" }

func (n *Node) long(name string) int64 {
	v, err := strconv.ParseInt(n.text(name), 10, 64)
	assert.Thatf(err == nil, "config: %s was not validated", name)
	return v
}

// rate is a setting in bytes a second that slows nothing where it is not set.
func (n *Node) rate(name string) int64 {
	if _, set := n.value(Broker(name)); !set {
		return math.MaxInt64
	}
	return n.long(name)
}

func (n *Node) int(name string) int32 { return int32(n.long(name)) }

// With gives the node's settings under what AlterConfigs set: for all brokers, and for this one. Both were validated before they
// were committed; what does not pass any more is skipped, so that an old log cannot stop a new broker.
func (n *Node) With(all, own Pairs) *Node {
	c := *n
	c.dynamicDefault, c.dynamic = valid(all, cluster), valid(own, cluster|perBroker)
	c.derive()
	return &c
}

func valid(p Pairs, allowed Flags) Pairs {
	var out Pairs
	for _, x := range p {
		if s := Broker(x.Key); s != nil && s.Flags&allowed != 0 && s.Check(x.Value) == nil {
			out = append(out, x)
		}
	}
	return out
}

// topicDefault gives what a topic setting is where the topic says nothing.
func (n *Node) topicDefault(s *Setting) string {
	for _, syn := range topicSynonyms[s.Name] {
		b := Broker(syn.name)
		v, ok := n.value(b)
		if !ok {
			continue
		}
		if syn.factor != 1 {
			x, _ := strconv.ParseInt(v, 10, 64)
			v = strconv.FormatInt(x*syn.factor, 10)
		}
		return v
	}
	return s.Default
}

// Resolve gives a topic's effective settings: its own over the node's. Own values that are not valid are skipped, see With.
func Resolve(n *Node, overrides Pairs) Topic {
	if len(overrides) == 0 {
		return n.Topic
	}
	return n.resolve(overrides)
}

func (n *Node) resolve(overrides Pairs) Topic {
	get := func(name string) string {
		s := ForTopic(name)
		if v, ok := overrides.Get(name); ok && s.Check(v) == nil {
			return s.canonical(v)
		}
		return n.topicDefault(s)
	}
	long := func(name string) int64 {
		v, err := strconv.ParseInt(get(name), 10, 64)
		assert.Thatf(err == nil, "config: %s was not validated", name)
		return v
	}
	policy := Split(get("cleanup.policy"))
	ratio, _ := parsePPM(get("min.cleanable.dirty.ratio"))
	segment := int32(long("segment.bytes"))
	if v := get("internal.segment.bytes"); v != "" {
		small, _ := strconv.ParseInt(v, 10, 32)
		segment = int32(small)
	}
	return Topic{
		Compression:           codec(get("compression.type")),
		GzipLevel:             int32(long("compression.gzip.level")),
		LZ4Level:              int32(long("compression.lz4.level")),
		ZstdLevel:             int32(long("compression.zstd.level")),
		LogAppendTime:         get("message.timestamp.type") == "LogAppendTime",
		TimestampBeforeMaxMS:  long("message.timestamp.before.max.ms"),
		TimestampAfterMaxMS:   long("message.timestamp.after.max.ms"),
		MaxMessageBytes:       int32(long("max.message.bytes")),
		SegmentBytes:          segment,
		SegmentMS:             long("segment.ms"),
		SegmentJitterMS:       long("segment.jitter.ms"),
		SegmentIndexBytes:     int32(long("segment.index.bytes")),
		IndexIntervalBytes:    int32(long("index.interval.bytes")),
		RetentionMS:           max(long("retention.ms"), -1),
		RetentionBytes:        max(long("retention.bytes"), -1),
		Delete:                slices.Contains(policy, "delete"),
		Compact:               slices.Contains(policy, "compact"),
		MinInsyncReplicas:     int32(long("min.insync.replicas")),
		FileDeleteDelayMS:     long("file.delete.delay.ms"),
		FlushMessages:         long("flush.messages"),
		FlushMS:               long("flush.ms"),
		MinCleanableRatioPPM:  ratio,
		DeleteRetentionMS:     long("delete.retention.ms"),
		MinCompactionLagMS:    long("min.compaction.lag.ms"),
		MaxCompactionLagMS:    long("max.compaction.lag.ms"),
		Preallocate:           get("preallocate") == "true",
		UncleanLeaderElection: get("unclean.leader.election.enable") == "true",
		LeaderThrottled:       get("leader.replication.throttled.replicas"),
		FollowerThrottled:     get("follower.replication.throttled.replicas"),
	}
}

func codec(v string) int8 {
	switch v {
	case "producer":
		return CompressionProducer
	case "gzip":
		return 1
	case "snappy":
		return 2
	case "lz4":
		return 3
	case "zstd":
		return 4
	}
	return 0
}

// derive fills the typed fields from the layers of text. Load has validated each of them.
func (n *Node) derive() {
	n.Rack = n.text("broker.rack")
	n.RackAwareReads = strings.HasSuffix(n.text("replica.selector.class"), ".RackAwareReplicaSelector")
	n.Admin = n.text("admin.listener")
	n.Flush = FlushAck
	if n.text("flush.policy") == "os" {
		n.Flush = FlushOS
	}
	n.Shards = n.int("shards")
	n.DiskReserveBytes = n.long("disk.reserve.bytes")
	n.AutoCreateTopics = n.flag("auto.create.topics.enable")
	n.DeleteTopicEnable = n.flag("delete.topic.enable")
	n.NumPartitions = n.int("num.partitions")
	n.ReplicationFactor = n.int("default.replication.factor")
	n.SocketRequestMaxBytes = n.int("socket.request.max.bytes")
	n.MaxConnections = n.int("max.connections")
	n.ConnectionsMaxIdleMS = n.long("connections.max.idle.ms")
	n.RetentionCheckMS = n.long("log.retention.check.interval.ms")
	n.FetchMaxBytes = n.int("fetch.max.bytes")
	n.FetchSessionSlots = n.int("max.incremental.fetch.session.cache.slots")
	n.RequestPartitionLimit = n.int("max.request.partition.size.limit")
	n.ProducerIDExpirationMS = n.long("producer.id.expiration.ms")
	n.RecoveryCheckpointMS = n.long("log.flush.offset.checkpoint.interval.ms")
	n.BrokerHeartbeatIntervalMS = max(1, n.int("broker.heartbeat.interval.ms"))
	n.BrokerSessionTimeoutMS = max(1, n.int("broker.session.timeout.ms"))
	n.InitialRegistrationTimeoutMS = n.int("initial.broker.registration.timeout.ms")
	n.RequestTimeoutMS = n.int("request.timeout.ms")
	n.ControlledShutdown = n.flag("controlled.shutdown.enable")
	n.AutoLeaderRebalance = n.flag("auto.leader.rebalance.enable")
	n.LeaderImbalanceCheckMS = n.long("leader.imbalance.check.interval.seconds") * 1000
	n.UncleanElectionMS = n.long("unclean.leader.election.interval.ms")
	n.deriveReplication()
	n.OffsetsPartitions = n.int("offsets.topic.num.partitions")
	n.OffsetsReplicationFactor = n.int("offsets.topic.replication.factor")
	n.OffsetsSegmentBytes = n.int("offsets.topic.segment.bytes")
	n.OffsetsRetentionMS = n.long("offsets.retention.minutes") * 60_000
	n.OffsetsRetentionCheckMS = n.long("offsets.retention.check.interval.ms")
	n.OffsetMetadataMaxBytes = n.int("offset.metadata.max.bytes")
	n.OffsetsCommitTimeoutMS = n.int("offsets.commit.timeout.ms")
	n.GroupMinSessionTimeoutMS = n.int("group.min.session.timeout.ms")
	n.GroupMaxSessionTimeoutMS = n.int("group.max.session.timeout.ms")
	n.GroupInitialRebalanceDelayMS = n.int("group.initial.rebalance.delay.ms")
	n.GroupMaxSize = n.int("group.max.size")
	n.deriveConsumerGroups()
	n.deriveTransactions()
	n.deriveCleaner()
	n.MetadataSnapshotBytes = n.long("metadata.log.max.record.bytes.between.snapshots")
	n.Topic = n.resolve(nil)
}

func (n *Node) deriveTransactions() {
	n.TransactionPartitions = n.int("transaction.state.log.num.partitions")
	n.TransactionReplicationFactor = n.int("transaction.state.log.replication.factor")
	n.TransactionSegmentBytes = n.int("transaction.state.log.segment.bytes")
	n.TransactionMinISR = n.int("transaction.state.log.min.isr")
	n.TransactionMaxTimeoutMS = n.int("transaction.max.timeout.ms")
	n.TransactionAbortEachMS = n.int("transaction.abort.timed.out.transaction.cleanup.interval.ms")
	n.TransactionExpireEachMS = n.int("transaction.remove.expired.transaction.cleanup.interval.ms")
	n.TransactionalIDExpirationMS = n.long("transactional.id.expiration.ms")
	n.TransactionalIDFirstEpoch = int16(n.int("internal.transactional.id.first.epoch"))
}

func (n *Node) deriveCleaner() {
	n.CleanerEnable = n.flag("log.cleaner.enable")
	n.CleanerBackoffMS = n.long("log.cleaner.backoff.ms")
	n.CleanerMapBytes = n.long("log.cleaner.dedupe.buffer.size")
	ppm, _ := parsePPM(n.text("log.cleaner.io.max.bytes.per.second"))
	if n.CleanerRate = ppm / 1_000_000; n.CleanerRate >= 1<<33 { // no disk is as fast, and the default is a float's greatest number
		n.CleanerRate = math.MaxInt64
	}
}

func (n *Node) deriveReplication() {
	n.ReplicaFetchBackoffMS = n.int("replica.fetch.backoff.ms")
	n.ReplicaFetchMaxBytes = n.int("replica.fetch.max.bytes")
	n.ReplicaFetchMinBytes = n.int("replica.fetch.min.bytes")
	n.ReplicaFetchResponseMaxBytes = n.int("replica.fetch.response.max.bytes")
	n.ReplicaFetchWaitMaxMS = n.int("replica.fetch.wait.max.ms")
	n.ReplicaLagTimeMaxMS = n.long("replica.lag.time.max.ms")
	n.ReplicaSocketTimeoutMS = n.int("replica.socket.timeout.ms")
	n.LeaderThrottledRate, n.FollowerThrottledRate = n.rate("leader.replication.throttled.rate"), n.rate("follower.replication.throttled.rate")
}

// ValidateTopic checks what a topic would override as a whole: names, values, and values that contradict each other. The message
// is Kafka's; the code is INVALID_CONFIG. n gives the defaults, and may be nil for DefaultNode's.
func ValidateTopic(n *Node, overrides Pairs) error {
	for _, x := range overrides {
		if err := Validate(x.Key, x.Value); err != nil {
			return err
		}
	}
	if n == nil {
		n = DefaultNode()
	}
	t := Resolve(n, overrides)
	if t.MinCompactionLagMS > t.MaxCompactionLagMS {
		return &Conflict{"conflict topic config setting min.compaction.lag.ms (" + strconv.FormatInt(t.MinCompactionLagMS, 10) +
			") > max.compaction.lag.ms (" + strconv.FormatInt(t.MaxCompactionLagMS, 10) + ")"}
	}
	if v, ok := overrides.Get("remote.storage.enable"); ok && strings.EqualFold(strings.TrimSpace(v), "true") {
		return &Conflict{"Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."}
	}
	return nil
}

// Conflict is a refusal that is about more than one value.
type Conflict struct{ Text string }

func (e *Conflict) Error() string { return e.Text }

// Validate checks one setting of a topic. The message is Kafka's; the code is INVALID_CONFIG.
func Validate(name, value string) error {
	s := ForTopic(name)
	if s == nil {
		return &Conflict{"Unknown topic config name: " + name}
	}
	return s.Check(value)
}
