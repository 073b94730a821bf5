package main_test

import (
	"fmt"
	"net"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// TestConsumerGroupsAreAnsweredAsApacheKafkaAnswers asks, one after the other, what members of consumer groups (KIP-848), classic members beside them and
// operators may and may not ask. Apache Kafka 4.3.1 was started for it with group.initial.rebalance.delay.ms=0, and with assignments made within the
// heartbeat that needs them: group.consumer.assignment.interval.ms=0, group.consumer.assignor.offload.enable=false. Which of several members gets which
// partitions is not told, only how many. Member ids that a broker made are shown in the order in which they came.
func TestConsumerGroupsAreAnsweredAsApacheKafkaAnswers(t *testing.T) {
	compareCodes(t, "testdata/consumer-groups.txt", consumerGroupCodes, "group.consumer.assignment.interval.ms=0")
}

// groupAsker is an asker about groups.
type groupAsker struct {
	*asker
	addr    string
	topics  map[[16]byte]string
	members []string // ids that the broker made
}

func consumerGroupCodes(t *testing.T, addr string) string {
	a := &groupAsker{asker: &asker{raw: rawTo(t, addr)}, addr: addr, topics: map[[16]byte]string{}}
	a.prepare()
	a.heartbeatsThatAreWrong()
	a.life()
	a.offsetsOfMembers()
	a.offsetsOfEpochs()
	a.offsetsOfTransactions()
	a.twoMembers()
	a.staticMembers()
	a.expressions()
	a.operators()
	a.upgrades()
	a.downgrades()
	a.classicBesideConsumers()
	a.protocols()
	return strings.Join(a.out, "\n") + "\n"
}

func rawTo(t *testing.T, addr string) *raw {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &raw{t: t, conn: c}
}

// prepare makes the topics.
func (a *groupAsker) prepare() {
	a.asker.prepare()
	a.create("cg-a", 4)
	a.create("cg-b", 2)
	a.create("cg-c", 3)
}

// seen waits until every coordinator knows the topic: each has its own image of the cluster.
func (a *groupAsker) seen(topic string) {
	for i := range 12 {
		m := &consumer{group: fmt.Sprint("probe-", topic, i), id: "m-1"}
		for range 500 {
			a.beat(0, m, joins(topic))
			a.beat(0, m, atEpoch(-1))
			if len(m.owned) > 0 {
				break
			}
		}
	}
}

func (a *groupAsker) create(name string, partitions int32) {
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version, q.TimeoutMillis = 7, 10_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	q.Topics = append(q.Topics, t)
	a.topics[a.ask(q).(*kmsg.CreateTopicsResponse).Topics[0].TopicID] = name
	a.seen(name)
}

func (a *groupAsker) topicID(name string) [16]byte {
	for id, n := range a.topics {
		if n == name {
			return id
		}
	}
	return [16]byte{15: 77}
}

// name shows a member id: our own begin with "m-".
func (a *groupAsker) name(id string) string {
	if id == "" || strings.HasPrefix(id, "m-") {
		return id
	}
	i := slices.Index(a.members, id)
	if i < 0 {
		i = len(a.members)
		a.members = append(a.members, id)
	}
	return fmt.Sprintf("M%d", i)
}

// consumer is a member of a consumer group, as it knows itself.
type consumer struct {
	group, id string
	epoch     int32
	instance  *string
	owned     []kmsg.ConsumerGroupHeartbeatRequestTopic
}

type heartbeat = kmsg.ConsumerGroupHeartbeatRequest

// joins makes a heartbeat one that joins.
func joins(topics ...string) func(*heartbeat) {
	return func(q *heartbeat) {
		q.MemberEpoch, q.RebalanceTimeoutMillis, q.SubscribedTopicNames = 0, 60_000, append([]string{}, topics...)
		q.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
}

// owns makes a heartbeat tell what the member owns, all at once what it was told to.
func (m *consumer) owns(q *heartbeat) {
	q.Topics = append([]kmsg.ConsumerGroupHeartbeatRequestTopic{}, m.owned...)
}

func matching(pattern string) func(*heartbeat) {
	return func(q *heartbeat) { q.SubscribedTopicNames, q.SubscribedTopicRegex = nil, &pattern }
}

func atEpoch(epoch int32) func(*heartbeat) { return func(q *heartbeat) { q.MemberEpoch = epoch } }

// beat sends one heartbeat and keeps what it answers.
func (a *groupAsker) beat(version int16, m *consumer, change ...func(*heartbeat)) string {
	q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	q.Version, q.Group, q.MemberID, q.MemberEpoch, q.InstanceID = version, m.group, m.id, m.epoch, m.instance
	for _, f := range change {
		f(q)
	}
	r := a.ask(q).(*kmsg.ConsumerGroupHeartbeatResponse)
	if r.ErrorCode != 0 {
		return kerr.Code(r.ErrorCode).String()
	}
	out := fmt.Sprintf("NONE epoch %d every %d ms", r.MemberEpoch, r.HeartbeatIntervalMillis)
	if r.MemberID != nil {
		out += " as " + a.name(*r.MemberID)
		if r.MemberEpoch >= 0 {
			m.id = *r.MemberID
		}
	}
	if r.MemberEpoch >= 0 {
		m.epoch = r.MemberEpoch
	}
	if r.Assignment == nil {
		return out
	}
	m.owned = nil
	var parts []string
	for _, t := range r.Assignment.Topics {
		m.owned = append(m.owned, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.TopicID, Partitions: t.Partitions})
		parts = append(parts, fmt.Sprintf("%s x %d", a.topics[t.TopicID], len(t.Partitions)))
	}
	sort.Strings(parts)
	return out + " gets [" + strings.Join(parts, ", ") + "]"
}

// says asks with a heartbeat and writes the answer down.
func (a *groupAsker) says(what string, version int16, m *consumer, change ...func(*heartbeat)) {
	a.say(fmt.Sprintf("ConsumerGroupHeartbeat v%d %s", version, what), a.beat(version, m, change...))
}

// settles sends heartbeats of all until none is told anything new, three rounds long: the last answers of each.
func (a *groupAsker) settles(what string, ms ...*consumer) {
	var last []string
	for quiet, round := 0, 0; quiet < 3 && round < 200; round++ {
		var now []string
		for _, m := range ms {
			a.beat(0, m, m.owns)
			now = append(now, fmt.Sprintf("%s at %d %s", a.name(m.id), m.epoch, a.owned(m)))
		}
		if quiet++; !slices.Equal(now, last) {
			quiet = 0
		}
		last = now
	}
	a.say(what, strings.Join(last, "; "))
}

func (a *groupAsker) owned(m *consumer) string {
	var parts []string
	for _, t := range m.owned {
		parts = append(parts, fmt.Sprintf("%s x %d", a.topics[t.TopicID], len(t.Partitions)))
	}
	sort.Strings(parts)
	return fmt.Sprint(parts)
}

func text(s *string) string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *s)
}

// describe is ConsumerGroupDescribe.
func (a *groupAsker) describe(version int16, groups ...string) {
	q := kmsg.NewPtrConsumerGroupDescribeRequest()
	q.Version, q.Groups = version, groups
	all := a.ask(q).(*kmsg.ConsumerGroupDescribeResponse).Groups
	sort.Slice(all, func(i, j int) bool { return all[i].Group < all[j].Group })
	for _, g := range all {
		out := kerr.Code(g.ErrorCode).String()
		if g.ErrorCode == 0 {
			out += fmt.Sprintf(" %s epoch %d/%d by %q", g.State, g.Epoch, g.AssignmentEpoch, g.AssignorName)
		}
		sort.Slice(g.Members, func(i, j int) bool { return a.name(g.Members[i].MemberID) < a.name(g.Members[j].MemberID) })
		for _, m := range g.Members {
			sort.Strings(m.SubscribedTopics)
			out += fmt.Sprintf("; %s instance %s rack %s at %d from %s%s of %v %s has %s, is to have %s, type %d", a.name(m.MemberID), text(m.InstanceID), text(m.RackID), m.MemberEpoch,
				m.ClientID, m.ClientHost, m.SubscribedTopics, text(m.SubscribedTopicRegex), counts(m.Assignment), counts(m.TargetAssignment), m.MemberType)
		}
		a.say(fmt.Sprintf("ConsumerGroupDescribe v%d %s", version, g.Group), out)
	}
}

func counts(x kmsg.Assignment) string {
	var parts []string
	for _, t := range x.TopicPartitions {
		parts = append(parts, fmt.Sprintf("%s x %d", t.Topic, len(t.Partitions)))
	}
	sort.Strings(parts)
	return fmt.Sprint(parts)
}
