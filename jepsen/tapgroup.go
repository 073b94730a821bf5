package jepsen

import (
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// membership records what one member of a group asked its coordinator, and was told: generations, what it owns, commits and committed offsets.
//
// In the classic protocol a generation counts once SyncGroup is answered: before, no record in the log holds it. In the consumer protocol a
// partition is owned since an epoch, and that is the generation of its commits (sim/client/groupnext.go).
type membership struct {
	w                    *world
	group                string
	topics               map[[16]byte]string
	owns                 int32 // a process
	join, commit, offset *line

	mu         sync.Mutex
	member     string
	generation int32
	end        func(t history.Type, err string, ops ...history.Op) // of the join under way
	since      map[string]int32                                    // by partition: the epoch in which it was got last
	next       bool                                                // it speaks the consumer protocol
	held       map[string]bool                                     // there
}

func (w *world) newMembership(client int, group string, topics map[[16]byte]string) *membership {
	return &membership{w: w, group: group, topics: topics, owns: history.ProcessOf(client, slotOwner), join: w.newLine(client, slotJoin), commit: w.newLine(client, slotCommit),
		offset: w.newLine(client, slotOffsets), generation: -1, since: map[string]int32{}, held: map[string]bool{}}
}

// hearers is what it listens to. A group whose offsets are committed in transactions too has no register to record.
func (m *membership) hearers(offsets bool) map[kmsg.Key]hearer {
	all := map[kmsg.Key]hearer{kmsg.JoinGroup: m.joining, kmsg.SyncGroup: m.syncing, kmsg.ConsumerGroupHeartbeat: m.beating}
	if offsets {
		all[kmsg.OffsetCommit], all[kmsg.OffsetFetch] = m.committing, m.asking
	}
	return all
}

func (m *membership) joinOp(key string) history.Op {
	return history.Op{Kind: history.Join, Key: key, Offset: history.NoOffset, Generation: m.generation, Member: m.member, PID: -1}
}

func (m *membership) joining(r kmsg.Request) func(kmsg.Response) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.member, m.generation = r.(*kmsg.JoinGroupRequest).MemberID, -1
	op := m.joinOp(m.group)
	end := m.join.begin(op)
	m.end = nil
	return func(r kmsg.Response) {
		m.mu.Lock()
		defer m.mu.Unlock()
		resp, _ := r.(*kmsg.JoinGroupResponse)
		switch {
		case resp == nil:
			end(history.Info, "no answer", op)
		case resp.ErrorCode != 0:
			end(history.Fail, codeName(resp.ErrorCode), op)
		default:
			m.member, m.generation, m.end = resp.MemberID, resp.Generation, end
		}
	}
}

func (m *membership) syncing(kmsg.Request) func(kmsg.Response) {
	return func(r kmsg.Response) {
		m.mu.Lock()
		defer m.mu.Unlock()
		resp, _ := r.(*kmsg.SyncGroupResponse)
		op, end := m.joinOp(m.group), m.end
		if m.end = nil; end == nil {
			return // it joins once more already
		}
		switch {
		case resp == nil:
			end(history.Info, "no answer", op)
		case resp.ErrorCode != 0:
			end(history.Fail, codeName(resp.ErrorCode), op)
		default:
			end(history.OK, "", op)
			m.assigned(resp.MemberAssignment)
		}
	}
}

// assigned takes what a member of the classic protocol gets for one generation.
func (m *membership) assigned(b []byte) {
	var a kmsg.ConsumerMemberAssignment
	if len(b) == 0 || a.ReadFrom(b) != nil {
		return
	}
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			m.own(history.Own, history.Key(t.Topic, p), m.generation)
		}
	}
}

func (m *membership) own(kind history.Kind, key string, generation int32) {
	m.since[key] = generation
	m.w.rec.Note(m.owns, history.Op{Kind: kind, Key: history.GroupKey(m.group, key), Offset: history.NoOffset, Generation: generation, Member: m.member, PID: -1})
}

// beating hears a heartbeat of the consumer protocol. Its joins have a key of their own, since an epoch is a member's.
func (m *membership) beating(r kmsg.Request) func(kmsg.Response) {
	q := r.(*kmsg.ConsumerGroupHeartbeatRequest)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next = true
	if m.member, m.generation = q.MemberID, q.MemberEpoch; q.MemberEpoch <= 0 {
		m.lost() // it joins, or leaves
	}
	if q.MemberEpoch < 0 {
		return nil
	}
	op := m.joinOp(m.group + "+")
	end := m.join.begin(op)
	return func(r kmsg.Response) {
		m.mu.Lock()
		defer m.mu.Unlock()
		resp, _ := r.(*kmsg.ConsumerGroupHeartbeatResponse)
		switch {
		case resp == nil:
			end(history.Info, "no answer", op)
		case resp.ErrorCode != 0:
			end(history.Fail, codeName(resp.ErrorCode), op)
		default:
			m.generation, op.Generation = resp.MemberEpoch, resp.MemberEpoch
			end(history.OK, "", op)
			m.told(resp.Assignment)
		}
	}
}

func (m *membership) lost() {
	for _, key := range sortedKeys(m.held) {
		m.own(history.Disown, key, m.since[key])
	}
	clear(m.held)
}

// told takes an assignment of the consumer protocol.
func (m *membership) told(a *kmsg.ConsumerGroupHeartbeatResponseAssignment) {
	if a == nil {
		return
	}
	now := map[string]bool{}
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			now[history.Key(m.topics[t.TopicID], p)] = true
		}
	}
	for _, key := range sortedKeys(m.held) {
		if !now[key] {
			m.own(history.Disown, key, m.since[key])
		}
	}
	for _, key := range sortedKeys(now) {
		if !m.held[key] {
			m.own(history.Own, key, m.generation)
		}
	}
	m.held = now
}

// name is a topic's, which newer versions give by its id.
func (m *membership) name(topic string, id [16]byte) string {
	if topic == "" {
		return m.topics[id]
	}
	return topic
}

func (m *membership) committing(r kmsg.Request) func(kmsg.Response) {
	q := r.(*kmsg.OffsetCommitRequest)
	var ops []history.Op
	m.mu.Lock()
	for _, t := range q.Topics {
		for _, p := range t.Partitions {
			key := history.Key(m.name(t.Topic, t.TopicID), p.Partition)
			op := history.Op{Kind: history.Commit, Key: history.GroupKey(m.group, key), Offset: p.Offset, Generation: q.Generation, Member: q.MemberID, PID: -1}
			if since, ok := m.since[key]; ok && m.next {
				op.Generation = since
			}
			if p.Metadata != nil {
				op.Meta = *p.Metadata
			}
			ops = append(ops, op)
		}
	}
	m.mu.Unlock()
	if len(ops) == 0 {
		return nil
	}
	end := m.commit.begin(ops...)
	return func(r kmsg.Response) {
		resp, _ := r.(*kmsg.OffsetCommitResponse)
		if resp == nil {
			end(history.Info, "no answer", ops...)
			return
		}
		t, why := committed(resp)
		end(t, why, ops...)
	}
}

// committed says how a commit of several partitions ended: in all of them alike, or nobody knows.
func committed(resp *kmsg.OffsetCommitResponse) (t history.Type, why string) {
	t = history.OK
	for i, topic := range resp.Topics {
		for j, p := range topic.Partitions {
			err, of := kerr.ErrorForCode(p.ErrorCode), history.OK
			if err != nil {
				if of, why = history.Info, codeName(p.ErrorCode); refusal(err) {
					of = history.Fail
				}
			}
			if i+j > 0 && of != t {
				of = history.Info
			}
			t = of
		}
	}
	return t, why
}

func (m *membership) asking(r kmsg.Request) func(kmsg.Response) {
	q := r.(*kmsg.OffsetFetchRequest)
	if len(q.Groups) != 1 || q.Groups[0].Group != m.group {
		return nil
	}
	m.mu.Lock()
	generation := m.generation
	m.mu.Unlock()
	var ops []history.Op
	for _, t := range q.Groups[0].Topics {
		for _, p := range t.Partitions {
			ops = append(ops, history.Op{Kind: history.FetchOffsets, Key: history.GroupKey(m.group, history.Key(m.name(t.Topic, t.TopicID), p)), Offset: history.NoOffset, Generation: generation, PID: -1})
		}
	}
	if len(ops) == 0 {
		return nil
	}
	end := m.offset.begin(ops...)
	return func(r kmsg.Response) {
		resp, _ := r.(*kmsg.OffsetFetchResponse)
		if resp == nil {
			end(history.Fail, "no answer", ops...)
			return
		}
		told := append([]history.Op(nil), ops...)
		if err := m.offsets(resp, told); err != nil {
			end(history.Fail, name(err), ops...)
			return
		}
		end(history.OK, "", told...)
	}
}

// offsets fills in what the group was told.
func (m *membership) offsets(resp *kmsg.OffsetFetchResponse, ops []history.Op) error {
	if len(resp.Groups) != 1 {
		return errors.New("OffsetFetch answers another group")
	}
	if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
		return err
	}
	found := map[string]history.Op{}
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
			op := history.Op{Offset: p.Offset}
			if p.Metadata != nil && p.Offset >= 0 {
				op.Meta = *p.Metadata
			}
			found[history.GroupKey(m.group, history.Key(m.name(t.Topic, t.TopicID), p.Partition))] = op
		}
	}
	for i := range ops {
		f, ok := found[ops[i].Key]
		if !ok {
			return errors.New("OffsetFetch answers other partitions than it was asked for")
		}
		ops[i].Offset, ops[i].Meta = f.Offset, f.Meta
	}
	return nil
}

func codeName(code int16) string {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return err.Message
	}
	return ""
}
