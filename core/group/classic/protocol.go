package classic

import (
	"encoding/binary"
	"sort"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/io/clock"
)

func ms(n int32) clock.Duration { return clock.MS(int64(n)) }

// Supports says whether a member that offers these protocols can be in the group: it needs one that all others offer too.
func (g *Group) Supports(protocolType string, ps []Protocol) bool {
	if g.State == Empty {
		return protocolType != "" && len(ps) > 0
	}
	if g.ProtocolType == "" || g.ProtocolType != protocolType {
		return false
	}
	for i := range ps {
		if g.supported[ps[i].Name] == len(g.Members) {
			return true
		}
	}
	return false
}

// SelectProtocol lets each member vote for the first of its protocols that all offer. Of those with the most votes it takes the
// one that the earliest member voted for. There are members, and Supports let them in.
func (g *Group) SelectProtocol() string {
	votes := make(map[string]int)
	best := ""
	for _, m := range g.Members {
		votes[g.vote(m)]++
	}
	for _, m := range g.Members {
		if v := g.vote(m); best == "" || votes[v] > votes[best] {
			best = v
		}
	}
	return best
}

func (g *Group) vote(m *Member) string {
	for i := range m.Protocols {
		if g.supported[m.Protocols[i].Name] == len(g.Members) {
			return m.Protocols[i].Name
		}
	}
	return ""
}

// ElectLeader makes sure that the leader is among those who joined, if anybody did.
func (g *Group) ElectLeader() bool {
	if l := g.byID[g.Leader]; l != nil && l.AwaitsJoin() {
		return true
	}
	for _, m := range g.Members {
		if m.AwaitsJoin() {
			g.Leader = m.ID
			return true
		}
	}
	return false
}

// NextGeneration ends the join phase. Without members the group is Empty.
func (g *Group) NextGeneration() {
	g.Generation++
	if g.Generation < 0 {
		g.Generation = 0
	}
	clear(g.unsynced)
	if len(g.Members) == 0 {
		g.Protocol = nil
		g.ReadSubscriptions()
		g.To(Empty)
		return
	}
	p := g.SelectProtocol()
	g.Protocol = &p
	g.ReadSubscriptions()
	g.To(CompletingRebalance)
}

// ProtocolName is the generation's protocol, "" without one.
func (g *Group) ProtocolName() string {
	if g.Protocol == nil {
		return ""
	}
	return *g.Protocol
}

// ReadSubscriptions works out which topics the group's consumers subscribed to; it is not aware of them if one cannot be read.
func (g *Group) ReadSubscriptions() {
	g.topics, g.aware = nil, false
	if !g.IsConsumer() || len(g.Members) > 0 && g.Protocol == nil {
		return
	}
	seen := make(map[string]bool)
	for _, m := range g.Members {
		if !readSubscription(m.Metadata(*g.Protocol), seen) {
			return
		}
	}
	for t := range seen {
		g.topics = append(g.topics, t)
	}
	sort.Strings(g.topics)
	g.aware = true
}

// readSubscription adds the topics of a ConsumerProtocolSubscription: version int16, then an array of strings. Version 0 is the
// prefix of all others.
func readSubscription(b []byte, into map[string]bool) bool {
	if len(b) < 6 {
		return false
	}
	n := int32(binary.BigEndian.Uint32(b[2:]))
	b = b[6:]
	for ; n > 0; n-- {
		if len(b) < 2 {
			return false
		}
		l := int(int16(binary.BigEndian.Uint16(b)))
		if l < 0 || len(b) < 2+l {
			return false
		}
		into[string(b[2:2+l])] = true
		b = b[2+l:]
	}
	return n == 0
}

// AwareOfTopics says whether the subscriptions could be read.
func (g *Group) AwareOfTopics() bool { return g.aware }

// IsSubscribed says whether a consumer of the group reads the topic. A consumer group whose subscriptions cannot be read may.
func (g *Group) IsSubscribed(topic string) bool {
	if !g.aware {
		return g.IsConsumer()
	}
	i := sort.SearchStrings(g.topics, topic)
	return i < len(g.topics) && g.topics[i] == topic
}

// CheckInvariants panics if the bookkeeping is wrong.
func (g *Group) CheckInvariants() {
	joined := 0
	for _, m := range g.Members {
		assert.That(g.byID[m.ID] == m, "classic: a member is not known by its id")
		assert.That(m.InstanceID == nil || g.byStatic[*m.InstanceID] == m, "classic: a static member is not known by its instance id")
		assert.That(!m.AwaitsJoin() || !m.AwaitsSync(), "classic: a member waits for join and sync")
		assert.That(!m.AwaitsSync() || g.State == CompletingRebalance, "classic: a sync is parked out of its phase")
		if m.AwaitsJoin() {
			joined++
		}
	}
	assert.That(joined == g.joined, "classic: parked joins are miscounted")
	assert.That(len(g.byID) == len(g.Members), "classic: members are miscounted")
	assert.That(len(g.Members) == 0 || g.byID[g.Leader] != nil, "classic: the leader is not a member")
	assert.That(g.State != Empty || len(g.Members) == 0, "classic: members in an empty group")
	assert.That(g.State != CompletingRebalance && g.State != Stable || len(g.Members) > 0, "classic: a generation without members")
	for _, p := range g.pending {
		assert.That(g.byID[p.id] == nil && p.session.IsSet(), "classic: a pending id is a member, or stays for ever")
	}
}
