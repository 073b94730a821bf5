package workload

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
)

// broker is a correct broker of a few hundred lines, without disks: what the clients and oracles are tried on.
// bug names a fault to plant in it.
type broker struct {
	w       *world
	bug     string
	hits    int
	topics  map[string]*topic
	pid     int64
	groups  map[string]*group
	members int
}

type topic struct {
	id    [16]byte
	parts []*part
}

type part struct {
	start, end int64
	batches    [][]byte
	pids       map[int64]*pidState
}

type pidState struct {
	epoch int16
	last  [][3]int64 // first, last, offset
}

type group struct {
	generation int32
	members    map[string]*member
	state      string // empty, joining, syncing, stable
	timer      int
	leader     string
	offsets    map[string]commit
}

type commit struct {
	offset int64
	meta   string
}

type member struct {
	id     string
	meta   []byte
	assign []byte
	seen   clock.Time
	expire clock.Duration
	join   func(kmsg.Response)
	sync   func(kmsg.Response)
}

var served = []kmsg.Request{&kmsg.ProduceRequest{}, &kmsg.FetchRequest{}, &kmsg.ListOffsetsRequest{}, &kmsg.MetadataRequest{}, &kmsg.OffsetCommitRequest{}, &kmsg.OffsetFetchRequest{},
	&kmsg.FindCoordinatorRequest{}, &kmsg.JoinGroupRequest{}, &kmsg.HeartbeatRequest{}, &kmsg.LeaveGroupRequest{}, &kmsg.SyncGroupRequest{}, &kmsg.ApiVersionsRequest{},
	&kmsg.CreateTopicsRequest{}, &kmsg.DeleteTopicsRequest{}, &kmsg.DeleteRecordsRequest{}, &kmsg.InitProducerIDRequest{}, &kmsg.IncrementalAlterConfigsRequest{}}

func newBroker(w *world) *broker {
	return &broker{w: w, topics: map[string]*topic{}, groups: map[string]*group{}, pid: 1000}
}

// is says whether the planted bug is this one, now and then, and counts it.
func (b *broker) is(bug string, permille int) bool {
	if b.bug == bug && b.w.rnd.Permille(permille) {
		b.hits++
		return true
	}
	return false
}

func (b *broker) handle(f []byte, reply func([]byte, bool)) {
	if len(f) < 10 {
		reply(nil, true)
		return
	}
	key, ver, corr := int16(binary.BigEndian.Uint16(f)), int16(binary.BigEndian.Uint16(f[2:])), binary.BigEndian.Uint32(f[4:])
	req := kmsg.RequestForKey(key)
	known := false
	for _, s := range served {
		known = known || s.Key() == key
	}
	if !known || ver < 0 || ver > req.MaxVersion() && key != 18 || key == 0 && ver < 3 {
		reply(nil, true)
		return
	}
	if key == 18 && ver > 4 {
		resp := kmsg.NewPtrApiVersionsResponse()
		resp.ErrorCode = 35
		reply(resp.AppendTo(binary.BigEndian.AppendUint32(nil, corr)), false)
		return
	}
	req.SetVersion(ver)
	body := f[8:]
	n := int(int16(binary.BigEndian.Uint16(body)))
	body = body[2:]
	if n > 0 {
		body = body[n:]
	}
	if req.IsFlexible() {
		body = body[1:]
	}
	if req.ReadFrom(body) != nil {
		reply(nil, true)
		return
	}
	if b.is("silence", 20) {
		return
	}
	b.answer(req, func(resp kmsg.Response) {
		if resp == nil {
			reply(nil, false)
			return
		}
		resp.SetVersion(ver)
		out := binary.BigEndian.AppendUint32(nil, corr)
		if resp.IsFlexible() && key != 18 {
			out = append(out, 0)
		}
		reply(resp.AppendTo(out), false)
	})
}

func (b *broker) answer(req kmsg.Request, reply func(kmsg.Response)) {
	switch r := req.(type) {
	case *kmsg.ApiVersionsRequest:
		resp := kmsg.NewPtrApiVersionsResponse()
		for _, s := range served {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MaxVersion = s.Key(), s.MaxVersion()
			if k.ApiKey == 1 {
				k.MinVersion = 4
			}
			resp.ApiKeys = append(resp.ApiKeys, k)
		}
		reply(resp)
	case *kmsg.MetadataRequest:
		reply(b.metadata(r))
	case *kmsg.CreateTopicsRequest:
		reply(b.create(r))
	case *kmsg.DeleteTopicsRequest:
		reply(b.deleteTopics(r))
	case *kmsg.IncrementalAlterConfigsRequest:
		resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
		resp.Resources = append(resp.Resources, kmsg.NewIncrementalAlterConfigsResponseResource())
		reply(resp)
	case *kmsg.InitProducerIDRequest:
		resp := kmsg.NewPtrInitProducerIDResponse()
		if !b.is("pid reused", 300) {
			b.pid++
		}
		resp.ProducerID = b.pid
		reply(resp)
	case *kmsg.ProduceRequest:
		b.produce(r, reply)
	case *kmsg.FetchRequest:
		b.fetch(r, reply, b.w.now.Add(clock.MS(int64(r.MaxWaitMillis))))
	case *kmsg.ListOffsetsRequest:
		reply(b.list(r))
	case *kmsg.DeleteRecordsRequest:
		reply(b.trim(r))
	default:
		b.answerGroup(req, reply)
	}
}

func (b *broker) metadata(r *kmsg.MetadataRequest) kmsg.Response {
	resp := kmsg.NewPtrMetadataResponse()
	for _, rt := range r.Topics {
		t := kmsg.NewMetadataResponseTopic()
		t.Topic = rt.Topic
		if have := b.topics[*rt.Topic]; have == nil {
			t.ErrorCode = 3
		} else {
			t.TopicID = have.id
			for i := range have.parts {
				p := kmsg.NewMetadataResponseTopicPartition()
				p.Partition, p.Leader = int32(i), 1
				t.Partitions = append(t.Partitions, p)
			}
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (b *broker) create(r *kmsg.CreateTopicsRequest) kmsg.Response {
	resp := kmsg.NewPtrCreateTopicsResponse()
	for _, rt := range r.Topics {
		t := kmsg.NewCreateTopicsResponseTopic()
		t.Topic = rt.Topic
		if b.topics[rt.Topic] != nil {
			t.ErrorCode = 36
		} else {
			n := &topic{id: [16]byte{1, byte(len(b.topics))}}
			for i := int32(0); i < rt.NumPartitions; i++ {
				n.parts = append(n.parts, &part{pids: map[int64]*pidState{}})
			}
			b.topics[rt.Topic] = n
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (b *broker) deleteTopics(r *kmsg.DeleteTopicsRequest) kmsg.Response {
	resp := kmsg.NewPtrDeleteTopicsResponse()
	names := r.TopicNames
	if r.Version >= 6 {
		names = nil
		for _, t := range r.Topics {
			names = append(names, *t.Topic)
		}
	}
	for _, n := range names {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic = kmsg.StringPtr(n)
		if b.topics[n] == nil {
			t.ErrorCode = 3
		}
		delete(b.topics, n)
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (b *broker) part(name string, id [16]byte, p int32) (*part, string) {
	for n, t := range b.topics {
		if (n == name || name == "" && t.id == id) && int(p) < len(t.parts) {
			return t.parts[p], n
		}
	}
	return nil, ""
}

func (b *broker) produce(r *kmsg.ProduceRequest, reply func(kmsg.Response)) {
	resp := kmsg.NewPtrProduceResponse()
	for _, rt := range r.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition = rp.Partition
			log, _ := b.part(rt.Topic, rt.TopicID, rp.Partition)
			switch {
			case log == nil:
				p.ErrorCode = 3
			case r.Acks < -1 || r.Acks > 1:
				p.ErrorCode = int16(kerr.InvalidRequiredAcks)
			default:
				var c kerr.Code
				p.BaseOffset, c = b.append(log, rp.Records)
				p.ErrorCode = int16(c)
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	if r.Acks == 0 {
		reply(nil)
		return
	}
	reply(resp)
}

func (b *broker) append(p *part, batch []byte) (int64, kerr.Code) {
	be := binary.BigEndian
	if len(batch) < 61 || int(be.Uint32(batch[8:]))+12 != len(batch) ||
		be.Uint32(batch[17:]) != crc32.Checksum(batch[21:], crc32.MakeTable(crc32.Castagnoli)) && !b.is("crc", 1000) {
		return -1, kerr.CorruptMessage
	}
	n := int64(be.Uint32(batch[57:]))
	if int64(be.Uint32(batch[23:])) != n-1 {
		return -1, kerr.InvalidRecord
	}
	pid, epoch, seq := int64(be.Uint64(batch[43:])), int16(be.Uint16(batch[51:])), int64(be.Uint32(batch[53:]))
	if pid >= 0 && b.bug != "no dedup" {
		if off, code, dup := p.sequence(b, pid, epoch, seq, n); dup || code != 0 {
			return off, code
		}
	}
	if b.is("acked before written", 30) {
		return p.end, kerr.None
	}
	c := append([]byte(nil), batch...)
	be.PutUint64(c, uint64(p.end))
	if b.is("corrupt", 20) {
		c[len(c)-2] ^= 4
	}
	p.batches = append(p.batches, c)
	off := p.end
	p.end += n
	if b.is("hole", 20) {
		p.end++
	}
	if b.is("zero offset", 30) {
		off = 0
	}
	return off, kerr.None
}

func (p *part) sequence(b *broker, pid int64, epoch int16, seq, n int64) (int64, kerr.Code, bool) {
	s := p.pids[pid]
	last := (seq + n - 1) & (1<<31 - 1)
	if s == nil {
		s = &pidState{epoch: epoch}
		p.pids[pid] = s
	} else {
		switch {
		case epoch < s.epoch:
			return -1, kerr.InvalidProducerEpoch, false
		case epoch > s.epoch:
			if seq != 0 {
				return -1, kerr.OutOfOrderSequenceNumber, false
			}
			s.epoch, s.last = epoch, nil
		default:
			for _, l := range s.last {
				if l[0] == seq && l[1] == last {
					if b.bug == "out of order for a retry" {
						return -1, kerr.OutOfOrderSequenceNumber, false
					}
					return l[2], kerr.None, true
				}
			}
			want := s.last[len(s.last)-1][1] + 1
			if b.bug != "no wrap" {
				want &= 1<<31 - 1
			}
			if want != seq {
				return -1, kerr.OutOfOrderSequenceNumber, false
			}
		}
	}
	keep := 5
	if b.bug == "one cached" {
		keep = 1
	}
	s.last = append(s.last, [3]int64{seq, last, p.end})
	if len(s.last) > keep {
		s.last = s.last[1:]
	}
	return 0, kerr.None, false
}

func (b *broker) fetch(r *kmsg.FetchRequest, reply func(kmsg.Response), until clock.Time) {
	resp := kmsg.NewPtrFetchResponse()
	if r.SessionID != 0 && r.SessionEpoch > 0 {
		resp.ErrorCode = int16(kerr.FetchSessionIDNotFound)
		reply(resp)
		return
	}
	size, failed := 0, false
	for _, rt := range r.Topics {
		t := kmsg.NewFetchResponseTopic()
		t.Topic, t.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition = rp.Partition
			log, _ := b.part(rt.Topic, rt.TopicID, rp.Partition)
			switch {
			case log == nil:
				p.ErrorCode, failed = 3, true
			case rp.FetchOffset < log.start || rp.FetchOffset > log.end:
				p.ErrorCode, failed = 1, true
			default:
				p.HighWatermark, p.LogStartOffset = log.end, log.start
				p.RecordBatches = log.read(rp.FetchOffset, b)
				size += len(p.RecordBatches)
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	if size < int(r.MinBytes) && !failed && b.w.now < until {
		b.w.at(b.w.now.Add(20*clock.Millisecond), func() { b.fetch(r, reply, until) })
		return
	}
	reply(resp)
}

func (p *part) read(from int64, b *broker) []byte {
	i := sort.Search(len(p.batches), func(i int) bool { return next(p.batches[i]) > from })
	if b.is("index", 20) && i+1 < len(p.batches) {
		i++
	}
	var out []byte
	for ; i < len(p.batches) && len(out) < 20000; i++ {
		out = append(out, p.batches[i]...)
	}
	return out
}

func next(b []byte) int64 {
	return int64(binary.BigEndian.Uint64(b)) + int64(binary.BigEndian.Uint32(b[23:])) + 1
}

func (b *broker) list(r *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := kmsg.NewPtrListOffsetsResponse()
	for _, rt := range r.Topics {
		t := kmsg.NewListOffsetsResponseTopic()
		t.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition = rp.Partition
			log, _ := b.part(rt.Topic, [16]byte{}, rp.Partition)
			switch {
			case log == nil:
				p.ErrorCode = 3
			case rp.Timestamp == -1:
				p.Offset = log.end
				if b.is("latest lags", 50) && log.end > log.start {
					p.Offset--
				}
			case rp.Timestamp == -2:
				p.Offset = log.start
			default:
				p.Offset = -1
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (b *broker) trim(r *kmsg.DeleteRecordsRequest) kmsg.Response {
	resp := kmsg.NewPtrDeleteRecordsResponse()
	for _, rt := range r.Topics {
		t := kmsg.NewDeleteRecordsResponseTopic()
		t.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewDeleteRecordsResponseTopicPartition()
			p.Partition = rp.Partition
			if log, _ := b.part(rt.Topic, [16]byte{}, rp.Partition); log == nil {
				p.ErrorCode = 3
			} else {
				to := rp.Offset
				if to < 0 {
					to = log.end
				}
				if to > log.end {
					p.ErrorCode = 1
				} else {
					log.start = max(log.start, to)
					for len(log.batches) > 0 && next(log.batches[0]) <= log.start {
						log.batches = log.batches[1:]
					}
					p.LowWatermark = log.start
				}
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (b *broker) group(name string) *group {
	g := b.groups[name]
	if g == nil {
		g = &group{members: map[string]*member{}, state: "empty", offsets: map[string]commit{}}
		b.groups[name] = g
	}
	return g
}

func (b *broker) answerGroup(req kmsg.Request, reply func(kmsg.Response)) {
	switch r := req.(type) {
	case *kmsg.FindCoordinatorRequest:
		resp := kmsg.NewPtrFindCoordinatorResponse()
		resp.NodeID = 1
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.NodeID = 1
		resp.Coordinators = append(resp.Coordinators, c)
		reply(resp)
	case *kmsg.JoinGroupRequest:
		b.join(r, reply)
	case *kmsg.SyncGroupRequest:
		b.sync(r, reply)
	case *kmsg.HeartbeatRequest:
		resp := kmsg.NewPtrHeartbeatResponse()
		g := b.group(r.Group)
		resp.ErrorCode = int16(g.check(b, r.MemberID, r.Generation))
		if resp.ErrorCode == 0 && g.state == "joining" {
			resp.ErrorCode = int16(kerr.RebalanceInProgress)
		}
		reply(resp)
	case *kmsg.LeaveGroupRequest:
		g := b.group(r.Group)
		id := r.MemberID
		if r.Version >= 3 {
			id = r.Members[0].MemberID
		}
		if g.members[id] != nil {
			delete(g.members, id)
			b.rebalance(g)
		}
		reply(kmsg.NewPtrLeaveGroupResponse())
	case *kmsg.OffsetCommitRequest:
		reply(b.commit(r))
	case *kmsg.OffsetFetchRequest:
		reply(b.offsets(r))
	}
}

func (g *group) check(b *broker, id string, generation int32) kerr.Code {
	m := g.members[id]
	if m == nil {
		return kerr.UnknownMemberID
	}
	m.seen = b.w.now
	if generation != g.generation {
		return kerr.IllegalGeneration
	}
	return kerr.None
}

func (b *broker) join(r *kmsg.JoinGroupRequest, reply func(kmsg.Response)) {
	resp := kmsg.NewPtrJoinGroupResponse()
	if r.Group == "" || r.SessionTimeoutMillis < 1000 {
		resp.ErrorCode = int16(kerr.InvalidGroupID)
		if r.Group != "" {
			resp.ErrorCode = int16(kerr.InvalidSessionTimeout)
		}
		reply(resp)
		return
	}
	g := b.group(r.Group)
	id := r.MemberID
	if r.InstanceID != nil {
		if id == "" {
			for old, m := range g.members {
				if strings.HasPrefix(old, *r.InstanceID+"-") {
					delete(g.members, old)
					if m.join != nil {
						fenced := kmsg.NewPtrJoinGroupResponse()
						fenced.ErrorCode = int16(kerr.FencedInstanceID)
						m.join(fenced)
					}
				}
			}
		}
	}
	if id == "" {
		b.members++
		id = fmt.Sprintf("m%03d", b.members)
		if r.InstanceID != nil {
			id = *r.InstanceID + "-" + id
		}
		if r.Version >= 4 && r.InstanceID == nil {
			g.members[id] = &member{id: id, seen: b.w.now, expire: clock.MS(int64(r.SessionTimeoutMillis))}
			resp.ErrorCode, resp.MemberID = int16(kerr.MemberIDRequired), id
			reply(resp)
			return
		}
	} else if g.members[id] == nil {
		resp.ErrorCode = int16(kerr.UnknownMemberID)
		reply(resp)
		return
	}
	m := g.members[id]
	if m == nil {
		m = &member{id: id, expire: clock.MS(int64(r.SessionTimeoutMillis))}
		g.members[id] = m
	}
	m.meta, m.join, m.seen = r.Protocols[0].Metadata, reply, b.w.now
	b.rebalance(g)
}

// rebalance waits a little for all to join, then begins a generation with those who did.
func (b *broker) rebalance(g *group) {
	if len(g.members) == 0 {
		g.state = "empty"
		return
	}
	for _, m := range g.members {
		if m.sync != nil {
			resp := kmsg.NewPtrSyncGroupResponse()
			resp.ErrorCode = int16(kerr.RebalanceInProgress)
			m.sync(resp)
			m.sync = nil
		}
	}
	g.state = "joining"
	g.timer++
	t := g.timer
	b.w.at(b.w.now.Add(3*clock.Second), func() {
		if t == g.timer {
			b.complete(g)
		}
	})
}

func (g *group) ids() []string {
	var ids []string
	for id := range g.members {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

func (b *broker) complete(g *group) {
	for _, id := range g.ids() {
		if g.members[id].join == nil {
			delete(g.members, id)
		}
	}
	ids := g.ids()
	if len(ids) == 0 {
		g.state = "empty"
		return
	}
	g.generation++
	g.state, g.leader = "syncing", ids[0]
	for _, id := range ids {
		m := g.members[id]
		resp := kmsg.NewPtrJoinGroupResponse()
		resp.Generation, resp.LeaderID, resp.MemberID, resp.Protocol = g.generation, g.leader, id, kmsg.StringPtr("range")
		if id == g.leader {
			for _, o := range ids {
				jm := kmsg.NewJoinGroupResponseMember()
				jm.MemberID, jm.ProtocolMetadata = o, g.members[o].meta
				resp.Members = append(resp.Members, jm)
			}
		}
		m.seen = b.w.now
		join := m.join
		m.join, m.assign = nil, nil
		join(resp)
	}
	b.expire(g, g.generation)
}

// expire removes members that fell silent.
func (b *broker) expire(g *group, generation int32) {
	b.w.at(b.w.now.Add(500*clock.Millisecond), func() {
		if g.generation != generation || g.state == "joining" {
			return
		}
		gone := false
		for _, id := range g.ids() {
			if m := g.members[id]; b.w.now >= m.seen.Add(m.expire) {
				delete(g.members, id)
				gone = true
			}
		}
		if gone {
			b.rebalance(g)
			return
		}
		b.expire(g, generation)
	})
}

func (b *broker) sync(r *kmsg.SyncGroupRequest, reply func(kmsg.Response)) {
	g := b.group(r.Group)
	resp := kmsg.NewPtrSyncGroupResponse()
	if c := g.check(b, r.MemberID, r.Generation); c != 0 || g.state == "joining" {
		if c == 0 {
			c = kerr.RebalanceInProgress
		}
		resp.ErrorCode = int16(c)
		reply(resp)
		return
	}
	g.members[r.MemberID].sync = reply
	if r.MemberID == g.leader && g.state == "syncing" {
		for _, a := range r.GroupAssignment {
			if m := g.members[a.MemberID]; m != nil {
				m.assign = a.MemberAssignment
				if b.bug == "two owners" {
					b.hits++
					m.assign = r.GroupAssignment[0].MemberAssignment
				}
			}
		}
		g.state = "stable"
	}
	if g.state != "stable" {
		return
	}
	for _, id := range g.ids() {
		if m := g.members[id]; m.sync != nil {
			resp := kmsg.NewPtrSyncGroupResponse()
			resp.MemberAssignment = m.assign
			m.sync(resp)
			m.sync = nil
		}
	}
}

func (b *broker) commit(r *kmsg.OffsetCommitRequest) kmsg.Response {
	g := b.group(r.Group)
	resp := kmsg.NewPtrOffsetCommitResponse()
	code := g.check(b, r.MemberID, r.Generation)
	if len(g.members) == 0 && r.Generation >= 0 && g.generation == 0 {
		if code = kerr.IllegalGeneration; r.Version >= 9 {
			code = kerr.GroupIDNotFound
		}
	}
	if code == 0 && g.state == "syncing" {
		code = kerr.RebalanceInProgress
	}
	if b.bug == "old generation" && code == kerr.IllegalGeneration {
		b.hits++
		code = 0
	}
	for _, rt := range r.Topics {
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic, t.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			_, name := b.part(rt.Topic, rt.TopicID, rp.Partition)
			if code == 0 && !b.is("lost commit", 700) {
				meta := ""
				if rp.Metadata != nil {
					meta = *rp.Metadata
				}
				g.offsets[fmt.Sprint(name, rp.Partition)] = commit{rp.Offset, meta}
			}
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition, p.ErrorCode = rp.Partition, int16(code)
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (b *broker) offsets(r *kmsg.OffsetFetchRequest) kmsg.Response {
	resp := kmsg.NewPtrOffsetFetchResponse()
	get := func(g *group, name string, p int32) commit {
		if c, ok := g.offsets[fmt.Sprint(name, p)]; ok {
			return c
		}
		return commit{-1, ""}
	}
	for _, rt := range r.Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = rt.Topic
		for _, p := range rt.Partitions {
			rp := kmsg.NewOffsetFetchResponseTopicPartition()
			c := get(b.group(r.Group), rt.Topic, p)
			rp.Partition, rp.Offset, rp.Metadata = p, c.offset, &c.meta
			t.Partitions = append(t.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, t)
	}
	for _, rg := range r.Groups {
		og := kmsg.NewOffsetFetchResponseGroup()
		og.Group = rg.Group
		for _, rt := range rg.Topics {
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic, t.TopicID = rt.Topic, rt.TopicID
			for _, p := range rt.Partitions {
				rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				_, name := b.part(rt.Topic, rt.TopicID, p)
				c := get(b.group(rg.Group), name, p)
				rp.Partition, rp.Offset, rp.Metadata = p, c.offset, &c.meta
				t.Partitions = append(t.Partitions, rp)
			}
			og.Topics = append(og.Topics, t)
		}
		resp.Groups = append(resp.Groups, og)
	}
	return resp
}
