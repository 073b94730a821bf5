package main_test

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// heartbeatsThatAreWrong asks what no group is needed for.
func (a *groupAsker) heartbeatsThatAreWrong() {
	empty, instance, assignor := "", "i-1", "whatever"
	for _, x := range []struct {
		what   string
		m      consumer
		change func(*heartbeat)
	}{
		{"of an empty group id", consumer{id: "m-1"}, nil},
		{"with an empty instance id", consumer{group: "cg-none", id: "m-1", instance: &empty}, nil},
		{"with an empty rack", consumer{group: "cg-none", id: "m-1"}, func(q *heartbeat) { q.RackID = &empty }},
		{"that joins without rebalance time-out", consumer{group: "cg-none", id: "m-1"}, func(q *heartbeat) { q.RebalanceTimeoutMillis = -1 }},
		{"that joins with a rebalance time-out of 0", consumer{group: "cg-zero", id: "m-1"}, func(q *heartbeat) { q.RebalanceTimeoutMillis = 0 }},
		{"that joins with a rebalance time-out of -2", consumer{group: "cg-minus", id: "m-1"}, func(q *heartbeat) { q.RebalanceTimeoutMillis = -2 }},
		{"that joins and does not say what it owns", consumer{group: "cg-none", id: "m-1"}, func(q *heartbeat) { q.Topics = nil }},
		{"that joins and owns something", consumer{group: "cg-none", id: "m-1"}, func(q *heartbeat) {
			q.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: a.topicID("cg-a"), Partitions: []int32{0}}}
		}},
		{"that joins without topics", consumer{group: "cg-none", id: "m-1"}, func(q *heartbeat) { q.SubscribedTopicNames = nil }},
		{"with an unknown assignor", consumer{group: "cg-none", id: "m-1"}, func(q *heartbeat) { q.ServerAssignor = &assignor }},
		{"with an empty assignor", consumer{group: "cg-none", id: "m-1"}, func(q *heartbeat) { q.ServerAssignor = &empty }},
		{"of epoch -3", consumer{group: "cg-none", id: "m-1"}, atEpoch(-3)},
		{"of epoch -2 without instance id", consumer{group: "cg-none", id: "m-1"}, atEpoch(-2)},
		{"of epoch -2 with one", consumer{group: "cg-none", id: "m-1", instance: &instance}, atEpoch(-2)},
		{"of epoch -1", consumer{group: "cg-none", id: "m-1"}, atEpoch(-1)},
		{"of epoch -1 without member id", consumer{group: "cg-none"}, atEpoch(-1)},
		{"of epoch 1", consumer{group: "cg-none", id: "m-1"}, atEpoch(1)},
		{"of epoch 1 without member id", consumer{group: "cg-none"}, atEpoch(1)},
		{"of a slash", consumer{group: "cg/slash", id: "m-1"}, atEpoch(1)},
	} {
		for version := range int16(2) {
			change := x.change
			if change == nil {
				change = func(*heartbeat) {}
			}
			m := x.m
			if strings.HasPrefix(m.group, "cg-") && m.group != "cg-none" {
				m.group += fmt.Sprint(version)
			}
			a.says(x.what, version, &m, joins("cg-a"), change)
		}
	}
	for version := range int16(2) {
		a.says("that joins without member id", version, &consumer{group: fmt.Sprint("cg-unnamed-", version)}, joins("cg-a"))
	}
	a.list("then", 5, "cg-none", nil, nil)
	a.describe(0, "cg-none", "")
	a.describe(1, "cg-none")
}

// life is that of one member.
func (a *groupAsker) life() {
	m := &consumer{group: "cg-life", id: "m-1"}
	a.says("joins", 0, m, joins("cg-a"))
	a.says("joins again", 0, m, joins("cg-a"))
	a.says("goes on", 0, m)
	a.says("tells what it owns", 0, m, m.owns)
	a.says("tells all", 0, m, joins("cg-a"), atEpoch(m.epoch), m.owns)
	a.says("with nothing new", 0, m, func(q *heartbeat) { q.SubscribedTopicNames = []string{"cg-a"} })
	a.describe(0, m.group)
	a.says("of a later epoch", 0, m, atEpoch(m.epoch+1))
	a.says("of an earlier epoch", 0, m, atEpoch(m.epoch-1))
	a.says("of an earlier epoch with what it owns", 0, m, atEpoch(m.epoch-1), m.owns)
	a.says("of an unknown member", 0, &consumer{group: m.group, id: "m-9"}, atEpoch(1))
	a.says("of an unknown member that leaves", 0, &consumer{group: m.group, id: "m-9"}, atEpoch(-1))
	a.says("subscribes to what is not there", 0, m, func(q *heartbeat) { q.SubscribedTopicNames = []string{"cg-a", "cg-later"} })
	a.settles("then", m)
	a.create("cg-later", 3)
	a.settles("after it was made", m)
	a.says("subscribes to another", 0, m, func(q *heartbeat) { q.SubscribedTopicNames = []string{"cg-b"} })
	a.settles("then", m)
	a.says("subscribes to nothing", 0, m, func(q *heartbeat) { q.SubscribedTopicNames = []string{} })
	a.settles("then", m)
	a.says("chooses range", 0, m, func(q *heartbeat) { q.ServerAssignor = ptr("range"); q.SubscribedTopicNames = []string{"cg-a", "cg-b"} })
	a.settles("then", m)
	a.says("chooses what is not there", 0, m, func(q *heartbeat) { q.ServerAssignor = ptr("cooperative-sticky") })
	a.says("has a rack", 1, m, func(q *heartbeat) { q.RackID = ptr("r1") })
	a.describe(1, m.group)
	a.says("rejoins", 1, m, joins("cg-a"))
	a.settles("then", m)
	a.list("of the group", 5, m.group, nil, nil)
	a.list("of the group", 4, m.group, nil, nil)
	a.list("of the group", 3, m.group, nil, nil)
	a.describeClassic(5, m.group)
	a.describeClassic(6, m.group)
	a.says("leaves", 0, m, atEpoch(-1))
	a.says("leaves again", 0, m, atEpoch(-1))
	a.describe(0, m.group)
	a.list("of the empty group", 5, m.group, nil, nil)
	a.says("goes on after it left", 0, m)
	a.says("joins once more", 0, m, joins("cg-a"))
	a.says("leaves once more", 0, m, atEpoch(-1))
}

func ptr[T any](v T) *T { return &v }

// twoMembers share topics: what one is to give the other gets when it is free.
func (a *groupAsker) twoMembers() {
	m, n := &consumer{group: "cg-two", id: "m-1"}, &consumer{group: "cg-two", id: "m-2"}
	a.says("joins", 0, m, joins("cg-a"))
	a.says("tells what it owns", 0, m, m.owns)
	had := *m
	a.says("of another joins", 0, n, joins("cg-a"))
	a.describe(0, m.group)
	a.says("of the other", 0, n, n.owns)
	a.says("is told to give", 0, m)
	a.says("has not given yet", 0, m, had.owns)
	a.says("of the other meanwhile", 0, n, n.owns)
	a.describe(0, m.group)
	a.says("has given", 0, m, m.owns)
	a.says("of the other", 0, n)
	a.settles("then", m, n)
	a.describe(1, m.group)
	a.commits("of the one", 9, m, "cg-a-0")
	a.says("of the other subscribes to one of the topics", 0, n, func(q *heartbeat) { q.SubscribedTopicNames = []string{"cg-b"} })
	a.settles("then", m, n)
	a.create("cg-late", 3)
	a.says("subscribes to a new topic", 0, m, func(q *heartbeat) { q.SubscribedTopicNames = []string{"cg-a", "cg-late"} })
	a.settles("then", m, n)
	a.says("of the other leaves", 0, n, atEpoch(-1))
	a.settles("then", m)
	a.says("leaves", 0, m, atEpoch(-1))
	a.describe(0, m.group)
	a.says("joins the empty group", 0, m, joins("cg-a"))
	a.says("leaves", 0, m, atEpoch(-1))
}

func (a *groupAsker) staticMembers() {
	one, two := ptr("i-1"), ptr("i-2")
	m := &consumer{group: "cg-static", id: "m-1", instance: one}
	a.says("of a static member joins", 0, m, joins("cg-a"))
	a.says("of its instance id under another member id joins", 0, &consumer{group: m.group, id: "m-2", instance: one}, joins("cg-a"))
	a.says("of its instance id under another member id", 0, &consumer{group: m.group, id: "m-2", instance: one}, atEpoch(m.epoch))
	a.says("of an unknown instance id", 0, &consumer{group: m.group, id: "m-2", instance: two}, atEpoch(m.epoch))
	a.says("of the member under another instance id", 0, &consumer{group: m.group, id: "m-1", instance: two}, atEpoch(m.epoch))
	a.says("of the member without instance id", 0, &consumer{group: m.group, id: "m-1"}, atEpoch(m.epoch))
	a.says("of another that leaves for a while", 0, &consumer{group: m.group, id: "m-2", instance: one}, atEpoch(-2))
	a.commits("of it", 9, m, "cg-a-0")
	a.commits("of it under another instance id", 9, &consumer{group: m.group, id: "m-1", epoch: m.epoch, instance: two}, "cg-a-0")
	a.says("leaves for a while", 0, m, atEpoch(-2))
	a.describe(0, m.group)
	a.says("after it left for a while", 0, m)
	a.commits("after it left for a while", 9, m, "cg-a-0")
	n := &consumer{group: m.group, id: "m-2", instance: one}
	a.says("comes back under another member id", 0, n, joins("cg-a"))
	a.describe(0, m.group)
	a.says("of the member id that it had", 0, m)
	a.says("leaves for a while", 0, n, atEpoch(-2))
	a.says("comes back and reads something else", 0, m, joins("cg-b"))
	a.settles("then", m)
	a.says("leaves for good", 0, m, atEpoch(-1))
	a.says("leaves for a while after that", 0, m, atEpoch(-2))
	a.describe(0, m.group)
	s, d := &consumer{group: "cg-static-2", id: "m-1", instance: one}, &consumer{group: "cg-static-2", id: "m-2"}
	a.says("of a static member joins", 0, s, joins("cg-a"))
	a.says("of a dynamic one joins", 0, d, joins("cg-a"))
	a.settles("then", s, d)
	a.says("of the static one leaves for a while", 0, s, atEpoch(-2))
	a.settles("of the dynamic one then", d)
	a.leave("of the static one", 5, "cg-static-2", "", one)
	a.leave("of the dynamic one", 5, "cg-static-2", "m-2", nil)
	a.leave("of an unknown one", 5, "cg-static-2", "m-9", nil)
	a.describe(0, "cg-static-2")
	a.settles("of the dynamic one then", d)
	a.says("leaves", 0, d, atEpoch(-1))
}

// expressions subscribes by regular expression. They are resolved some time later, so epochs are not told.
func (a *groupAsker) expressions() {
	m := &consumer{group: "cg-regex", id: "m-1"}
	for _, pattern := range []string{"(", "[", "a)(b", `\`, "a{2,1}", "(?=a)"} {
		a.says(fmt.Sprintf("that joins with %q", pattern), 1, &consumer{group: "cg-none", id: "m-1"}, joins(), matching(pattern))
	}
	a.list("then", 5, "cg-none", nil, nil)
	a.says("that joins with an empty expression", 1, &consumer{group: "cg-regex-2", id: "m-1"}, joins(), matching(""))
	until := func(what, want string, change ...func(*heartbeat)) {
		a.beat(1, m, change...)
		for range 500 {
			if a.beat(1, m, m.owns); a.owned(m) == want {
				break
			}
		}
		a.say("ConsumerGroupHeartbeat v1 "+what, a.owned(m))
	}
	until("joins by an expression", "[cg-a x 4 cg-b x 2]", joins(), matching("cg-[ab]"))
	a.says("with a bad expression", 1, m, matching("*"))
	until("changes the expression", "[cg-b x 2 cg-c x 3]", matching("cg-[bc]"))
	until("matches parts of names", "[]", matching("g-[bc]"))
	until("adds names", "[cg-a x 4 cg-c x 3]", func(q *heartbeat) { q.SubscribedTopicNames = []string{"cg-a"}; q.SubscribedTopicRegex = ptr("cg-c") })
	until("has names alone", "[cg-a x 4]", matching(""))
	a.says("leaves", 1, m, atEpoch(-1))
}

// operators look at groups, and delete them.
func (a *groupAsker) operators() {
	m := &consumer{group: "cg-ops", id: "m-1"}
	a.says("joins", 0, m, joins("cg-a"))
	simple := &consumer{group: "cg-simple", epoch: -1}
	a.commits("of a simple group", 9, simple, "cg-a-0")
	a.list("of all", 5, "cg-ops", nil, nil)
	for _, types := range [][]string{{"consumer"}, {"Consumer"}, {"classic"}, {"classic", "consumer"}, {"share"}, {"whatever"}, {""}} {
		a.list(fmt.Sprintf("by type %q", types), 5, "cg-ops", nil, types)
		a.list(fmt.Sprintf("of a simple group by type %q", types), 5, "cg-simple", nil, types)
	}
	for _, states := range [][]string{{"Stable"}, {"stable"}, {"Empty"}, {"Assigning", "Reconciling"}, {"whatever"}} {
		a.list(fmt.Sprintf("by state %q", states), 4, "cg-ops", states, nil)
		a.list(fmt.Sprintf("of a simple group by state %q", states), 5, "cg-simple", states, nil)
	}
	a.describe(0, "cg-simple")
	a.describeClassic(5, "cg-simple", "cg-ops", "cg-none")
	a.describeClassic(6, "cg-simple", "cg-ops", "cg-none")
	a.forgets("of a simple group", "cg-simple", "cg-a-0", "cg-a-1")
	a.deletes("of both", "cg-simple", "cg-ops")
	a.deletes("of one twice", "cg-ops", "cg-ops")
	a.says("that joins what was a simple group", 0, &consumer{group: "cg-simple", id: "m-1"}, joins("cg-a"))
	a.commits("of a simple group", 9, &consumer{group: "cg-simple-2", epoch: -1}, "cg-a-0")
	n := &consumer{group: "cg-simple-2", id: "m-1"}
	a.says("that joins a simple group", 0, n, joins("cg-a"))
	a.fetches("then", 9, n.group, &n.id, n.epoch, "cg-a-0")
	a.list("then", 5, "cg-simple-2", nil, nil)
	a.says("leaves", 0, n, atEpoch(-1))
	a.says("leaves", 0, m, atEpoch(-1))
	a.describe(0, "cg-ops", "cg-ops")
	a.describeClassic(5, "cg-ops", "cg-ops")
	a.deletes("of one twice", "cg-simple-2", "cg-ops", "cg-simple-2")
	a.list("then", 5, "cg-ops", nil, nil)
}
