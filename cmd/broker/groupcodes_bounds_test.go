package main_test

import (
	"strings"
	"testing"
	"time"
)

// TestConsumerGroupsEndAsApacheKafkaEndsThem asks a broker with small bounds: groups of two members at most, no migration between the protocols, sessions of six
// seconds. Apache Kafka 4.3.1 was started with the same settings (and sessions of 1.5 s), and with group.consumer.assignor.offload.enable=false.
func TestConsumerGroupsEndAsApacheKafkaEndsThem(t *testing.T) {
	compareCodes(t, "testdata/consumer-groups-bounds.txt", consumerGroupBounds,
		"group.consumer.assignment.interval.ms=0", "group.consumer.max.size=2", "group.consumer.migration.policy=disabled", "group.consumer.assignors=range",
		"group.consumer.session.timeout.ms=6000", "group.consumer.min.session.timeout.ms=6000", "group.consumer.max.session.timeout.ms=6000",
		"group.consumer.heartbeat.interval.ms=300", "group.consumer.min.heartbeat.interval.ms=300")
}

func consumerGroupBounds(t *testing.T, addr string) string {
	a := &groupAsker{asker: &asker{raw: rawTo(t, addr)}, addr: addr, topics: map[[16]byte]string{}}
	a.prepare()
	a.full()
	a.noMigration()
	a.silence()
	a.stubborn()
	return strings.Join(a.out, "\n") + "\n"
}

// full fills a group.
func (a *groupAsker) full() {
	m, n := &consumer{group: "cg-full", id: "m-1"}, &consumer{group: "cg-full", id: "m-2", instance: ptr("i-1")}
	a.says("joins by uniform", 0, m, joins("cg-a"), func(q *heartbeat) { q.ServerAssignor = ptr("uniform") })
	a.says("joins", 0, m, joins("cg-a"))
	a.says("of the second joins", 0, n, joins("cg-a"))
	a.says("of the third joins", 0, &consumer{group: m.group, id: "m-3"}, joins("cg-a"))
	a.says("of the third joins without id", 0, &consumer{group: m.group}, joins("cg-a"))
	a.says("of the second's instance under another id", 0, &consumer{group: m.group, id: "m-3", instance: ptr("i-1")}, joins("cg-a"))
	a.says("of the second goes for a while", 0, n, atEpoch(-2))
	a.says("of the second's instance under another id then", 0, &consumer{group: m.group, id: "m-3", instance: ptr("i-1")}, joins("cg-a"))
	a.says("rejoins", 0, m, joins("cg-a"))
	a.says("leaves", 0, m, atEpoch(-1))
	a.says("of the third joins then", 0, &consumer{group: m.group, id: "m-3"}, joins("cg-a"))
	a.describe(0, m.group)
}

func (a *groupAsker) noMigration() {
	c := &classicMember{group: "cg-classic"}
	a.join("of a new group", 9, c, "cg-a")
	a.sync("of its leader", 5, c, "cg-a-0")
	m := &consumer{group: c.group, id: "m-1"}
	a.says("joins a classic group", 0, m, joins("cg-a"))
	a.leave("of its member", 5, c.group, c.id, nil)
	a.says("joins the empty classic group", 0, m, joins("cg-a"))
	a.list("then", 5, c.group, nil, nil)
	a.join("of a consumer group", 9, &classicMember{group: c.group}, "cg-a")
	a.says("leaves", 0, m, atEpoch(-1))
	a.join("of an empty consumer group", 9, &classicMember{group: c.group}, "cg-a")
	a.list("then", 5, c.group, nil, nil)
}

// eventually asks until the answer begins with want, and writes it down.
func (a *groupAsker) eventually(what, want string, ask func() string) {
	s := ""
	for range 1000 {
		if s = ask(); strings.HasPrefix(s, want) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	a.say(what, s)
}

// silence lets sessions end.
func (a *groupAsker) silence() {
	m, n, s := &consumer{group: "cg-silent", id: "m-1"}, &consumer{group: "cg-silent", id: "m-2"}, &consumer{group: "cg-away", id: "m-1", instance: ptr("i-1")}
	a.says("joins", 0, m, joins("cg-a"))
	a.says("of another joins", 0, n, joins("cg-a"))
	a.settles("then", m, n)
	a.eventually("then one is silent", "NONE epoch 4 every 300 ms as m-1 gets [cg-a x 4]", func() string { return a.beat(0, m, m.owns) })
	a.says("of the silent one", 0, n)
	a.says("of a static member joins", 0, s, joins("cg-a"))
	a.says("of it goes for a while", 0, s, atEpoch(-2))
	a.eventually("then it does not come back", "UNKNOWN_MEMBER_ID", func() string { return a.beat(0, &consumer{group: s.group, id: s.id, instance: s.instance}, atEpoch(2)) })
	a.describe(0, s.group)
	simple := &consumer{group: m.group, epoch: -1}
	a.eventually("then nobody is left", "NONE", func() string { return a.commit(9, simple, "cg-a-0") })
	a.describe(0, m.group)
}

// stubborn has a member that never gives what it is to give.
func (a *groupAsker) stubborn() {
	short := func(q *heartbeat) { q.RebalanceTimeoutMillis = 700 }
	m, n := &consumer{group: "cg-stubborn", id: "m-1"}, &consumer{group: "cg-stubborn", id: "m-2"}
	a.says("joins", 0, m, joins("cg-a"), short)
	first := *m
	a.says("of another joins", 0, n, joins("cg-a"), short)
	a.eventually("ConsumerGroupHeartbeat of one that keeps everything", "UNKNOWN_MEMBER_ID", func() string {
		a.beat(0, n, n.owns)
		return a.beat(0, m, first.owns)
	})
	a.settles("then the other", n)
	a.says("comes back", 0, m, joins("cg-a"), short)
}
