package group

import (
	"sort"
	"strings"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The types of group in ListGroups (KIP-848).
const (
	classicType  = "classic"
	consumerType = "consumer"
)

// ListGroups handles ListGroups v0 to v5, with filters by state (KIP-518) and type. Groups come by id.
func (c *Coordinator) ListGroups(req *kmsg.ListGroupsRequest, _ ClientInfo, w coordinator.Waiter) {
	if code := c.unavailable(); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(req, code))
		return
	}
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	for _, id := range c.groupIDs() {
		l := c.listed(id)
		if matches(req.TypesFilter, l.GroupType) && matches(req.StatesFilter, l.GroupState) {
			resp.Groups = append(resp.Groups, l)
		}
	}
	c.shard.ParkAll(w, resp)
}

// groupIDs gives all groups, ascending.
func (c *Coordinator) groupIDs() []string {
	ids := sortedKeys(c.groups)
	if len(c.consumers) > 0 {
		ids = append(ids, sortedKeys(c.consumers)...)
		sort.Strings(ids)
	}
	return ids
}

func (c *Coordinator) listed(id string) kmsg.ListGroupsResponseGroup {
	if g := c.consumers[id]; g != nil {
		return kmsg.ListGroupsResponseGroup{Group: id, ProtocolType: classic.ConsumerProtocol, GroupState: g.State(), GroupType: consumerType}
	}
	g := c.groups[id]
	return kmsg.ListGroupsResponseGroup{Group: id, ProtocolType: g.ProtocolType, GroupState: g.State.String(), GroupType: classicType}
}

func matches(filter []string, s string) bool {
	for _, f := range filter {
		if strings.EqualFold(strings.TrimSpace(f), s) {
			return true
		}
	}
	return len(filter) == 0
}
