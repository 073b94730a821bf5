package metadata

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/config"
)

// Image is the cluster's state as of one index of the log. It and all it points to are immutable: shards share it by pointer.
type Image struct {
	index int64 // of the last entry folded; -1 before the first
	term  int64 // the log's term at index

	clusterID  string
	brokers    []*Broker          // by id
	topics     []*Topic           // by name
	names      *[buckets][]*Topic // each by name
	ids        *[buckets][]*Topic // each by id
	configs    []*Resource        // settings of all but topics, by type and name
	features   []Feature          // by name
	nextPID    int64
	partitions int // of all topics
	digest     uint64
}

const buckets = 256

// Broker is a registered broker.
type Broker struct {
	ID          int32
	Incarnation [16]byte
	Epoch       int64 // the index of its registration
	Listeners   []Listener
	Rack        *string
	LogDirs     [][16]byte // that are online
	Fenced      bool       // it takes no part: in no ISR, leads nothing, is shown to no client (KIP-631)
	InShutdown  bool       // it is moving its leaders away, and is elected to nothing (KIP-841)
	ActiveEpoch int64      // the newest epoch in which it was unfenced; -1: never. What it had in sync is on the disk that saw this epoch
	Features    []FeatureRange
	digest      uint64
}

// Active says whether the broker may lead and join an ISR.
func (b *Broker) Active() bool { return b != nil && !b.Fenced && !b.InShutdown }

// HasDir says whether a replica that is said to lie in directory d is reachable: d is online there, or no such directory is known
// (KIP-858: the zero id is unassigned).
func (b *Broker) HasDir(d [16]byte) bool { return d == [16]byte{} || slices.Contains(b.LogDirs, d) }

// Listener gives the listener of that name, or nil.
func (b *Broker) Listener(name string) *Listener {
	for i := range b.Listeners {
		if b.Listeners[i].Name == name {
			return &b.Listeners[i]
		}
	}
	return nil
}

// Topic is one topic.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions []Partition // by number
	Configs    Configs     // what differs from the brokers' defaults
	digest     uint64
}

// Partition is the state of one partition.
type Partition struct {
	Leader         int32 // a member of ISR, or NoLeader
	LeaderEpoch    int32 // only grows
	PartitionEpoch int32 // only grows, with each change
	Replicas       []int32
	ISR            []int32 // a subset of Replicas; may be empty: then there is no leader (KIP-966)
	Dirs           [][16]byte

	ELR          []int32 // a subset of Replicas that are not in ISR: left it while it was too small, and hold all below the high watermark (KIP-966)
	LastKnownELR []int32 // a subset of Replicas, in neither: lost to a crash while the ISR was too small; their disks came back as they were (design.md, Replication)
	Adding       []int32 // a subset of Replicas: a reassignment adds them (KIP-455)
	Removing     []int32 // a subset of Replicas: it removes them once those are in sync
	Recovering   bool    // the leader was elected uncleanly, and has not said yet that it recovered
	LastLeader   int32   // while Leader is NoLeader: who led last, or NoLeader; else 0
}

// RequiredISR is the size of ISR below which the high watermark stands still: min(min.insync.replicas, replication factor). What a
// reassignment adds does not count before it is there. The controller's ELR and the leader's high watermark must use this one number.
func (p *Partition) RequiredISR(minInsyncReplicas int32) int {
	return max(1, min(int(minInsyncReplicas), len(p.Replicas)-len(p.Adding)))
}

// Orphaned says that nobody leads and nobody is eligible, so that the replicas' logs must be compared before somebody does. Its leader epoch
// stays as it is until then.
func (p *Partition) Orphaned() bool {
	return p.Leader == NoLeader && len(p.ISR)+len(p.ELR) == 0 && len(p.Replicas) > 1
}

// Reassigning says whether a reassignment is in progress.
func (p *Partition) Reassigning() bool { return len(p.Adding) > 0 || len(p.Removing) > 0 }

// Dir gives the directory of a replica on a node, zero if unassigned or no replica.
func (p *Partition) Dir(node int32) [16]byte {
	if i := slices.Index(p.Replicas, node); i >= 0 && i < len(p.Dirs) {
		return p.Dirs[i]
	}
	return [16]byte{}
}

// Config is one setting that somebody set.
type Config = config.Pair

// Configs are settings by key.
type Configs = config.Pairs

// Resource is what has settings and is not a topic.
type Resource struct {
	Type    int8
	Name    string
	Configs Configs
	digest  uint64
}

// Feature is a finalized feature.
type Feature struct {
	Name  string
	Level int16
}

// Empty is the image before the first entry.
func Empty() *Image {
	return &Image{index: -1, names: new([buckets][]*Topic), ids: new([buckets][]*Topic)}
}

// Index is the index of the last entry folded; -1: none.
func (m *Image) Index() int64 { return m.index }

// Term is the term of the log at Index.
func (m *Image) Term() int64 { return m.term }

// ClusterID is empty before the first ClusterRecord.
func (m *Image) ClusterID() string { return m.clusterID }

// Brokers are the registered brokers by id.
func (m *Image) Brokers() []*Broker { return m.brokers }

// Topics are all topics by name.
func (m *Image) Topics() []*Topic { return m.topics }

// Features are the finalized features by name.
func (m *Image) Features() []Feature { return m.features }

// Resources are the settings of all but topics, by type and name.
func (m *Image) Resources() []*Resource { return m.configs }

// NextProducerID is the first producer id that no block holds.
func (m *Image) NextProducerID() int64 { return m.nextPID }

// PartitionCount is the number of partitions of all topics.
func (m *Image) PartitionCount() int { return m.partitions }

// Digest is a hash of the state, without index and term: equal states have equal digests, however they were reached.
func (m *Image) Digest() uint64 { return m.digest }

// Broker gives a registered broker, or nil.
func (m *Image) Broker(id int32) *Broker {
	if i, ok := findBroker(m.brokers, id); ok {
		return m.brokers[i]
	}
	return nil
}

// TopicByName gives a topic, or nil. It does not allocate.
func (m *Image) TopicByName(name string) *Topic { return findIn(m.names[nameBucket(name)], name) }

// TopicByNameBytes is TopicByName for a name that aliases a frame. It does not allocate.
func (m *Image) TopicByNameBytes(name []byte) *Topic {
	b := m.names[nameBucket(name)]
	lo, hi := 0, len(b)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if b[mid].Name < string(name) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(b) && b[lo].Name == string(name) {
		return b[lo]
	}
	return nil
}

// TopicByID gives a topic, or nil.
func (m *Image) TopicByID(id [16]byte) *Topic {
	b := m.ids[idBucket(id)]
	if i, ok := searchID(b, id); ok {
		return b[i]
	}
	return nil
}

// Partition gives a partition of a topic, or nil.
func (t *Topic) Partition(n int32) *Partition {
	if n < 0 || int(n) >= len(t.Partitions) {
		return nil
	}
	return &t.Partitions[n]
}

// TopicConfigs gives the settings of a topic, none if there is no such topic.
func (m *Image) TopicConfigs(name string) Configs {
	if t := m.TopicByName(name); t != nil {
		return t.Configs
	}
	return nil
}

// ConfigsOf gives the settings that were set of a resource of any type.
func (m *Image) ConfigsOf(resourceType int8, name string) Configs {
	if resourceType == ResourceTopic {
		return m.TopicConfigs(name)
	}
	if i, ok := findResource(m.configs, resourceType, name); ok {
		return m.configs[i].Configs
	}
	return nil
}

func compareResource(r *Resource, resourceType int8, name string) int {
	if r.Type != resourceType {
		return int(r.Type) - int(resourceType)
	}
	return strings.Compare(r.Name, name)
}
