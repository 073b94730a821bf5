package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/flight"
	"github.com/seedlog/seedlog/core/group"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/quota"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/stats"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/txn"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// PartKey names a partition for good: topic ids are never used again.
type PartKey struct {
	ID     [16]byte
	Number int32
}

// State is what the handlers of one shard see.
type State struct {
	Env          *env.Env
	Node         *config.Node
	Shard        int
	Shards       int
	Image        *metadata.Image
	Replier      Replier
	Control      Control     // the controller; only shard 0 has one
	Txn          Txn         // the transaction coordinators, here and on other brokers
	ControllerID int32       // the active controller's node id, -1 none known
	Doubts       func() bool // others may have been elected for what is led here, and the image does not say so yet
	Closed       bool        // the logs are closed or being closed: nothing is served
	Dirs         []LogDir    // in the order of log.dirs
	LogLevel     string      // of the root logger, by log4j's name
	pids         pidBlock
	Usage        [maxKeys]Usage // by key

	Throttle   quota.Bucket // what leaders here send to replicas that are not in sync, see replica.Partition.Slows
	Scratch    *records.Scratch
	parts      map[PartKey]*replica.Partition
	Parts      []*replica.Partition         // in the order in which they were opened
	Groups     map[int32]*group.Coordinator // by partition of __consumer_offsets
	Txns       map[int32]*txn.Coordinator   // by partition of __transaction_state
	configs    map[[16]byte]*config.Topic   // of the present image
	flights    flight.Table[*Request]       // mail that this shard waits for
	watching   map[watchKey]*call           // other shards' watches here
	verifies   map[verifyKey]*verification  // batches here that wait for their coordinators
	unverified uint64                       // so many have waited so far
	hidden     []commitlog.Aborted          // reused by each look
	sessions   sessions

	produceResp  wire.ProduceResponse // reused by each encode
	nodes        []wire.NodeEndpoint  // reused by each encode
	nextWatch    disk.Token
	freeRequests []*Request
	requests     int
}

// Control is the controller, as handlers of its shard call it.
type Control interface {
	// Submit has req decided, here or by the active controller; w is told once, after every shard of this broker has the image that resulted.
	Submit(req kmsg.Request, w coordinator.Waiter)
	// Decide decides a request that came by the controller listener, or refuses it with NOT_CONTROLLER.
	Decide(req kmsg.Request, from *Client, w coordinator.Waiter)
	// Quorum gives the active controller's node id, -1 if none is known, and who agrees with it.
	Quorum() (controller int32, members []link.Member)
}

// NewState makes a shard's state; the broker fills in the rest.
func NewState(e *env.Env, node *config.Node, shards int) *State {
	return &State{
		Env: e, Node: node, Shard: e.Shard, Shards: shards, Scratch: &records.Scratch{},
		parts: map[PartKey]*replica.Partition{}, Groups: map[int32]*group.Coordinator{}, Txns: map[int32]*txn.Coordinator{},
		configs: map[[16]byte]*config.Topic{}, watching: map[watchKey]*call{}, verifies: map[verifyKey]*verification{},
		sessions: newSessions(node), Dirs: newLogDirs(node), ControllerID: node.NodeID, LogLevel: controller.DefaultLogLevel,
	}
}

// Owner gives the shard that owns a partition: a topic's partitions are spread evenly. It goes by name, since that is what a directory is
// called: what opens a log and what still removes its namesake meet on one shard.
func Owner(topic string, number int32, shards int) int {
	if shards == 1 {
		return 0
	}
	h := uint32(2166136261) // FNV-1a
	for i := 0; i < len(topic); i++ {
		h = (h ^ uint32(topic[i])) * 16777619
	}
	return int((h + uint32(number)) % uint32(shards))
}

// Partition gives a partition that this shard owns, or nil.
func (s *State) Partition(id [16]byte, number int32) *replica.Partition {
	return s.parts[PartKey{id, number}]
}

// AddPartition makes an opened partition known.
func (s *State) AddPartition(p *replica.Partition) {
	s.parts[PartKey{p.TopicID, p.Number}] = p
	s.Parts = append(s.Parts, p)
}

// DropPartition forgets a partition.
func (s *State) DropPartition(p *replica.Partition) {
	delete(s.parts, PartKey{p.TopicID, p.Number})
	for i, x := range s.Parts {
		if x == p {
			s.Parts = append(s.Parts[:i], s.Parts[i+1:]...)
			return
		}
	}
}

// SetImage takes in a newer image; settings are resolved again when they are next asked for.
func (s *State) SetImage(img *metadata.Image) {
	s.Image = img
	clear(s.configs)
}

// Settings gives a topic's effective settings.
func (s *State) Settings(t *metadata.Topic) *config.Topic {
	if c := s.configs[t.ID]; c != nil {
		return c
	}
	c := config.Resolve(s.Node, t.Configs)
	s.configs[t.ID] = &c
	return &c
}

// Usage counts one API's requests.
type Usage struct {
	Errors  int64 // requests with an error anywhere in the answer
	Latency stats.Histogram
}

func (s *State) count(r *Request) {
	if r.Key < 0 || int(r.Key) >= len(s.Usage) {
		return
	}
	u := &s.Usage[r.Key]
	u.Latency.Observe(int64(s.Env.Now.Mono.Sub(r.Began)))
	if r.failed() {
		u.Errors++
	}
}

func (s *State) send(r *Request, from int) {
	out := s.Env.Out
	out.Send = append(out.Send, network.Send{Conn: r.Conn, A: int32(from), B: int32(len(out.Arena))})
}

func (s *State) mail(m step.Mail) {
	m.From = int32(s.Shard)
	s.Env.Out.Mail = append(s.Env.Out.Mail, m)
}

// failed says whether a hot request's answer has an error; cold ones are counted where they are refused as a whole.
func (r *Request) failed() bool {
	if r.CloseAfter || r.fetch.ctx.code != kerr.None {
		return true
	}
	for i := range r.items {
		if r.items[i].Code != kerr.None {
			return true
		}
	}
	return false
}
