package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// joinStatic handles a join with an instance id and without a member id (KIP-345): the first of its name, or the successor of a
// member that was restarted.
func (c *Coordinator) joinStatic(g *classic.Group, j *join) {
	id := c.newMemberID(*j.req.InstanceID)
	old := g.StaticMember(*j.req.InstanceID)
	if old == nil {
		c.addMember(g, j, id)
		return
	}
	before := *old
	sometimes.Hit("group: a static member is replaced")
	sometimes.If(g.State == classic.CompletingRebalance, "group: a static member is replaced before it has its assignment")
	leader := g.Leader
	g.RefuseJoin(old, old.ID, kerr.FencedInstanceID)
	g.RefuseSync(old, kerr.FencedInstanceID)
	m := g.Replace(old, id)
	g.KeepAlive(m, m.SessionTimeoutMS)
	g.Update(m, j.protocols, j.rebalanceMS(), j.req.SessionTimeoutMillis)
	switch {
	case g.State == classic.Stable && g.ProtocolName() == g.SelectProtocol():
		c.storeReplaced(g, m, j, &before, leader)
	case g.State == classic.Stable, g.State == classic.CompletingRebalance:
		// The leader may have been told the old id already: its assignment would miss the new one.
		g.ParkJoin(m, j.w, j.resp)
		c.prepareRebalance(g)
	default:
		g.ParkJoin(m, j.w, j.resp)
		c.maybeCompleteJoin(g)
	}
}

// storeReplaced keeps a stable group stable: the new id takes over the assignment once it is on record.
func (c *Coordinator) storeReplaced(g *classic.Group, m *classic.Member, j *join, before *classic.Member, leader string) {
	last, code := c.write(g.ID, generationRecord(g))
	if code != kerr.None {
		sometimes.Hit("group: the record of a replaced member is refused")
		g.Update(m, before.Protocols, before.RebalanceTimeoutMS, before.SessionTimeoutMS)
		back := g.Replace(m, before.ID)
		g.KeepAlive(back, back.SessionTimeoutMS)
		j.resp.Generation, j.resp.LeaderID = g.Generation, leader
		j.resp.Protocol, j.resp.ProtocolType = protocolOf(g)
		j.refuse("", code)
		return
	}
	g.ReadSubscriptions() // it may read other topics than before: their offsets must not expire
	g.ParkJoin(m, j.w, j.resp)
	g.Replaced = append(g.Replaced, classic.Replaced{At: last, MemberID: m.ID, Leader: leader})
}

// answerReplaced answers the static members that are on record now. If a rebalance has begun meanwhile, its end answers them.
func (c *Coordinator) answerReplaced(g *classic.Group, last int64) {
	for _, r := range takeReplaced(g, last) {
		m := g.Member(r.MemberID)
		if m == nil || g.State != classic.Stable {
			continue
		}
		g.AnswerJoin(m, func(resp *kmsg.JoinGroupResponse) {
			if resp.Version >= 9 {
				// KIP-814: a leader that came back is told not to assign anew.
				fillJoin(g, m, resp)
				resp.SkipAssignment = g.IsLeader(m.ID)
				return
			}
			// Older clients must not learn that they lead, or they would assign: they are told the leader of before.
			resp.MemberID, resp.LeaderID, resp.Generation = m.ID, r.Leader, g.Generation
			resp.Protocol, resp.ProtocolType = protocolOf(g)
		})
	}
}

func (c *Coordinator) refuseReplaced(g *classic.Group, last int64) {
	for _, r := range takeReplaced(g, last) {
		if m := g.Member(r.MemberID); m != nil && g.State == classic.Stable {
			g.RefuseJoin(m, "", kerr.CoordinatorNotAvailable)
		}
	}
}

func takeReplaced(g *classic.Group, last int64) []classic.Replaced {
	n := 0
	for n < len(g.Replaced) && g.Replaced[n].At <= last {
		n++
	}
	taken := g.Replaced[:n]
	g.Replaced = g.Replaced[n:]
	return taken
}

// generationRecord is the record of the group as it stands.
func generationRecord(g *classic.Group) coordinator.Record {
	v := kmsg.GroupMetadataValue{
		ProtocolType: g.ProtocolType, Generation: g.Generation, Protocol: g.Protocol, CurrentStateTimestamp: g.SinceMS,
	}
	if g.Leader != "" {
		v.Leader = &g.Leader
	}
	v.Members = make([]kmsg.GroupMetadataValueMember, len(g.Members))
	for i, m := range g.Members {
		v.Members[i] = kmsg.GroupMetadataValueMember{
			MemberID: m.ID, InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost,
			RebalanceTimeoutMillis: m.RebalanceTimeoutMS, SessionTimeoutMillis: m.SessionTimeoutMS,
			Subscription: m.Metadata(g.ProtocolName()), Assignment: m.Assignment,
		}
	}
	return groupRecord(g.ID, &v)
}
