package txn

import (
	"fmt"
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
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

// world is one coordinator, its log, its clock, the leaders of partitions, and everybody who asks.
type world struct {
	env     *env.Env
	out     step.Effects
	log     *memLog
	cfg     *Config
	c       *Coordinator
	sender  *Sender
	epoch   int32
	auto    bool             // the high watermark follows at once
	leaders map[string]int32 // by topic; every topic has 4 partitions
	nextID  int64
	noIDs   kerr.Code
	waitIDs []IDWaiter // if async
	async   bool
	asked   []*asked // requests of the sender that are not answered
	wrote   []string // markers that were written
	lines   []string
	early   []string
	answers map[string]string
}

// asked is one WriteTxnMarkers under way.
type asked struct {
	node int32
	req  *kmsg.WriteTxnMarkersRequest
	w    MarkersWaiter
}

func newWorld() *world {
	w := &world{
		log: &memLog{}, cfg: DefaultConfig(), leaders: map[string]int32{"a": 1, "b": 2, "c": 1}, nextID: 1000,
		answers: map[string]string{}, auto: true,
	}
	w.env = env.New(0, nil, prng.New(1))
	w.env.Out = &w.out
	w.env.Now = clock.Now{Mono: 1, Wall: 1_700_000_000_000}
	w.load()
	return w
}

// load makes a coordinator of the log as it stands.
func (w *world) load() {
	w.epoch++
	w.sender = NewSender(w.env, w)
	w.c = New(w.env, w.log, w.epoch, w.cfg, w, w.sender)
	for _, b := range w.log.batches {
		if err := w.c.Load(b); err != nil {
			panic(err)
		}
	}
	w.c.Loaded()
	w.settle()
}

// settle ends the round.
func (w *world) settle() {
	for {
		w.env.FlushDirty()
		if !w.auto || w.log.hw == w.log.end {
			break
		}
		w.move(w.log.end)
	}
	w.c.check()
}

func (w *world) move(hw int64) {
	w.log.hw = hw
	w.c.HighWatermarkMoved(hw)
	w.env.FlushDirty()
}

// pass lets time pass.
func (w *world) pass(d clock.Duration) {
	w.env.Now.Mono = w.env.Now.Mono.Add(d)
	w.env.Now.Wall += clock.Wall(d / clock.Millisecond)
	for t := w.env.Timers.Expired(w.env.Now.Mono); t != nil; t = w.env.Timers.Expired(w.env.Now.Mono) {
		t.Owner.TimerFired(t)
	}
	w.settle()
}

func (w *world) NextProducerID(x IDWaiter) {
	if w.async {
		w.waitIDs = append(w.waitIDs, x)
		return
	}
	w.giveID(x)
}

func (w *world) giveID(x IDWaiter) {
	if w.noIDs != kerr.None {
		x.GotProducerID(-1, w.noIDs)
		return
	}
	w.nextID++
	x.GotProducerID(w.nextID-1, kerr.None)
}

// giveIDs answers who waits for a producer id.
func (w *world) giveIDs() {
	xs := w.waitIDs
	w.waitIDs = nil
	for _, x := range xs {
		w.giveID(x)
	}
	w.settle()
}

func (w *world) LeaderOf(topic string, number int32) int32 {
	if l, ok := w.leaders[topic]; ok && number >= 0 && number < 4 {
		return l
	}
	return Gone
}
func (w *world) InOne(node int32) bool { return node != 1 }
func (w *world) WriteMarkers(node int32, req *kmsg.WriteTxnMarkersRequest, x MarkersWaiter) {
	w.asked = append(w.asked, &asked{node, req, x})
}

// write answers every request of the sender: each marker gets code, or none an answer if lost.
func (w *world) write(code kerr.Code, lost bool) {
	as := w.asked
	w.asked = nil
	for _, a := range as {
		if lost {
			a.w.MarkersWritten(nil)
			continue
		}
		resp := kmsg.NewPtrWriteTxnMarkersResponse()
		for _, m := range a.req.Markers {
			x := kmsg.NewWriteTxnMarkersResponseMarker()
			x.ProducerID = m.ProducerID
			for _, t := range m.Topics {
				y := kmsg.WriteTxnMarkersResponseMarkerTopic{Topic: t.Topic}
				for _, p := range t.Partitions {
					if code == kerr.None {
						w.wrote = append(w.wrote, fmt.Sprintf("%d/%d %s-%d %v by %d", m.ProducerID, m.ProducerEpoch, t.Topic, p, m.Committed, m.CoordinatorEpoch))
					}
					y.Partitions = append(y.Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: p, ErrorCode: int16(code)})
				}
				x.Topics = append(x.Topics, y)
			}
			resp.Markers = append(resp.Markers, x)
		}
		a.w.MarkersWritten(resp)
	}
	w.settle()
}

// markers answers the sender until it has nothing more under way.
func (w *world) markers() {
	for len(w.asked) > 0 {
		w.write(kerr.None, false)
	}
}

func (w *world) written() string {
	sort.Strings(w.wrote)
	s := strings.Join(w.wrote, "; ")
	w.wrote = nil
	return s
}

// waiter is a parked request.
type waiter struct {
	w        *world
	name, id string
	answered bool
	asked    bool  // the coordinator has had it
	rests    int64 // the last record that it may rest on, once asked
}

func (p *waiter) Reply(resp kmsg.Response) {
	if p.answered {
		panic("answered twice: " + p.name)
	}
	p.answered = true
	s := show(resp)
	resp.AppendTo(nil) // what the answer holds must be encodable at its version
	if !p.asked {
		p.rests = p.w.last(p.id)
	}
	if p.w.c.Active() && !strings.HasPrefix(s, "COORDINATOR_") && !strings.HasPrefix(s, "NOT_COORDINATOR") && p.rests >= p.w.log.hw { // refusals promise nothing
		p.w.early = append(p.w.early, p.name+" "+s)
	}
	p.w.answers[p.name] = s
	p.w.lines = append(p.w.lines, p.name+" "+s)
}

// last is the offset of the last record of an id that an answer may rest on, -1 none: that a transaction is complete follows from its decision.
func (w *world) last(id string) int64 {
	at := int64(-1)
	for _, b := range w.log.batches {
		r := records.NewReader(b, &records.Scratch{})
		for {
			rec, ok, err := r.Next()
			if err != nil || !ok {
				break
			}
			if got, _, _ := readKey(rec.Key); got == id && !completes(rec.Value) {
				at = b.BaseOffset() + int64(rec.OffsetDelta)
			}
		}
	}
	return at
}

func completes(value []byte) bool {
	m, err := readValue(value)
	return err == nil && (m.State == CompleteCommit || m.State == CompleteAbort)
}

func show(resp kmsg.Response) string {
	switch r := resp.(type) {
	case *kmsg.InitProducerIDResponse:
		return fmt.Sprintf("%s %d/%d", kerr.Code(r.ErrorCode), r.ProducerID, r.ProducerEpoch)
	case *kmsg.EndTxnResponse:
		if r.Version < 5 {
			return kerr.Code(r.ErrorCode).String()
		}
		return fmt.Sprintf("%s %d/%d", kerr.Code(r.ErrorCode), r.ProducerID, r.ProducerEpoch)
	case *kmsg.AddPartitionsToTxnResponse:
		var out []string
		for _, t := range r.Transactions[0].Topics {
			for _, p := range t.Partitions {
				out = append(out, kerr.Code(p.ErrorCode).String())
			}
		}
		return strings.Join(out, " ")
	case *kmsg.DescribeTransactionsResponse:
		x := r.TransactionStates[0]
		if x.ErrorCode != 0 {
			return kerr.Code(x.ErrorCode).String()
		}
		return fmt.Sprintf("%s %d/%d %v %d", x.State, x.ProducerID, x.ProducerEpoch, x.Topics, x.TimeoutMillis)
	case *kmsg.ListTransactionsResponse:
		out := []string{kerr.Code(r.ErrorCode).String()}
		for _, x := range r.TransactionStates {
			out = append(out, fmt.Sprintf("%s=%s/%d", x.TransactionalID, x.TransactionState, x.ProducerID))
		}
		return strings.Join(out, " ")
	}
	return fmt.Sprintf("%T", resp)
}

// ask has the coordinator asked, and ends the round.
func (w *world) ask(name, id string, f func(coordinator.Waiter)) {
	x := &waiter{w: w, name: name, id: id}
	f(x)
	x.asked, x.rests = true, w.last(id)
	w.settle()
}

// init sends InitProducerId; by is the producer that a client goes on from, -1/-1 none.
func (w *world) init(name, id string, by ...int64) {
	q := kmsg.NewPtrInitProducerIDRequest()
	q.Version, q.TransactionalID, q.TransactionTimeoutMillis, q.ProducerID, q.ProducerEpoch = 5, &id, 60_000, -1, -1
	if len(by) == 2 {
		q.ProducerID, q.ProducerEpoch = by[0], int16(by[1])
	}
	w.ask(name, id, func(x coordinator.Waiter) { w.c.InitProducerID(q, x) })
}

// add sends AddPartitionsToTxn: a client's of version 3, a broker's of version 5.
func (w *world) add(name, id string, version int16, verify bool, pid int64, epoch int16, topic string, ps ...int32) {
	q := kmsg.NewPtrAddPartitionsToTxnRequest()
	q.Version = version
	t := kmsg.NewAddPartitionsToTxnRequestTransaction()
	t.TransactionalID, t.ProducerID, t.ProducerEpoch, t.VerifyOnly = id, pid, epoch, verify
	t.Topics = []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: topic, Partitions: ps}}
	q.Transactions = append(q.Transactions, t)
	w.ask(name, id, func(x coordinator.Waiter) { w.c.AddPartitions(q, x) })
}

func (w *world) end(name, id string, version int16, pid int64, epoch int16, commit bool) {
	q := kmsg.NewPtrEndTxnRequest()
	q.Version, q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Commit = version, id, pid, epoch, commit
	w.ask(name, id, func(x coordinator.Waiter) { w.c.EndTxn(q, x) })
}

func (w *world) describe(name, id string) {
	q := kmsg.NewPtrDescribeTransactionsRequest()
	q.TransactionalIDs = []string{id}
	w.ask(name, id, func(x coordinator.Waiter) { w.c.DescribeTransactions(q, x) })
}

// told gives what was answered since, and forgets it.
func (w *world) told() string {
	s := strings.Join(w.lines, "; ")
	w.lines = nil
	return s
}

func (w *world) stateOf(id string) string {
	e := w.c.ids[id]
	if e == nil {
		return "none"
	}
	return fmt.Sprintf("%s %d/%d", e.State, e.ProducerID, e.Epoch)
}
