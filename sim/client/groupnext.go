package client

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// NextConfig makes a member speak the consumer protocol (KIP-848) instead of the classic one.
type NextConfig struct {
	Regex    string `json:"regex,omitempty"`    // what it subscribes to instead of names
	Assignor string `json:"assignor,omitempty"` // that it asks for, "": any
}

// joinKey is the key of joins. Where a group may be one of the consumer protocol it is another: an epoch is a member's, and proves nothing of the
// group as a generation does.
func (g *Group) joinKey() string {
	if g.next == nil && g.cfg.Both == nil {
		return g.cfg.Group
	}
	return g.cfg.Group + "+"
}

// heartbeat says how the member stands: all of it, or what it owns alone. Epoch 0 joins.
func (g *Group) heartbeat(full bool) {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = g.cfg.Group, g.member, max(g.generation, 0), g.static()
	req.Topics = g.reported()
	low := int16(0)
	if full {
		req.RebalanceTimeoutMillis = g.cfg.RebalanceMS
		if g.next.Assignor != "" {
			req.ServerAssignor = kmsg.StringPtr(g.next.Assignor)
		}
		req.SubscribedTopicNames = g.cfg.Topics
		if g.next.Regex != "" {
			req.SubscribedTopicNames, req.SubscribedTopicRegex, low = []string{}, kmsg.StringPtr(g.next.Regex), 1
		}
	}
	op := history.Op{Kind: history.Join, Key: g.joinKey(), Offset: history.NoOffset, Generation: req.MemberEpoch, Member: g.identity()}
	member, epoch := g.member, g.generation
	g.beating = true
	g.record(slotJoin, history.Invoke, "", op)
	g.coord.ask(req, low, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		g.beating = false
		if err != nil {
			g.record(slotJoin, history.Info, err.Error(), op)
			if member != g.member {
				return
			}
			g.missed = true
			if g.state == memberJoining {
				g.state = memberLooking
			}
			return
		}
		resp := r.(*kmsg.ConsumerGroupHeartbeatResponse)
		code := kerr.Code(resp.ErrorCode)
		if code != kerr.None {
			g.record(slotJoin, history.Fail, code.String(), op)
		} else {
			op.Generation = resp.MemberEpoch
			g.record(slotJoin, history.OK, "", op)
		}
		if member != g.member || epoch != g.generation || g.state == memberAway {
			return
		}
		if code != kerr.None {
			g.refusedNext(code)
			return
		}
		g.beaten(resp, full)
	})
}

// reported gives what the member owns, by topic.
func (g *Group) reported() []kmsg.ConsumerGroupHeartbeatRequestTopic {
	out := []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, p := range g.owned {
		i := slices.IndexFunc(out, func(t kmsg.ConsumerGroupHeartbeatRequestTopic) bool { return t.TopicID == p.topic.id })
		if i < 0 {
			i = len(out)
			out = append(out, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: p.topic.id})
		}
		out[i].Partitions = append(out[i].Partitions, p.part)
	}
	return out
}

// enter joins, or tells a coordinator that was found anew how the member stands.
func (g *Group) enter() {
	if g.beating {
		return
	}
	if g.member == "" {
		g.lives++
		g.member, g.generation = fmt.Sprintf("next-%d-%d", g.id, g.lives), 0
	}
	g.state = memberJoining
	g.heartbeat(true)
}

// beaten follows what the member is told.
func (g *Group) beaten(resp *kmsg.ConsumerGroupHeartbeatResponse, full bool) {
	if resp.MemberEpoch < g.generation || resp.MemberEpoch <= 0 {
		g.caught(slotJoin, g.cfg.Group, "a member's epoch goes back", fmt.Sprintf("from %d to %d", g.generation, resp.MemberEpoch))
	}
	g.generation, g.missed = resp.MemberEpoch, g.missed && !full
	if resp.Assignment != nil {
		g.told = resp.Assignment.Topics
		g.apply()
	}
	if g.state == memberJoining {
		g.state = memberPlacing
	}
	g.advance()
}

// apply takes what the member was told last: it lets go of the rest, and says so with its next heartbeat. What it gets it reads from where the
// group stands.
func (g *Group) apply() {
	var keep, fresh []*position
	lost := false
	for _, t := range g.told {
		for _, part := range t.Partitions {
			p := g.at(t.TopicID, part)
			i := slices.IndexFunc(g.owned, func(o *position) bool { return p != nil && o.key == p.key })
			switch {
			case p == nil:
				g.stale() // it is younger than the metadata that the member has
			case i >= 0:
				keep = append(keep, g.owned[i])
			default:
				fresh = append(fresh, p)
			}
		}
	}
	for _, p := range g.owned {
		if !slices.Contains(keep, p) {
			lost = true
		}
	}
	if !lost && len(fresh) == 0 {
		return
	}
	g.commit()
	for _, p := range g.owned {
		if !slices.Contains(keep, p) {
			g.note(slotOwner, g.ownership(history.Disown, p))
		}
	}
	for _, p := range fresh {
		p.since = g.generation
		g.note(slotOwner, g.ownership(history.Own, p))
	}
	g.owned, g.caughtUp = append(keep, fresh...), false
	g.era++
	g.f.assign(nil)
	if g.state == memberStable {
		g.state = memberPlacing
	}
}

func (g *Group) ownership(kind history.Kind, p *position) history.Op {
	return history.Op{Kind: kind, Key: history.GroupKey(g.cfg.Group, p.key), Offset: history.NoOffset, Generation: p.since, Member: g.identity()}
}

// at gives a partition that the member knows of.
func (g *Group) at(id [16]byte, part int32) *position {
	for i := range g.topics {
		if t := &g.topics[i]; t.hasID && t.id == id && int(part) < t.parts {
			return &position{topic: t, part: part, key: t.keys[part], end: -1, hw: -1, start: -1}
		}
	}
	return nil
}

// refusedNext follows an error of the consumer protocol.
func (g *Group) refusedNext(code kerr.Code) {
	switch code {
	case kerr.UnknownMemberID, kerr.FencedMemberEpoch, kerr.GroupIDNotFound, kerr.UnreleasedInstanceID:
		joins := g.generation <= 0
		g.revoke()
		g.generation, g.state = 0, memberUnjoined
		if joins && code == kerr.GroupIDNotFound {
			g.refusedTurn(code)
		}
	case kerr.FencedInstanceID:
		g.revoke()
		g.member, g.state = "", memberUnjoined
	case kerr.StaleMemberEpoch: // its epoch has grown since, and the next try says the new one
	case kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.RequestTimedOut:
		g.f.assign(nil)
		g.state, g.missed = memberLooking, true
	default:
		g.caught(slotJoin, g.cfg.Group, "the consumer protocol answers an error of no use", code.String())
		g.revoke()
		g.member, g.state = "", memberUnjoined
	}
}

// beatNext sends a heartbeat of the consumer protocol.
func (g *Group) beatNext() {
	if (g.state == memberPlacing || g.state == memberStable) && g.coord.open() && !g.beating {
		g.heartbeat(g.missed)
	}
}

// leaveNext says that the member goes: for good, or a static one for a while.
func (g *Group) leaveNext() {
	if g.cfg.Vanish || !g.coord.open() {
		return
	}
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = g.cfg.Group, g.member, -1, g.static()
	if req.InstanceID != nil {
		req.MemberEpoch = -2
	}
	g.commit()
	g.coord.ask(req, 0, anyVersion, 5*clock.Second, func(kmsg.Response, error) {})
}
