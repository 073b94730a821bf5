package client

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// GroupConfig says what a member of a consumer group (classic protocol, eager, range assignor) does. Times are virtual milliseconds.
type GroupConfig struct {
	ID          int         `json:"id"`
	Node        int         `json:"node"`
	Group       string      `json:"group"`
	Topics      []string    `json:"topics"`
	Instance    string      `json:"instance,omitempty"` // group.instance.id: a static member (KIP-345)
	Fetch       FetchConfig `json:"fetch"`
	SessionMS   int32       `json:"session_ms"`
	RebalanceMS int32       `json:"rebalance_ms"`
	HeartbeatMS int64       `json:"heartbeat_ms"`
	CommitMS    int64       `json:"commit_ms"`         // 0: it commits nothing until the faults are over
	StayMS      int64       `json:"stay_ms,omitempty"` // after that it goes; 0: it stays
	AwayMS      int64       `json:"away_ms,omitempty"`
	Vanish      bool        `json:"vanish,omitempty"` // it goes without LeaveGroup
	Next        *NextConfig `json:"next,omitempty"`   // not nil: it speaks the consumer protocol
	Both        *BothConfig `json:"both,omitempty"`   // not nil: its group has members of both protocols
}

// memberState is where a member stands.
//
//	looking ──FindCoordinator──▶ unjoined ──JoinGroup──▶ joining ──SyncGroup──▶ syncing ──OffsetFetch──▶ placing ──▶ stable
//	   ▲ NOT_COORDINATOR            ▲──REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID──┘
type memberState uint8

const (
	memberLooking memberState = iota
	memberUnjoined
	memberJoining
	memberSyncing
	memberPlacing
	memberStable
	memberAway
)

var memberStates = [...]string{"looking for its coordinator", "unjoined", "joining", "syncing", "placing", "stable", "away"}

// Group is one member of a consumer group.
type Group struct {
	base
	cfg        GroupConfig
	f          fetcher
	coord      *link
	state      memberState
	topics     []topicInfo
	member     string
	generation int32
	owned      []*position
	committed  map[string]int64
	commits    int64
	committing bool
	beating    bool
	asking     bool // an answer of the group protocol is outstanding
	caughtUp   bool
	outgrown   bool // the topics have grown since it last joined as a member that the group knew
	goAt       clock.Time
	commitAt   clock.Time
	proc       *processor  // nil: it only reads, and commits by itself
	next       *NextConfig // not nil: it speaks the consumer protocol at present
	// Of the consumer protocol, in which generation is the member's epoch:
	told   []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic // the last assignment
	missed bool                                                 // an answer: the next heartbeat says all, and is told all
	era    int                                                  // grows when what it owns changes
	lives  int
}

// slots of a member's processes; 0 and 1 are the fetcher's.
const (
	slotList = iota + 2
	slotEnd
	slotCommit
	slotOffsets
	slotJoin
	slotOwner
)

// NewGroup makes a member.
func NewGroup(cfg GroupConfig, sh *Shared) *Group {
	g := &Group{base: base{id: cfg.ID, sh: sh, repeats: true}, cfg: cfg, generation: -1, next: cfg.Next}
	if b := cfg.Both; b != nil && b.Begins {
		g.next = &b.Next
	}
	return g
}

// Start implements Client.
func (g *Group) Start(n Net) {
	g.start(n, "member")
	g.oldVersions = g.oldVersions && g.next == nil && g.cfg.Both == nil // or it would not hear of the ids by which partitions are named
	g.onWork, g.onTick, g.onBeat = g.fetch, g.tick, g.beat
	g.f = fetcher{b: &g.base, cfg: g.cfg.Fetch, low: 4, after: g.fetched}
	if g.proc != nil {
		g.f.take = g.proc.taken
	}
	g.f.link = g.newLink(g.cfg.Node, g.opened, func() {})
	if g.proc != nil {
		g.proc.opens()
	}
	g.after(g.jitter(clock.MS(g.cfg.HeartbeatMS)), timerBeat)
	keys := make([]string, len(g.cfg.Topics))
	for i, t := range g.cfg.Topics {
		keys[i] = history.GroupKey(g.cfg.Group, t)
	}
	g.sh.Rec.Record(&history.Event{Process: g.process(slotOwner), Type: history.Info, F: "subscribe", Keys: keys})
}

func (g *Group) opened() {
	g.askTopics(g.f.link, g.cfg.Topics, func(ts []topicInfo) {
		if g.topics == nil {
			g.topics = ts
		}
		grown := false
		for i := range ts {
			if t := &g.topics[i]; ts[i].parts > t.parts {
				t.parts, t.keys, grown = ts[i].parts, ts[i].keys, true
			}
			g.topics[i].id, g.topics[i].hasID, g.topics[i].lead, g.topics[i].epoch = ts[i].id, ts[i].hasID, ts[i].lead, ts[i].epoch
		}
		if g.sh.Nodes > 1 { // what is in flight to a former leader must not move a position that a new one moves too
			g.f.assign(g.f.pos)
		}
		if g.next != nil {
			g.apply()
		} else {
			g.outgrown = g.outgrown || grown
			g.reassign()
		}
		g.advance()
	})
}

// reassign joins once more where the topics have grown: the group's leader assigns anew then, and who does not lead gets its generation again.
// A static leader that was away while they grew comes back into the old assignment (KIP-814), so it asks once it is a member.
func (g *Group) reassign() {
	if g.outgrown && (g.state == memberPlacing || g.state == memberStable) {
		g.commit()
		g.expelled(kerr.RebalanceInProgress)
	}
}

// advance does what the state asks for next, unless an answer is outstanding.
func (g *Group) advance() {
	if g.asking || g.topics == nil || g.state == memberAway {
		return
	}
	if g.state == memberLooking {
		g.find()
		return
	}
	if !g.coord.open() {
		return
	}
	switch g.state {
	case memberUnjoined:
		if g.next != nil {
			g.enter()
			return
		}
		g.join()
	case memberPlacing:
		if g.proc == nil || g.proc.settled() {
			g.place()
		}
	}
}

func (g *Group) find() {
	if !g.f.link.open() {
		return
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey, req.CoordinatorKeys = g.cfg.Group, []string{g.cfg.Group}
	g.asking = true
	g.f.link.ask(req, 0, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		g.asking = false
		if err != nil || g.state != memberLooking {
			return
		}
		resp := r.(*kmsg.FindCoordinatorResponse)
		node, code := resp.NodeID, resp.ErrorCode
		if len(resp.Coordinators) == 1 {
			node, code = resp.Coordinators[0].NodeID, resp.Coordinators[0].ErrorCode
		}
		if code != 0 {
			return // tick asks again
		}
		g.state = memberUnjoined
		if g.coord == nil {
			g.coord = g.newLink(nodeOf(node), g.advance, func() {})
			return
		}
		g.coord.redirect(nodeOf(node))
		g.advance()
	})
}

func (g *Group) static() *string {
	if g.cfg.Instance == "" {
		return nil
	}
	return kmsg.StringPtr(g.cfg.Instance)
}

// identity is who owns partitions: a static member keeps them under a new member id, without a new generation (KIP-345).
func (g *Group) identity() string {
	if g.cfg.Instance != "" {
		return "instance " + g.cfg.Instance
	}
	return g.member
}

// low gives the oldest version of an API that a static member can use.
func (g *Group) low(plain, static int16) int16 {
	if g.cfg.Instance != "" {
		return static
	}
	return plain
}

func (g *Group) join() {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = g.cfg.Group, g.cfg.SessionMS, g.cfg.RebalanceMS
	req.MemberID, req.InstanceID, req.ProtocolType = g.member, g.static(), "consumer"
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics = g.cfg.Topics
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", meta.AppendTo(nil)
	req.Protocols = append(req.Protocols, p)
	g.state, g.asking = memberJoining, true
	op := history.Op{Kind: history.Join, Key: g.joinKey(), Offset: history.NoOffset, Member: g.member}
	g.record(slotJoin, history.Invoke, "", op)
	timeout := clock.MS(int64(g.cfg.RebalanceMS)) + 10*clock.Second
	g.coord.ask(req, g.low(0, 5), anyVersion, timeout, func(r kmsg.Response, err error) {
		g.asking = false
		if err != nil {
			g.record(slotJoin, history.Info, err.Error(), op)
			g.state = memberLooking
			return
		}
		g.joined(r.(*kmsg.JoinGroupResponse), op)
	})
}

func (g *Group) joined(resp *kmsg.JoinGroupResponse, op history.Op) {
	code := kerr.Code(resp.ErrorCode)
	if code != kerr.None {
		g.record(slotJoin, history.Fail, code.String(), op)
		if code == kerr.MemberIDRequired {
			if resp.MemberID == "" {
				g.caught(slotJoin, g.cfg.Group, "MEMBER_ID_REQUIRED without a member id", "")
			}
			g.member, g.state = resp.MemberID, memberUnjoined
			g.advance()
			return
		}
		g.expelled(code)
		return
	}
	g.outgrown = g.outgrown && op.Member == ""
	g.member, g.generation = resp.MemberID, resp.Generation
	op.Generation, op.Member = resp.Generation, g.identity()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.Generation, req.MemberID, req.InstanceID = g.cfg.Group, g.generation, g.member, g.static()
	req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), resp.Protocol
	if resp.LeaderID == resp.MemberID && !resp.SkipAssignment {
		req.GroupAssignment = rangeAssign(resp.Members, g.topics)
	}
	g.state, g.asking = memberSyncing, true
	g.coord.ask(req, g.low(0, 3), anyVersion, clock.MS(int64(g.cfg.RebalanceMS))+10*clock.Second, func(r kmsg.Response, err error) {
		g.asking = false
		switch {
		case err != nil:
			g.record(slotJoin, history.Info, err.Error(), op)
			g.state = memberLooking
		case r.(*kmsg.SyncGroupResponse).ErrorCode != 0:
			code := kerr.Code(r.(*kmsg.SyncGroupResponse).ErrorCode)
			g.record(slotJoin, history.Fail, code.String(), op)
			g.expelled(code)
		default: // only now does a record in the log hold the generation: before, a crash may take it back
			g.record(slotJoin, history.OK, "", op)
			g.synced(r.(*kmsg.SyncGroupResponse).MemberAssignment)
		}
	})
}

func (g *Group) synced(assignment []byte) {
	g.owned, g.caughtUp = nil, false
	if len(assignment) > 0 {
		var a kmsg.ConsumerMemberAssignment
		if err := a.ReadFrom(assignment); err != nil {
			g.caught(slotJoin, g.cfg.Group, "SyncGroup changes an assignment", err.Error())
		}
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				g.own(t.Topic, p)
			}
		}
	}
	for _, p := range g.owned {
		g.note(slotOwner, history.Op{Kind: history.Own, Key: history.GroupKey(g.cfg.Group, p.key), Offset: history.NoOffset, Generation: g.generation, Member: g.identity()})
	}
	g.state = memberPlacing
	g.reassign()
	g.advance()
}

func (g *Group) own(topic string, part int32) {
	for i := range g.topics {
		if t := &g.topics[i]; t.name == topic && int(part) < t.parts {
			g.owned = append(g.owned, &position{topic: t, part: part, key: t.keys[part], end: -1, hw: -1, start: -1})
			return
		}
	}
	if g.cfg.Both != nil {
		g.stale() // it is younger than the metadata that the member has, and its coordinator assigns
	}
}

// expelled ends the membership, or only the generation, as the error says.
func (g *Group) expelled(code kerr.Code) {
	if g.next != nil {
		g.refusedNext(code)
		return
	}
	g.revoke()
	g.state = memberUnjoined
	switch code {
	case kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.GroupIDNotFound:
		g.member, g.generation = "", -1
	case kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.GroupMaxSizeReached:
	case kerr.InconsistentGroupProtocol:
		g.refusedTurn(code)
	case kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.RequestTimedOut:
		g.state = memberLooking
	default:
		g.caught(slotJoin, g.cfg.Group, "the group protocol answers an error of no use", code.String())
		g.member, g.generation = "", -1
	}
}

// replace has a member ask where the group stands, since what it has read was not committed.
func (g *Group) replace() {
	if g.state == memberStable {
		g.f.assign(nil)
		g.state = memberPlacing
		g.advance()
	}
}

// lookAgain has a member look for its coordinator, which is not where it was; it stays what it is.
func (g *Group) lookAgain() {
	if g.state == memberStable || g.state == memberPlacing {
		g.expelled(kerr.NotCoordinator)
	}
}

// revoke gives up all partitions, as eager members do before they join again.
func (g *Group) revoke() {
	if g.proc != nil {
		g.proc.revoked()
	}
	for _, p := range g.owned {
		if g.next != nil {
			g.note(slotOwner, g.ownership(history.Disown, p))
			continue
		}
		g.note(slotOwner, history.Op{Kind: history.Disown, Key: history.GroupKey(g.cfg.Group, p.key), Offset: history.NoOffset, Generation: g.generation, Member: g.identity()})
	}
	g.owned, g.caughtUp, g.told = nil, false, nil
	g.era++
	g.f.assign(nil)
}

// beat sends a heartbeat.
func (g *Group) beat() {
	g.after(g.jitter(clock.MS(g.cfg.HeartbeatMS)), timerBeat)
	if g.next != nil {
		g.beatNext()
		return
	}
	if g.state != memberPlacing && g.state != memberStable || !g.coord.open() || g.beating || g.proc != nil && g.proc.asleep() {
		return
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID, req.InstanceID = g.cfg.Group, g.generation, g.member, g.static()
	generation, member := g.generation, g.member
	g.beating = true
	g.coord.ask(req, g.low(0, 3), anyVersion, clock.MS(int64(g.cfg.SessionMS)), func(r kmsg.Response, err error) {
		g.beating = false
		if err != nil || generation != g.generation || member != g.member || g.state != memberPlacing && g.state != memberStable {
			return
		}
		switch code := kerr.Code(r.(*kmsg.HeartbeatResponse).ErrorCode); code {
		case kerr.None:
		case kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable:
		case kerr.RebalanceInProgress:
			g.commit()
			g.expelled(code)
		default:
			g.expelled(code)
		}
	})
}

func (g *Group) tick() {
	if g.f.link.open() && g.topics == nil && g.retry == nil {
		g.opened()
	}
	now := g.n.Now()
	switch {
	case g.state == memberAway:
		if now >= g.goAt || g.healed {
			g.comeBack()
		}
	case g.state == memberStable && g.cfg.StayMS > 0 && !g.healed && now >= g.goAt:
		g.leave()
	}
	if g.sh.behind(g.topics) {
		g.stale()
	}
	g.advance()
	if g.proc != nil && !g.Done() {
		g.proc.advance()
	}
	if g.state != memberStable {
		return
	}
	if now >= g.commitAt {
		g.commitAt = now.Add(g.jitter(clock.MS(g.cfg.CommitMS)))
		g.commit()
	}
	g.fetch()
	g.finish()
}

// leave goes away: with LeaveGroup, or as a crash would. A static member never says that it leaves.
func (g *Group) leave() {
	if g.next != nil {
		g.leaveNext()
	} else if !g.cfg.Vanish && g.cfg.Instance == "" && g.coord.open() {
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Group, req.MemberID = g.cfg.Group, g.member
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = g.member
		req.Members = append(req.Members, m)
		g.commit()
		g.coord.ask(req, 0, anyVersion, 5*clock.Second, func(kmsg.Response, error) {})
	}
	g.revoke()
	g.member, g.generation = "", -1
	g.state, g.goAt = memberAway, g.n.Now().Add(g.jitter(clock.MS(g.cfg.AwayMS)))
}

func (g *Group) comeBack() {
	if b := g.cfg.Both; b != nil && b.Turns {
		g.turn()
	}
	g.state = memberLooking
	g.goAt = g.n.Now().Add(g.jitter(clock.MS(g.cfg.StayMS)))
}

// Healed implements Healer.
func (g *Group) Healed() {
	g.base.Healed()
	g.f.hurry()
}

// Done implements Settler. A member waits for the whole group: the coordinator may still hold partitions for members that are gone.
func (g *Group) Done() bool {
	if g.state != memberStable || !g.caughtUp {
		return false
	}
	for i := range g.topics {
		for _, k := range g.topics[i].keys {
			if !g.sh.reached[history.GroupKey(g.cfg.Group, k)] {
				return false
			}
		}
	}
	return g.proc == nil || g.proc.done()
}

// Waiting implements Settler.
func (g *Group) Waiting() string {
	s := fmt.Sprintf("%s of %s: %s, generation %d", g.name, g.cfg.Group, memberStates[g.state], g.generation)
	for _, p := range g.owned {
		s += fmt.Sprintf(" %s at %d of %d", p.key, p.next, p.end)
	}
	if g.proc != nil {
		s += g.proc.String()
	}
	return s
}
