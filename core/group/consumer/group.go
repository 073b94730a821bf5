package consumer

import (
	"slices"
	"sort"
	"strings"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// Timer is why a member's time has run out.
type Timer uint8

// The timers of a member.
const (
	Session   Timer = iota // no heartbeat
	Rebalance              // it has not let go of what it is to revoke
	Join                   // of a classic member: it has not joined again
	Sync                   // of a classic member: it has not fetched its assignment
	timers
)

// Rules decides what follows when time runs out.
type Rules interface {
	MemberExpired(g *Group, id string, why Timer)
}

// Group is one group. Replay changes what is durable; the rest is soft.
type Group struct {
	ID            string
	Epoch         int32 // grows whenever the target must be computed anew
	MetadataHash  int64 // of the topics for which Epoch stands; 0: none
	TargetEpoch   int32 // the group epoch for which the target was computed; at most Epoch
	TargetMS      int64 // wall clock of that, 0: not known
	OldMetadata   bool  // the log has a ConsumerGroupPartitionMetadata record, which is to be deleted
	targets       map[string]Assignment
	regexes       map[string]*Resolved
	members       map[string]*member
	order         []*member         // by id
	static        map[string]string // instance id to member id
	owners        map[partition]int // how many members have it; more than one only while the log is read
	regexMembers  map[string]int    // how many members subscribe to each
	classics      int               // members of the classic protocol
	checkedTopics int64             // soft: Topics.Changed when the hash was last compared; -1: not since the group was loaded
	env           *env.Env
	rules         Rules
}

// Resolved is what a regular expression matched.
type Resolved struct {
	Topics  []string // ascending
	Version int64    // of the metadata that it was matched with
	AtMS    int64
}

type partition struct {
	id [16]byte
	p  int32
}

// member is a live member.
type member struct {
	Member
	group   *Group
	timers  [timers]timer.Timer
	revokes int32 // the epoch in which the Rebalance timer was set
}

// New makes a group of which the log says nothing yet. Source: ModernGroup, whose epochs begin with 1.
func New(e *env.Env, rules Rules, id string) *Group {
	return &Group{
		ID: id, Epoch: 1, TargetEpoch: 1, checkedTopics: -1, env: e, rules: rules, targets: map[string]Assignment{}, regexes: map[string]*Resolved{},
		members: map[string]*member{}, static: map[string]string{}, owners: map[partition]int{}, regexMembers: map[string]int{},
	}
}

// Len is the number of members.
func (g *Group) Len() int { return len(g.order) }

// Classics is the number of members that speak the classic protocol.
func (g *Group) Classics() int { return g.classics }

// Member gives a member, nil if there is none of that id. It holds until the next replay.
func (g *Group) Member(id string) *Member {
	if m := g.members[id]; m != nil {
		return &m.Member
	}
	return nil
}

// Static gives the member of an instance id, nil if there is none.
func (g *Group) Static(instanceID string) *Member {
	if id, ok := g.static[instanceID]; ok && instanceID != "" {
		return g.Member(id)
	}
	return nil
}

// Members gives all members by id.
func (g *Group) Members() []*Member {
	out := make([]*Member, len(g.order))
	for i, m := range g.order {
		out[i] = &m.Member
	}
	return out
}

// Target is what a member is to own, with no epochs.
func (g *Group) Target(id string) Assignment { return g.targets[id] }

// State is Kafka's name of where the group stands.
func (g *Group) State() string {
	switch {
	case len(g.order) == 0:
		return "Empty"
	case g.Epoch > g.TargetEpoch:
		return "Assigning"
	case !g.Settled():
		return "Reconciling"
	}
	return "Stable"
}

// Settled says whether every member has what it is to have.
func (g *Group) Settled() bool {
	for _, m := range g.order {
		if !m.reached(g.TargetEpoch) {
			return false
		}
	}
	return true
}

// free says whether nobody has a partition.
func (g *Group) free(id [16]byte, p int32) bool { return g.owners[partition{id, p}] == 0 }

// AwaitsPartitions says whether something that the member is to own is still another's.
func (g *Group) AwaitsPartitions(m *Member) bool {
	waits := false
	g.targets[m.ID].each(func(id [16]byte, p int32) {
		waits = waits || !m.Assigned.Has(id, p) && !g.free(id, p)
	})
	return m.State == UnreleasedPartitions && waits
}

// IsSubscribed says whether a member reads the topic.
func (g *Group) IsSubscribed(topic string) bool {
	for _, m := range g.order {
		if _, ok := slices.BinarySearch(m.Topics, topic); ok {
			return true
		}
	}
	for _, r := range sortedKeys(g.regexes) {
		if _, ok := slices.BinarySearch(g.regexes[r].Topics, topic); ok {
			return true
		}
	}
	return false
}

// lastResolved gives when the group's regular expressions were last matched, and with which version; ok is false if they never were.
func (g *Group) lastResolved() (atMS, version int64, ok bool) {
	for _, r := range sortedKeys(g.regexes) {
		atMS, version = max(atMS, g.regexes[r].AtMS), max(version, g.regexes[r].Version)
	}
	return atMS, version, len(g.regexes) > 0
}

// put sets a member, and keeps what is counted.
func (g *Group) put(m Member) {
	live := g.members[m.ID]
	if live == nil {
		live = &member{group: g}
		for i := range live.timers {
			live.timers[i] = timer.Timer{Owner: live, Kind: uint8(i)}
		}
		g.members[m.ID] = live
		i := sort.Search(len(g.order), func(i int) bool { return g.order[i].ID >= m.ID })
		g.order = slices.Insert(g.order, i, live)
	} else {
		g.count(&live.Member, -1)
	}
	live.Member = m
	g.count(&live.Member, 1)
	if m.InstanceID != "" {
		g.static[m.InstanceID] = m.ID
	}
}

// remove takes a member out.
func (g *Group) remove(id string) {
	live := g.members[id]
	if live == nil {
		return
	}
	g.count(&live.Member, -1)
	live.stop()
	delete(g.members, id)
	i := sort.Search(len(g.order), func(i int) bool { return g.order[i].ID >= id })
	g.order = slices.Delete(g.order, i, i+1)
	if g.static[live.InstanceID] == id {
		delete(g.static, live.InstanceID)
	}
}

// count adds n for everything that is counted of a member.
func (g *Group) count(m *Member, n int) {
	have := func(id [16]byte, p int32) {
		k := partition{id, p}
		if g.owners[k] += n; g.owners[k] == 0 {
			delete(g.owners, k)
		}
	}
	m.Assigned.each(have)
	m.Revoking.each(have)
	if m.Regex != "" {
		if g.regexMembers[m.Regex] += n; g.regexMembers[m.Regex] == 0 {
			delete(g.regexMembers, m.Regex)
		}
	}
	if m.Classic != nil {
		g.classics += n
	}
}

// TimerFired is the shard's call.
func (m *member) TimerFired(t *timer.Timer) {
	why := Timer(t.Kind)
	if why == Rebalance && m.revokes != m.Epoch {
		return // it has moved on since
	}
	m.group.rules.MemberExpired(m.group, m.ID, why)
}

// Arm starts a member's timer anew; it does nothing if there is no such member.
func (g *Group) Arm(id string, t Timer, ms int32) {
	m := g.members[id]
	if m == nil {
		return
	}
	if t == Rebalance {
		m.revokes = m.Epoch
	}
	g.env.After(&m.timers[t], clock.MS(int64(max(ms, 0))))
}

// ArmIfIdle starts a timer that is not running.
func (g *Group) ArmIfIdle(id string, t Timer, ms int32) {
	if m := g.members[id]; m != nil && !m.timers[t].IsSet() {
		g.Arm(id, t, ms)
	}
}

// Cancel stops a member's timer.
func (g *Group) Cancel(id string, t Timer) {
	if m := g.members[id]; m != nil {
		g.env.Timers.Cancel(&m.timers[t])
	}
}

func (m *member) stop() {
	for i := range m.timers {
		m.group.env.Timers.Cancel(&m.timers[i])
	}
}

// Stop stops all timers: the group is gone from here.
func (g *Group) Stop() {
	for _, m := range g.order {
		m.stop()
	}
}

// CheckInvariants panics if the bookkeeping is wrong, or a partition has two owners.
func (g *Group) CheckInvariants() {
	assert.That(len(g.order) == len(g.members), "consumer: members are miscounted")
	assert.That(g.TargetEpoch <= g.Epoch, "consumer: the target is ahead of the group")
	n := 0
	for i, m := range g.order {
		assert.That(g.members[m.ID] == m, "consumer: a member is not known by its id")
		assert.That(i == 0 || g.order[i-1].ID < m.ID, "consumer: members are out of order")
		assert.That(m.InstanceID == "" || g.static[m.InstanceID] == m.ID, "consumer: a static member is not known by its instance id")
		assert.That(m.Epoch <= g.TargetEpoch, "consumer: a member is ahead of the target")
		n += m.Assigned.Len() + m.Revoking.Len()
	}
	assert.That(len(g.owners) == n, "consumer: a partition has two owners")
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
