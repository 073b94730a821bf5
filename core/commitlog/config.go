package commitlog

import "github.com/seedlog/seedlog/io/clock"

// Config is the settings of one log, by Kafka's names. SetConfig replaces it; what is already written stays as it is.
type Config struct {
	SegmentBytes       int32          // segment.bytes
	SegmentMS          int64          // segment.ms
	SegmentJitterMS    int64          // segment.jitter.ms
	IndexIntervalBytes int32          // index.interval.bytes
	IndexBytes         int32          // segment.index.bytes: a full index rolls the segment
	RetentionBytes     int64          // retention.bytes, -1: no limit
	RetentionMS        int64          // retention.ms, -1: no limit
	Delete             bool           // cleanup.policy holds delete: retention applies
	DeleteRetentionMS  int64          // delete.retention.ms
	MinCompactionLagMS int64          // min.compaction.lag.ms
	MaxCompactionLagMS int64          // max.compaction.lag.ms
	FlushAck           bool           // flush.policy=ack: each write is followed by a sync
	FlushBytes         int64          // flush.policy=os: sync once this much is unsynced; 0: never by size
	FlushAge           clock.Duration // flush.policy=os: sync what is older; 0: never by age
	SnapshotBytes      int64          // a snapshot of producer state is taken about each so many bytes; it bounds recovery
	ProducerExpiryMS   int64          // producer.id.expiration.ms
}

// DefaultConfig has Kafka's defaults, and flush.policy=ack.
func DefaultConfig() Config {
	return Config{
		SegmentBytes: 1 << 30, SegmentMS: 7 * 24 * 3600 * 1000, IndexIntervalBytes: 4096, IndexBytes: 10 << 20,
		RetentionBytes: -1, RetentionMS: 7 * 24 * 3600 * 1000, Delete: true,
		DeleteRetentionMS: 24 * 3600 * 1000, MaxCompactionLagMS: 1<<63 - 1,
		FlushAck: true, SnapshotBytes: 4 << 20, ProducerExpiryMS: 24 * 3600 * 1000,
	}
}

// Options say how Open finds or makes a log.
type Options struct {
	Config        Config
	Listener      Listener
	RecoveryPoint int64    // everything below was synced: the scan starts here
	StartOffset   int64    // of log-start-offset-checkpoint; records below it are deleted
	CleanedTo     int64    // of cleaner-offset-checkpoint
	Clean         bool     // the broker shut down cleanly: no scan
	Create        bool     // make the log if the directory is missing or empty
	TopicID       [16]byte // written to partition.metadata; zero: none
	Owner         [16]byte // whose log it is if partition.metadata cannot be read; zero: TopicID's
}
