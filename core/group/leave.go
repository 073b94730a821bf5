package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaveGroup handles LeaveGroup v0 to v5: one member by its id, or several, also by instance id (KIP-345).
func (c *Coordinator) LeaveGroup(req *kmsg.LeaveGroupRequest, _ ClientInfo, w coordinator.Waiter) {
	code := c.unavailable()
	if req.Group == "" {
		code = kerr.InvalidGroupID
	}
	if code != kerr.None {
		coordinator.Reply(w, ErrorResponse(req, code))
		return
	}
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	members := req.Members
	if req.Version < 3 {
		members = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	if g := c.consumers[req.Group]; g != nil {
		resp.Members, code = c.leaveConsumer(g, members)
	} else {
		resp.Members = c.leave(c.groups[req.Group], members)
	}
	if code != kerr.None {
		c.Refuse(resp, code)
	} else if req.Version < 3 {
		resp.ErrorCode = resp.Members[0].ErrorCode
	}
	c.shard.Park(req.Group, w, resp)
	c.check(req.Group)
}

// leave takes members out and rebalances once for all of them.
func (c *Coordinator) leave(g *classic.Group, members []kmsg.LeaveGroupRequestMember) []kmsg.LeaveGroupResponseMember {
	out := make([]kmsg.LeaveGroupResponseMember, len(members))
	left := false
	for i := range members {
		code := kerr.UnknownMemberID
		if g != nil {
			code = c.leaveOne(g, &members[i])
		}
		out[i] = kmsg.LeaveGroupResponseMember{MemberID: members[i].MemberID, InstanceID: members[i].InstanceID, ErrorCode: int16(code)}
		left = left || code == kerr.None
	}
	if left && g.State != classic.Empty {
		c.rebalanceOrComplete(g)
	}
	return out
}

func (c *Coordinator) leaveOne(g *classic.Group, l *kmsg.LeaveGroupRequestMember) kerr.Code {
	if l.MemberID == "" {
		// An administrator removes static members without knowing their ids.
		if l.InstanceID == nil || g.StaticMember(*l.InstanceID) == nil {
			return kerr.UnknownMemberID
		}
		c.remove(g, g.StaticMember(*l.InstanceID))
		return kerr.None
	}
	if g.IsPending(l.MemberID) {
		g.Remove(l.MemberID)
		return kerr.None
	}
	m, code := memberOf(g, l.MemberID, l.InstanceID)
	if code == kerr.None {
		c.remove(g, m)
	}
	return code
}
