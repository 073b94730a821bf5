package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat handles Heartbeat v0 to v4. In a classic group it tells of soft state only, and is answered at once.
func (c *Coordinator) Heartbeat(req *kmsg.HeartbeatRequest, _ ClientInfo, w coordinator.Waiter) {
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	resp.ErrorCode = int16(c.heartbeat(req))
	if c.consumers[req.Group] != nil && c.Active() {
		c.shard.Park(req.Group, w, resp)
		return
	}
	coordinator.Reply(w, resp)
}

func (c *Coordinator) heartbeat(req *kmsg.HeartbeatRequest) kerr.Code {
	if req.Group == "" {
		return kerr.InvalidGroupID
	}
	switch code := c.unavailable(); code {
	case kerr.None:
	case kerr.CoordinatorLoadInProgress:
		return kerr.None // loading starts each session anew; a member has nothing to do about it
	default:
		return code
	}
	if g := c.consumers[req.Group]; g != nil {
		return c.heartbeatClassic(g, req)
	}
	g := c.groups[req.Group]
	if g == nil {
		return kerr.UnknownMemberID
	}
	m, code := memberOf(g, req.MemberID, req.InstanceID)
	if code != kerr.None {
		return code
	}
	if req.Generation != g.Generation {
		return kerr.IllegalGeneration
	}
	g.KeepAlive(m, m.SessionTimeoutMS)
	if g.State == classic.PreparingRebalance {
		return kerr.RebalanceInProgress
	}
	return kerr.None
}
