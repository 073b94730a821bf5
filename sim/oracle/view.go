package oracle

import (
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/io/clock"
)

// View is what an oracle may see of a cluster between two steps. The simulator implements it over its nodes; nothing in it may
// change the run, draw from its randomness or cost virtual time.
type View interface {
	Now() clock.Time
	// Policy is the run's flush policy, "ack" or "os".
	Policy() string
	// Healed says that the liveness phase has begun: no fault is active and none will come. Since is when it did.
	Healed() (since clock.Time, ok bool)
	// Nodes is their number; they are numbered from 0.
	Nodes() int
	// Up says that the process runs and has finished recovery: it serves.
	Up(node int) bool
	// Incarnation counts the starts of the node's process, from 1; 0 if it never ran.
	Incarnation(node int) int
	// Touched gives the partitions of a node whose state may have changed since the last Step call, as indexes for Partition.
	// nil with all = true means any of them: after a restart, and on the periodic full check.
	Touched(node int) (indexes []int, all bool)
	// Partitions is the number of partitions that the node has on its disks, internal ones included; 0 if it is not Up.
	Partitions(node int) int
	// Partition fills p with the state of one of them.
	Partition(node, index int, p *Partition)
	// ReadBack calls each with whole batches of the partition as the node's files hold them now, from the one with offset `from` on,
	// until each returns false or the end of the log. The bytes are valid during the call only. It gives false if the node cannot say.
	ReadBack(node int, topic string, partition int32, from int64, each func(batch []byte) bool) bool
}

// Partition is the state of one partition on one node. 0 <= Start <= HW <= Synced (policy ack) <= Written <= End.
type Partition struct {
	Topic     string
	Partition int32
	Dir       string
	Online    bool  // its directory is in use
	Internal  bool  // no client's data: __consumer_offsets and the like
	Start     int64 // log start offset
	HW        int64 // high watermark
	Synced    int64 // end of what a sync has covered
	Written   int64 // end of what a read would find
	End       int64 // next offset to assign
	Epoch     int32 // leader epoch
	TopicID   [16]byte
	Leader    bool // it takes appends
	Cutting   bool // its log is being truncated: HW stands already where the log will end

	// Of a cluster's partitions:
	replica.Role
	PartitionEpoch int32
	Closing        bool  // the node ends, and fetches no more
	Fetchers       int   // how many fetch it here
	FetchedFrom    int32 // the leader of the last one, -1 none
}
