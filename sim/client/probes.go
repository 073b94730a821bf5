package client

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// probes are single requests with the one error that Apache Kafka answers them with.
var probes = []func(m *Misbehaver){
	(*Misbehaver).badCRC, (*Misbehaver).badCRC, // twice as often: nothing else finds a broker that trusts its clients
	(*Misbehaver).badCount, (*Misbehaver).badLength, (*Misbehaver).badAcks, (*Misbehaver).fetchBeyond, (*Misbehaver).fetchSession,
	(*Misbehaver).listUnknown, (*Misbehaver).staleCommit, (*Misbehaver).strangeHeartbeat, (*Misbehaver).strangeSync, (*Misbehaver).shortSession,
	(*Misbehaver).namelessGroup,
}

// probesOfMany are those for a cluster.
var probesOfMany = append(slices.Clone(probes), (*Misbehaver).strangeReplica, (*Misbehaver).strangeReplica)

// bad sends a spoilt batch. Its values must never be read.
func (m *Misbehaver) bad(what, want string, acks int16, spoil func(b []byte)) {
	m.busy = true
	op := history.Op{Kind: history.Send, Key: m.topic.keys[0], Acks: acks, PID: noProducerID, Offset: history.NoOffset, Attempts: 1}
	for i := 0; i < 3; i++ {
		op.Records = append(op.Records, history.Record{Offset: history.NoOffset, Value: m.value()})
	}
	b := appendBatch(nil, &batchSpec{pid: -1, epoch: -1, seq: -1, wall: m.n.Wall(), values: op.Records, pad: 10})
	spoil(b)
	m.produce(b, op, func(_ int64, code kerr.Code, ok bool) {
		if !ok {
			m.verdict(what, want, "")
			return
		}
		m.verdict(what, want, got(int16(code), want))
	})
}

func (m *Misbehaver) badCRC() {
	m.bad("a batch with a bad CRC", "CORRUPT_MESSAGE", -1, func(b []byte) { b[len(b)-3] ^= 1 })
}

func (m *Misbehaver) badCount() {
	m.bad("a batch whose last offset delta is not its count", "INVALID_RECORD|CORRUPT_MESSAGE", -1, func(b []byte) {
		binary.BigEndian.PutUint32(b[batchLastDelta:], 7)
		binary.BigEndian.PutUint32(b[batchCRC:], crcOf(b))
	})
}

func (m *Misbehaver) badLength() {
	m.bad("a batch longer than its bytes", "CORRUPT_MESSAGE|INVALID_RECORD", -1, func(b []byte) {
		binary.BigEndian.PutUint32(b[batchLength:], uint32(len(b)+100))
	})
}

func (m *Misbehaver) badAcks() {
	m.bad("acks=2", "INVALID_REQUIRED_ACKS", 2, func([]byte) {})
}

// one asks a single request whose answer's code is the verdict.
func (m *Misbehaver) one(what, want string, req kmsg.Request, low, cap int16, code func(kmsg.Response) (int16, bool)) {
	m.busy = true
	m.link.ask(req, low, cap, 10*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			m.verdict(what, want, "")
			return
		}
		c, ok := code(r)
		if !ok {
			m.verdict(what, want, "malformed answer")
			return
		}
		m.verdict(what, want, got(c, want))
	})
}

func (m *Misbehaver) fetchOf(offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = -1, 100, 1, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = m.topic.name, m.topic.id
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.LogStartOffset, p.PartitionMaxBytes = offset, -1, -1, -1, 1<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func (m *Misbehaver) fetchBeyond() {
	m.one("a fetch far beyond the end", "OFFSET_OUT_OF_RANGE", m.fetchOf(1<<40), 4, idCap(&m.topic, 13), fetched)
}

// fetched is the code of a fetch's one partition.
func fetched(r kmsg.Response) (int16, bool) {
	resp := r.(*kmsg.FetchResponse)
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return resp.ErrorCode, resp.ErrorCode != 0
	}
	return resp.Topics[0].Partitions[0].ErrorCode, true
}

// strangeReplica fetches as a broker that is no replica (KAFKA-13837).
func (m *Misbehaver) strangeReplica() {
	const nobody = 77
	req := m.fetchOf(0)
	req.ReplicaID, req.ReplicaState.ID, req.ReplicaState.Epoch = nobody, nobody, 1
	m.one("a fetch of a broker that is no replica", "NOT_LEADER_OR_FOLLOWER", req, 11, idCap(&m.topic, 13), fetched)
}

func (m *Misbehaver) fetchSession() {
	req := m.fetchOf(0)
	req.SessionID, req.SessionEpoch = 0x7fffff01, 5
	m.one("a fetch session that nobody opened", "FETCH_SESSION_ID_NOT_FOUND", req, 7, idCap(&m.topic, 13), func(r kmsg.Response) (int16, bool) {
		return r.(*kmsg.FetchResponse).ErrorCode, true
	})
}

func (m *Misbehaver) listUnknown() {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = m.topic.name
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = 999, -1, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	m.one("offsets of a partition that does not exist", "UNKNOWN_TOPIC_OR_PARTITION", req, 1, anyVersion, func(r kmsg.Response) (int16, bool) {
		resp := r.(*kmsg.ListOffsetsResponse)
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			return 0, false
		}
		return resp.Topics[0].Partitions[0].ErrorCode, true
	})
}

const strangeGroup, strangeMember = "nobodys-group", "nobody"

// staleCommit: the first of the two errors from version 9 on, the second before.
func (m *Misbehaver) staleCommit() {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation, req.MemberID, req.RetentionTimeMillis = strangeGroup, 5, strangeMember, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = m.topic.name, m.topic.id
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset, p.LeaderEpoch = 1, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	m.one("a commit of a member that never joined", "GROUP_ID_NOT_FOUND|ILLEGAL_GENERATION", req, 2, idCap(&m.topic, 10), func(r kmsg.Response) (int16, bool) {
		resp := r.(*kmsg.OffsetCommitResponse)
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			return 0, false
		}
		return resp.Topics[0].Partitions[0].ErrorCode, true
	})
}

// maxLate is how often a healed broker may answer as one that loads does.
const maxLate = 20

// strangeHeartbeat is asked once more while a coordinator takes every heartbeat because it is loading, as Kafka's does.
func (m *Misbehaver) strangeHeartbeat() {
	const what, want = "a heartbeat of a member that never joined", "UNKNOWN_MEMBER_ID"
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = strangeGroup, 5, strangeMember
	m.busy = true
	m.link.ask(req, 0, anyVersion, 10*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			m.verdict(what, want, "")
			return
		}
		code := r.(*kmsg.HeartbeatResponse).ErrorCode
		if code != 0 || m.late == maxLate {
			m.verdict(what, want, got(code, want))
			return
		}
		if m.healed {
			m.late++
		}
		m.again = m.strangeHeartbeat
	})
}

func (m *Misbehaver) strangeSync() {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.Generation, req.MemberID = strangeGroup, 5, strangeMember
	req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	m.one("a sync of a member that never joined", "UNKNOWN_MEMBER_ID", req, 0, anyVersion, func(r kmsg.Response) (int16, bool) {
		return r.(*kmsg.SyncGroupResponse).ErrorCode, true
	})
}

func (m *Misbehaver) joinOf(group string, sessionMS int32) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = group, sessionMS, 5000, "consumer"
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics = []string{m.topic.name}
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", meta.AppendTo(nil)
	req.Protocols = append(req.Protocols, p)
	return req
}

func (m *Misbehaver) shortSession() {
	m.one("a session time-out of 1 ms", "INVALID_SESSION_TIMEOUT", m.joinOf(strangeGroup, 1), 0, anyVersion, func(r kmsg.Response) (int16, bool) {
		return r.(*kmsg.JoinGroupResponse).ErrorCode, true
	})
}

func (m *Misbehaver) namelessGroup() {
	m.one("a group without a name", "INVALID_GROUP_ID", m.joinOf("", 10000), 0, anyVersion, func(r kmsg.Response) (int16, bool) {
		return r.(*kmsg.JoinGroupResponse).ErrorCode, true
	})
}

// rawProbe is one frame on a fresh connection.
type rawProbe struct {
	what, want string
	frame      func(m *Misbehaver) []byte
}

func header(key, version int16, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, 77)
	return append(append(b, 0, 1, 'x'), rest...)
}

var rawProbes = []rawProbe{
	{"an unknown API key", "closed", func(*Misbehaver) []byte { return header(999, 0) }},
	{"Produce v2", "closed", func(*Misbehaver) []byte { return header(0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0) }},
	{"a Metadata request cut short", "closed", func(*Misbehaver) []byte { return header(3, 4, 0, 0, 0, 9, 0) }},
	{"a Fetch request of a version to come", "closed", func(*Misbehaver) []byte { return header(1, 99) }},
	{"a frame of three bytes", "closed", func(*Misbehaver) []byte { return []byte{1, 2, 3} }},
	{"noise", "closed", func(m *Misbehaver) []byte {
		b := make([]byte, 8+m.rnd.Intn(200))
		m.rnd.Fill(b)
		b[0] |= 0x40 // an API key that nobody has
		b[0] &= 0x7f
		return b
	}},
	{"ApiVersions of a version to come", "UNSUPPORTED_VERSION", func(*Misbehaver) []byte { return header(18, 99) }},
}

func (m *Misbehaver) startRaw() {
	p := rawProbes[m.rnd.Intn(len(rawProbes))]
	m.busy = true
	m.raw = m.n.Dial(m.cfg.Node)
	m.rawBy = m.n.Now().Add(healedBound)
	frame := p.frame(m)
	sent, calm := false, m.healed
	m.rawEnd = func(got string) {
		switch {
		case got == "opened":
			sent = true
			m.n.Send(m.raw, frame)
			return
		case got == "closed" && (!sent || p.want != "closed"), got == "silence" && !calm:
			got = "" // a fault closes, or cuts off, just as well
		}
		m.verdict(p.what, p.want, got)
	}
}

func (m *Misbehaver) endRaw(got string) {
	end := m.rawEnd
	if got != "opened" {
		m.raw, m.rawEnd = 0, nil
	}
	end(got)
}

// Opened implements Client.
func (m *Misbehaver) Opened(conn uint64) {
	if conn == m.raw {
		m.endRaw("opened")
		return
	}
	m.base.Opened(conn)
}

// Frame implements Client.
func (m *Misbehaver) Frame(conn uint64, b []byte) {
	if conn != m.raw {
		m.base.Frame(conn, b)
		return
	}
	m.n.Close(conn)
	answer := fmt.Sprintf("%d bytes", len(b))
	if len(b) >= 6 && binary.BigEndian.Uint32(b) == 77 {
		answer = kerr.Code(int16(binary.BigEndian.Uint16(b[4:]))).String()
	}
	m.endRaw(answer)
}

// Closed implements Client.
func (m *Misbehaver) Closed(conn uint64) {
	if conn == m.raw && conn != 0 {
		m.endRaw("closed")
		return
	}
	m.base.Closed(conn)
}
