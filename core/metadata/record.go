package metadata

// Tag says which record follows in an entry. Tags are never given to another record.
type Tag uint8

// The tags.
const (
	tagNoOp Tag = iota + 1
	tagCluster
	tagFeatureLevel
	tagRegisterBroker
	tagTopic
	tagPartition
	tagPartitionChange
	tagRemoveTopic
	tagConfig
	tagProducerIDs
)

// Record is one change of the cluster's state. A record is never changed once it is proposed.
type Record interface {
	tag() Tag
	encode(w *writer)
	decode(r *reader)
}

// Listener is where clients and brokers reach a broker.
type Listener struct {
	Name     string // PLAINTEXT
	Protocol int16  // Kafka's SecurityProtocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
	Host     string
	Port     int32 // 1..65535
}

// ClusterRecord names the cluster. It is the first record of a log.
type ClusterRecord struct{ ClusterID string }

// FeatureLevelRecord finalizes a feature (KIP-584) at a level; 0 takes it away.
type FeatureLevelRecord struct {
	Name  string
	Level int16
}

// RegisterBrokerRecord registers a broker under a new incarnation. It fences what the broker led: the fold bumps the leader epoch
// and the partition epoch of every partition whose leader it was, so that it is never leader twice in one epoch (design.md, Replication).
// BrokerEpoch is -1 when proposed: the index of the entry is the epoch, which is known only then (KIP-631). A snapshot writes the number.
type RegisterBrokerRecord struct {
	NodeID      int32
	Incarnation [16]byte
	BrokerEpoch int64
	Listeners   []Listener
	Rack        *string
	LogDirs     [][16]byte // directory ids, KIP-858
}

// TopicRecord makes a topic without partitions. ID is neither zero nor one (KIP-516).
type TopicRecord struct {
	Name string
	ID   [16]byte
}

// PartitionRecord makes a partition. Partitions of a topic come in order from 0.
type PartitionRecord struct {
	TopicID        [16]byte
	Partition      int32
	Replicas       []int32
	ISR            []int32
	Leader         int32 // NoLeader: offline
	LeaderEpoch    int32
	PartitionEpoch int32
	Dirs           [][16]byte // directory id of each replica, by place
}

// NoLeader stands where a partition has no leader.
const NoLeader int32 = -1

// PartitionChangeRecord changes what is not nil and bumps the partition epoch; Leader other than Unchanged bumps the leader epoch too.
type PartitionChangeRecord struct {
	TopicID   [16]byte
	Partition int32
	Leader    int32 // Unchanged, NoLeader or a node id
	ISR       []int32
	Replicas  []int32
	Dirs      [][16]byte
}

// Unchanged in PartitionChangeRecord.Leader keeps leader and leader epoch.
const Unchanged int32 = -2

// RemoveTopicRecord removes a topic, its partitions and its settings.
type RemoveTopicRecord struct{ ID [16]byte }

// Kinds of resource that settings belong to (ConfigResource.Type).
const (
	ResourceTopic         int8 = 2
	ResourceBroker        int8 = 4
	ResourceBrokerLogger  int8 = 8
	ResourceClientMetrics int8 = 16
	ResourceGroup         int8 = 32
)

// ConfigRecord sets a setting of a resource, or takes it away if Value is nil. Name "" of ResourceBroker is the cluster's default.
type ConfigRecord struct {
	ResourceType int8
	Name         string
	Key          string
	Value        *string
}

// ProducerIDsRecord gives the ids [present next, NextProducerID) to a broker (KIP-730).
type ProducerIDsRecord struct {
	BrokerID       int32
	BrokerEpoch    int64
	NextProducerID int64
}

// NoOpRecord changes nothing.
type NoOpRecord struct{}

func (*NoOpRecord) tag() Tag            { return tagNoOp }
func (*ClusterRecord) tag() Tag         { return tagCluster }
func (*FeatureLevelRecord) tag() Tag    { return tagFeatureLevel }
func (*RegisterBrokerRecord) tag() Tag  { return tagRegisterBroker }
func (*TopicRecord) tag() Tag           { return tagTopic }
func (*PartitionRecord) tag() Tag       { return tagPartition }
func (*PartitionChangeRecord) tag() Tag { return tagPartitionChange }
func (*RemoveTopicRecord) tag() Tag     { return tagRemoveTopic }
func (*ConfigRecord) tag() Tag          { return tagConfig }
func (*ProducerIDsRecord) tag() Tag     { return tagProducerIDs }

// Entry is what is proposed, committed and folded as one: all of its records or none.
type Entry struct {
	Term    int64 // the term in which it was decided; the fold compares it with the term of the log
	Records []Record
}

// MaxEntryBytes bounds an encoded entry.
const MaxEntryBytes = 8 << 20
