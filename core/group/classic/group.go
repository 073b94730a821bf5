package classic

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// State is where the group stands between two generations; see the package's drawing.
type State uint8

// The states.
const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

var stateNames = [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}

// String gives Kafka's name of the state.
func (s State) String() string { return stateNames[s] }

// ConsumerProtocol is the protocol type of consumers: the one whose subscriptions the coordinator can read.
const ConsumerProtocol = "consumer"

// Rules decides what follows when time runs out.
type Rules interface {
	SessionExpired(g *Group, m *Member)
	PendingExpired(g *Group, memberID string)
	JoinExpired(g *Group)
	SyncExpired(g *Group)
}

// Group is one group. Its exported fields change through its methods only, but for those that say otherwise.
type Group struct {
	ID           string
	State        State
	Previous     State
	SinceMS      int64  // wall clock of the last change of state; -1: not known, from an old record
	Generation   int32  // grows by one each time the join phase ends
	ProtocolType string // "": a simple group, whose offsets are committed without membership
	Protocol     *string
	Leader       string // "" or the id of a member
	Members      []*Member
	// NewMemberAdded extends the delay of the first rebalance. The rules set and clear it.
	NewMemberAdded bool
	// InitialDelayMS and InitialRemainingMS are the rules' state of that delay.
	InitialDelayMS, InitialRemainingMS int32
	// Storing is the offset of the record that makes this generation stable, -1 while there is none in flight. The rules set it.
	Storing int64
	// Replaced are static members whose join is answered once the record that names them is committed. The rules keep it.
	Replaced []Replaced

	topics    []string // what consumers subscribed to, ascending, if aware
	aware     bool
	byID      map[string]*Member
	byStatic  map[string]*Member
	pending   []*pending // in the order in which the ids were given out
	supported map[string]int
	joined    int             // members with a parked join
	unsynced  map[string]bool // members of a fresh generation whose sync has not come
	join      timer.Timer
	sync      timer.Timer
	env       *env.Env
	rules     Rules
}

// Replaced is a static member that took its predecessor's place in a stable group.
type Replaced struct {
	At       int64 // the record's offset
	MemberID string
	Leader   string // when it was replaced
}

// The kinds of a group's own timers.
const (
	timerJoin uint8 = iota
	timerSync
)

// New makes an empty group.
func New(e *env.Env, rules Rules, id string) *Group {
	g := &Group{
		ID: id, Previous: Dead, SinceMS: int64(e.Now.Wall), Storing: -1, env: e, rules: rules,
		byID: make(map[string]*Member), byStatic: make(map[string]*Member), supported: make(map[string]int),
		unsynced: make(map[string]bool),
	}
	g.join = timer.Timer{Owner: g, Kind: timerJoin}
	g.sync = timer.Timer{Owner: g, Kind: timerSync}
	return g
}

// TimerFired is the shard's call.
func (g *Group) TimerFired(t *timer.Timer) {
	if t.Kind == timerJoin {
		g.rules.JoinExpired(g)
		return
	}
	g.rules.SyncExpired(g)
}

// Member gives a member, nil if there is none of that id.
func (g *Group) Member(id string) *Member { return g.byID[id] }

// StaticMember gives the member of an instance id, nil if there is none.
func (g *Group) StaticMember(instanceID string) *Member { return g.byStatic[instanceID] }

// IsLeader says whether id leads the group.
func (g *Group) IsLeader(id string) bool { return g.Leader == id && id != "" }

// IsConsumer says whether the coordinator can read this group's subscriptions.
func (g *Group) IsConsumer() bool { return g.ProtocolType == ConsumerProtocol }

// To changes the state.
//
//	to                  | from
//	Empty               | PreparingRebalance
//	PreparingRebalance  | Empty, CompletingRebalance, Stable
//	CompletingRebalance | PreparingRebalance
//	Stable              | CompletingRebalance
//	Dead                | any
func (g *Group) To(s State) {
	ok := s == Dead
	switch s {
	case Empty, CompletingRebalance:
		ok = g.State == PreparingRebalance
	case PreparingRebalance:
		ok = g.CanRebalance()
	case Stable:
		ok = g.State == CompletingRebalance
	}
	assert.That(ok, "classic: no such transition of a group")
	g.Previous, g.State, g.SinceMS = g.State, s, int64(g.env.Now.Wall)
	if s != CompletingRebalance {
		g.Storing = -1
	}
}

// CanRebalance says whether a rebalance may begin now.
func (g *Group) CanRebalance() bool {
	return g.State == Empty || g.State == CompletingRebalance || g.State == Stable
}

// Restore sets what a record says of a group that was just made; members are added after it.
func (g *Group) Restore(s State, generation int32, protocolType string, protocol *string, sinceMS int64) {
	g.State, g.Generation, g.ProtocolType, g.Protocol, g.SinceMS = s, generation, protocolType, protocol, sinceMS
}

// Lead makes a member the leader.
func (g *Group) Lead(id string) {
	assert.That(g.byID[id] != nil, "classic: the leader is not a member")
	g.Leader = id
}

// Add adds a member that does not wait yet. The first one gives the group its protocol type, and leads it.
func (g *Group) Add(m *Member) {
	assert.That(g.byID[m.ID] == nil, "classic: member added twice")
	if len(g.Members) == 0 {
		g.ProtocolType = m.ProtocolType
	}
	if m.InstanceID != nil {
		assert.That(g.byStatic[*m.InstanceID] == nil, "classic: static member added twice")
		g.byStatic[*m.InstanceID] = m
	}
	if g.Leader == "" {
		g.Leader = m.ID
	}
	m.group = g
	m.session.Owner = m
	g.Members = append(g.Members, m)
	g.byID[m.ID] = m
	g.count(m, 1)
	g.dropPending(m.ID)
}

// Remove takes a member, or a pending id, out of the group. Its parked requests must have been answered. The member that has
// been here longest takes a leader's place.
func (g *Group) Remove(id string) {
	g.dropPending(id)
	m := g.byID[id]
	if m == nil {
		return
	}
	assert.That(m.join == nil && m.sync == nil, "classic: a removed member was not answered")
	g.env.Timers.Cancel(&m.session)
	g.count(m, -1)
	delete(g.byID, id)
	delete(g.unsynced, id)
	if m.InstanceID != nil {
		delete(g.byStatic, *m.InstanceID)
	}
	for i := range g.Members {
		if g.Members[i] == m {
			g.Members = append(g.Members[:i], g.Members[i+1:]...)
			break
		}
	}
	if g.Leader != id {
		return
	}
	g.Leader = ""
	if len(g.Members) > 0 {
		g.Leader = g.Members[0].ID
	}
}

// Replace puts a static member under a new id into its own place, and gives it. The old one's parked requests must have been
// answered.
func (g *Group) Replace(old *Member, id string) *Member {
	assert.That(old.join == nil && old.sync == nil, "classic: a replaced member was not answered")
	g.env.Timers.Cancel(&old.session)
	m := &Member{
		ID: id, InstanceID: old.InstanceID, ClientID: old.ClientID, ClientHost: old.ClientHost,
		RebalanceTimeoutMS: old.RebalanceTimeoutMS, SessionTimeoutMS: old.SessionTimeoutMS,
		ProtocolType: old.ProtocolType, Protocols: old.Protocols, Assignment: old.Assignment, group: g,
	}
	m.session.Owner = m
	delete(g.byID, old.ID)
	delete(g.unsynced, old.ID)
	g.byID[id] = m
	g.byStatic[*m.InstanceID] = m
	for i := range g.Members {
		if g.Members[i] == old {
			g.Members[i] = m
		}
	}
	if g.Leader == old.ID {
		g.Leader = id
	}
	return m
}

// Update sets what a member says of itself when it joins again.
func (g *Group) Update(m *Member, ps []Protocol, rebalanceMS, sessionMS int32) {
	g.count(m, -1)
	m.Protocols, m.RebalanceTimeoutMS, m.SessionTimeoutMS = ps, rebalanceMS, sessionMS
	g.count(m, 1)
}

func (g *Group) count(m *Member, n int) {
	for i := range m.Protocols {
		name := m.Protocols[i].Name
		if g.supported[name] += n; g.supported[name] == 0 {
			delete(g.supported, name)
		}
	}
}

// RebalanceTimeoutMS is the longest that a member asks for.
func (g *Group) RebalanceTimeoutMS() int32 {
	t := int32(0)
	for _, m := range g.Members {
		t = max(t, m.RebalanceTimeoutMS)
	}
	return t
}

// KeepAlive starts a member's session anew.
func (g *Group) KeepAlive(m *Member, timeoutMS int32) {
	g.env.After(&m.session, clock.MS(int64(timeoutMS)))
}

// ExpireJoin sets when the join phase ends.
func (g *Group) ExpireJoin(timeoutMS int32) { g.env.After(&g.join, clock.MS(int64(timeoutMS))) }

// StopJoin forgets that.
func (g *Group) StopJoin() { g.env.Timers.Cancel(&g.join) }

// Bury makes the group Dead and stops its timers. Parked requests must have been answered.
func (g *Group) Bury() {
	g.To(Dead)
	g.env.Timers.Cancel(&g.join)
	g.env.Timers.Cancel(&g.sync)
	for _, m := range g.Members {
		assert.That(m.join == nil && m.sync == nil, "classic: buried with a request parked")
		g.env.Timers.Cancel(&m.session)
	}
	for _, p := range g.pending {
		g.env.Timers.Cancel(&p.session)
	}
}
