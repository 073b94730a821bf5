package consumer

import (
	"slices"
	"sort"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/assign"
	"github.com/seedlog/seedlog/core/kerr"
)

// Change is what one request does to a group. It reads the group as it stands, and gathers records; the group changes when they are
// replayed. Its methods are called in this order, some of them not at all: Join or Known, Update, Subscribe, Bump, Assign, Reconcile.
type Change struct {
	Records []coordinator.Record
	// Resolve says that the regular expressions are to be resolved once the records are written.
	Resolve bool
	// NamesChanged and RegexChanged say what of the member's subscription has changed. RegexResolved: and the new one is known already.
	NamesChanged, RegexChanged, RegexResolved bool

	g       *Group
	topics  Topics
	cfg     *Config
	nowMS   int64
	epoch   int32 // the group's, after the records
	checked bool  // the metadata's hash was compared
	members []*Member
	moved   map[string]Assignment // targets that records before have given to new ids
}

// NewChange begins a change. recs come before all that it adds.
func NewChange(g *Group, topics Topics, cfg *Config, nowMS int64, recs []coordinator.Record) *Change {
	return &Change{Records: recs, g: g, topics: topics, cfg: cfg, nowMS: nowMS, epoch: g.Epoch, members: g.Members()}
}

func (c *Change) add(r coordinator.Record) { c.Records = append(c.Records, r) }

// Applied is called when the records are replayed.
func (c *Change) Applied(g *Group) {
	if c.checked {
		g.checkedTopics = c.topics.Changed()
	}
}

// with puts a member into the members as the records will have them.
func (c *Change) with(m *Member) {
	i := sort.Search(len(c.members), func(i int) bool { return c.members[i].ID >= m.ID })
	if i < len(c.members) && c.members[i].ID == m.ID {
		c.members[i] = m
		return
	}
	c.members = slices.Insert(c.members, i, m)
}

func (c *Change) without(id string) {
	c.members = slices.DeleteFunc(c.members, func(m *Member) bool { return m.ID == id })
}

// Full says whether there is no place for a member that is not one already.
func (c *Change) Full(id string) bool {
	return c.g.Len() >= int(c.cfg.MaxSize) && c.g.Member(id) == nil
}

// Join gives the member that joins with id, new or not.
func (c *Change) Join(id string) Member {
	if m := c.g.Member(id); m != nil {
		return *m
	}
	return newMember(id)
}

// JoinStatic gives the member that joins with an instance id: the successor of the one that had it takes over everything but its epoch.
func (c *Change) JoinStatic(id, instanceID string, classicProtocol bool) (Member, kerr.Code) {
	old := c.g.Static(instanceID)
	switch {
	case old == nil:
		return c.Join(id), kerr.None
	case !classicProtocol && old.Classic == nil && old.Epoch != StaticLeaveEpoch:
		return Member{}, kerr.UnreleasedInstanceID
	}
	m := *old
	m.ID, m.Epoch, m.PreviousEpoch = id, 0, 0
	c.replace(old, &m)
	return m, kerr.None
}

func (c *Change) replace(old, m *Member) {
	target := c.g.targets[old.ID]
	c.forget(old.ID)
	c.add(memberRecord(c.g.ID, m))
	c.add(targetRecord(c.g.ID, m.ID, target))
	c.add(currentRecord(c.g.ID, m))
	c.without(old.ID)
	c.moved = map[string]Assignment{m.ID: target}
}

// forget deletes a member.
func (c *Change) forget(id string) {
	c.add(tombstone(KeyCurrent, c.g.ID, id))
	c.add(tombstone(KeyTarget, c.g.ID, id))
	c.add(tombstone(KeyMember, c.g.ID, id))
}

// Known finds the member that a request names.
func (g *Group) Known(id, instanceID string) (*Member, kerr.Code) {
	if instanceID == "" {
		if m := g.Member(id); m != nil {
			return m, kerr.None
		}
		return nil, kerr.UnknownMemberID
	}
	m := g.Static(instanceID)
	switch {
	case m == nil:
		return nil, kerr.UnknownMemberID
	case m.ID != id:
		return nil, kerr.FencedInstanceID
	}
	return m, kerr.None
}

// AdmitEpoch compares the epoch that a member says with the one that it has. Who missed the answer to its last heartbeat comes with the one
// before, and owns nothing else than what it is to have.
func (m *Member) AdmitEpoch(epoch int32, owned []Owned, said bool) kerr.Code {
	switch {
	case epoch == JoinEpoch || epoch == m.Epoch:
		return kerr.None
	case epoch < m.Epoch && epoch == m.PreviousEpoch && said && m.hasAll(owned):
		return kerr.None
	}
	return kerr.FencedMemberEpoch
}

func (m *Member) hasAll(owned []Owned) bool {
	for i := range owned {
		t := m.Assigned.Topic(owned[i].TopicID)
		if t == nil {
			return false
		}
		for _, p := range owned[i].Numbers {
			if !t.has(p) {
				return false
			}
		}
	}
	return true
}

// Update notes what the member says of itself now.
func (c *Change) Update(old, m *Member) {
	c.with(m)
	if old.sameSubscription(m) {
		return
	}
	c.add(memberRecord(c.g.ID, m))
	c.NamesChanged = !slices.Equal(old.Topics, m.Topics)
}

// Bump compares the topics' metadata with what the group's epoch stands for, where that is due, and goes to the next epoch if it is another,
// or must.
func (c *Change) Bump(must bool) {
	changed := c.g.checkedTopics != c.topics.Changed()
	if !must && !changed {
		return
	}
	c.checked = true
	h := hash(c.topics, c.names())
	if must || h != c.g.MetadataHash {
		c.epoch++
		c.add(metadataRecord(c.g.ID, c.epoch, h))
	}
	if c.g.OldMetadata {
		c.add(tombstone(KeyPartitionMetadata, c.g.ID, ""))
	}
}

// names gives the names that the members subscribe to, and what their regular expressions matched.
func (c *Change) names() []string {
	var out []string
	regexes := map[string]bool{}
	for i, m := range c.members {
		if i == 0 || !slices.Equal(m.Topics, c.members[i-1].Topics) {
			out = append(out, m.Topics...)
		}
		if r := c.g.regexes[m.Regex]; m.Regex != "" && r != nil && !regexes[m.Regex] {
			regexes[m.Regex] = true
			out = append(out, r.Topics...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// topicsOf gives the names that one member subscribes to.
func (c *Change) topicsOf(m *Member) []string {
	if r := c.g.regexes[m.Regex]; m.Regex != "" && r != nil {
		return union(m.Topics, r.Topics)
	}
	return m.Topics
}

func (c *Change) target(id string) Assignment {
	if a, ok := c.moved[id]; ok {
		return a
	}
	return c.g.targets[id]
}

// Assign computes the target anew, if the group has a newer epoch and the last one is old enough. It gives what m is to own.
func (c *Change) Assign(m *Member) (epoch int32, target Assignment) {
	if c.g.TargetEpoch >= c.epoch || !c.g.MayAssign(c.nowMS, c.cfg.Of(c.g.ID).AssignmentIntervalMS) {
		return c.g.TargetEpoch, c.target(m.ID)
	}
	names := c.names()
	members := make([]assign.Member, len(c.members))
	for i, o := range c.members {
		members[i] = assign.Member{
			ID: o.ID, InstanceID: o.InstanceID, RackID: o.RackID, Topics: c.topicsOf(o), Current: byName(c.topics, c.target(o.ID)),
		}
	}
	for i, tps := range builtin(c.Assignor())(members, existing(c.topics, names)) {
		id := members[i].ID
		now := byID(tps)
		before, ok := c.moved[id]
		if !ok {
			before, ok = c.g.targets[id]
		}
		if !ok || !before.Equal(now) {
			c.add(targetRecord(c.g.ID, id, now))
		}
		if id == m.ID {
			target = now
		}
	}
	c.add(targetMetadataRecord(c.g.ID, c.epoch, c.nowMS))
	return c.epoch, target
}

// MayAssign: the last target is unknown, or as old as the interval asks for. One of the future was computed under a clock that has been put back
// since, or another broker's, and must not hold the group up until then, as it does in Kafka.
func (g *Group) MayAssign(nowMS int64, intervalMS int32) bool {
	return g.TargetMS == 0 || elapsed(nowMS, g.TargetMS, int64(intervalMS))
}

// elapsed says whether an interval has passed since a time of the wall clock, which may have been put back.
func elapsed(nowMS, sinceMS, intervalMS int64) bool {
	return nowMS >= sinceMS+intervalMS || nowMS < sinceMS
}

// Assignor gives the one that most members ask for, of several the first of the configuration.
func (c *Change) Assignor() string {
	best, most := c.cfg.Assignors[0], 0
	for _, name := range c.cfg.Assignors {
		n := 0
		for _, m := range c.members {
			if m.Assignor == name {
				n++
			}
		}
		if n > most {
			best, most = name, n
		}
	}
	return best
}

// Reconcile moves m a step towards its target. moved says that it is elsewhere now.
func (c *Change) Reconcile(m Member, epoch int32, target Assignment, changed bool, owned []Owned, said bool) (out Member, moved bool, code kerr.Code) {
	if !changed && m.reached(epoch) {
		return m, false, kerr.None
	}
	names := c.topicsOf(&m)
	s := move{
		m: m, epoch: epoch, target: target, free: c.g.free, changed: changed, owned: owned, said: said,
		subscribed: func(id [16]byte) bool {
			name, ok := c.topics.TopicName(id)
			if !ok {
				return false
			}
			_, ok = slices.BinarySearch(names, name)
			return ok
		},
	}
	out, code = s.run()
	if code != kerr.None || out.samePlace(&m) {
		return out, false, code
	}
	c.add(currentRecord(c.g.ID, &out))
	return out, true, kerr.None
}

// Leave takes members out, and goes to the next epoch.
func (c *Change) Leave(ids []string) {
	left := map[string]int{}
	for _, id := range ids {
		c.forget(id)
		if m := c.g.Member(id); m.Regex != "" {
			left[m.Regex]++
		}
		c.without(id)
	}
	for _, r := range sortedKeys(left) {
		if left[r] == c.g.regexMembers[r] {
			c.add(tombstone(KeyRegex, c.g.ID, r))
		}
	}
	c.epoch++
	c.add(metadataRecord(c.g.ID, c.epoch, hash(c.topics, c.names())))
}

// LeaveForAWhile notes that a static member is away: what it owns stays its own (KIP-345).
func (c *Change) LeaveForAWhile(m Member) {
	m.Epoch, m.Revoking, m.Assigned = StaticLeaveEpoch, nil, m.Assigned.withEpochs(0)
	c.add(currentRecord(c.g.ID, &m))
}
