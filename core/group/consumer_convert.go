package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A group changes its protocol while its members live (KIP-848, group.consumer.migration.policy): a classic group of consumers when the first
// member of the consumer protocol joins it, and back when the last one is gone.

// upgrade gives the group of the consumer protocol that a classic group with members becomes, and the records that make it.
func (c *Coordinator) upgrade(old *classic.Group) (*consumer.Group, []coordinator.Record, kerr.Code) {
	policy := c.cfg.Consumer.Migration
	if !policy.MayUpgrade() || !old.IsConsumer() || len(old.Members) > int(c.cfg.Consumer.MaxSize) {
		return nil, nil, kerr.GroupIDNotFound
	}
	protocol := commonProtocol(old)
	members := make([]consumer.Member, 0, len(old.Members))
	for _, o := range old.Members {
		m, ok := c.upgraded(o, protocol, old.Generation)
		if !ok {
			return nil, nil, kerr.GroupIDNotFound
		}
		members = append(members, m)
	}
	sometimes.Hit("group: a classic group becomes a consumer group")
	g := consumer.FromClassic(c.env, c, old.ID, old.Generation, members, c.topics)
	return g, append(c.deleteClassic(old.ID), g.Records()...), kerr.None
}

// commonProtocol is the generation's protocol, or while members change what they offer the one that they would agree on.
func commonProtocol(g *classic.Group) string {
	for _, m := range g.Members {
		if g.Protocol == nil || m.Metadata(*g.Protocol) == nil {
			return g.SelectProtocol()
		}
	}
	return *g.Protocol
}

// upgraded gives a member of the classic protocol as one of a consumer group; not one whose assignor is custom: its data would be lost.
func (c *Coordinator) upgraded(o *classic.Member, protocol string, generation int32) (m consumer.Member, ok bool) {
	s, ok := consumer.ReadSubscription(o.Metadata(protocol))
	if !ok {
		return m, false
	}
	m = consumer.Member{
		ID: o.ID, RackID: s.RackID, ClientID: o.ClientID, ClientHost: o.ClientHost, RebalanceTimeoutMS: o.RebalanceTimeoutMS, Topics: s.Topics,
		Classic: &consumer.Classic{SessionTimeoutMS: o.SessionTimeoutMS, Protocols: o.Protocols},
	}
	if o.InstanceID != nil {
		m.InstanceID = *o.InstanceID
	}
	if len(o.Assignment) > 0 {
		tps, custom, ok := consumer.ReadAssignment(o.Assignment)
		if !ok || custom {
			return m, false
		}
		m.Assigned = consumer.ByID(c.topics, tps, generation)
	}
	return m, true
}

// answerAll ends what the members wait for.
func (c *Coordinator) answerAll(g *classic.Group, code kerr.Code) {
	for _, m := range g.Members {
		g.RefuseJoin(m, m.ID, code)
		g.RefuseSync(m, code)
	}
}

// mayDowngrade says whether a group is to be a classic one once members have left, or, with none leaving, once its only member of the consumer
// protocol has come back with the classic one.
func (c *Coordinator) mayDowngrade(g *consumer.Group, leaving []string, back int) bool {
	classics := g.Classics() + back
	for _, id := range leaving {
		if g.Member(id).Classic != nil {
			classics--
		}
	}
	left := g.Len() - len(leaving)
	return classics == left && left > 0 && c.cfg.Consumer.Migration.MayDowngrade() && left <= int(c.cfg.MaxSize)
}

// downgrade makes a classic group of the members that are left, all of the classic protocol. ch is what has been done to the group so far;
// joining is a static member that has come back, in whose place old was.
func (c *Coordinator) downgrade(g *consumer.Group, leaving []string, ch *consumer.Change, joined *replaced, rebalance bool) kerr.Code {
	if ch == nil {
		ch = c.change(g, nil)
	}
	live := classic.New(c.env, c, g.ID)
	for _, m := range ch.Members() {
		if !contains(leaving, m.ID) {
			live.Add(downgraded(m))
		}
	}
	protocol := live.SelectProtocol()
	live.Restore(classic.Stable, g.Epoch, classic.ConsumerProtocol, &protocol, int64(c.env.Now.Wall))
	for _, m := range live.Members {
		id := m.ID
		if joined != nil && id == joined.id {
			id = joined.old
		}
		s, ok := consumer.ReadSubscription(m.Metadata(protocol))
		if !ok {
			return kerr.GroupIDNotFound
		}
		m.Assignment = consumer.AppendAssignment(nil, s.Version, c.topics, g.Target(id))
	}
	live.ReadSubscriptions()
	ch.Delete()
	ch.Records = append(ch.Records, generationRecord(live))
	if code := c.apply(g.ID, ch); code != kerr.None {
		return code
	}
	c.groups[g.ID] = live
	sometimes.Hit("group: a consumer group becomes a classic group")
	for _, m := range live.Members {
		live.KeepAlive(m, m.SessionTimeoutMS)
	}
	if rebalance {
		c.prepareRebalance(live)
	}
	return kerr.None
}

// replaced is a static member that came back under another id.
type replaced struct{ id, old string }

func downgraded(m *consumer.Member) *classic.Member {
	return &classic.Member{
		ID: m.ID, InstanceID: orNull(m.InstanceID), ClientID: m.ClientID, ClientHost: m.ClientHost, RebalanceTimeoutMS: m.RebalanceTimeoutMS,
		SessionTimeoutMS: m.Classic.SessionTimeoutMS, ProtocolType: classic.ConsumerProtocol, Protocols: m.Classic.Protocols,
	}
}

func contains(ids []string, id string) bool {
	for _, s := range ids {
		if s == id {
			return true
		}
	}
	return false
}

// emptied is what deletes a consumer group without members, if there is one. Its offsets stay.
func (c *Coordinator) emptied(id string) []coordinator.Record {
	g := c.consumers[id]
	if g == nil {
		return nil
	}
	ch := c.change(g, nil)
	ch.Delete()
	return ch.Records
}

// assigned writes what a classic member of a consumer group owns in the form of its protocol.
func (c *Coordinator) assigned(m *consumer.Member) []byte {
	s, _ := consumer.ReadSubscription(m.Classic.Protocols[0].Metadata)
	return consumer.AppendAssignment(nil, s.Version, c.topics, m.Assigned)
}

// fillClassic completes the answer to a join of a classic member: all follow, the coordinator assigns.
func fillClassic(m *consumer.Member, r *kmsg.JoinGroupResponse) {
	kind, protocol := classic.ConsumerProtocol, m.Classic.Protocol()
	r.MemberID, r.Generation, r.ProtocolType, r.Protocol = m.ID, m.Epoch, &kind, &protocol
}
