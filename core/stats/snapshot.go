package stats

import "slices"

// Unknown stands for a lag that cannot be told.
const Unknown = -1

// Snapshot is what a shard, or a broker, knows of itself at one time.
type Snapshot struct {
	UptimeNS            int64
	NodeID              int32
	ClusterID           string
	Build               Build
	Brokers             int64 // registered in the cluster
	Connections         int64 // open now
	ConnectionsAccepted int64 // since the start
	ConnectionsRefused  int64 // since the start, above max.connections
	UnderReplicated     int64 // partitions led here whose ISR is smaller than their replicas
	UnderMinISR         int64 // partitions led here whose ISR is smaller than min.insync.replicas
	OfflineLogDirs      int64
	DiskSyncs           int64 // since the start, of files and of directories; the disk's own count
	Cleaner             Cleaner
	APIs                []API       // by key, ascending, each once
	Partitions          []Partition // of which this broker has a replica, each once
	Groups              []Group     // of which this broker is the coordinator, each once
}

// Build tells which program runs.
type Build struct {
	Version   string
	Revision  string
	GoVersion string
}

// API is the count of requests of one API.
type API struct {
	Key      int16
	Name     string // Kafka's: "Produce"
	Requests int64
	Errors   int64 // requests whose answer has an error anywhere
	Latency  Histogram
}

// Partition is one replica of ours. Counters begin at the start of the process and count as leader only, without replication.
type Partition struct {
	Topic          string
	Partition      int32
	Leader         bool
	LeaderID       int32 // -1: none
	LeaderEpoch    int32
	Replicas       int32 // how many
	ISR            int32 // how many; 0 <= ISR <= Replicas
	MessagesIn     int64
	MessagesOut    int64 // of consumers; counted by offsets
	BytesIn        int64
	BytesOut       int64
	LogStartOffset int64
	LogEndOffset   int64 // next to assign; LogStartOffset <= HighWatermark <= LogEndOffset
	HighWatermark  int64
	SizeBytes      int64 // of its segments
}

// Group is one consumer group.
type Group struct {
	ID      string // any bytes that a client sent
	State   string // Kafka's: "Stable"
	Members int64
	Offsets []GroupOffset
}

// GroupOffset is where a group stands in one partition.
type GroupOffset struct {
	Topic     string
	Partition int32
	Committed int64
	Lag       int64 // records up to the high watermark; Unknown
	LagMS     int64 // age of the first record not yet committed, 0 if there is none; Unknown
}

// Merge adds the figures of another shard of the same broker. What describes the broker as a whole (ids, build, brokers, directories) is taken from
// whichever has it.
func (s *Snapshot) Merge(o *Snapshot) {
	s.UptimeNS = max(s.UptimeNS, o.UptimeNS)
	s.NodeID = max(s.NodeID, o.NodeID)
	s.Brokers = max(s.Brokers, o.Brokers)
	s.OfflineLogDirs = max(s.OfflineLogDirs, o.OfflineLogDirs)
	s.ClusterID = max(s.ClusterID, o.ClusterID)
	if s.Build == (Build{}) {
		s.Build = o.Build
	}
	s.Connections += o.Connections
	s.ConnectionsAccepted += o.ConnectionsAccepted
	s.ConnectionsRefused += o.ConnectionsRefused
	s.DiskSyncs += o.DiskSyncs
	s.UnderReplicated += o.UnderReplicated
	s.UnderMinISR += o.UnderMinISR
	s.Cleaner.merge(&o.Cleaner)
	s.Partitions = append(s.Partitions, o.Partitions...)
	s.Groups = append(s.Groups, o.Groups...)
	for i := range o.APIs {
		s.API(o.APIs[i].Key, o.APIs[i].Name).add(&o.APIs[i])
	}
}

// API gives the entry for a key, made if it is missing. It is valid until the next call.
func (s *Snapshot) API(key int16, name string) *API {
	at, found := slices.BinarySearchFunc(s.APIs, key, func(a API, key int16) int { return int(a.Key) - int(key) })
	if !found {
		s.APIs = slices.Insert(s.APIs, at, API{Key: key, Name: name})
	}
	return &s.APIs[at]
}

func (a *API) add(b *API) {
	a.Requests += b.Requests
	a.Errors += b.Errors
	a.Latency.add(&b.Latency)
}

// Observe counts one request and its time from frame to answer.
func (a *API) Observe(ns int64, failed bool) {
	a.Requests++
	if failed {
		a.Errors++
	}
	a.Latency.Observe(ns)
}
