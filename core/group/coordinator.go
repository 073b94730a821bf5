package group

import (
	"sort"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/group/offsets"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Coordinator is the groups of one partition of __consumer_offsets. It is loaded once, and dropped once.
type Coordinator struct {
	env    *env.Env
	cfg    *Config
	topics Topics
	shard  *coordinator.Shard
	gone   kerr.Code // what requests are told after Unload or Failed

	Txn       Transactions // set by whoever made the coordinator
	producers Producers    // of the log, nil if it has none

	Expired int64 // committed offsets that this instance has let expire (Kafka's offset-expiration-count)
	Begun   int64 // groups that this instance has begun, where none or one without members was

	// Durable: a fold over the log. Replay alone changes it.
	offsets offsets.Store
	meta    map[string][]byte // the value of each group's last GroupMetadata record
	// Groups of the consumer protocol: durable but for their timers. A group is in here or in groups, never in both.
	consumers map[string]*consumer.Group

	// Live: each group that has either of these, or members.
	groups map[string]*classic.Group
	expiry timer.Timer

	resolver resolver
}

// New makes a coordinator that waits for its log to be loaded.
func New(e *env.Env, log coordinator.Log, cfg *Config, topics Topics) *Coordinator {
	c := &Coordinator{env: e, cfg: cfg, topics: topics, meta: make(map[string][]byte), groups: make(map[string]*classic.Group)}
	c.consumers = make(map[string]*consumer.Group)
	c.shard = coordinator.NewShard(e, log, c, options(cfg))
	c.expiry.Owner, c.resolver.pause.Owner = c, c
	c.producers, _ = log.(Producers)
	return c
}

func options(cfg *Config) coordinator.Options {
	return coordinator.Options{MaxBatchBytes: cfg.MaxBatchBytes, StallMS: cfg.CommitTimeoutMS}
}

// Load replays one batch of the log; they come in order, from its start to its end. After an error the instance is of no use.
func (c *Coordinator) Load(batch records.View) error { return c.shard.Load(batch) }

// Loaded brings the groups to life: each member's session starts anew.
func (c *Coordinator) Loaded() {
	c.shard.Loaded()
	for _, id := range sortedKeys(c.meta) {
		v, err := readGroup(c.meta[id])
		assert.That(err == nil, "group: a value that was replayed cannot be read")
		if c.consumers[id] == nil {
			c.revive(id, v)
		}
	}
	for _, id := range sortedKeys(c.consumers) {
		c.consumers[id].Mend()
		c.reviveConsumer(c.consumers[id])
	}
	c.offsets.Transactions(func(_ int64, pending *offsets.Store) { c.reviveSimple(pending.Groups()) })
	c.reviveSimple(c.offsets.Groups())
	c.armExpiry()
	c.checkAll()
}

// reviveSimple makes a group of each id that has offsets and nothing else.
func (c *Coordinator) reviveSimple(ids []string) {
	for _, id := range ids {
		if c.consumers[id] == nil {
			c.ensure(id)
		}
	}
}

func (c *Coordinator) ensure(id string) *classic.Group {
	g := c.groups[id]
	if g == nil {
		g = classic.New(c.env, c, id)
		c.groups[id] = g
	}
	return g
}

// revive makes a live group of its last generation. What a disk may hold and no coordinator writes (a member twice, a leader
// that is no member) is mended.
func (c *Coordinator) revive(id string, v *kmsg.GroupMetadataValue) {
	g := c.ensure(id)
	state, protocol := classic.Empty, v.Protocol
	if len(v.Members) > 0 {
		state = classic.Stable
		if protocol == nil {
			protocol = new(string)
		}
	}
	g.Restore(state, v.Generation, v.ProtocolType, protocol, v.CurrentStateTimestamp)
	for i := range v.Members {
		c.reviveMember(g, &v.Members[i])
	}
	if v.Leader != nil && g.Member(*v.Leader) != nil {
		g.Lead(*v.Leader)
	}
	g.ReadSubscriptions()
	if len(g.Members) > int(c.cfg.MaxSize) {
		c.prepareRebalance(g)
	}
}

func (c *Coordinator) reviveMember(g *classic.Group, v *kmsg.GroupMetadataValueMember) {
	if g.Member(v.MemberID) != nil || v.InstanceID != nil && g.StaticMember(*v.InstanceID) != nil {
		return
	}
	m := &classic.Member{
		ID: v.MemberID, InstanceID: v.InstanceID, ClientID: v.ClientID, ClientHost: v.ClientHost,
		RebalanceTimeoutMS: v.RebalanceTimeoutMillis, SessionTimeoutMS: v.SessionTimeoutMillis, ProtocolType: g.ProtocolType,
		Protocols:  []classic.Protocol{{Name: g.ProtocolName(), Metadata: v.Subscription}},
		Assignment: v.Assignment,
	}
	if m.RebalanceTimeoutMS == -1 {
		m.RebalanceTimeoutMS = m.SessionTimeoutMS
	}
	g.Add(m)
	g.KeepAlive(m, m.SessionTimeoutMS)
}

// HighWatermarkMoved lets go the replies that hw covers.
func (c *Coordinator) HighWatermarkMoved(hw int64) { c.shard.HighWatermarkMoved(hw) }

// Unload ends the instance, because the partition is led elsewhere or nowhere: whoever waits is told code, and so is whoever
// still asks.
func (c *Coordinator) Unload(code kerr.Code) {
	if c.shard.Phase() == coordinator.Dropped {
		return
	}
	c.gone = code
	c.shard.Drop(code)
	for _, id := range sortedKeys(c.groups) {
		c.bury(c.groups[id], code)
	}
	for _, id := range sortedKeys(c.consumers) {
		c.consumers[id].Stop()
	}
	c.env.Timers.Cancel(&c.expiry)
	c.stopResolving()
}

// Failed says that the log took back everything from an offset on. State that was replayed cannot be taken back: the instance
// ends, and the caller loads a new one.
func (c *Coordinator) Failed(int64) { c.Unload(kerr.CoordinatorNotAvailable) }

// Active says whether the coordinator has been loaded and not dropped.
func (c *Coordinator) Active() bool { return c.shard.Phase() == coordinator.Active }

// unavailable is the code for every request while the coordinator is not active.
func (c *Coordinator) unavailable() kerr.Code {
	switch c.shard.Phase() {
	case coordinator.Loading:
		return kerr.CoordinatorLoadInProgress
	case coordinator.Dropped:
		return c.gone
	}
	return kerr.None
}

// bury ends a live group.
func (c *Coordinator) bury(g *classic.Group, code kerr.Code) {
	c.answerAll(g, code)
	g.Bury()
	delete(c.groups, g.ID)
}

// TimerFired is the shard's call: time to go on resolving, or to look for expired offsets.
func (c *Coordinator) TimerFired(t *timer.Timer) {
	if t == &c.resolver.pause {
		c.resolvePart()
		return
	}
	c.expireOffsets()
	c.armExpiry()
}

func (c *Coordinator) armExpiry() {
	c.env.After(&c.expiry, clock.MS(int64(max(c.cfg.RetentionCheckIntervalMS, 1))))
}

// write puts records into the log under the group's name.
func (c *Coordinator) write(groupID string, recs ...coordinator.Record) (int64, kerr.Code) {
	c.shard.SetOptions(options(c.cfg))
	last, code := c.shard.Write(groupID, recs)
	return last, coordinator.ClientCode(code)
}

// check runs the costly checks of one group after a step.
func (c *Coordinator) check(groupID string) {
	if assert.Invariants {
		if g := c.groups[groupID]; g != nil {
			g.CheckInvariants()
		}
		if g := c.consumers[groupID]; g != nil {
			g.CheckInvariants()
		}
		assert.That(c.groups[groupID] == nil || c.consumers[groupID] == nil, "group: of two protocols")
	}
}

func (c *Coordinator) checkAll() {
	if assert.Invariants {
		c.CheckInvariants()
	}
}

// CheckInvariants panics if the bookkeeping of any group is wrong.
func (c *Coordinator) CheckInvariants() {
	for _, id := range sortedKeys(c.groups) {
		c.groups[id].CheckInvariants()
	}
	for _, id := range sortedKeys(c.consumers) {
		c.consumers[id].CheckInvariants()
		assert.That(c.groups[id] == nil, "group: of two protocols")
	}
}

func sortedKeys[V any](m map[string]V) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}
