package group

import (
	"strings"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupType is what this package's groups are, in ListGroups (KIP-848).
const groupType = "classic"

// ListGroups handles ListGroups v0 to v5, with filters by state (KIP-518) and type. Groups come by id.
func (c *Coordinator) ListGroups(req *kmsg.ListGroupsRequest, _ ClientInfo, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(req, code))
		return
	}
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	if matches(req.TypesFilter, groupType) {
		for _, id := range sortedKeys(c.groups) {
			g := c.groups[id]
			if matches(req.StatesFilter, g.State.String()) {
				resp.Groups = append(resp.Groups, kmsg.ListGroupsResponseGroup{
					Group: id, ProtocolType: g.ProtocolType, GroupState: g.State.String(), GroupType: groupType,
				})
			}
		}
	}
	c.shard.ParkAll(w, resp)
}

func matches(filter []string, s string) bool {
	for _, f := range filter {
		if strings.EqualFold(strings.TrimSpace(f), s) {
			return true
		}
	}
	return len(filter) == 0
}
