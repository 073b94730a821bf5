package group

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerGroupHeartbeat handles ConsumerGroupHeartbeat v0 and v1 (KIP-848): joining, staying, and leaving. The answer comes when all that it
// tells of is on record.
func (c *Coordinator) ConsumerGroupHeartbeat(req *kmsg.ConsumerGroupHeartbeatRequest, client ClientInfo, w coordinator.Waiter) {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	code, why := c.admitConsumer(req)
	if code == kerr.None {
		code = c.unavailable()
	}
	if code != kerr.None {
		refuseConsumer(resp, code, why)
		coordinator.Reply(w, resp)
		return
	}
	resolve := false
	if req.MemberEpoch < 0 {
		code = c.consumerLeave(req, resp)
	} else {
		code, resolve = c.consumerHeartbeat(req, client, resp)
	}
	if code != kerr.None {
		refuseConsumer(resp, code, "")
	}
	c.shard.Park(req.Group, w, resp)
	if resolve {
		c.resolveRegexes(req.Group)
	}
	c.check(req.Group)
}

func refuseConsumer(r *kmsg.ConsumerGroupHeartbeatResponse, code kerr.Code, why string) {
	refused := kmsg.NewConsumerGroupHeartbeatResponse()
	refused.Version, refused.ErrorCode = r.Version, int16(code)
	if why != "" {
		refused.ErrorMessage = &why
	}
	*r = refused
}

// blank says whether a string is there, and says nothing.
func blank(s *string) bool { return s != nil && strings.TrimSpace(*s) == "" }

// admitConsumer checks what does not depend on the group's state. Source: throwIfConsumerGroupHeartbeatRequestIsInvalid.
func (c *Coordinator) admitConsumer(req *kmsg.ConsumerGroupHeartbeatRequest) (kerr.Code, string) {
	must := req.Version >= 1 || req.MemberEpoch > 0 || req.MemberEpoch == consumer.LeaveEpoch
	switch {
	case must && blank(&req.MemberID):
		return kerr.InvalidRequest, "a member id is needed"
	case blank(&req.Group):
		return kerr.InvalidRequest, "a group id is needed"
	case blank(req.InstanceID):
		return kerr.InvalidRequest, "the instance id is empty"
	case blank(req.RackID):
		return kerr.InvalidRequest, "the rack id is empty"
	case req.MemberEpoch == consumer.StaticLeaveEpoch && req.InstanceID == nil:
		return kerr.InvalidRequest, "only a static member can leave for a while"
	case req.MemberEpoch < consumer.StaticLeaveEpoch:
		return kerr.InvalidRequest, "there is no such member epoch"
	}
	if req.MemberEpoch == consumer.JoinEpoch {
		if why := incomplete(req); why != "" {
			return kerr.InvalidRequest, why
		}
	}
	if req.ServerAssignor != nil && !c.cfg.Consumer.Supports(*req.ServerAssignor) {
		return kerr.UnsupportedAssignor, "supported assignors: " + strings.Join(c.cfg.Consumer.Assignors, ", ")
	}
	return kerr.None, ""
}

// incomplete says what a join lacks.
func incomplete(req *kmsg.ConsumerGroupHeartbeatRequest) string {
	switch {
	case req.RebalanceTimeoutMillis == -1:
		return "a join needs a rebalance timeout"
	case req.Topics == nil || len(req.Topics) > 0:
		return "who joins owns nothing, and says so"
	case req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
		return "a join needs topic names or a regular expression"
	}
	return ""
}

// owned is what the member says that it owns; said: it says so.
func owned(req *kmsg.ConsumerGroupHeartbeatRequest) (out []consumer.Owned, said bool) {
	for i := range req.Topics {
		out = append(out, consumer.Owned{TopicID: req.Topics[i].TopicID, Numbers: req.Topics[i].Partitions})
	}
	return out, req.Topics != nil
}

// consumerHeartbeat handles what is not a leave. resolve: the group's regular expressions are to be resolved.
func (c *Coordinator) consumerHeartbeat(req *kmsg.ConsumerGroupHeartbeatRequest, client ClientInfo, resp *kmsg.ConsumerGroupHeartbeatResponse) (code kerr.Code, resolve bool) {
	join := req.MemberEpoch == consumer.JoinEpoch
	g, recs, code := c.groupFor(req.Group, join)
	if code != kerr.None {
		return code, false
	}
	ch := c.change(g, recs)
	id := req.MemberID
	if id == "" {
		id = c.newUUID()
	}
	if ch.Full(req.MemberID) {
		return kerr.GroupMaxSizeReached, false
	}
	old, code := heartbeatOf(ch, g, req, id)
	if code != kerr.None {
		return code, false
	}
	m := described848(old, req, client)
	ch.Update(&old, &m)
	if code := ch.Subscribe(&old, &m); code != kerr.None {
		return code, false
	}
	// The epoch is bumped once for an expression that is not resolved yet, when it is. Epoch 0, of a classic group without a generation, is
	// nobody's: who is told of it would be taken for one that joins.
	ch.Bump(g.Epoch == consumer.JoinEpoch || ch.NamesChanged || ch.RegexResolved)
	epoch, target := ch.Assign(&m)
	has, said := owned(req)
	m, moved, code := ch.Reconcile(m, epoch, target, ch.NamesChanged || ch.RegexChanged, has, said)
	if code != kerr.None {
		return code, false
	}
	if code := c.commitHeartbeat(g, ch, len(recs) > 0); code != kerr.None {
		return code, false
	}
	g = c.consumers[req.Group]
	c.keepAlive(g, &m)
	if moved {
		c.watchRevocation(g, &m)
	}
	resp.MemberID, resp.MemberEpoch = &m.ID, m.Epoch
	resp.HeartbeatIntervalMillis = c.cfg.Consumer.Of(req.Group).HeartbeatIntervalMS
	full := req.RebalanceTimeoutMillis != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil) && said
	missed := req.MemberEpoch != old.Epoch // the answer with its epoch was lost, and what was assigned with it; Kafka does not say it again
	if join || full || missed || !old.Assigned.Equal(m.Assigned) {
		resp.Assignment = assignmentOf(m.Assigned)
	}
	return kerr.None, ch.Resolve
}

// heartbeatOf finds the member, or makes it.
func heartbeatOf(ch *consumer.Change, g *consumer.Group, req *kmsg.ConsumerGroupHeartbeatRequest, id string) (consumer.Member, kerr.Code) {
	has, said := owned(req)
	if req.MemberEpoch == consumer.JoinEpoch {
		if req.InstanceID != nil {
			return ch.JoinStatic(id, *req.InstanceID, false)
		}
		return ch.Join(id), kerr.None
	}
	instance := ""
	if req.InstanceID != nil {
		instance = *req.InstanceID
	}
	m, code := g.Known(id, instance)
	if code == kerr.None {
		code = m.AdmitEpoch(req.MemberEpoch, has, said)
	}
	if code != kerr.None {
		return consumer.Member{}, code
	}
	return *m, kerr.None
}

// described848 gives a member with what a heartbeat says anew.
func described848(m consumer.Member, req *kmsg.ConsumerGroupHeartbeatRequest, client ClientInfo) consumer.Member {
	set := func(to *string, s *string) {
		if s != nil {
			*to = *s
		}
	}
	set(&m.InstanceID, req.InstanceID)
	set(&m.RackID, req.RackID)
	set(&m.Assignor, req.ServerAssignor)
	set(&m.Regex, req.SubscribedTopicRegex)
	if req.RebalanceTimeoutMillis != -1 {
		m.RebalanceTimeoutMS = req.RebalanceTimeoutMillis
	}
	if req.SubscribedTopicNames != nil {
		m.Topics = slices.Clone(req.SubscribedTopicNames)
		slices.Sort(m.Topics)
		m.Topics = slices.Compact(m.Topics)
	}
	m.ClientID, m.ClientHost, m.Classic = client.ID, client.Host, nil
	return m
}

// commitHeartbeat writes a heartbeat's change. upgraded: it converts a classic group, whose members that wait are to join again.
func (c *Coordinator) commitHeartbeat(g *consumer.Group, ch *consumer.Change, upgraded bool) kerr.Code {
	if old := c.groups[g.ID]; old != nil && upgraded {
		c.answerAll(old, kerr.RebalanceInProgress)
	}
	if code := c.apply(g.ID, ch); code != kerr.None {
		return code
	}
	if upgraded {
		c.reviveConsumer(c.consumers[g.ID])
	}
	return kerr.None
}

// watchRevocation gives a member its rebalance time-out to let go of what it is to revoke.
func (c *Coordinator) watchRevocation(g *consumer.Group, m *consumer.Member) {
	switch {
	case m.Classic != nil: // has a time-out to join, and one to sync
	case m.State == consumer.UnrevokedPartitions:
		sometimes.Hit("group: a member is to let go of partitions")
		g.Arm(m.ID, consumer.Rebalance, m.RebalanceTimeoutMS)
	default:
		sometimes.If(m.State == consumer.UnreleasedPartitions, "group: a member waits for what another has not let go of")
		g.Cancel(m.ID, consumer.Rebalance)
	}
}

func assignmentOf(a consumer.Assignment) *kmsg.ConsumerGroupHeartbeatResponseAssignment {
	out := &kmsg.ConsumerGroupHeartbeatResponseAssignment{}
	for i := range a {
		out.Topics = append(out.Topics, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: a[i].TopicID, Partitions: a[i].Numbers})
	}
	return out
}

// consumerLeave handles the epochs -1 and -2.
func (c *Coordinator) consumerLeave(req *kmsg.ConsumerGroupHeartbeatRequest, resp *kmsg.ConsumerGroupHeartbeatResponse) kerr.Code {
	g := c.consumers[req.Group]
	if g == nil {
		return kerr.GroupIDNotFound
	}
	instance := ""
	if req.InstanceID != nil {
		instance = *req.InstanceID
	}
	m, code := g.Known(req.MemberID, instance)
	if code != kerr.None {
		return code
	}
	id := m.ID
	resp.MemberID, resp.MemberEpoch = &id, req.MemberEpoch
	if req.MemberEpoch == consumer.StaticLeaveEpoch {
		sometimes.Hit("group: a static member leaves for a while")
		ch := c.change(g, nil)
		ch.LeaveForAWhile(*m)
		return c.apply(g.ID, ch)
	}
	return c.fence(g, []string{id})
}
