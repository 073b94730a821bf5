package group

import "github.com/seedlog/seedlog/core/group/consumer"

// Config is the settings of a coordinator, by Kafka's names. The caller may change them between steps.
type Config struct {
	MinSessionTimeoutMS      int32 // group.min.session.timeout.ms
	MaxSessionTimeoutMS      int32 // group.max.session.timeout.ms
	InitialRebalanceDelayMS  int32 // group.initial.rebalance.delay.ms
	MaxSize                  int32 // group.max.size, members
	OffsetMetadataMaxBytes   int32 // offset.metadata.max.bytes; like Kafka, it counts UTF-16 units
	OffsetsRetentionMS       int64 // offsets.retention.minutes
	RetentionCheckIntervalMS int32 // offsets.retention.check.interval.ms
	CommitTimeoutMS          int32 // offsets.commit.timeout.ms: how long a reply waits for the high watermark
	MaxBatchBytes            int32 // of one batch on the log: max.message.bytes of __consumer_offsets
	Consumer                 consumer.Config

	// Bounds of our own; Kafka has none there.
	MaxGroups      int // groups of one coordinator
	MaxPending     int // member ids given out by one group and not taken up yet
	MaxMemberBytes int // what one member may say of itself: names, and metadata of all its protocols
}

// DefaultConfig gives Kafka's defaults.
func DefaultConfig() *Config {
	return &Config{
		MinSessionTimeoutMS:      6000,
		MaxSessionTimeoutMS:      1800000,
		InitialRebalanceDelayMS:  3000,
		MaxSize:                  1<<31 - 1,
		OffsetMetadataMaxBytes:   4096,
		OffsetsRetentionMS:       7 * 24 * 60 * 60 * 1000,
		RetentionCheckIntervalMS: 600000,
		CommitTimeoutMS:          5000,
		MaxBatchBytes:            1048588,
		Consumer:                 consumer.DefaultConfig(),
		MaxGroups:                1 << 20,
		MaxPending:               1 << 14,
		MaxMemberBytes:           1 << 20,
	}
}

// newMemberJoinTimeoutMS is how long a member that has never been in a generation may wait in a join phase: it cannot send
// heartbeats, and its client may have gone and joined again under a new id. Source: Kafka's CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS.
const newMemberJoinTimeoutMS = 5 * 60 * 1000

// Topics is the topics of the newest metadata image.
type Topics = consumer.Topics

// ClientInfo is whom a request came from.
type ClientInfo struct {
	ID   string // client.id
	Host string // as Kafka writes it: "/127.0.0.1"
}
