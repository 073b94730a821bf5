package main_test

import (
	"fmt"
	"sort"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// classicMember is a member of the classic protocol, as it knows itself.
type classicMember struct {
	group, id  string
	instance   *string
	generation int32
}

func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = 1, topics
	return m.AppendTo(nil)
}

func (a *groupAsker) joinRequest(version int16, m *classicMember, protocol string, topics ...string) *kmsg.JoinGroupRequest {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Version, q.Group, q.MemberID, q.InstanceID = version, m.group, m.id, m.instance
	q.SessionTimeoutMillis, q.RebalanceTimeoutMillis, q.ProtocolType = 30_000, 60_000, "consumer"
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = protocol, subscription(topics...)
	q.Protocols = append(q.Protocols, p)
	return q
}

// join is JoinGroup, once more where an id is given to join with.
func (a *groupAsker) join(what string, version int16, m *classicMember, topics ...string) {
	a.joinBy(what, a.joinRequest(version, m, "range", topics...), m)
}

func (a *groupAsker) joinBy(what string, q *kmsg.JoinGroupRequest, m *classicMember) {
	r := a.ask(q).(*kmsg.JoinGroupResponse)
	if kerr.Code(r.ErrorCode) == kerr.MemberIDRequired {
		a.say(fmt.Sprintf("JoinGroup v%d %s", q.Version, what), "MEMBER_ID_REQUIRED as "+a.name(r.MemberID))
		q.MemberID = r.MemberID
		r = a.ask(q).(*kmsg.JoinGroupResponse)
	}
	a.say(fmt.Sprintf("JoinGroup v%d %s", q.Version, what), a.joined(r, m))
}

func (a *groupAsker) joined(r *kmsg.JoinGroupResponse, m *classicMember) string {
	if r.ErrorCode != 0 {
		return fmt.Sprintf("%s as %s", kerr.Code(r.ErrorCode), a.name(r.MemberID))
	}
	m.id, m.generation = r.MemberID, r.Generation
	return fmt.Sprintf("NONE generation %d as %s, leader %s, %s by %s, %d members", r.Generation, a.name(r.MemberID), a.name(r.LeaderID), text(r.ProtocolType), text(r.Protocol), len(r.Members))
}

// sync is SyncGroup; topics, if any, are what its leader assigns to it alone.
func (a *groupAsker) sync(what string, version int16, m *classicMember, topics ...string) {
	q := kmsg.NewPtrSyncGroupRequest()
	q.Version, q.Group, q.MemberID, q.InstanceID, q.Generation = version, m.group, m.id, m.instance, m.generation
	q.ProtocolType, q.Protocol = ptr("consumer"), ptr("range")
	if len(topics) > 0 {
		x := kmsg.NewConsumerMemberAssignment()
		for _, s := range topics {
			name, n := topicAndNumber(s)
			if i := len(x.Topics) - 1; i >= 0 && x.Topics[i].Topic == name {
				x.Topics[i].Partitions = append(x.Topics[i].Partitions, n)
				continue
			}
			x.Topics = append(x.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: name, Partitions: []int32{n}})
		}
		q.GroupAssignment = append(q.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.id, MemberAssignment: x.AppendTo(nil)})
	}
	r := a.ask(q).(*kmsg.SyncGroupResponse)
	out := fmt.Sprintf("%s %s by %s", kerr.Code(r.ErrorCode), text(r.ProtocolType), text(r.Protocol))
	if len(r.MemberAssignment) > 0 {
		x := kmsg.NewConsumerMemberAssignment()
		if err := x.ReadFrom(r.MemberAssignment); err != nil {
			a.t.Fatal(err)
		}
		var parts []string
		for _, t := range x.Topics {
			parts = append(parts, fmt.Sprintf("%s x %d", t.Topic, len(t.Partitions)))
		}
		sort.Strings(parts)
		out += fmt.Sprint(" gets ", parts)
	}
	a.say(fmt.Sprintf("SyncGroup v%d %s", version, what), out)
}

func (a *groupAsker) classicBeat(what string, m *classicMember) {
	q := kmsg.NewPtrHeartbeatRequest()
	q.Version, q.Group, q.MemberID, q.InstanceID, q.Generation = 4, m.group, m.id, m.instance, m.generation
	a.say("Heartbeat "+what, kerr.Code(a.ask(q).(*kmsg.HeartbeatResponse).ErrorCode).String())
}

func (a *groupAsker) leave(what string, version int16, group, member string, instance *string) {
	q := kmsg.NewPtrLeaveGroupRequest()
	q.Version, q.Group, q.MemberID = version, group, member
	x := kmsg.NewLeaveGroupRequestMember()
	x.MemberID, x.InstanceID = member, instance
	q.Members = append(q.Members, x)
	r := a.ask(q).(*kmsg.LeaveGroupResponse)
	out := kerr.Code(r.ErrorCode).String()
	for _, m := range r.Members {
		out += fmt.Sprintf(", %s %s %s", a.name(m.MemberID), text(m.InstanceID), kerr.Code(m.ErrorCode))
	}
	a.say(fmt.Sprintf("LeaveGroup v%d %s", version, what), out)
}

// upgrades has a consumer join a group of the classic protocol, whose member goes on in the consumer group.
func (a *groupAsker) upgrades() {
	c := &classicMember{group: "cg-up"}
	m := &consumer{group: "cg-up", id: "m-1"}
	a.join("of a new group", 9, c, "cg-a")
	a.sync("of its leader", 5, c, "cg-a-0", "cg-a-1", "cg-a-2", "cg-a-3")
	a.commits("of the classic member", 9, &consumer{group: c.group, id: c.id, epoch: c.generation}, "cg-a-0")
	a.says("goes on in a classic group", 0, m, atEpoch(1))
	a.says("leaves a classic group", 0, m, atEpoch(-1))
	a.describe(0, c.group)
	a.says("joins the classic group", 0, m, joins("cg-a"))
	a.list("then", 5, c.group, nil, nil)
	a.describe(1, c.group)
	a.describeClassic(6, c.group)
	a.classicBeat("of the classic member", c)
	a.commits("of the classic member", 9, &consumer{group: c.group, id: c.id, epoch: c.generation}, "cg-a-0")
	a.sync("of the classic member before it joins", 5, c)
	a.join("of the classic member", 9, c, "cg-a")
	a.classicBeat("of the classic member before it syncs", c)
	a.sync("of the classic member", 5, c)
	a.sync("of the classic member again", 5, c)
	a.classicBeat("of the classic member", c)
	a.settles("then", m)
	a.classicBeat("of the classic member then", c)
	a.describe(1, c.group)
	a.commits("of the classic member", 9, &consumer{group: c.group, id: c.id, epoch: c.generation}, "cg-a-0")
	a.commits("of the classic member", 5, &consumer{group: c.group, id: c.id, epoch: c.generation}, "cg-a-0")
	a.commits("of the classic member of an earlier generation", 5, &consumer{group: c.group, id: c.id, epoch: c.generation - 1}, "cg-b-0")
	a.commits("of the classic member of a later generation", 5, &consumer{group: c.group, id: c.id, epoch: c.generation + 1}, "cg-a-0")
	a.says("of the classic member", 0, &consumer{group: c.group, id: c.id}, atEpoch(c.generation))
	a.classicBeat("of an earlier generation", &classicMember{group: c.group, id: c.id, generation: c.generation - 1})
	a.classicBeat("of the consumer", &classicMember{group: c.group, id: m.id, generation: m.epoch})
	a.classicBeat("of nobody", &classicMember{group: c.group, id: "m-9", generation: m.epoch})
	a.leave("of the consumer", 5, c.group, m.id, nil)
	a.leave("of the classic member", 5, c.group, c.id, nil)
	a.settles("then", m)
	a.describe(1, c.group)
	a.says("leaves", 0, m, atEpoch(-1))
	a.join("of the empty consumer group", 9, &classicMember{group: c.group}, "cg-a")
	a.list("then", 5, c.group, nil, nil)
}

// downgrades has the last consumer leave a group that has a classic member.
func (a *groupAsker) downgrades() {
	m, c := &consumer{group: "cg-down", id: "m-1"}, &classicMember{group: "cg-down"}
	a.says("joins", 0, m, joins("cg-a"))
	a.join("of a consumer group", 9, c, "cg-a")
	a.sync("of a consumer group", 5, c)
	a.settles("then", m)
	a.classicBeat("of the classic member", c)
	a.join("of the classic member again", 9, c, "cg-a")
	a.sync("of the classic member again", 5, c)
	a.settles("then", m)
	a.describe(1, c.group)
	a.deletes("of the group", c.group)
	a.forgets("of what is read", c.group, "cg-a-0", "cg-b-0")
	a.says("of the last consumer leaves", 0, m, atEpoch(-1))
	a.list("then", 5, c.group, nil, nil)
	a.describeClassic(6, c.group)
	a.describe(0, c.group)
	a.classicBeat("of the classic member", c)
	a.join("of the classic member", 9, c, "cg-a")
	a.sync("of the classic member", 5, c, "cg-a-0", "cg-a-1")
	a.classicBeat("of the classic member", c)
	a.leave("of the classic member", 5, c.group, c.id, nil)
	a.list("then", 5, c.group, nil, nil)
	a.says("joins the empty classic group", 0, m, joins("cg-a"))
	a.list("then", 5, c.group, nil, nil)
	a.says("leaves", 0, m, atEpoch(-1))
	a.deletes("of the group", c.group)
}

// classicBesideConsumers asks what classic members may not ask in a consumer group.
func (a *groupAsker) classicBesideConsumers() {
	m := &consumer{group: "cg-beside", id: "m-1"}
	a.says("joins", 0, m, joins("cg-a"))
	for _, version := range []int16{0, 2, 4, 5} {
		a.join("of a consumer group", version, &classicMember{group: m.group}, "cg-a")
	}
	other := a.joinRequest(9, &classicMember{group: m.group}, "mine", "cg-a")
	other.ProtocolType = "connect"
	a.joinBy("of another protocol type", other, &classicMember{})
	junk := a.joinRequest(9, &classicMember{group: m.group}, "range")
	junk.Protocols[0].Metadata = []byte{1, 2, 3}
	a.joinBy("with a subscription that does not decode", junk, &classicMember{})
	bare := a.joinRequest(9, &classicMember{group: m.group}, "range")
	bare.Protocols = nil
	a.joinBy("without protocols", bare, &classicMember{})
	a.join("of an unknown member", 9, &classicMember{group: m.group, id: "m-9"}, "cg-a")
	a.join("under the consumer's member id", 9, &classicMember{group: m.group, id: m.id}, "cg-a")
	s := &classicMember{group: m.group, instance: ptr("i-1")}
	a.join("of a static member", 9, s, "cg-a")
	a.sync("of a static member", 5, s)
	t := &classicMember{group: m.group, instance: ptr("i-1")}
	a.join("of the same instance", 9, t, "cg-a")
	a.classicBeat("of the instance that was replaced", s)
	a.sync("of the instance that was replaced", 5, s)
	a.leave("of the instance that was replaced", 5, s.group, s.id, s.instance)
	a.sync("of a generation that is over", 5, &classicMember{group: t.group, id: t.id, instance: t.instance, generation: t.generation - 1})
	a.sync("of the instance", 5, t)
	a.says("of a consumer under that instance id", 0, &consumer{group: m.group, id: "m-2", instance: ptr("i-1")}, joins("cg-a"))
	a.sync("of nobody", 5, &classicMember{group: m.group, id: "m-9", generation: 1})
	a.leave("of the instance alone", 5, m.group, "", ptr("i-1"))
	a.leave("of the consumer", 2, m.group, m.id, nil)
	a.leave("of nobody", 2, m.group, "m-9", nil)
	a.says("goes on", 0, m)
	a.describe(0, m.group)
}

// protocols has consumers join groups that cannot be upgraded.
func (a *groupAsker) protocols() {
	c := &classicMember{group: "cg-connect"}
	q := a.joinRequest(9, c, "mine", "cg-a")
	q.ProtocolType = "connect"
	a.joinBy("of a group of connect", q, c)
	a.says("joins a group of connect", 0, &consumer{group: c.group, id: "m-1"}, joins("cg-a"))
	a.leave("of its member", 5, c.group, c.id, nil)
	a.says("joins the empty group of connect", 0, &consumer{group: c.group, id: "m-1"}, joins("cg-a"))
	c = &classicMember{group: "cg-joining"}
	a.join("of a new group", 9, c, "cg-a")
	m := &consumer{group: c.group, id: "m-1"}
	a.says("joins before the leader has synced", 0, m, joins("cg-a"))
	a.sync("of the leader", 5, c, "cg-a-0")
	a.classicBeat("of the leader", c)
	a.join("of the leader", 9, c, "cg-a")
	a.sync("of the leader", 5, c)
	a.settles("then", m)
	a.describe(1, c.group)
	c = &classicMember{group: "cg-junk"}
	q = a.joinRequest(9, c, "range")
	q.Protocols[0].Metadata = []byte{1, 2, 3}
	a.joinBy("with a subscription that does not decode", q, c)
	a.sync("of it", 5, c, "cg-a-0")
	a.says("joins that group", 0, &consumer{group: c.group, id: "m-1"}, joins("cg-a"))
	a.list("of groups in the end", 5, "cg-", nil, []string{"consumer"})
	a.list("of groups in the end", 5, "cg-", nil, []string{"classic"})
}
