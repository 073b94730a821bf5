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
	tagBrokerChange
	tagUnregisterBroker
	tagRegisterBroker2  // RegisterBrokerRecord with the fields that a cluster needs
	tagPartition2       // PartitionRecord with them
	tagPartitionChange2 // PartitionChangeRecord with them
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
// BrokerEpoch is -1 when proposed: the index of the entry is the epoch, which is known only then (KIP-631). A snapshot, and a record that
// amends the registration of the same incarnation, write the number, and fence nothing.
type RegisterBrokerRecord struct {
	NodeID      int32
	Incarnation [16]byte
	BrokerEpoch int64
	Listeners   []Listener
	Rack        *string
	LogDirs     [][16]byte // directory ids, KIP-858
	Fenced      bool       // a broker of a cluster registers fenced, one that is alone does not
	InShutdown  bool
	ActiveEpoch int64          // see Broker; counts in a snapshot only, and if Fenced
	Features    []FeatureRange // none: it was written before brokers told them
}

// FeatureRange says at which levels of a feature a broker works (KIP-584).
type FeatureRange struct {
	Name     string
	Min, Max int16
}

// BrokerChangeRecord changes what is not nil of the registration that has Epoch; of another it changes nothing (KIP-631, KIP-841).
type BrokerChangeRecord struct {
	NodeID     int32
	Epoch      int64
	Fenced     *bool
	InShutdown *bool
	LogDirs    [][16]byte // the directories that are online
}

// UnregisterBrokerRecord takes the registration away that has Epoch. What the broker's id stands in must have been changed before.
type UnregisterBrokerRecord struct {
	NodeID int32
	Epoch  int64
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
	ELR            []int32
	LastKnownELR   []int32
	Adding         []int32
	Removing       []int32
	Recovering     bool
	LastLeader     int32 // of a partition without a leader: who led it last, or NoLeader; else 0
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

	ELR           []int32 // nil: unchanged, empty: cleared; so too the next three
	LastKnownELR  []int32
	Adding        []int32
	Removing      []int32
	RecoveryState int8 // RecoveryUnchanged, Recovering or Recovered
}

// Values of PartitionChangeRecord.RecoveryState (KIP-704). A leader that was elected uncleanly is recovering until it says that it is not.
const (
	RecoveryUnchanged int8 = iota
	Recovering
	Recovered
)

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

func (*NoOpRecord) tag() Tag             { return tagNoOp }
func (*ClusterRecord) tag() Tag          { return tagCluster }
func (*FeatureLevelRecord) tag() Tag     { return tagFeatureLevel }
func (*TopicRecord) tag() Tag            { return tagTopic }
func (*RemoveTopicRecord) tag() Tag      { return tagRemoveTopic }
func (*ConfigRecord) tag() Tag           { return tagConfig }
func (*ProducerIDsRecord) tag() Tag      { return tagProducerIDs }
func (*BrokerChangeRecord) tag() Tag     { return tagBrokerChange }
func (*UnregisterBrokerRecord) tag() Tag { return tagUnregisterBroker }

// bodyVersion is that of the record's body. A later one appends to it, which an older reader skips: so brokers of two versions form one cluster while
// they are upgraded one after the other.
func bodyVersion(r Record) byte {
	if b, ok := r.(*RegisterBrokerRecord); ok && len(b.Features) > 0 {
		return 1
	}
	return 0
}

// A record that needs nothing of a cluster is written in the form that a broker alone has always written.
func (r *RegisterBrokerRecord) tag() Tag {
	if r.Fenced || r.InShutdown {
		return tagRegisterBroker2
	}
	return tagRegisterBroker
}

func (r *PartitionRecord) tag() Tag {
	if r.ELR != nil || r.LastKnownELR != nil || r.Adding != nil || r.Removing != nil || r.Recovering || r.LastLeader != plainLastLeader(r.Leader) {
		return tagPartition2
	}
	return tagPartition
}

// plainLastLeader is what the shorter form of a PartitionRecord stands for.
func plainLastLeader(leader int32) int32 {
	if leader == NoLeader {
		return NoLeader
	}
	return 0
}

func (r *PartitionChangeRecord) tag() Tag {
	if r.ELR != nil || r.LastKnownELR != nil || r.Adding != nil || r.Removing != nil || r.RecoveryState != RecoveryUnchanged {
		return tagPartitionChange2
	}
	return tagPartitionChange
}

// Entry is what is proposed, committed and folded as one: all of its records or none.
type Entry struct {
	Term    int64 // the term in which it was decided; the fold compares it with the term of the log
	Records []Record
}

// MaxEntryBytes bounds an encoded entry.
const MaxEntryBytes = 8 << 20
