package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups handles DescribeGroups v0 to v6 for groups of this coordinator's partition. Authorized operations are the
// caller's to fill in.
func (c *Coordinator) DescribeGroups(req *kmsg.DescribeGroupsRequest, _ ClientInfo, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(req, code))
		return
	}
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, id := range req.Groups {
		resp.Groups = append(resp.Groups, c.describe(id, req.Version))
	}
	c.parkFor(req.Groups, w, resp)
}

func described(id string) kmsg.DescribeGroupsResponseGroup {
	out := kmsg.NewDescribeGroupsResponseGroup()
	out.Group = id
	return out
}

func describedError(id string, code kerr.Code) kmsg.DescribeGroupsResponseGroup {
	out := described(id)
	out.ErrorCode = int16(code)
	return out
}

// describe shows a group. One that does not exist is Dead, and from v6 on an error (KIP-1043).
func (c *Coordinator) describe(id string, version int16) kmsg.DescribeGroupsResponseGroup {
	out := described(id)
	g := c.groups[id]
	if g == nil {
		out.State = classic.Dead.String()
		if version >= 6 {
			text := "Group " + id + " not found."
			if c.consumers[id] != nil {
				text = "Group " + id + " is not a classic group."
			}
			out.ErrorCode, out.ErrorMessage = int16(kerr.GroupIDNotFound), &text
		}
		return out
	}
	out.State, out.ProtocolType = g.State.String(), g.ProtocolType
	stable := g.State == classic.Stable
	if stable {
		out.Protocol = g.ProtocolName()
	}
	for _, m := range g.Members {
		d := kmsg.DescribeGroupsResponseGroupMember{
			MemberID: m.ID, InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost, MemberAssignment: m.Assignment,
		}
		if stable {
			d.ProtocolMetadata = m.Metadata(g.ProtocolName())
		}
		out.Members = append(out.Members, d)
	}
	return out
}
