package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Members of the classic protocol in a consumer group (KIP-848): a join is answered at once and makes its sender a follower, a heartbeat
// tells it to join again when it is to move, and a sync gives what it owns.

// joinConsumer handles JoinGroup.
func (c *Coordinator) joinConsumer(g *consumer.Group, j *join) {
	id := j.req.MemberID
	unknown := id == ""
	if unknown {
		id = c.newUUID()
	}
	ch := c.change(g, nil)
	names := make([]string, len(j.protocols))
	for i := range j.protocols {
		names[i] = j.protocols[i].Name
	}
	switch {
	case c.cfg.Consumer.Migration == consumer.Disabled:
		j.refuse("", kerr.InconsistentGroupProtocol)
	case ch.Full(id):
		j.refuse("", kerr.GroupMaxSizeReached)
	case j.req.ProtocolType != classic.ConsumerProtocol || !g.OffersAny(names):
		j.refuse("", kerr.InconsistentGroupProtocol)
	case unknown && j.req.InstanceID == nil && j.req.Version >= 4:
		j.refuse(id, kerr.MemberIDRequired)
	default:
		code := c.joinAsClassic(g, ch, j, id, unknown)
		if code != kerr.None {
			j.refuse("", code)
			return
		}
		c.shard.Park(g.ID, j.w, j.resp)
		if ch.Resolve {
			c.resolveRegexes(g.ID)
		}
	}
}

// joinAsClassic lets the member join, and fills the answer.
func (c *Coordinator) joinAsClassic(g *consumer.Group, ch *consumer.Change, j *join, id string, unknown bool) kerr.Code {
	old, joined, code := c.joiner(g, ch, j, id, unknown)
	if code != kerr.None {
		return code
	}
	s, ok := consumer.ReadSubscription(j.protocols[0].Metadata)
	if !ok {
		return kerr.UnknownServerError
	}
	m := c.saidClassic(old, j, &s)
	ch.Update(&old, &m)
	if code := ch.Subscribe(&old, &m); code != kerr.None {
		return code
	}
	changed := ch.NamesChanged || ch.RegexChanged
	ch.Bump(changed)
	has := consumer.OwnedOf(c.topics, s.Owned)
	if joined != nil && c.mayDowngrade(g, nil, 1) && g.Member(joined.old).Classic == nil {
		return c.joinDowngraded(g, ch, j, &m, joined, has, changed)
	}
	epoch, target := ch.Assign(&m)
	if m, _, code = ch.Reconcile(m, epoch, target, changed, has, true); code != kerr.None {
		return code
	}
	if code := c.apply(g.ID, ch); code != kerr.None {
		return code
	}
	sometimes.Hit("group: a classic member joins a consumer group")
	fillClassic(&m, j.resp)
	c.keepAlive(g, &m)
	g.Cancel(m.ID, consumer.Join)
	g.Arm(m.ID, consumer.Sync, j.rebalanceMS())
	return kerr.None
}

// joiner finds the member that joins, or makes it. joined: it is static, and was there before.
func (c *Coordinator) joiner(g *consumer.Group, ch *consumer.Change, j *join, id string, unknown bool) (m consumer.Member, joined *replaced, code kerr.Code) {
	if j.req.InstanceID == nil {
		return ch.Join(id), nil, kerr.None
	}
	if before := g.Static(*j.req.InstanceID); before != nil {
		joined = &replaced{id, before.ID}
	}
	if unknown {
		m, code = ch.JoinStatic(id, *j.req.InstanceID, true)
		return m, joined, code
	}
	known, code := g.Known(id, *j.req.InstanceID)
	if code != kerr.None {
		return m, nil, code
	}
	return *known, joined, kerr.None
}

// saidClassic gives a member with what a join says of it.
func (c *Coordinator) saidClassic(m consumer.Member, j *join, s *consumer.Subscription) consumer.Member {
	if j.req.InstanceID != nil {
		m.InstanceID = *j.req.InstanceID
	}
	if s.RackID != "" {
		m.RackID = s.RackID
	}
	if ms := j.rebalanceMS(); ms != -1 {
		m.RebalanceTimeoutMS = ms
	}
	m.Topics, m.Regex, m.ClientID, m.ClientHost = s.Topics, "", j.client.ID, j.client.Host
	m.Classic = &consumer.Classic{SessionTimeoutMS: j.req.SessionTimeoutMillis, Protocols: j.protocols}
	return m
}

// joinDowngraded: the join replaced the only member of the consumer protocol.
func (c *Coordinator) joinDowngraded(g *consumer.Group, ch *consumer.Change, j *join, m *consumer.Member, joined *replaced, has []consumer.Owned, changed bool) kerr.Code {
	// Kafka rebalances only if the target is not the newest; but what a member still waits for nobody would tell it.
	rebalance := g.TargetEpoch < ch.Epoch() || !g.Settled()
	if !rebalance {
		moved, _, code := ch.Reconcile(*m, g.TargetEpoch, g.Target(joined.old), changed, has, true)
		if code != kerr.None {
			return code
		}
		*m = moved
	}
	fillClassic(m, j.resp)
	return c.downgrade(g, nil, ch, joined, rebalance)
}

// classicOf finds a classic member that a request names.
func classicOf(g *consumer.Group, id string, instanceID *string, generation int32) (*consumer.Member, kerr.Code) {
	instance := ""
	if instanceID != nil {
		instance = *instanceID
	}
	m, code := g.Known(id, instance)
	switch {
	case code != kerr.None:
		return nil, code
	case m.Classic == nil:
		return nil, kerr.UnknownMemberID
	case m.Epoch != generation:
		return nil, kerr.IllegalGeneration
	}
	return m, kerr.None
}

// syncConsumer handles SyncGroup.
func (c *Coordinator) syncConsumer(g *consumer.Group, req *kmsg.SyncGroupRequest, resp *kmsg.SyncGroupResponse) kerr.Code {
	m, code := classicOf(g, req.MemberID, req.InstanceID, req.Generation)
	switch {
	case code != kerr.None:
		return code
	case req.ProtocolType != nil && *req.ProtocolType != classic.ConsumerProtocol, req.Protocol != nil && *req.Protocol != m.Classic.Protocol():
		return kerr.InconsistentGroupProtocol
	case g.TargetEpoch > m.Epoch && m.State != consumer.UnrevokedPartitions:
		// One that is to revoke has joined already; its next join follows when it has let go.
		g.ArmIfIdle(m.ID, consumer.Join, m.RebalanceTimeoutMS)
		return kerr.RebalanceInProgress
	}
	g.Cancel(m.ID, consumer.Sync)
	c.keepAlive(g, m)
	resp.ProtocolType, resp.Protocol, resp.MemberAssignment = req.ProtocolType, req.Protocol, c.assigned(m)
	return kerr.None
}

// heartbeatClassic handles Heartbeat.
func (c *Coordinator) heartbeatClassic(g *consumer.Group, req *kmsg.HeartbeatRequest) kerr.Code {
	m, code := classicOf(g, req.MemberID, req.InstanceID, req.Generation)
	if code != kerr.None {
		return code
	}
	c.keepAlive(g, m)
	if m.Epoch < g.TargetEpoch || c.orphaned(g) || m.State == consumer.UnrevokedPartitions || m.State == consumer.UnreleasedPartitions && !g.AwaitsPartitions(m) {
		g.ArmIfIdle(m.ID, consumer.Join, m.RebalanceTimeoutMS)
		return kerr.RebalanceInProgress
	}
	return kerr.None
}

// orphaned says that the group's next target is due and that only the join of a classic member can have it computed: there is no other member, as when
// the last one has left a group that must not be a classic one. Kafka waits for the next join, whoever it is of, and what the one that has left owned
// nobody reads until then.
func (c *Coordinator) orphaned(g *consumer.Group) bool {
	return g.Classics() == g.Len() && g.TargetEpoch < g.Epoch && g.MayAssign(int64(c.env.Now.Wall), c.cfg.Consumer.Of(g.ID).AssignmentIntervalMS)
}

// leaveConsumer handles LeaveGroup: members of either protocol, once for all of them.
func (c *Coordinator) leaveConsumer(g *consumer.Group, members []kmsg.LeaveGroupRequestMember) ([]kmsg.LeaveGroupResponseMember, kerr.Code) {
	out := make([]kmsg.LeaveGroupResponseMember, len(members))
	var ids []string
	for i := range members {
		l := &members[i]
		id, code := leaver(g, l)
		if code == kerr.None && !contains(ids, id) {
			ids = append(ids, id)
		}
		out[i] = kmsg.LeaveGroupResponseMember{MemberID: l.MemberID, InstanceID: l.InstanceID, ErrorCode: int16(code)}
	}
	return out, c.fence(g, ids)
}

// leaver finds a member that is to leave. An administrator removes static members without knowing their ids.
func leaver(g *consumer.Group, l *kmsg.LeaveGroupRequestMember) (string, kerr.Code) {
	id := l.MemberID
	if l.InstanceID == nil {
		m, code := g.Known(id, "")
		if code != kerr.None {
			return "", code
		}
		return m.ID, kerr.None
	}
	m := g.Static(*l.InstanceID)
	switch {
	case m == nil:
		return "", kerr.UnknownMemberID
	case id != "" && m.ID != id:
		return "", kerr.FencedInstanceID
	}
	return m.ID, kerr.None
}

// mayCommitConsumer says whether the sender of an OffsetCommit may commit. Source: ConsumerGroup.validateOffsetCommit.
func (c *Coordinator) mayCommitConsumer(g *consumer.Group, req *kmsg.OffsetCommitRequest) kerr.Code {
	if req.Generation < 0 && g.Len() == 0 {
		return kerr.None
	}
	m := g.Member(req.MemberID)
	switch {
	case m == nil:
		return kerr.UnknownMemberID
	case m.Classic == nil && req.Version < 9:
		return kerr.UnsupportedVersion
	case req.Generation == m.Epoch:
		return kerr.None
	case req.Generation > m.Epoch:
		return staleCode(m)
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		_, id, code := c.resolve(t.Topic, t.TopicID, req.Version >= 10)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if code != kerr.None || p.Metadata != nil && c.metadataTooLarge(*p.Metadata) {
				continue // refused by itself
			}
			if !ownsSince(m, id, p.Partition, req.Generation) {
				sometimes.Hit("group: a commit of a member that has lost the partition is refused")
				return staleCode(m)
			}
		}
	}
	return kerr.None
}

// ownsSince says whether the member had a partition in an epoch already, and has it still: then a commit of that epoch counts (KIP-1251).
func ownsSince(m *consumer.Member, id [16]byte, p, epoch int32) bool {
	at, ok := m.Assigned.Epoch(id, p)
	if !ok {
		at, ok = m.Revoking.Epoch(id, p)
	}
	return ok && epoch >= at
}

// staleCode is what a member is told whose epoch is not its last one.
func staleCode(m *consumer.Member) kerr.Code {
	if m.Classic != nil {
		return kerr.IllegalGeneration
	}
	return kerr.StaleMemberEpoch
}

// mayCommitTxnConsumer is mayCommitConsumer for TxnOffsetCommit, whose sender need not be a member.
func (c *Coordinator) mayCommitTxnConsumer(g *consumer.Group, req *kmsg.TxnOffsetCommitRequest) kerr.Code {
	if req.Generation < 0 && g.Len() == 0 || req.Generation == -1 && req.MemberID == "" && req.InstanceID == nil {
		return kerr.None
	}
	m := g.Member(req.MemberID)
	switch {
	case m == nil:
		return kerr.UnknownMemberID
	case req.Generation == m.Epoch:
		return kerr.None
	case req.Generation > m.Epoch:
		return kerr.IllegalGeneration
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		id, ok := c.topics.TopicID(t.Topic)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if ok && p.Metadata != nil && c.metadataTooLarge(*p.Metadata) {
				continue
			}
			if !ok || !ownsSince(m, id, p.Partition, req.Generation) {
				return kerr.IllegalGeneration
			}
		}
	}
	return kerr.None
}

// mayFetchConsumer says whether the sender of an OffsetFetch may read a group's offsets (version 9 on: it may say who it is).
func mayFetchConsumer(g *consumer.Group, req *kmsg.OffsetFetchRequestGroup) kerr.Code {
	if req.MemberID == nil && req.MemberEpoch < 0 {
		return kerr.None
	}
	id := ""
	if req.MemberID != nil {
		id = *req.MemberID
	}
	m := g.Member(id)
	switch {
	case m == nil:
		return kerr.UnknownMemberID
	case req.MemberEpoch != m.Epoch:
		return staleCode(m)
	}
	return kerr.None
}

var _ coordinator.Machine = (*Coordinator)(nil)
