package client

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// FetchConfig says how a reader fetches.
type FetchConfig struct {
	Sessions  bool  `json:"sessions,omitempty"` // KIP-227
	MaxWaitMS int32 `json:"max_wait_ms"`
	MinBytes  int32 `json:"min_bytes"`
	MaxBytes  int32 `json:"max_bytes"`
	PartBytes int32 `json:"part_bytes"`
	PauseMS   int64 `json:"pause_ms"` // between an answer and the next request
	// Validate: where a position stands is asked of each new leader before it is read from there (KIP-320), and the group stores it with its leader epoch.
	Validate bool `json:"validate,omitempty"`
}

// position is one partition that a reader follows.
type position struct {
	topic   *topicInfo
	part    int32
	key     string
	next    int64
	start   int64 // log start offset as last told
	hw      int64
	end     int64 // where the final reading ends; -1 unknown
	inForce bool  // the fetch session knows it, at sent
	sent    int64
	placed  bool  // where the group stands has been asked for, and next is the reader's own since
	since   int32 // of a member of the consumer protocol: the epoch with which it got the partition
	lost    bool  // out of range: ask for the bounds before the next fetch
	read    bool  // the batch before next is of the leader epoch `epoch`; else that is not known
	epoch   int32
	proven  leaderAt   // the leader that was last asked whether it has what was read, or first read from
	askAt   clock.Time // it is not asked before
}

// fetcher reads a set of partitions from their leaders: one lane a leader, each with one fetch in flight at most.
type fetcher struct {
	b     *base
	cfg   FetchConfig
	link  *link // the client's own, where metadata is asked for
	pos   []*position
	lanes []*lane // by node; with one broker there is one
	busy  bool    // some lane is
	gen   int     // of the assignment: answers of an older one are dropped
	low   int16
	after func() // one fetch, or one try, is over
	take  func(p *position, recs []history.Record)
}

// lane is the fetches to one broker, and their session.
type lane struct {
	f       *fetcher
	node    int
	link    *link
	session int32
	epoch   int32
	busy    bool
	slot    int // of the history's processes
}

// laneSlots is the first of the slots that lanes beyond the first record in.
const laneSlots = 9

func (f *fetcher) assign(pos []*position) {
	f.pos = pos
	f.noSession()
	f.gen++
}

// fetch asks each leader once. A lane that is busy is left alone.
func (f *fetcher) fetch() {
	for n := range max(1, f.b.sh.Nodes) {
		f.fetchFrom(n)
	}
}

// lane gives the lane of a node, and the partitions that are read there; nil if there are none or it cannot be used now.
func (f *fetcher) lane(node int) (*lane, []*position) {
	var pos []*position
	for _, p := range f.pos {
		lead := 0
		if f.b.sh.Nodes > 1 {
			lead = p.topic.lead[p.part]
		}
		if lead < 0 {
			f.b.stale()
		}
		if lead == node {
			pos = append(pos, p)
		}
	}
	if len(pos) == 0 {
		return nil, nil
	}
	for len(f.lanes) <= node {
		f.lanes = append(f.lanes, nil)
	}
	l := f.lanes[node]
	if l == nil {
		l = &lane{f: f, node: node, link: f.b.to(node)}
		if node > 0 {
			l.slot = laneSlots + node - 1
		}
		f.lanes[node] = l
	}
	if l.busy || !l.link.open() {
		return nil, nil
	}
	return l, pos
}

func (f *fetcher) fetchFrom(node int) {
	l, pos := f.lane(node)
	if l == nil {
		return
	}
	for _, p := range pos {
		if p.lost {
			l.reset(p)
			return
		}
	}
	sure, due := f.sort(pos)
	switch {
	case len(due) > 0:
		l.validate(due)
	case len(sure) > 0:
		l.fetch(sure)
	}
}

// begin and end keep count of what is under way.
func (l *lane) begin() { l.busy, l.f.busy = true, true }

func (l *lane) end() {
	l.busy, l.f.busy = false, false
	for _, o := range l.f.lanes {
		l.f.busy = l.f.busy || o != nil && o.busy
	}
}

// from is what the history calls the node that is asked, "" where there is one alone.
func (l *lane) from() string {
	if l.f.b.sh.Nodes <= 1 {
		return ""
	}
	return history.NodeName(l.node)
}

func (l *lane) fetch(pos []*position) {
	f := l.f
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, f.cfg.MaxWaitMS, f.cfg.MinBytes, f.cfg.MaxBytes
	req.SessionEpoch = -1
	full := !f.cfg.Sessions || l.session == 0
	if f.cfg.Sessions {
		req.SessionID, req.SessionEpoch = l.session, l.epoch
	}
	cap := int16(anyVersion)
	asked := make([]history.Op, 0, len(pos))
	for _, p := range pos {
		cap = min(cap, idCap(p.topic, 13))
		if f.b.sh.Nodes > 1 && f.b.epochOf(p) < 0 {
			cap = min(cap, leadersOnly) // whoever led may follow now, and nothing in the request would tell
		}
		asked = append(asked, history.Op{Kind: history.Poll, Key: p.key, From: p.next, HW: -1, Start: -1, Offset: history.NoOffset, PID: noProducerID, Timestamp: f.wait(), Member: l.from()})
		if full || !p.inForce || p.sent != p.next {
			f.add(req, p)
		}
	}
	l.begin()
	gen := f.gen
	f.b.record(l.slot, history.Invoke, "", asked...)
	timeout := clock.MS(int64(f.cfg.MaxWaitMS)) + 5*clock.Second
	l.link.ask(req, max(4, f.low), cap, timeout, func(r kmsg.Response, err error) {
		l.end()
		l.answer(r, err, asked, gen)
		f.after()
	})
}

// leadersOnly is the newest version of Fetch that followers refuse a consumer (KIP-392).
const leadersOnly = 10

// wait is how long a fetch that is content with any record may be kept waiting, in ms; 0 for one that wants more.
func (f *fetcher) wait() int64 {
	if f.cfg.MinBytes > 1 {
		return 0
	}
	return int64(f.cfg.MaxWaitMS)
}

func (f *fetcher) add(req *kmsg.FetchRequest, p *position) {
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.CurrentLeaderEpoch, part.FetchOffset, part.LastFetchedEpoch, part.LogStartOffset, part.PartitionMaxBytes = p.part, f.b.epochOf(p), p.next, -1, -1, f.cfg.PartBytes
	p.inForce, p.sent, p.proven = true, p.next, p.leader()
	for i := range req.Topics {
		if req.Topics[i].Topic == p.topic.name {
			req.Topics[i].Partitions = append(req.Topics[i].Partitions, part)
			return
		}
	}
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = p.topic.name, p.topic.id, []kmsg.FetchRequestTopicPartition{part}
	req.Topics = append(req.Topics, t)
}

// epochOf is the leader epoch that the client knows, so that a broker which is no longer, or not yet, that leader refuses (KIP-320).
func (b *base) epochOf(p *position) int32 {
	if b.sh.Nodes <= 1 {
		return -1
	}
	return p.topic.epoch[p.part]
}

func (f *fetcher) noSession() {
	for _, l := range f.lanes {
		if l != nil {
			l.session, l.epoch = 0, 0
		}
	}
	for _, p := range f.pos {
		p.inForce = false
	}
}

func (l *lane) answer(r kmsg.Response, err error, asked []history.Op, gen int) {
	f := l.f
	if err != nil {
		f.noSession()
		f.b.record(l.slot, history.Fail, err.Error(), asked...)
		return
	}
	resp := r.(*kmsg.FetchResponse)
	if resp.ErrorCode != 0 {
		f.noSession()
		f.b.record(l.slot, history.Fail, kerr.Code(resp.ErrorCode).String(), asked...)
		if c := kerr.Code(resp.ErrorCode); c != kerr.FetchSessionIDNotFound && c != kerr.InvalidFetchSessionEpoch && c != kerr.FetchSessionTopicIDError && !retriable(c) {
			f.b.caught(0, "", "Fetch answers an error of no use", c.String())
		}
		return
	}
	if gen != f.gen {
		f.noSession()
		f.b.record(l.slot, history.Fail, "assignment changed", asked...)
		return
	}
	l.advanceSession(resp.SessionID)
	l.take(resp, asked)
}

func (l *lane) advanceSession(id int32) {
	if !l.f.cfg.Sessions {
		return
	}
	switch {
	case id == 0: // the broker keeps none: full fetches go on
		l.f.noSession()
	default:
		l.session = id
		if l.epoch++; l.epoch <= 0 {
			l.epoch = 1
		}
	}
}

// take records what came: partitions with records; and, if there were none at all, that there was nothing to read anywhere. A partition
// without records beside one with them may only have missed the answer's byte limit, so nothing follows from it.
func (l *lane) take(resp *kmsg.FetchResponse, asked []history.Op) {
	f := l.f
	var ops []history.Op
	failed := false
	asked = append([]history.Op(nil), asked...) // the invocation keeps its own
	for ti := range resp.Topics {
		t := &resp.Topics[ti]
		for pi := range t.Partitions {
			part := &t.Partitions[pi]
			p := f.find(t, part.Partition)
			if p == nil {
				f.b.caught(0, t.Topic, "Fetch answers a partition that was not asked for", fmt.Sprint(part.Partition))
				continue
			}
			if part.ErrorCode != 0 {
				failed = true
				l.partError(p, kerr.Code(part.ErrorCode))
				continue
			}
			op, some, bad := l.records(p, part)
			if some {
				ops = append(ops, op)
				continue
			}
			failed = failed || bad // which says nothing of what is there
			for i := range asked {
				if asked[i].Key == p.key {
					asked[i].HW, asked[i].Start = op.HW, op.Start
				}
			}
		}
	}
	switch {
	case len(ops) > 0:
		f.b.record(l.slot, history.OK, "", ops...)
	case failed:
		f.b.record(l.slot, history.Fail, "partition errors", asked...)
	default:
		f.b.record(l.slot, history.OK, "", asked...)
	}
}

// records gives what came of a partition, whether that is some records, and whether it is not what it claims to be.
func (l *lane) records(p *position, part *kmsg.FetchResponseTopicPartition) (op history.Op, some, bad bool) {
	f := l.f
	p.hw, p.start = part.HighWatermark, part.LogStartOffset
	op = history.Op{Kind: history.Poll, Key: p.key, From: p.sent, HW: part.HighWatermark, Start: part.LogStartOffset, Offset: history.NoOffset, PID: noProducerID, Timestamp: f.wait(), Member: l.from()}
	if len(part.RecordBatches) == 0 {
		return op, false, false
	}
	s := readBatches(part.RecordBatches, p.sent)
	if s.bad != "" {
		f.b.caught(0, p.key, history.BadBatch, s.bad)
		f.noSession()
		return op, false, true
	}
	op.Records, op.Batches, op.Generation = s.records, s.batches, s.recordEpoch
	p.readAt(s.next, s.epoch, p.proven)
	if f.take != nil {
		f.take(p, s.records)
	}
	return op, len(s.records) > 0, false
}

// partError records a refused partition by itself: the rest of the answer stands.
func (l *lane) partError(p *position, c kerr.Code) {
	f := l.f
	op := history.Op{Kind: history.Poll, Key: p.key, From: p.next, HW: -1, Start: -1, Offset: history.NoOffset, PID: noProducerID, Member: l.from()}
	f.b.record(1, history.Fail, c.String(), op) // its invocation is the poll's
	f.noSession()
	switch {
	case c == kerr.OffsetOutOfRange:
		p.lost = true
	case c == kerr.UnknownTopicID || c == kerr.InconsistentTopicID:
		f.b.retry = f.link.onOpen
	case c == kerr.NotLeaderForPartition || c == kerr.FencedLeaderEpoch || c == kerr.UnknownLeaderEpoch || c == kerr.UnknownTopicOrPartition || c == kerr.KafkaStorageError:
		f.b.stale()
	case c == kerr.CorruptMessage:
		f.b.caught(0, p.key, history.BadBatch, c.String())
		f.b.stale()
	case !retriable(c):
		f.b.caught(0, p.key, "Fetch answers an error of no use", c.String())
	}
}

func (f *fetcher) find(t *kmsg.FetchResponseTopic, part int32) *position {
	for _, p := range f.pos {
		if p.part == part && (t.Topic != "" && t.Topic == p.topic.name || t.Topic == "" && t.TopicID == p.topic.id) {
			return p
		}
	}
	return nil
}

func (f *fetcher) byKey(key string) *position {
	for _, p := range f.pos {
		if p.key == key {
			return p
		}
	}
	return nil
}

// reset moves a partition that is out of range to the start of its log.
func (l *lane) reset(p *position) {
	l.begin()
	slot := resetSlot
	if l.node > 0 {
		slot = l.slot
	}
	l.f.b.listOffsets(l.link, []*position{p}, -2, slot, func(found []int64) {
		l.end()
		if p.lost && found != nil && found[0] >= 0 { // else another leader has answered in the meantime
			p.lost = false
			p.move(found[0])
		}
		if found == nil { // another may lead it
			l.f.b.stale()
		}
		l.f.after()
	})
}

// resetSlot is where the first lane records its resets; the others have no other request in flight.
const resetSlot = 2

// ends asks the leaders for the ends of partitions, one leader after the other. nil: one of them failed.
func (f *fetcher) ends(pos []*position, slot int, done func([]int64)) {
	found := make([]int64, len(pos))
	var next func(node int)
	next = func(node int) {
		if node >= max(1, f.b.sh.Nodes) {
			done(found)
			return
		}
		var some []*position
		var at []int
		for i, p := range pos {
			lead := 0
			if f.b.sh.Nodes > 1 {
				lead = p.topic.lead[p.part]
			}
			if lead < 0 {
				f.b.stale()
				done(nil)
				return
			}
			if lead == node {
				some, at = append(some, p), append(at, i)
			}
		}
		if len(some) == 0 {
			next(node + 1)
			return
		}
		f.b.listOffsets(f.b.to(node), some, -1, slot, func(got []int64) {
			if got == nil {
				f.b.stale()
				done(nil)
				return
			}
			for i, o := range got {
				found[at[i]] = o
			}
			next(node + 1)
		})
	}
	next(0)
}

// hurry makes the rest of the reading quick, once the faults are over.
func (f *fetcher) hurry() {
	f.cfg.MinBytes, f.cfg.MaxBytes, f.cfg.PartBytes, f.cfg.PauseMS = 1, 1<<20, 1<<18, min(f.cfg.PauseMS, 30)
	f.noSession()
}

// listOffsets asks for offsets by timestamp (-1 latest, -2 earliest) and records it, one operation for all. nil: it failed.
func (b *base) listOffsets(l *link, pos []*position, ts int64, slot int, done func([]int64)) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	ops := make([]history.Op, len(pos))
	for i, p := range pos {
		ops[i] = history.Op{Kind: history.ListOffsets, Key: p.key, Timestamp: ts, Offset: history.NoOffset, PID: noProducerID}
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = p.topic.name
		tp := kmsg.NewListOffsetsRequestTopicPartition()
		tp.Partition, tp.Timestamp, tp.CurrentLeaderEpoch = p.part, ts, b.epochOf(p)
		t.Partitions = append(t.Partitions, tp)
		req.Topics = append(req.Topics, t)
	}
	b.record(slot, history.Invoke, "", ops...)
	l.ask(req, 1, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			b.record(slot, history.Fail, err.Error(), ops...)
			done(nil)
			return
		}
		found, code := offsetsIn(r.(*kmsg.ListOffsetsResponse), pos)
		if code != 0 {
			b.record(slot, history.Fail, code.String(), ops...)
			done(nil)
			return
		}
		ops = append([]history.Op(nil), ops...)
		for i := range ops {
			ops[i].Offset = found[i]
		}
		b.record(slot, history.OK, "", ops...)
		done(found)
	})
}

func offsetsIn(resp *kmsg.ListOffsetsResponse, pos []*position) ([]int64, kerr.Code) {
	found := make([]int64, len(pos))
	for i, p := range pos {
		found[i] = -2
		for ti := range resp.Topics {
			for pi := range resp.Topics[ti].Partitions {
				part := &resp.Topics[ti].Partitions[pi]
				if resp.Topics[ti].Topic != p.topic.name || part.Partition != p.part {
					continue
				}
				if part.ErrorCode != 0 {
					return nil, kerr.Code(part.ErrorCode)
				}
				found[i] = part.Offset
			}
		}
		if found[i] == -2 {
			return nil, kerr.UnknownServerError
		}
	}
	return found, 0
}
