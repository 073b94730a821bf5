package txn

import (
	"sort"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/list"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// What LeaderOf gives instead of a node.
const (
	NoLeader int32 = -1 // the partition is there, and nobody leads it now
	Gone     int32 = -2 // there is no such partition any more
)

// Leaders is the way to those who lead partitions.
type Leaders interface {
	// LeaderOf gives the node that leads a partition, as this shard knows it, NoLeader or Gone.
	LeaderOf(topic string, number int32) int32
	// WriteMarkers asks a node to write markers. answered is told once, at once or later, with nil where there is no answer.
	WriteMarkers(node int32, req *kmsg.WriteTxnMarkersRequest, w MarkersWaiter)
	// InOne says whether a node takes one request at a time.
	InOne(node int32) bool
}

// MarkersWaiter is told what became of a request.
type MarkersWaiter interface {
	MarkersWritten(resp *kmsg.WriteTxnMarkersResponse)
}

// Sender sends the markers of all coordinators of a shard, those of one round to one leader together, and a request at a time to each of the
// others: what comes meanwhile goes with the next.
//
//	add ─▶ waiting, by leader ─ Flush ─▶ under way ─▶ written: ending.written
//	           ▲                             │ refused for now, no answer
//	           └── after a while, or when leaders change ── later ◀┘
type Sender struct {
	env    *env.Env
	to     Leaders
	queues []*queue // by node, ascending
	later  []*marker
	away   list.List[batch]
	timer  timer.Timer
	marked bool
}

// queue is what one node is to be sent.
type queue struct {
	node    int32
	waiting []*marker
	busy    bool
}

// marker is one partition's.
type marker struct {
	of     *ending
	topic  string
	number int32
	tries  int
	due    clock.Time
}

// maxMarkers bounds the partitions of one request.
const maxMarkers = 4096

// NewSender makes the sender of a shard.
func NewSender(e *env.Env, to Leaders) *Sender {
	s := &Sender{env: e, to: to}
	s.timer.Owner = s
	return s
}

func (s *Sender) add(x *ending, ps Partitions) {
	gone := 0
	for i := range ps {
		for _, n := range ps[i].Numbers {
			if !s.route(&marker{of: x, topic: ps[i].Topic, number: n}) {
				gone++
			}
		}
	}
	if gone > 0 {
		x.written(gone)
	}
}

// route puts a marker where it has to go; not, where its partition is gone.
func (s *Sender) route(m *marker) bool {
	switch node := s.to.LeaderOf(m.topic, m.number); node {
	case Gone:
		sometimes.Hit("txn: a marker's partition is gone")
		return false
	case NoLeader:
		sometimes.Hit("txn: a marker's partition has no leader")
		s.again(m)
	default:
		q := s.queue(node)
		q.waiting = append(q.waiting, m)
		s.mark()
	}
	return true
}

func (s *Sender) queue(node int32) *queue {
	i := sort.Search(len(s.queues), func(i int) bool { return s.queues[i].node >= node })
	if i < len(s.queues) && s.queues[i].node == node {
		return s.queues[i]
	}
	s.queues = append(s.queues, nil)
	copy(s.queues[i+1:], s.queues[i:])
	s.queues[i] = &queue{node: node}
	return s.queues[i]
}

func (s *Sender) mark() {
	if !s.marked {
		s.marked = true
		s.env.Mark(s)
	}
}

// Flush is env.Flusher: it sends what may leave.
func (s *Sender) Flush() {
	s.marked = false
	for _, q := range append([]*queue(nil), s.queues...) {
		for len(q.waiting) > 0 && !q.busy {
			s.send(q)
		}
	}
}

// batch is one request under way.
type batch struct {
	s  *Sender
	q  *queue
	ms []*marker
	in list.Elem[batch] // place in away
}

func (s *Sender) send(q *queue) {
	n := min(len(q.waiting), maxMarkers)
	b := &batch{s: s, q: q}
	for _, m := range q.waiting[:n] {
		if !m.of.stopped {
			b.ms = append(b.ms, m)
		}
	}
	q.waiting = append([]*marker(nil), q.waiting[n:]...)
	if len(b.ms) == 0 {
		return
	}
	q.busy = s.to.InOne(q.node)
	s.away.Push(b, &b.in)
	s.to.WriteMarkers(q.node, request(b.ms), b)
}

// request puts markers of one transaction, and of one topic in it, together. Those of one transaction stand next to each other.
func request(ms []*marker) *kmsg.WriteTxnMarkersRequest {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	var of *ending
	for _, m := range ms {
		if m.of != of {
			of = m.of
			x := kmsg.NewWriteTxnMarkersRequestMarker()
			x.ProducerID, x.ProducerEpoch, x.Committed, x.CoordinatorEpoch = of.producer, of.epoch, of.commit, of.coord
			x.TransactionVersion = int8(of.version)
			req.Markers = append(req.Markers, x)
		}
		x := &req.Markers[len(req.Markers)-1]
		if n := len(x.Topics); n == 0 || x.Topics[n-1].Topic != m.topic {
			x.Topics = append(x.Topics, kmsg.WriteTxnMarkersRequestMarkerTopic{Topic: m.topic})
		}
		t := &x.Topics[len(x.Topics)-1]
		t.Partitions = append(t.Partitions, m.number)
	}
	return req
}

// MarkersWritten is MarkersWaiter.
func (b *batch) MarkersWritten(resp *kmsg.WriteTxnMarkersResponse) {
	s := b.s
	b.q.busy = false
	s.away.Remove(&b.in)
	codes := answered(resp)
	for i := 0; i < len(b.ms); {
		x, done := b.ms[i].of, 0
		for ; i < len(b.ms) && b.ms[i].of == x; i++ {
			m := b.ms[i]
			code, ok := codes[markerKey{x.producer, m.topic, m.number}]
			if x.stopped {
				sometimes.Hit("txn: a marker is written for a coordinator that is gone")
				continue
			}
			if ok && settles(code) {
				done++
				continue
			}
			s.again(m)
		}
		if done > 0 {
			x.written(done)
		}
	}
	if len(b.q.waiting) > 0 && !plant.On(plant.T5) {
		s.mark()
	}
}

// markerKey names a partition of an answer.
type markerKey struct {
	producer int64
	topic    string
	number   int32
}

func answered(resp *kmsg.WriteTxnMarkersResponse) map[markerKey]kerr.Code {
	codes := map[markerKey]kerr.Code{}
	if resp == nil {
		return codes
	}
	for i := range resp.Markers {
		x := &resp.Markers[i]
		for j := range x.Topics {
			for _, p := range x.Topics[j].Partitions {
				codes[markerKey{x.ProducerID, x.Topics[j].Topic, p.Partition}] = kerr.Code(p.ErrorCode)
			}
		}
	}
	return codes
}

// settles says whether a partition needs no further marker. A producer epoch above the marker's says that a later transaction is or was open there,
// which only the end of this one allows. TRANSACTION_COORDINATOR_FENCED says that another coordinator ends it: this one hears of that soon.
func settles(code kerr.Code) bool {
	switch code {
	case kerr.None, kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.UnsupportedForMessageFormat, kerr.UnsupportedVersion:
		return true
	}
	return false
}

// Time between two tries of a marker: doubled each time.
const (
	backoffMin = 20 * clock.Millisecond
	backoffMax = clock.Second
)

// again sends a marker once more, after a while.
func (s *Sender) again(m *marker) {
	d := min(backoffMin<<min(m.tries, 10), backoffMax)
	m.tries++
	m.due = s.env.Now.Mono.Add(d)
	s.later = append(s.later, m)
	s.arm()
}

func (s *Sender) arm() {
	if len(s.later) == 0 {
		s.env.Timers.Cancel(&s.timer)
		return
	}
	at := s.later[0].due
	for _, m := range s.later {
		at = min(at, m.due)
	}
	if !s.timer.IsSet() || s.timer.At() != at {
		s.env.Timers.Set(&s.timer, at)
	}
}

// TimerFired is the heap's call.
func (s *Sender) TimerFired(*timer.Timer) {
	var due []*marker
	kept := s.later[:0]
	for _, m := range s.later {
		if m.due > s.env.Now.Mono {
			kept = append(kept, m)
		} else {
			sometimes.Hit("txn: a marker is sent again")
			due = append(due, m)
		}
	}
	clear(s.later[len(kept):])
	s.later = kept
	s.reroute(due)
}

// LeadersChanged sends at once what may have a new leader: what waits, and what is under way to a node that leads no more, which cannot commit it.
func (s *Sender) LeadersChanged() {
	ms := s.later
	s.later = nil
	for _, q := range s.queues {
		ms = append(ms, q.waiting...)
		q.waiting = nil
	}
	for b := s.away.First(); b != nil; b = b.in.Next() {
		ms = b.lost(ms)
	}
	s.reroute(ms)
}

// lost takes out of a batch the markers whose partitions another node leads now, or none, and appends them to ms.
func (b *batch) lost(ms []*marker) []*marker {
	kept := b.ms[:0]
	for _, m := range b.ms {
		if b.s.to.LeaderOf(m.topic, m.number) == b.q.node {
			kept = append(kept, m)
		} else {
			sometimes.Hit("txn: a partition changes its leader while its marker is under way")
			ms = append(ms, m)
		}
	}
	b.ms = kept
	return ms
}

func (s *Sender) reroute(ms []*marker) {
	for _, m := range ms {
		if !m.of.stopped && !s.route(m) {
			m.of.written(1)
		}
	}
	s.arm()
}

// Waiting is the number of markers that are neither written nor under way.
func (s *Sender) Waiting() int {
	n := len(s.later)
	for _, q := range s.queues {
		n += len(q.waiting)
	}
	return n
}
