package main_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kafkaJars is the folder with the jars of Apache Kafka.
func kafkaJars(t testing.TB) string {
	t.Helper()
	kafkaPeer(t)
	jars, _ := filepath.Glob(filepath.Join(os.Getenv("KAFKA_PEER_DIR"), "lib-*", "jars"))
	return jars[0]
}

// newPython is an interpreter whose librdkafka has the consumer protocol for good.
func newPython(t testing.TB) string {
	t.Helper()
	p := python(t)
	if err := exec.Command(p, "-c", "import confluent_kafka, sys; sys.exit(confluent_kafka.libversion()[1] < 0x020c0000)").Run(); err != nil {
		t.Skip("confluent-kafka is older than 2.12")
	}
	return p
}

// mixed is a group whose members are processes with Java's client and with librdkafka, and which reads one topic.
type mixed struct {
	t           testing.TB
	c           *cluster
	cl          *kgo.Client // asks about the group
	topic, name string
	partitions  int32
	jars        string
	python      string
	hasty       bool // members give up a broker that does not answer within seconds
	live        []*outsider
	all         []*outsider
	ids         map[string]string // member ids, by name, when the group had settled last
	s           *stream
	last        string // what the group was like, for who looks at a failure
}

// mixedSettings let members and coordinator notice changes within seconds, also on a machine that does much else.
var mixedSettings = []string{
	"min.insync.replicas=2", "group.consumer.min.heartbeat.interval.ms=500", "group.consumer.heartbeat.interval.ms=1000", "group.consumer.min.session.timeout.ms=6000",
	"group.consumer.session.timeout.ms=6000",
}

// newMixed makes a topic, of which each partition gets some twenty records a second, and a group without members.
func newMixed(t *testing.T, c *cluster) *mixed {
	t.Helper()
	m := &mixed{t: t, c: c, cl: c.dial(kgo.DialTimeout(time.Second), kgo.MetadataMaxAge(2*time.Second)), topic: "scaled", name: "mixed", partitions: 12, jars: kafkaJars(t), python: newPython(t)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the group was: %s", m.last)
		}
	})
	createReplicated(t, m.cl, m.topic, m.partitions, 3)
	m.s = dialStream(t, c.clients[0], m.topic, 0, kgo.NoCompression(), kgo.SeedBrokers(c.clients...), kgo.DialTimeout(time.Second))
	tick := time.NewTicker(50 * time.Millisecond)
	t.Cleanup(tick.Stop)
	go m.s.run(tick.C, int(m.partitions))
	return m
}

// join starts members, whose names say what they are: java or librdkafka, with the consumer protocol unless they are classic.
func (m *mixed) join(names ...string) {
	m.t.Helper()
	for _, name := range names {
		args := []string{strings.Join(m.c.clients, ","), m.topic, m.name, name}
		if strings.HasPrefix(name, "classic") {
			args = append(args, "session.timeout.ms=6000", "heartbeat.interval.ms=500")
		} else {
			args = append(args, "group.protocol=consumer")
		}
		var cmd *exec.Cmd
		if strings.Contains(name, "java") {
			if m.hasty {
				args = append(args, "request.timeout.ms=4000", "default.api.timeout.ms=10000")
			}
			cmd = java(m.t, m.jars, "Member.java", args...)
		} else {
			if m.hasty {
				args = append(args, "socket.timeout.ms=4000")
			}
			cmd = exec.CommandContext(bounded(m.t, 10*time.Minute), m.python, append([]string{"testdata/clients/member.py"}, args...)...)
		}
		x := newOutsider(m.t, name, cmd)
		m.live, m.all = append(m.live, x), append(m.all, x)
	}
}

// part takes a member out of those that live, and gives it.
func (m *mixed) part(name string) *outsider {
	i := slices.IndexFunc(m.live, func(x *outsider) bool { return x.name == name })
	x := m.live[i]
	m.live = slices.Delete(m.live, i, i+1)
	return x
}

// settled waits until the group, of the consumer protocol, is stable, has those members that live and no others, each of them with partitions and of the same mind
// as the coordinator about which, and until each has read what was produced since.
func (m *mixed) settled(what string) {
	m.t.Helper()
	m.goesOn(what, m.agreed)
}

func (m *mixed) goesOn(what string, agreed func() bool) {
	m.t.Helper()
	began := time.Now()
	eventually(m.t, 90*time.Second, "the group settles: "+what, agreed)
	after := time.Since(began)
	goal := uint64(m.s.acked())
	for _, x := range m.live {
		eventually(m.t, time.Minute, x.name+" reads on: "+what, func() bool { return x.hasRead(goal) })
	}
	m.t.Logf("%s: agreed after %v, read on after %v: %s", what, after.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), m.last)
}

func (m *mixed) agreed() bool {
	q := kmsg.NewPtrConsumerGroupDescribeRequest()
	q.Groups = []string{m.name}
	resp, err := q.RequestWith(bounded(m.t, 10*time.Second), m.cl)
	if err != nil || len(resp.Groups) != 1 {
		m.last = fmt.Sprint(err)
		return false
	}
	g := resp.Groups[0]
	m.last = fmt.Sprintf("code %d, %s, epoch %d", g.ErrorCode, g.State, g.Epoch)
	ids := map[string]string{}
	ok := g.ErrorCode == 0 && g.State == "Stable" && len(g.Members) == len(m.live)
	for _, x := range g.Members {
		var parts []int32
		for _, a := range x.Assignment.TopicPartitions {
			parts = append(parts, a.Partitions...)
		}
		slices.Sort(parts)
		m.last += fmt.Sprintf(", %s %v", x.ClientID, parts)
		ids[x.ClientID] = x.MemberID
		i := slices.IndexFunc(m.live, func(o *outsider) bool { return o.name == x.ClientID })
		ok = ok && i >= 0 && len(parts) > 0 && x.MemberEpoch == g.Epoch && slices.Equal(m.live[i].has(), parts)
	}
	if ok {
		m.ids = ids
	}
	return ok && len(ids) == len(m.live)
}

// epoch is the group's, by what was last seen of it.
func (m *mixed) epoch() (epoch int) {
	m.agreed()
	_, after, _ := strings.Cut(m.last, "epoch ")
	_, _ = fmt.Sscan(after, &epoch) // 0: nobody answered
	return epoch
}

// shaken has something change the group, and kills its coordinator's broker as soon as the group has another epoch, while members give up partitions and get others.
func (m *mixed) shaken(what string, change func()) {
	m.t.Helper()
	at, before := coordinator(m.t, m.cl, m.name), m.epoch()
	change()
	eventually(m.t, time.Minute, "the group notices: "+what, func() bool { return m.epoch() > before })
	m.c.nodes[at].kill()
	m.settled(fmt.Sprintf("%s, and node %d, the coordinator, is killed", what, at+1))
	m.c.nodes[at] = m.c.begin(at).wentReady()
	for _, topic := range []string{m.topic, "__consumer_offsets"} {
		m.c.inSync((at+1)%len(m.c.nodes), topic, 3)
	}
}

// listed gives the protocol and the state of the group, as the list of groups has them.
func (m *mixed) listed() (kind, state string) {
	resp, err := kmsg.NewPtrListGroupsRequest().RequestWith(bounded(m.t, 10*time.Second), m.cl)
	if err != nil {
		return "", err.Error()
	}
	for _, g := range resp.Groups {
		if g.Group == m.name {
			return g.GroupType, g.GroupState
		}
	}
	return "", "not listed"
}

func (m *mixed) isOf(protocol string) {
	m.t.Helper()
	if kind, state := m.listed(); kind != protocol || state != "Stable" {
		m.t.Errorf("the group is listed as %s and %s, want %s and Stable", kind, state, protocol)
	}
}

// killCoordinator kills the broker that coordinates the group, sees the group go on without it, and starts it again.
func (m *mixed) killCoordinator() {
	m.t.Helper()
	before := m.ids
	at := coordinator(m.t, m.cl, m.name)
	m.c.nodes[at].kill()
	m.settled(fmt.Sprintf("node %d, the coordinator, is killed", at+1))
	m.c.nodes[at] = m.c.begin(at).wentReady()
	for _, topic := range []string{m.topic, "__consumer_offsets"} {
		m.c.inSync((at+1)%len(m.c.nodes), topic, 3)
	}
	m.settled("it is back")
	for name, id := range before {
		if m.ids[name] != id {
			m.t.Logf("%s is member %s now, and was %s", name, m.ids[name], id)
		}
	}
}

// finish ends the stream, lets the members read and commit everything and leave, and judges what they and their commits say.
func (m *mixed) finish(w *witness) {
	t := m.t
	t.Helper()
	m.s.end(t)
	total := m.s.acked()
	eventually(t, time.Minute, "everything is committed", func() bool { return w.total() == int64(total) })
	for len(m.live) > 0 {
		m.part(m.live[0].name).leave(t)
	}
	if w.end(); w.err != nil {
		t.Error(w.err)
	}
	eventually(t, time.Minute, "the group is empty", func() bool {
		_, state := m.listed()
		return state == "Empty"
	})
	read := &seen{at: map[uint64]place{}}
	again := 0
	for _, x := range m.all {
		if x.bad != "" {
			t.Errorf("%s said what it must not say: %s", x.name, x.bad)
		}
		for n, p := range x.at {
			if q, ok := read.at[n]; ok {
				if again++; p != q {
					t.Errorf("record %d was read at %v and at %v", n, p, q)
				}
			}
			read.at[n] = p
		}
	}
	same(t, m.s.source, m.s.l, read)
	commits, spells := m.judgeCommits(), m.judgeSpells()
	t.Logf("%d records acknowledged, %d of them read by more than one member; %d looks at commits, %d commits in the log; partitions were owned %d times", total, again, w.looks, commits, spells)
}

// judgeSpells wants each partition to have had one owner at a time, as the members say.
func (m *mixed) judgeSpells() (n int) {
	m.t.Helper()
	for p := range m.partitions {
		var all []spell
		for _, x := range m.all {
			all = append(all, x.spells[p]...)
		}
		slices.SortFunc(all, func(a, b spell) int { return cmp.Compare(a.from, b.from) })
		for i := 1; i < len(all); i++ {
			if a, b := all[i-1], all[i]; a.to > b.from {
				m.t.Errorf("%s came to own partition %d %v before %s owned it no more", b.who, p, time.Duration(a.to-b.from), a.who)
			}
		}
		n += len(all)
	}
	return n
}

// judgeCommits reads all commits where they are stored. Of each partition they never go back, and what was committed under one assignment is not mixed with what
// was under another: once somebody else commits, whoever owned the partition before does not.
func (m *mixed) judgeCommits() (n int) {
	t := m.t
	t.Helper()
	type past struct {
		offset int64
		by     string
		gone   map[string]bool
		wrong  string // the first thing
	}
	parts := map[int32]*past{}
	for p := range m.partitions {
		parts[p] = &past{gone: map[string]bool{}}
	}
	m.c.each(t, "__consumer_offsets", 4, func(r *kgo.Record) {
		var k kmsg.OffsetCommitKey
		var v kmsg.OffsetCommitValue
		if len(r.Key) < 2 || binary.BigEndian.Uint16(r.Key) > 1 || k.ReadFrom(r.Key) != nil || v.ReadFrom(r.Value) != nil || k.Group != m.name {
			return // about members
		}
		n++
		at, by := parts[k.Partition], strings.TrimRight(v.Metadata, "\x00") // confluent-kafka sends the end of a C string too
		if by != at.by {
			at.gone[at.by] = true
		}
		switch {
		case at.wrong != "":
		case v.Offset < at.offset:
			at.wrong = fmt.Sprintf("%s commits %d after %s committed %d", by, v.Offset, at.by, at.offset)
		case at.gone[by]:
			at.wrong = fmt.Sprintf("%s commits %d after %s did", by, v.Offset, at.by)
		}
		at.offset, at.by = v.Offset, by
	})
	m.s.l.mu.Lock()
	defer m.s.l.mu.Unlock()
	for p, at := range parts {
		if at.wrong != "" {
			t.Errorf("partition %d: %s", p, at.wrong)
		}
		if at.offset != m.s.l.ends[p]+1 {
			t.Errorf("partition %d: the last commit is %d by %q, the last record's offset %d", p, at.offset, at.by, m.s.l.ends[p])
		}
	}
	return n
}

// each reads a topic to its end.
func (c *cluster) each(t testing.TB, topic string, partitions int32, do func(*kgo.Record)) {
	t.Helper()
	cl := c.dial(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ends := map[int32]int64{}
	for p := range partitions {
		if end := latest(t, cl, topic, p, 0); end > 0 {
			ends[p] = end
		}
	}
	ctx := bounded(t, time.Minute)
	for len(ends) > 0 {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%s is not read to its end: %v", topic, ends)
		}
		fs.EachRecord(func(r *kgo.Record) {
			do(r)
			if r.Offset+1 >= ends[r.Partition] {
				delete(ends, r.Partition)
			}
		})
	}
}

// TestAGroupOfJavaAndLibrdkafkaScalesUpAndDownAndOutlivesItsCoordinator is a group of the consumer protocol whose members are of two kinds: one of each, two of each,
// the coordinator's broker killed and back, one member left and one killed.
func TestAGroupOfJavaAndLibrdkafkaScalesUpAndDownAndOutlivesItsCoordinator(t *testing.T) {
	if testing.Short() {
		t.Skip("three processes, and four clients")
	}
	kafkaJars(t)
	newPython(t)
	for _, x := range []struct{ leaves, dies string }{{"java-1", "librdkafka-2"}, {"librdkafka-1", "java-2"}}[:scale(1, 1, 2)] {
		t.Run(x.leaves+" leaves and "+x.dies+" dies", func(t *testing.T) { scaleMixed(t, x.leaves, x.dies) })
	}
}

func scaleMixed(t *testing.T, leaves, dies string) {
	c := newCluster(t, 3, mixedSettings...)
	m := newMixed(t, c)
	m.join("java-1", "librdkafka-1")
	m.settled("one of each")
	w := newWitness(t, c.dial(kgo.DialTimeout(time.Second)), m.name, m.topic, m.partitions)
	m.join("java-2", "librdkafka-2")
	m.settled("two of each")
	m.isOf("consumer")
	m.killCoordinator()
	m.part(leaves).leave(t)
	m.settled(leaves + " left")
	m.part(dies).kill()
	m.settled(dies + " is killed")
	m.finish(w)
}

// TestAGroupOfJavaAndLibrdkafkaSettlesWhenItsCoordinatorIsKilledAmidARebalance has the coordinator's broker of five die each time that the group has begun to change.
func TestAGroupOfJavaAndLibrdkafkaSettlesWhenItsCoordinatorIsKilledAmidARebalance(t *testing.T) {
	if scale(0, 0, 1) == 0 {
		t.Skip("five processes, and six clients")
	}
	kafkaJars(t)
	newPython(t)
	c := newCluster(t, 5, mixedSettings...)
	m := newMixed(t, c)
	m.join("java-1", "librdkafka-1")
	m.settled("one of each")
	w := newWitness(t, c.dial(kgo.DialTimeout(time.Second)), m.name, m.topic, m.partitions)
	for _, name := range []string{"java-2", "librdkafka-2", "java-3", "librdkafka-3"} {
		m.shaken(name+" joins", func() { m.join(name) })
	}
	for _, name := range []string{"librdkafka-1", "java-1"} {
		x := m.part(name)
		m.shaken(name+" leaves", func() { x.signal() })
		x.leave(t)
	}
	for _, name := range []string{"java-2", "librdkafka-2"} {
		m.shaken(name+" is killed", m.part(name).kill)
	}
	m.finish(w)
}
