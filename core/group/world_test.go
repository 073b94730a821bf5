package group

import (
	"cmp"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// memLog is a partition's leader in memory.
type memLog struct {
	batches []records.View
	end, hw int64
	refuse  kerr.Code
}

func (l *memLog) Append(b []byte) (int64, kerr.Code) {
	if l.refuse != kerr.None {
		return -1, l.refuse
	}
	v := records.View(b)
	v.SetBaseOffset(l.end)
	l.end = v.NextOffset()
	l.batches = append(l.batches, v)
	return l.end - 1, kerr.None
}
func (l *memLog) HighWatermark() int64 { return l.hw }
func (l *memLog) End() int64           { return l.end }

// truncate takes back everything from an offset on.
func (l *memLog) truncate(from int64) {
	for n := len(l.batches); n > 0 && l.batches[n-1].BaseOffset() >= from; n-- {
		l.batches = l.batches[:n-1]
		l.end = from
	}
}

// memTopics has topics t1, t2, t3 of four partitions, unless they were deleted, and what was made since.
type memTopics struct {
	ids              map[string]uint16
	n                map[string]int32
	changed, created int64
	seen             func(name string) // is told of each that TopicsAfter comes to
}

func newTopics() *memTopics {
	return &memTopics{ids: map[string]uint16{"t1": 1, "t2": 2, "t3": 3}, n: map[string]int32{"t1": 4, "t2": 4, "t3": 4}}
}

func (m *memTopics) TopicID(name string) (id [16]byte, ok bool) {
	b, ok := m.ids[name]
	id[14], id[15] = byte(b>>8), byte(b)
	return id, ok
}

func (m *memTopics) TopicName(id [16]byte) (string, bool) {
	for n, b := range m.ids {
		if b == uint16(id[14])<<8|uint16(id[15]) && [14]byte(id[:14]) == [14]byte{} {
			return n, true
		}
	}
	return "", false
}

func (m *memTopics) Partitions(name string) int32 { return m.n[name] }

func (m *memTopics) TopicsAfter(name string, f func(name string) bool) {
	for _, n := range sortedKeys(m.ids) {
		if n <= name {
			continue
		}
		if m.seen != nil {
			m.seen(n)
		}
		if !f(n) {
			return
		}
	}
}

func (m *memTopics) Changed() int64 { return m.changed }
func (m *memTopics) Created() int64 { return m.created }

// set makes a topic, gives it more partitions, or with none deletes it.
func (m *memTopics) set(name string, partitions int32) {
	m.changed++
	if partitions == 0 {
		delete(m.ids, name)
		delete(m.n, name)
		return
	}
	if _, ok := m.ids[name]; !ok {
		m.created = m.changed
		m.ids[name] = uint16(10 + m.changed)
	}
	m.n[name] = partitions
}

// world is one coordinator, its log, its clock, and everybody who asks.
type world struct {
	env     *env.Env
	out     step.Effects
	log     *memLog
	cfg     *Config
	topics  *memTopics
	c       *Coordinator
	auto    bool // the high watermark follows at once
	lines   []string
	onReply func(name string, resp kmsg.Response)
	open    map[string]kmsg.Request // parked requests, by name
	early   []string                // answers that left before what they tell was below the high watermark
	alias   map[string]string       // member id to short name
	ids     map[string]string       // and back
	n       map[string]int
}

func newWorld() *world {
	w := &world{
		log: &memLog{}, cfg: DefaultConfig(), topics: newTopics(),
		open: map[string]kmsg.Request{}, alias: map[string]string{}, ids: map[string]string{}, n: map[string]int{},
	}
	w.env = env.New(0, nil, prng.New(1))
	w.env.Out = &w.out
	w.env.Now = clock.Now{Mono: 1, Wall: 1_700_000_000_000}
	w.load()
	return w
}

// load makes a coordinator of the log as it stands.
func (w *world) load() {
	w.c = New(w.env, w.log, w.cfg, w.topics)
	for _, b := range w.log.batches {
		if err := w.c.Load(b); err != nil {
			panic(err)
		}
	}
	w.c.Loaded()
	w.c.CheckInvariants()
}

// waiter is a parked request.
type waiter struct {
	w        *world
	name     string
	answered bool
}

func (p *waiter) Reply(resp kmsg.Response) {
	if p.answered {
		panic("answered twice: " + p.name)
	}
	p.answered = true
	p.w.checkCovered(p.w.open[p.name], resp)
	delete(p.w.open, p.name)
	p.w.say("%s <- %s", p.name, p.w.show(resp))
	if p.w.onReply != nil {
		p.w.onReply(p.name, resp)
	}
	// What the answer holds must be encodable at its version.
	resp.AppendTo(nil)
}

func (w *world) say(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

// short gives a member id that the coordinator made a name that is the same in each run.
func (w *world) short(id string) string {
	if len(id) == 22 && w.alias[id] == "" {
		w.n["m"]++
		a := "m" + strconv.Itoa(w.n["m"])
		w.alias[id], w.ids[a] = a, id
	}
	if a := w.alias[id]; a != "" || len(id) < 38 {
		return cmp.Or(a, id)
	}
	base := id[:len(id)-37]
	w.n[base]++
	a := base + "/" + strconv.Itoa(w.n[base])
	w.alias[id], w.ids[a] = a, id
	return a
}

func (w *world) id(short string) string {
	if id := w.ids[short]; id != "" {
		return id
	}
	return short
}

// send hands a request to the coordinator under a name that no parked request has.
func (w *world) send(name string, client ClientInfo, req kmsg.Request) {
	if w.open[name] != nil {
		panic("this name is waiting: " + name)
	}
	before := len(w.log.batches)
	w.open[name] = req
	p := &waiter{w: w, name: name}
	switch q := req.(type) {
	case *kmsg.JoinGroupRequest:
		w.c.JoinGroup(q, client, p)
	case *kmsg.SyncGroupRequest:
		w.c.SyncGroup(q, client, p)
	case *kmsg.HeartbeatRequest:
		w.c.Heartbeat(q, client, p)
	case *kmsg.LeaveGroupRequest:
		w.c.LeaveGroup(q, client, p)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		w.c.ConsumerGroupHeartbeat(q, client, p)
	case *kmsg.ConsumerGroupDescribeRequest:
		w.c.ConsumerGroupDescribe(q, client, p)
	case *kmsg.OffsetCommitRequest:
		w.c.OffsetCommit(q, client, p)
	case *kmsg.OffsetFetchRequest:
		w.c.OffsetFetch(q, client, p)
	case *kmsg.OffsetDeleteRequest:
		w.c.OffsetDelete(q, client, p)
	case *kmsg.DescribeGroupsRequest:
		w.c.DescribeGroups(q, client, p)
	case *kmsg.ListGroupsRequest:
		w.c.ListGroups(q, client, p)
	case *kmsg.DeleteGroupsRequest:
		w.c.DeleteGroups(q, client, p)
	}
	w.settle(before)
}

// settle shows what was appended since, and moves the high watermark if that is automatic.
func (w *world) settle(before int) {
	w.c.CheckInvariants()
	for ; before < len(w.log.batches); before++ {
		w.showBatch(w.log.batches[before])
	}
	if w.auto {
		w.commit(w.log.end)
	}
}

func (w *world) commit(to int64) {
	for w.log.hw < to {
		before := len(w.log.batches)
		w.log.hw = to
		w.c.HighWatermarkMoved(to)
		w.c.CheckInvariants()
		for ; before < len(w.log.batches); before++ {
			w.showBatch(w.log.batches[before])
		}
		if w.auto {
			to = w.log.end
		}
	}
}

// advance lets time pass, and fires what falls due in its order.
func (w *world) advance(ms int64) {
	end := w.env.Now.Mono.Add(clock.MS(ms))
	for fired := 0; ; fired++ {
		if fired > 10000 {
			panic("timers fire for ever")
		}
		next := w.env.Timers.Next()
		if next == 0 || next > end {
			break
		}
		w.setTime(max(next, w.env.Now.Mono))
		before := len(w.log.batches)
		t := w.env.Timers.Expired(w.env.Now.Mono)
		t.Owner.TimerFired(t)
		w.settle(before)
	}
	w.setTime(end)
}

func (w *world) setTime(t clock.Time) {
	w.env.Now.Wall += clock.Wall(t/clock.Time(clock.Millisecond) - w.env.Now.Mono/clock.Time(clock.Millisecond))
	w.env.Now.Mono = t
}

type failer interface {
	Helper()
	Fatalf(format string, a ...any)
}

// reload makes a new coordinator of the log, and checks that it has the durable state of the old one.
func (w *world) reload(t failer) {
	t.Helper()
	want := w.c.Digest()
	w.c.Unload(kerr.NotCoordinator)
	w.load()
	if got := w.c.Digest(); got != want {
		t.Fatalf("the log gives another state than the live coordinator had: digest want %x, got %x", want, got)
	}
}

func codeOf(n int16) string { return kerr.Code(n).String() }

func deref(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// show writes a response in one line.
func (w *world) show(resp kmsg.Response) string {
	var b strings.Builder
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		fmt.Fprintf(&b, "join %s member=%s gen=%d", codeOf(r.ErrorCode), w.short(r.MemberID), r.Generation)
		if r.ErrorCode == 0 {
			fmt.Fprintf(&b, " leader=%s protocol=%s/%s", w.short(r.LeaderID), deref(r.ProtocolType), deref(r.Protocol))
		}
		if r.SkipAssignment {
			b.WriteString(" skip")
		}
		if len(r.Members) > 0 {
			b.WriteString(" members=")
			for i, m := range r.Members {
				if i > 0 {
					b.WriteString(",")
				}
				b.WriteString(w.short(m.MemberID))
			}
		}
	case *kmsg.SyncGroupResponse:
		fmt.Fprintf(&b, "sync %s assignment=%s", codeOf(r.ErrorCode), showAssignment(r.MemberAssignment))
		if r.ErrorCode == 0 {
			fmt.Fprintf(&b, " protocol=%s/%s", deref(r.ProtocolType), deref(r.Protocol))
		}
	case *kmsg.HeartbeatResponse:
		fmt.Fprintf(&b, "heartbeat %s", codeOf(r.ErrorCode))
	case *kmsg.LeaveGroupResponse:
		fmt.Fprintf(&b, "leave %s", codeOf(r.ErrorCode))
		for _, m := range r.Members {
			fmt.Fprintf(&b, " %s|%s=%s", w.short(m.MemberID), deref(m.InstanceID), codeOf(m.ErrorCode))
		}
	case *kmsg.ConsumerGroupHeartbeatResponse:
		w.showConsumer(&b, r)
	case *kmsg.ConsumerGroupDescribeResponse:
		w.showConsumerGroups(&b, r)
	case *kmsg.OffsetCommitResponse:
		b.WriteString("commit")
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&b, " %s-%d=%s", topicName(t.Topic, t.TopicID), p.Partition, codeOf(p.ErrorCode))
			}
		}
	case *kmsg.OffsetFetchResponse:
		w.showFetch(&b, r)
	case *kmsg.OffsetDeleteResponse:
		fmt.Fprintf(&b, "offset-delete %s", codeOf(r.ErrorCode))
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&b, " %s-%d=%s", t.Topic, p.Partition, codeOf(p.ErrorCode))
			}
		}
	case *kmsg.DescribeGroupsResponse:
		b.WriteString("describe")
		for _, g := range r.Groups {
			fmt.Fprintf(&b, " %s: %s %s type=%s protocol=%s", g.Group, codeOf(g.ErrorCode), g.State, g.ProtocolType, g.Protocol)
			for _, m := range g.Members {
				fmt.Fprintf(&b, " {%s instance=%s %s %s assignment=%q}", w.short(m.MemberID), deref(m.InstanceID), m.ClientID, m.ClientHost, m.MemberAssignment)
			}
		}
	case *kmsg.ListGroupsResponse:
		fmt.Fprintf(&b, "list %s", codeOf(r.ErrorCode))
		for _, g := range r.Groups {
			fmt.Fprintf(&b, " %s(%s,%s,%s)", g.Group, g.GroupState, g.GroupType, g.ProtocolType)
		}
	case *kmsg.DeleteGroupsResponse:
		b.WriteString("delete")
		for _, g := range r.Groups {
			fmt.Fprintf(&b, " %s=%s", g.Group, codeOf(g.ErrorCode))
		}
	}
	return b.String()
}

func topicName(name string, id [16]byte) string {
	if name == "" {
		return fmt.Sprintf("id%d", id[15])
	}
	return name
}

func (w *world) showFetch(b *strings.Builder, r *kmsg.OffsetFetchResponse) {
	fmt.Fprintf(b, "fetch %s", codeOf(r.ErrorCode))
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			showOffset(b, t.Topic, kmsg.OffsetFetchResponseGroupTopicPartition(p))
		}
	}
	for _, g := range r.Groups {
		fmt.Fprintf(b, " %s: %s", g.Group, codeOf(g.ErrorCode))
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				showOffset(b, topicName(t.Topic, t.TopicID), p)
			}
		}
	}
}

func showOffset(b *strings.Builder, topic string, p kmsg.OffsetFetchResponseGroupTopicPartition) {
	fmt.Fprintf(b, " %s-%d=%d", topic, p.Partition, p.Offset)
	if p.LeaderEpoch != -1 {
		fmt.Fprintf(b, "/e%d", p.LeaderEpoch)
	}
	if p.Metadata != nil && *p.Metadata != "" {
		fmt.Fprintf(b, "/%q", *p.Metadata)
	}
	if p.ErrorCode != 0 {
		fmt.Fprintf(b, "/%s", codeOf(p.ErrorCode))
	}
}

// showBatch decodes a batch with kmsg, which knows nothing of this package's codec.
func (w *world) showBatch(v records.View) {
	if v.CRC() != v.ComputeCRC() {
		panic("bad CRC")
	}
	r := records.NewReader(v, nil)
	for {
		rec, ok, err := r.Next()
		if err != nil {
			panic(err)
		}
		if !ok {
			return
		}
		w.say("log @%d %s", v.BaseOffset()+int64(rec.OffsetDelta), w.showRecord(rec.Key, rec.Value))
	}
}

func (w *world) showRecord(key, value []byte) string {
	if consumer.IsKey(int16(key[1])) {
		return w.showConsumerRecord(key, value)
	}
	if key[1] == keyOffset {
		var k kmsg.OffsetCommitKey
		must(k.ReadFrom(key))
		if value == nil {
			return fmt.Sprintf("offset %s %s-%d deleted", k.Group, k.Topic, k.Partition)
		}
		var v kmsg.OffsetCommitValue
		must(v.ReadFrom(value))
		return fmt.Sprintf("offset %s %s-%d = %d v%d", k.Group, k.Topic, k.Partition, v.Offset, v.Version)
	}
	var k kmsg.GroupMetadataKey
	must(k.ReadFrom(key))
	if value == nil {
		return fmt.Sprintf("group %s deleted", k.Group)
	}
	var v kmsg.GroupMetadataValue
	must(v.ReadFrom(value))
	var b strings.Builder
	fmt.Fprintf(&b, "group %s gen=%d %s/%s leader=%s", k.Group, v.Generation, v.ProtocolType, deref(v.Protocol), w.short(deref(v.Leader)))
	for _, m := range v.Members {
		fmt.Fprintf(&b, " %s=%q", w.short(m.MemberID), m.Assignment)
	}
	return b.String()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// state shows the live groups.
func (w *world) state() {
	for _, id := range sortedKeys(w.c.groups) {
		g := w.c.groups[id]
		w.say("%s %s gen=%d leader=%s pending=%d", id, g.State, g.Generation, w.short(g.Leader), g.Pending())
		for _, m := range g.Members {
			s := ""
			if m.AwaitsJoin() {
				s = " waits for join"
			}
			if m.AwaitsSync() {
				s = " waits for sync"
			}
			w.say("  %s%s", w.short(m.ID), s)
		}
	}
	w.consumerState()
	names := make([]string, 0, len(w.open))
	for n := range w.open {
		names = append(names, n)
	}
	sort.Strings(names)
	if len(names) > 0 {
		w.say("waiting: %s", strings.Join(names, " "))
	}
}

// subscription is a ConsumerProtocolSubscription of version 0.
func subscription(topics ...string) []byte {
	b := be.AppendUint32([]byte{0, 0}, uint32(len(topics)))
	for _, t := range topics {
		b = append(be.AppendUint16(b, uint16(len(t))), t...)
	}
	return be.AppendUint32(b, 0xffffffff)
}
