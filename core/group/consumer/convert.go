package consumer

import (
	"github.com/seedlog/seedlog/core/env"
)

// FromClassic makes the group that a classic group of this generation becomes: each member has, and is to have, what it was assigned last.
func FromClassic(e *env.Env, rules Rules, id string, generation int32, members []Member, topics Topics) *Group {
	g := New(e, rules, id)
	g.Epoch, g.TargetEpoch = generation, generation
	for _, m := range members {
		m.Epoch, m.PreviousEpoch, m.State = generation, generation, Stable
		g.put(m)
		target := make(Assignment, len(m.Assigned))
		for i := range m.Assigned {
			target[i] = Partitions{TopicID: m.Assigned[i].TopicID, Numbers: m.Assigned[i].Numbers}
		}
		g.targets[m.ID] = target
	}
	var names []string
	for _, m := range g.order {
		names = append(names, m.Topics...)
	}
	g.MetadataHash = hash(topics, sortedTopics(names))
	return g
}

// OffersAny says whether the classic members all offer one of these protocols. A group without such members takes any.
func (g *Group) OffersAny(names []string) bool {
	for _, name := range names {
		n := 0
		for _, m := range g.order {
			if m.Classic != nil && m.Classic.offers(name) {
				n++
			}
		}
		if n == g.classics {
			return true
		}
	}
	return false
}

func (c *Classic) offers(name string) bool {
	for i := range c.Protocols {
		if c.Protocols[i].Name == name {
			return true
		}
	}
	return false
}

// Protocol is the name of the protocol that a classic member is told.
func (c *Classic) Protocol() string { return c.Protocols[0].Name }

// Delete deletes the group, with everything that records before have made.
func (c *Change) Delete() {
	for _, m := range c.members {
		c.add(tombstone(KeyCurrent, c.g.ID, m.ID))
	}
	for _, m := range c.members {
		c.add(tombstone(KeyTarget, c.g.ID, m.ID))
	}
	c.add(tombstone(KeyTargetMetadata, c.g.ID, ""))
	for _, m := range c.members {
		c.add(tombstone(KeyMember, c.g.ID, m.ID))
	}
	for _, r := range sortedKeys(c.g.regexes) {
		c.add(tombstone(KeyRegex, c.g.ID, r))
	}
	c.add(tombstone(KeyPartitionMetadata, c.g.ID, ""))
	c.add(tombstone(KeyMetadata, c.g.ID, ""))
}

// Epoch is the group's, after the records.
func (c *Change) Epoch() int32 { return c.epoch }

// Members gives the members as the records will have them.
func (c *Change) Members() []*Member { return c.members }
