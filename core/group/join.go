package group

import (
	"bytes"
	"encoding/hex"
	"slices"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// join is one JoinGroup under way.
type join struct {
	req       *kmsg.JoinGroupRequest
	client    ClientInfo
	w         coordinator.Waiter
	resp      *kmsg.JoinGroupResponse
	protocols []classic.Protocol
}

// rebalanceMS is what v0 does not say apart from the session.
func (j *join) rebalanceMS() int32 {
	if j.req.Version == 0 {
		return j.req.SessionTimeoutMillis
	}
	return j.req.RebalanceTimeoutMillis
}

func (j *join) refuse(memberID string, code kerr.Code) {
	j.resp.MemberID, j.resp.ErrorCode = memberID, int16(code)
	coordinator.Reply(j.w, j.resp)
}

// JoinGroup handles JoinGroup v0 to v9. The answer comes when the join phase ends, unless there is something to refuse.
func (c *Coordinator) JoinGroup(req *kmsg.JoinGroupRequest, client ClientInfo, w coordinator.Waiter) {
	j := &join{req: req, client: client, w: w, resp: req.ResponseKind().(*kmsg.JoinGroupResponse)}
	if code := c.admitJoin(j); code != kerr.None {
		j.refuse(req.MemberID, code)
		return
	}
	if g := c.consumers[req.Group]; g != nil && g.Len() > 0 {
		c.joinConsumer(g, j)
		c.check(req.Group)
		return
	}
	g := c.groups[req.Group]
	switch {
	case g == nil && req.MemberID != "":
		j.refuse(req.MemberID, kerr.UnknownMemberID)
	case g == nil:
		c.joinNewGroup(j)
	case !c.accepts(g, req.MemberID):
		g.Remove(req.MemberID)
		j.refuse("", kerr.GroupMaxSizeReached)
	case req.MemberID == "":
		c.joinNew(g, j)
	default:
		c.joinKnown(g, j)
	}
	c.check(req.Group)
}

// admitJoin checks what does not depend on the group's state, and copies the protocols out of the request's frame.
func (c *Coordinator) admitJoin(j *join) kerr.Code {
	if j.req.Group == "" {
		return kerr.InvalidGroupID
	}
	if t := j.req.SessionTimeoutMillis; t < c.cfg.MinSessionTimeoutMS || t > c.cfg.MaxSessionTimeoutMS {
		return kerr.InvalidSessionTimeout
	}
	if code := c.unavailable(); code != kerr.None {
		return code
	}
	size := len(j.client.ID) + len(j.client.Host)
	for i := range j.req.Protocols {
		size += len(j.req.Protocols[i].Name) + len(j.req.Protocols[i].Metadata)
	}
	if size > c.cfg.MaxMemberBytes {
		return kerr.UnknownServerError // as in Kafka, which finds out when it stores the generation
	}
	seen := make(map[string]bool, len(j.req.Protocols))
	for i := range j.req.Protocols {
		if p := &j.req.Protocols[i]; !seen[p.Name] {
			seen[p.Name] = true
			j.protocols = append(j.protocols, classic.Protocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)})
		}
	}
	return kerr.None
}

// joinNewGroup makes a group for its first member. The empty group is put on record at once, as Kafka does; it takes the place of a consumer
// group without members.
func (c *Coordinator) joinNewGroup(j *join) {
	g := classic.New(c.env, c, j.req.Group)
	if !g.Supports(j.req.ProtocolType, j.protocols) {
		j.refuse("", kerr.InconsistentGroupProtocol)
		return
	}
	if len(c.groups)+len(c.consumers) >= c.cfg.MaxGroups {
		j.refuse("", kerr.CoordinatorNotAvailable)
		return
	}
	v := kmsg.GroupMetadataValue{CurrentStateTimestamp: g.SinceMS}
	if _, code := c.write(g.ID, append(c.emptied(g.ID), groupRecord(g.ID, &v))...); code != kerr.None {
		j.refuse("", code)
		return
	}
	c.groups[g.ID] = g
	c.Begun++
	c.joinNew(g, j)
}

// accepts applies group.max.size. While a rebalance is prepared those who wait already count, not the members: the group may be
// over a limit that was lowered, and who rejoins last is out.
func (c *Coordinator) accepts(g *classic.Group, memberID string) bool {
	m := g.Member(memberID)
	switch g.State {
	case classic.PreparingRebalance:
		return m != nil && m.AwaitsJoin() || g.AwaitingJoin() < int(c.cfg.MaxSize)
	case classic.CompletingRebalance, classic.Stable:
		return m != nil || len(g.Members) < int(c.cfg.MaxSize)
	}
	return true
}

// joinNew handles a join without a member id.
func (c *Coordinator) joinNew(g *classic.Group, j *join) {
	if !g.Supports(j.req.ProtocolType, j.protocols) {
		j.refuse("", kerr.InconsistentGroupProtocol)
		return
	}
	if j.req.InstanceID != nil {
		c.joinStatic(g, j)
		return
	}
	id := c.newMemberID(j.client.ID)
	if j.req.Version < 4 {
		c.addMember(g, j, id)
		return
	}
	// KIP-394: the client must show that it got its id before it becomes a member.
	if g.Pending() >= c.cfg.MaxPending {
		j.refuse("", kerr.GroupMaxSizeReached)
		return
	}
	g.AddPending(id, j.req.SessionTimeoutMillis)
	j.refuse(id, kerr.MemberIDRequired)
}

// joinKnown handles a join with a member id.
func (c *Coordinator) joinKnown(g *classic.Group, j *join) {
	id := j.req.MemberID
	switch {
	case !g.Supports(j.req.ProtocolType, j.protocols):
		j.refuse(id, kerr.InconsistentGroupProtocol)
		return
	case g.IsPending(id) && j.req.InstanceID != nil:
		j.refuse(id, kerr.UnknownServerError) // a static member is never asked to come back with an id
		return
	case g.IsPending(id):
		c.addMember(g, j, id)
		return
	}
	m, code := memberOf(g, id, j.req.InstanceID)
	if code != kerr.None {
		j.refuse(id, code)
		return
	}
	switch g.State {
	case classic.PreparingRebalance:
		c.updateMember(g, m, j)
	case classic.CompletingRebalance:
		c.rejoinCompleting(g, m, j)
	case classic.Stable:
		c.rejoinStable(g, m, j)
	default:
		j.refuse(id, kerr.UnknownMemberID)
	}
}

// rejoinCompleting: a member that joins with what it said before has most likely missed the answer, and gets it again.
func (c *Coordinator) rejoinCompleting(g *classic.Group, m *classic.Member, j *join) {
	if !m.Offers(j.protocols) {
		c.updateMember(g, m, j)
		return
	}
	sometimes.Hit("group: a member asks again for the answer to its join")
	fillJoin(g, m, j.resp)
	coordinator.Reply(j.w, j.resp)
}

// rejoinStable: the leader asks for a rebalance by joining again, for it may see changes that the coordinator does not (new
// partitions of a topic). A follower does so by offering something new; otherwise it gets the generation that is.
func (c *Coordinator) rejoinStable(g *classic.Group, m *classic.Member, j *join) {
	if g.IsLeader(m.ID) || !m.Offers(j.protocols) {
		c.updateMember(g, m, j)
		return
	}
	fillJoin(g, m, j.resp)
	c.shard.Park(g.ID, j.w, j.resp)
}

// fillJoin completes an answer for the present generation; the leader gets everybody's subscription.
func fillJoin(g *classic.Group, m *classic.Member, r *kmsg.JoinGroupResponse) {
	r.MemberID, r.LeaderID, r.Generation = m.ID, g.Leader, g.Generation
	r.Protocol, r.ProtocolType = protocolOf(g)
	if !g.IsLeader(m.ID) {
		return
	}
	r.Members = make([]kmsg.JoinGroupResponseMember, len(g.Members))
	for i, o := range g.Members {
		r.Members[i] = kmsg.JoinGroupResponseMember{MemberID: o.ID, InstanceID: o.InstanceID, ProtocolMetadata: o.Metadata(*g.Protocol)}
	}
}

// protocolOf gives the generation's protocol and its type. Answers may go to another shard: they hold nothing that changes.
func protocolOf(g *classic.Group) (name, kind *string) {
	k := g.ProtocolType
	return g.Protocol, &k
}

// memberOf finds the member that a request names. Source: ClassicGroup.validateMember.
func memberOf(g *classic.Group, id string, instanceID *string) (*classic.Member, kerr.Code) {
	if instanceID != nil {
		m := g.StaticMember(*instanceID)
		if m == nil {
			return nil, kerr.UnknownMemberID
		}
		if m.ID != id {
			sometimes.Hit("group: the predecessor of a static member is fenced")
			return nil, kerr.FencedInstanceID
		}
	}
	if m := g.Member(id); m != nil {
		return m, kerr.None
	}
	return nil, kerr.UnknownMemberID
}

// addMember takes a new member in, and rebalances.
func (c *Coordinator) addMember(g *classic.Group, j *join, id string) {
	m := &classic.Member{
		ID: id, InstanceID: cloneString(j.req.InstanceID), ClientID: j.client.ID, ClientHost: j.client.Host,
		RebalanceTimeoutMS: j.rebalanceMS(), SessionTimeoutMS: j.req.SessionTimeoutMillis,
		ProtocolType: j.req.ProtocolType, Protocols: j.protocols, IsNew: true,
	}
	if g.State == classic.PreparingRebalance && g.Previous == classic.Empty {
		g.NewMemberAdded = true
	}
	g.Add(m)
	g.ParkJoin(m, j.w, j.resp)
	g.KeepAlive(m, newMemberJoinTimeoutMS)
	c.rebalanceOrComplete(g)
}

// updateMember takes a member's new word, and rebalances.
func (c *Coordinator) updateMember(g *classic.Group, m *classic.Member, j *join) {
	g.Update(m, j.protocols, j.rebalanceMS(), j.req.SessionTimeoutMillis)
	g.ParkJoin(m, j.w, j.resp)
	c.rebalanceOrComplete(g)
}

func cloneString(s *string) *string {
	if s == nil {
		return nil
	}
	v := *s
	return &v
}

// newMemberID gives prefix and a random UUID of version 4, as Kafka does.
func (c *Coordinator) newMemberID(prefix string) string {
	var u [16]byte
	c.env.Rand.Fill(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	h := hex.EncodeToString(u[:])
	return prefix + "-" + string(slices.Concat([]byte(h[:8]), []byte{'-'}, []byte(h[8:12]), []byte{'-'}, []byte(h[12:16]), []byte{'-'}, []byte(h[16:20]), []byte{'-'}, []byte(h[20:])))
}
