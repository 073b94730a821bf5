package group

import (
	"bytes"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SyncGroup handles SyncGroup v0 to v5. The answer comes when the leader's assignment is on record.
func (c *Coordinator) SyncGroup(req *kmsg.SyncGroupRequest, _ ClientInfo, w coordinator.Waiter) {
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	code := c.admitSync(req)
	if g := c.consumers[req.Group]; g != nil && code == kerr.None {
		resp.ErrorCode = int16(c.syncConsumer(g, req, resp))
		c.shard.Park(req.Group, w, resp)
		return
	}
	var g *classic.Group
	var m *classic.Member
	if code == kerr.None {
		g, m, code = c.syncingMember(req)
	}
	if code != kerr.None {
		resp.ErrorCode = int16(code)
		coordinator.Reply(w, resp)
		return
	}
	switch g.State {
	case classic.CompletingRebalance:
		g.ParkSync(m, w, resp)
		g.Synced(m)
		if g.IsLeader(m.ID) {
			c.storeAssignment(g, req.GroupAssignment)
		}
	case classic.Stable:
		g.Synced(m)
		resp.MemberAssignment = m.Assignment
		resp.Protocol, resp.ProtocolType = protocolOf(g)
		c.shard.Park(req.Group, w, resp) // a generation that was just loaded may not be below the high watermark yet
	default:
		resp.ErrorCode = int16(kerr.RebalanceInProgress)
		coordinator.Reply(w, resp)
	}
	c.check(req.Group)
}

// admitSync checks what does not depend on the group's state.
func (c *Coordinator) admitSync(req *kmsg.SyncGroupRequest) kerr.Code {
	if req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil) {
		return kerr.InconsistentGroupProtocol
	}
	if req.Group == "" {
		return kerr.InvalidGroupID
	}
	return c.unavailable()
}

func (c *Coordinator) syncingMember(req *kmsg.SyncGroupRequest) (*classic.Group, *classic.Member, kerr.Code) {
	g := c.groups[req.Group]
	if g == nil || g.State == classic.Empty {
		return nil, nil, kerr.UnknownMemberID
	}
	m, code := memberOf(g, req.MemberID, req.InstanceID)
	if code != kerr.None {
		return nil, nil, code
	}
	if req.Generation != g.Generation {
		return nil, nil, kerr.IllegalGeneration
	}
	if req.ProtocolType != nil && *req.ProtocolType != g.ProtocolType ||
		req.Protocol != nil && g.Protocol != nil && *req.Protocol != *g.Protocol {
		return nil, nil, kerr.InconsistentGroupProtocol
	}
	return g, m, kerr.None
}

// storeAssignment puts the generation on record. If the leader repeats its sync while that is under way, the first one counts:
// two records of one generation could differ, and only one of them would be what the members were told.
func (c *Coordinator) storeAssignment(g *classic.Group, as []kmsg.SyncGroupRequestGroupAssignment) {
	if g.Storing >= 0 {
		return
	}
	for _, m := range g.Members {
		m.Assignment = nil
	}
	for i := range as {
		if m := g.Member(as[i].MemberID); m != nil {
			m.Assignment = bytes.Clone(as[i].MemberAssignment)
		}
	}
	last, code := c.write(g.ID, generationRecord(g))
	if code != kerr.None {
		c.failSync(g, code)
		return
	}
	g.Storing = last
}

// stabilize ends the sync phase: the assignment is on record, and is given out.
func (c *Coordinator) stabilize(g *classic.Group) {
	c.propagate(g, kerr.None)
	g.To(classic.Stable)
}

// failSync answers the sync phase with a code and begins a new join phase.
func (c *Coordinator) failSync(g *classic.Group, code kerr.Code) {
	c.resetAssignment(g, code)
	c.rebalanceOrComplete(g)
}

// resetAssignment takes an assignment back that nobody has been told.
func (c *Coordinator) resetAssignment(g *classic.Group, code kerr.Code) {
	for _, m := range g.Members {
		m.Assignment = nil
	}
	c.propagate(g, code)
}

// propagate answers the parked syncs. Sessions start anew: one that ended during the wait was let pass.
func (c *Coordinator) propagate(g *classic.Group, code kerr.Code) {
	for _, m := range g.Members {
		answered := g.AnswerSync(m, func(r *kmsg.SyncGroupResponse) {
			r.ErrorCode, r.MemberAssignment = int16(code), m.Assignment
			if code == kerr.None {
				r.Protocol, r.ProtocolType = protocolOf(g)
			}
		})
		if answered {
			g.KeepAlive(m, m.SessionTimeoutMS)
		}
	}
}
