package main_test

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/seedlogtest"
)

// TestOffsetsExpireAsApacheKafkaExpiresThem keeps offsets for one minute (KIP-211) and looks at groups of every kind, again and again for two minutes. They
// pass in a bubble. Apache Kafka 4.3.1 was asked in real time, started with the same settings and with group.consumer.assignor.offload.enable=false.
func TestOffsetsExpireAsApacheKafkaExpiresThem(t *testing.T) {
	const file = "testdata/offset-expiry.txt"
	if *recordFrom != "" {
		compareCodes(t, file, func(t *testing.T, addr string) string { return offsetExpiry(rawTo(t, addr)) })
		return
	}
	synctest.Test(t, func(t *testing.T) {
		opts := []seedlogtest.Option{seedlogtest.Nodes(1)}
		for name, value := range map[string]string{
			"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "1000", "group.initial.rebalance.delay.ms": "0",
			"group.consumer.assignment.interval.ms": "0", "group.consumer.max.session.timeout.ms": "600000", "group.consumer.session.timeout.ms": "600000",
		} {
			opts = append(opts, seedlogtest.Config(name, value))
		}
		c := seedlogtest.New(t, opts...)
		conn, err := c.Dialer()(t.Context(), "tcp", c.Addrs()[0])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		diffLines(t, recorded(t, file), offsetExpiry(&raw{t: t, conn: conn}))
	})
}

// expiryAsker looks at groups at times since it began.
type expiryAsker struct {
	*groupAsker
	began     time.Time // when all was set up
	groups    []watched
	producers []producer     // whose transactions are open
	unsettled *classicMember // who has not asked for its assignment
}

// watched is a group with what it had when it was looked at last.
type watched struct{ name, kept string }

func offsetExpiry(r *raw) string {
	a := &expiryAsker{groupAsker: &groupAsker{asker: &asker{raw: r}, topics: map[[16]byte]string{}}}
	a.find()
	a.create("ex-a", 2)
	a.create("ex-b", 2)
	a.plays()
	return strings.Join(a.out, "\n") + "\n"
}

// plays has what is done when. Retention is a minute: what was committed in the beginning goes after 60 s, and so on.
func (a *expiryAsker) plays() {
	a.simple()
	next := []func(){a.classicLive(), a.classicLeft(), a.otherProtocol(), a.unstable(), a.consumerLive(), a.consumerLeft(), a.consumerTurned(), a.consumerAway(), a.transaction()}
	a.began = time.Now()
	a.look(6)
	a.look(25)
	for _, f := range next { // whoever is to leave leaves
		f()
	}
	a.at(46)
	a.simpleAgain()
	a.look(50)
	a.look(68)
	a.afterwards()
	a.look(82)
	a.look(100)
	a.look(115)
}

// at waits for a time, in seconds since the beginning.
func (a *expiryAsker) at(s int) { time.Sleep(time.Until(a.began.Add(time.Duration(s) * time.Second))) }

// look waits, and tells of the groups what is new.
func (a *expiryAsker) look(s int) {
	a.at(s)
	what := fmt.Sprintf("after %d s", s)
	a.list(what, 5, "ex-", nil, nil)
	for i := range a.groups {
		g := &a.groups[i]
		if now := a.kept(g.name); now != g.kept {
			g.kept = now
			a.say("OffsetFetch v8 "+what+" of "+g.name, now)
		}
	}
}

// kept is all that a group has committed.
func (a *expiryAsker) kept(group string) string {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Version = 8
	q.Groups = []kmsg.OffsetFetchRequestGroup{{Group: group, MemberEpoch: -1}}
	r := a.ask(q).(*kmsg.OffsetFetchResponse).Groups[0]
	var out []string
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d=%d", t.Topic, p.Partition, p.Offset))
		}
	}
	sort.Strings(out)
	return fmt.Sprintf("%s %q", kerr.Code(r.ErrorCode), out)
}

// group names one of the groups that are looked at.
func (a *expiryAsker) group(name string) string {
	a.groups = append(a.groups, watched{name: "ex-" + name})
	return "ex-" + name
}

// commitFor is OffsetCommit of nobody, or of a member, for a time of its own (versions 2 to 4).
func (a *expiryAsker) commitFor(version int16, m *consumer, retentionMS int64, topics ...string) {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.MemberID, q.Generation, q.RetentionTimeMillis = version, m.group, m.id, m.epoch, retentionMS
	for _, s := range topics {
		name, n := topicAndNumber(s)
		q.Topics = append(q.Topics, kmsg.OffsetCommitRequestTopic{Topic: name, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: n, Offset: 7, LeaderEpoch: -1}}})
	}
	var out []string
	for _, t := range a.ask(q).(*kmsg.OffsetCommitResponse).Topics {
		out = append(out, t.Topic+" "+kerr.Code(t.Partitions[0].ErrorCode).String())
	}
	a.say(fmt.Sprintf("OffsetCommit v%d of %s for %d ms", version, m.group, retentionMS), told(out))
}

func nobodyOf(group string) *consumer { return &consumer{group: group, epoch: -1} }

// simple commits without membership.
func (a *expiryAsker) simple() {
	a.commits("of nobody", 8, nobodyOf(a.group("simple")), "ex-a-0", "ex-a-1", "ex-b-0")
	a.commits("of nobody", 9, nobodyOf(a.group("again")), "ex-a-0", "ex-b-0")
	for _, version := range []int16{2, 3, 4} {
		g := nobodyOf(a.group(fmt.Sprint("asked-", version)))
		a.commitFor(version, g, 20_000, "ex-a-0")
		a.commitFor(version, g, -1, "ex-a-1")
	}
	for _, retentionMS := range []int64{0, -2, -3_600_000, 95_000, math.MinInt64} {
		a.commitFor(4, nobodyOf(a.group(fmt.Sprint("asked-for", retentionMS))), retentionMS, "ex-a-0")
	}
	g := nobodyOf(a.group("asked-then-not"))
	a.commitFor(4, g, 20_000, "ex-a-0")
	a.commits("of nobody", 5, g, "ex-a-0")
}

// simpleAgain commits what stands already once more.
func (a *expiryAsker) simpleAgain() {
	a.commits("of nobody, later", 8, nobodyOf("ex-again"), "ex-a-0")
	a.commits("of nobody, in a group that was left", 8, nobodyOf("ex-left"), "ex-b-1")
	a.commitFor(4, nobodyOf("ex-left"), 10_000, "ex-a-1")
	a.commits("of nobody, in a consumer group that was left", 8, nobodyOf("ex-next-left"), "ex-b-1")
}

// enter makes a group with one classic member, which reads ex-a.
func (a *expiryAsker) enter(name, protocolType string) *classicMember {
	m := &classicMember{group: a.group(name)}
	q := a.joinRequest(3, m, "range", "ex-a") // a later version asks twice, and a group that has given out an id and nothing else goes at the next check
	q.ProtocolType, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = protocolType, 600_000, 600_000
	a.joinBy("of "+m.group, q, m)
	a.sync("of "+m.group, 3, m, "ex-a-0", "ex-a-1")
	return m
}

func (a *expiryAsker) commitsAll(m *consumer) {
	a.commits("of the member of "+m.group, 8, m, "ex-a-0", "ex-b-0")
	a.commitFor(4, m, 20_000, "ex-a-1", "ex-b-1")
}

// asConsumer is how it commits.
func (m *classicMember) asConsumer() *consumer {
	return &consumer{group: m.group, id: m.id, epoch: m.generation}
}

func (a *expiryAsker) classicLive() func() {
	m := a.enter("live", "consumer")
	a.commitsAll(m.asConsumer())
	return func() { a.classicBeat("of "+m.group, m) }
}

func (a *expiryAsker) classicLeft() func() {
	m, none := a.enter("left", "consumer"), a.enter("left-without", "consumer")
	a.commitsAll(m.asConsumer())
	return func() {
		a.leave("of "+m.group, 4, m.group, m.id, nil)
		a.leave("of "+none.group, 4, none.group, none.id, nil)
	}
}

func (a *expiryAsker) otherProtocol() func() {
	m := a.enter("other", "other")
	a.commitsAll(m.asConsumer())
	return func() { a.classicBeat("of "+m.group, m) }
}

// unstable is a group whose only member joins again, and asks for its assignment only later.
func (a *expiryAsker) unstable() func() {
	m := a.enter("unstable", "consumer")
	a.commitsAll(m.asConsumer())
	q := a.joinRequest(3, m, "range", "ex-a") // a later version asks twice, and a group that has given out an id and nothing else goes at the next check
	q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = 600_000, 600_000
	a.joinBy("of "+m.group+" again", q, m)
	a.unsettled = m
	return func() {}
}

func (a *expiryAsker) next(name string, version int16, change ...func(*heartbeat)) *consumer {
	m := &consumer{group: a.group("next-" + name), id: "m-1"}
	a.beat(version, m, append([]func(*heartbeat){joins("ex-a")}, change...)...)
	for i := 0; len(m.owned) == 0 && i < 1000; i++ { // a regular expression is resolved in the background
		a.beat(0, m)
	}
	a.settles("ConsumerGroupHeartbeat v0 of "+m.group, m)
	a.commits("of the member of "+m.group, 9, m, "ex-a-0", "ex-b-0")
	return m
}

func (a *expiryAsker) consumerLive() func() {
	m, x := a.next("live", 0), a.next("pattern", 1, matching("ex-a"))
	return func() {
		a.says("of "+m.group, 0, m)
		a.says("of "+x.group, 0, x)
	}
}

func (a *expiryAsker) consumerLeft() func() {
	m := a.next("left", 0)
	none := &consumer{group: a.group("next-left-without"), id: "m-1"}
	a.says("of "+none.group, 0, none, joins("ex-a"))
	return func() {
		a.says("of "+m.group+" leaves", 0, m, atEpoch(-1))
		a.says("of "+none.group+" leaves", 0, none, atEpoch(-1))
	}
}

// consumerTurned reads another topic later.
func (a *expiryAsker) consumerTurned() func() {
	m := a.next("turned", 0)
	return func() {
		a.says("of "+m.group+" turns to the other topic", 0, m, func(q *heartbeat) { q.SubscribedTopicNames = []string{"ex-b"} })
		a.settles(m.group, m)
	}
}

// consumerAway is a static member that goes for a while.
func (a *expiryAsker) consumerAway() func() {
	m := a.next("away", 0, func(q *heartbeat) { q.InstanceID = ptr("i-1") })
	m.instance = ptr("i-1")
	return func() { a.says("of "+m.group+" goes for a while", 0, m, atEpoch(-2)) }
}

// transaction has offsets committed in a transaction that stays open, in two groups, of which one has nothing else.
func (a *expiryAsker) transaction() func() {
	for _, g := range []string{a.group("txn"), a.group("txn-alone")} {
		if g == "ex-txn" {
			a.commits("of nobody", 8, nobodyOf(g), "ex-a-0", "ex-a-1")
		}
		p := a.open(g)
		a.again("TxnOffsetCommit v3 of "+g, func() string { return a.commitOffsets(3, p, g, committer{-1, ""}, "", "ex-a-0") })
	}
	return func() {}
}

func (a *expiryAsker) open(group string) (p producer) {
	txid := "tx-" + group
	a.again("init "+txid, func() (s string) {
		p, s = a.initID(3, &txid, 600_000, -1, -1)
		return s
	})
	a.again("AddOffsetsToTxn v3 of "+group, func() string { return a.addOffsets(3, p, group) })
	a.producers = append(a.producers, p)
	return p
}

// afterwards asks of what is gone, and ends what was open.
func (a *expiryAsker) afterwards() {
	a.describeClassic(5, "ex-simple")
	a.describeClassic(6, "ex-simple", "ex-left-without")
	a.describe(0, "ex-next-left-without")
	a.commits("of a member of a group that is gone", 8, &consumer{group: "ex-left-without", id: "m-1", epoch: 1}, "ex-a-0")
	a.commits("of a member of a group that is gone", 9, &consumer{group: "ex-next-left-without", id: "m-1", epoch: 2}, "ex-a-0")
	a.forgets("of a group that is gone", "ex-simple", "ex-a-0")
	a.deletes("of a group that is gone", "ex-simple")
	for _, s := range []string{"ex-a-0", "ex-b-0"} {
		a.say("OffsetFetch v8 of "+s+" that is gone", a.committed("ex-simple", s, false))
	}
	for _, p := range a.producers {
		a.again("EndTxn v3 of "+p.txid, func() string { return a.end(3, p, true) })
	}
	m := a.unsettled
	a.sync("of "+m.group+" after all", 3, m, "ex-a-0", "ex-a-1")
}
