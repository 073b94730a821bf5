package group

import (
	"encoding/base64"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
)

// retryExpiredMS is after how long the end of a member's time is tried again, when it could not be recorded. Source: CoordinatorTimerImpl.
const retryExpiredMS = 500

// exists says whether there is a group, of any protocol.
func (c *Coordinator) exists(id string) bool { return c.groups[id] != nil || c.consumers[id] != nil }

// replayConsumer applies a record of a consumer group. The first one makes the group; it takes the place of one that only held offsets.
func (c *Coordinator) replayConsumer(rec coordinator.Record) error {
	k, err := consumer.ReadKey(rec.Key)
	if err != nil {
		return err
	}
	g := c.consumers[k.Group]
	if g == nil {
		if rec.Value == nil {
			return nil
		}
		g = consumer.New(c.env, c, k.Group)
	}
	gone, err := g.Replay(k, rec.Value)
	if err != nil {
		return err
	}
	if gone {
		delete(c.consumers, k.Group)
		return nil
	}
	c.consumers[k.Group] = g
	if live := c.groups[k.Group]; live != nil {
		c.bury(live, kerr.CoordinatorNotAvailable)
	}
	return nil
}

// reviveConsumer starts the sessions of a group that was loaded.
func (c *Coordinator) reviveConsumer(g *consumer.Group) {
	for _, m := range g.Members() {
		c.keepAlive(g, m)
		if m.State == consumer.UnrevokedPartitions {
			g.Arm(m.ID, consumer.Rebalance, m.RebalanceTimeoutMS)
		}
	}
}

// keepAlive starts a member's session anew.
func (c *Coordinator) keepAlive(g *consumer.Group, m *consumer.Member) {
	ms := c.cfg.Consumer.Of(g.ID).SessionTimeoutMS
	if m.Classic != nil {
		ms = m.Classic.SessionTimeoutMS
	}
	g.Arm(m.ID, consumer.Session, ms)
}

// change begins a change of a group.
func (c *Coordinator) change(g *consumer.Group, recs []coordinator.Record) *consumer.Change {
	return consumer.NewChange(g, c.topics, &c.cfg.Consumer, int64(c.env.Now.Wall), recs)
}

// apply writes what a change came to.
func (c *Coordinator) apply(id string, ch *consumer.Change) kerr.Code {
	if len(ch.Records) > 0 {
		if _, code := c.write(id, ch.Records...); code != kerr.None {
			return code
		}
	}
	if g := c.consumers[id]; g != nil {
		ch.Applied(g)
	}
	return kerr.None
}

// fence takes members out of a group. The last member of the consumer protocol makes it a classic group, if that may be.
func (c *Coordinator) fence(g *consumer.Group, ids []string) kerr.Code {
	if len(ids) == 0 {
		return kerr.None
	}
	if c.mayDowngrade(g, ids, 0) {
		return c.downgrade(g, ids, nil, nil, true)
	}
	ch := c.change(g, nil)
	ch.Leave(ids)
	return c.apply(g.ID, ch)
}

// MemberExpired is a member's timer.
func (c *Coordinator) MemberExpired(g *consumer.Group, id string, why consumer.Timer) {
	if g.Member(id) == nil {
		return
	}
	sometimes.If(why == consumer.Rebalance, "group: a member does not let go of its partitions in time")
	if code := c.fence(g, []string{id}); code != kerr.None {
		c.env.Warnf("group %s: that member %s is gone could not be recorded: %s", g.ID, id, code)
		g.Arm(id, why, retryExpiredMS)
	}
	c.check(g.ID)
}

// newUUID gives a random id as Kafka writes it: 22 characters of base64.
func (c *Coordinator) newUUID() string {
	var u [16]byte
	c.env.Rand.Fill(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return base64.RawURLEncoding.EncodeToString(u[:])
}

// groupFor finds the group that a member of the consumer protocol joins, or makes one that is not on record yet. recs is what comes before
// all else: an empty classic group is deleted, and one with members is converted.
func (c *Coordinator) groupFor(id string, join bool) (g *consumer.Group, recs []coordinator.Record, code kerr.Code) {
	if g := c.consumers[id]; g != nil {
		return g, nil, kerr.None
	}
	old := c.groups[id]
	switch {
	case !join:
		return nil, nil, kerr.GroupIDNotFound
	case old == nil && len(c.groups)+len(c.consumers) >= c.cfg.MaxGroups:
		return nil, nil, kerr.CoordinatorNotAvailable
	case old == nil:
		c.Begun++
		return consumer.New(c.env, c, id), nil, kerr.None
	case old.State == classic.Empty:
		c.Begun++
		return consumer.New(c.env, c, id), c.deleteClassic(id), kerr.None
	}
	return c.upgrade(old)
}

// deleteClassic is what deletes a classic group's generation; one that only holds offsets has none.
func (c *Coordinator) deleteClassic(id string) []coordinator.Record {
	if c.meta[id] == nil {
		return nil
	}
	return []coordinator.Record{groupRecord(id, nil)}
}
