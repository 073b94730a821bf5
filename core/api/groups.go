package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group"
	"github.com/seedlog/seedlog/core/kerr"
)

// Requests about groups go to the shard that owns the group's partition of __consumer_offsets. Those that name several groups are split, one
// call a group, and put together again in the order of the request.

// groupCall runs a group's request on its owner.
func (s *State) groupCall(c *ColdCall, w coordinator.Waiter) {
	g := s.Groups[c.Group]
	if g == nil {
		w.Reply(refusal(c.Req, kerr.NotCoordinator))
		return
	}
	client := group.ClientInfo{ID: c.ClientID, Host: c.Host}
	switch q := c.Req.(type) {
	case *kmsg.JoinGroupRequest:
		g.JoinGroup(q, client, w)
	case *kmsg.SyncGroupRequest:
		g.SyncGroup(q, client, w)
	case *kmsg.HeartbeatRequest:
		g.Heartbeat(q, client, w)
	case *kmsg.LeaveGroupRequest:
		g.LeaveGroup(q, client, w)
	case *kmsg.OffsetCommitRequest:
		g.OffsetCommit(q, client, w)
	case *kmsg.TxnOffsetCommitRequest:
		g.TxnOffsetCommit(q, offsetsTopic, c.Group, w)
	case *kmsg.OffsetFetchRequest:
		if s.Doubts() {
			w.Reply(refusal(q, kerr.NotCoordinator))
			return
		}
		g.OffsetFetch(q, client, w)
	case *kmsg.OffsetDeleteRequest:
		g.OffsetDelete(q, client, w)
	case *kmsg.DescribeGroupsRequest:
		g.DescribeGroups(q, client, w)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		g.ConsumerGroupHeartbeat(q, client, w)
	case *kmsg.ConsumerGroupDescribeRequest:
		g.ConsumerGroupDescribe(q, client, w)
	case *kmsg.ListGroupsRequest:
		g.ListGroups(q, client, w)
	case *kmsg.DeleteGroupsRequest:
		g.DeleteGroups(q, client, w)
	default:
		w.Reply(refusal(c.Req, kerr.UnknownServerError))
	}
}

// groupOf names the group of a request that has one.
func groupOf(req kmsg.Request) string {
	switch q := req.(type) {
	case *kmsg.JoinGroupRequest:
		return q.Group
	case *kmsg.SyncGroupRequest:
		return q.Group
	case *kmsg.HeartbeatRequest:
		return q.Group
	case *kmsg.LeaveGroupRequest:
		return q.Group
	case *kmsg.OffsetCommitRequest:
		return q.Group
	case *kmsg.OffsetDeleteRequest:
		return q.Group
	case *kmsg.TxnOffsetCommitRequest:
		return q.Group
	case *kmsg.ConsumerGroupHeartbeatRequest:
		return q.Group
	}
	return ""
}

// toGroup sends part slot of r to the coordinator of a group.
func (r *Request) toGroup(slot int32, id string, req kmsg.Request) {
	n, owner, t := r.s.groupPlace(id)
	if t == nil {
		r.fill(slot, refusal(req, kerr.NotCoordinator))
		return
	}
	r.cold(owner, slot, &ColdCall{Req: req, ClientID: r.ClientID, Host: r.Client.Host, Group: n})
}

// oneGroup serves the APIs that name one group.
func oneGroup(r *Request, req kmsg.Request) {
	r.finish = func(r *Request) { r.answer(r.resps[0]) }
	r.remain++
	r.toGroup(0, groupOf(req), req)
	r.part()
}

// toController serves the APIs that the controller decides.
func toController(r *Request, req kmsg.Request) {
	r.toController(req, func(r *Request) { r.answer(r.resps[0]) })
}

// toController has the controller decide req, and calls finish with the answer in resps.
func (r *Request) toController(req kmsg.Request, finish func(*Request)) {
	r.finish = finish
	r.remain++
	if r.Client.Inner {
		r.remain++
		r.resps = append(r.resps[:0], nil)
		r.s.Control.Decide(req, r.Client, &coldWaiter{r: r})
	} else {
		r.cold(0, 0, &ColdCall{Req: req, ClientID: r.ClientID, Host: r.Client.Host, Group: -1})
	}
	r.part()
}

// OffsetFetch (key 9): one group up to version 7, a list from version 8 on (KIP-709).
func offsetFetch(r *Request, req kmsg.Request) {
	q := req.(*kmsg.OffsetFetchRequest)
	if r.Version < 8 {
		r.finish = func(r *Request) { r.answer(r.resps[0]) }
		r.remain++
		r.toGroup(0, q.Group, q)
		r.part()
		return
	}
	r.finish = func(r *Request) {
		resp := kmsg.NewPtrOffsetFetchResponse()
		for _, x := range r.resps {
			if g, ok := x.(*kmsg.OffsetFetchResponse); ok {
				resp.Groups = append(resp.Groups, g.Groups...)
			}
		}
		r.answer(resp)
	}
	r.remain++
	for i := range q.Groups {
		one := kmsg.NewPtrOffsetFetchRequest()
		one.Version, one.RequireStable, one.Groups = q.Version, q.RequireStable, q.Groups[i:i+1]
		r.toGroup(int32(i), q.Groups[i].Group, one)
	}
	r.part()
}

// DescribeGroups (key 15).
func describeGroups(r *Request, req kmsg.Request) {
	q := req.(*kmsg.DescribeGroupsRequest)
	r.finish = func(r *Request) {
		resp := kmsg.NewPtrDescribeGroupsResponse()
		for _, x := range r.resps {
			if g, ok := x.(*kmsg.DescribeGroupsResponse); ok {
				resp.Groups = append(resp.Groups, g.Groups...)
			}
		}
		r.answer(resp)
	}
	r.remain++
	for i := range q.Groups {
		one := kmsg.NewPtrDescribeGroupsRequest()
		one.Version, one.IncludeAuthorizedOperations, one.Groups = q.Version, q.IncludeAuthorizedOperations, q.Groups[i:i+1]
		r.toGroup(int32(i), q.Groups[i], one)
	}
	r.part()
}

// servesConsumerGroups says whether the cluster has the consumer protocol, and this broker serves it (KIP-848).
func (s *State) servesConsumerGroups() bool {
	for _, f := range s.Image.Features() {
		if f.Name == controller.FeatureGroups {
			return f.Level >= 1 && s.Node.Consumers.Served
		}
	}
	return false
}

// ConsumerGroupHeartbeat (key 68).
func consumerGroupHeartbeat(r *Request, req kmsg.Request) {
	if !r.s.servesConsumerGroups() {
		r.answer(refusal(req, kerr.UnsupportedVersion))
		return
	}
	oneGroup(r, req)
}

// ConsumerGroupDescribe (key 69).
func consumerGroupDescribe(r *Request, req kmsg.Request) {
	if !r.s.servesConsumerGroups() {
		r.answer(refusal(req, kerr.UnsupportedVersion))
		return
	}
	q := req.(*kmsg.ConsumerGroupDescribeRequest)
	r.finish = func(r *Request) {
		resp := kmsg.NewPtrConsumerGroupDescribeResponse()
		for _, x := range r.resps {
			if g, ok := x.(*kmsg.ConsumerGroupDescribeResponse); ok {
				resp.Groups = append(resp.Groups, g.Groups...)
			}
		}
		r.answer(resp)
	}
	r.remain++
	for i := range q.Groups {
		one := kmsg.NewPtrConsumerGroupDescribeRequest()
		one.Version, one.IncludeAuthorizedOperations, one.Groups = q.Version, q.IncludeAuthorizedOperations, q.Groups[i:i+1]
		r.toGroup(int32(i), q.Groups[i], one)
	}
	r.part()
}

// DeleteGroups (key 42). A group that is named twice is deleted, and told of, once, as in Kafka.
func deleteGroups(r *Request, req kmsg.Request) {
	q := req.(*kmsg.DeleteGroupsRequest)
	r.finish = func(r *Request) {
		resp := kmsg.NewPtrDeleteGroupsResponse()
		for _, x := range r.resps {
			if g, ok := x.(*kmsg.DeleteGroupsResponse); ok {
				resp.Groups = append(resp.Groups, g.Groups...)
			}
		}
		r.answer(resp)
	}
	r.remain++
	seen := make(map[string]bool)
	for i, id := range q.Groups {
		if seen[id] {
			continue
		}
		seen[id] = true
		one := kmsg.NewPtrDeleteGroupsRequest()
		one.Version, one.Groups = q.Version, q.Groups[i:i+1]
		r.toGroup(int32(i), id, one)
	}
	r.part()
}

// ListGroups (key 16): gathered from every coordinator of this broker. While one of them loads, the list is marked incomplete. One that has
// gone meanwhile is another broker's to tell of.
func listGroups(r *Request, req kmsg.Request) {
	q := req.(*kmsg.ListGroupsRequest)
	s := r.s
	r.finish = func(r *Request) {
		resp := kmsg.NewPtrListGroupsResponse()
		for _, x := range r.resps {
			if g, ok := x.(*kmsg.ListGroupsResponse); ok && g.ErrorCode != code(kerr.NotCoordinator) {
				resp.Groups = append(resp.Groups, g.Groups...)
				if resp.ErrorCode == 0 {
					resp.ErrorCode = g.ErrorCode
				}
			}
		}
		r.answer(resp)
	}
	r.remain++
	if t := s.Image.TopicByName(offsetsTopic); t != nil {
		for n := range t.Partitions {
			if t.Partitions[n].Leader != s.Node.NodeID {
				continue
			}
			r.cold(Owner(t.Name, int32(n), s.Shards), int32(n), &ColdCall{Req: q, ClientID: r.ClientID, Host: r.Client.Host, Group: int32(n)})
		}
	}
	r.part()
}
