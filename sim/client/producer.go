package client

import (
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// ProducerConfig says what a producer does. Times are virtual milliseconds.
type ProducerConfig struct {
	ID         int    `json:"id"`
	Node       int    `json:"node"`
	Topic      string `json:"topic"`
	Acks       int16  `json:"acks"`
	Idempotent bool   `json:"idempotent,omitempty"` // implies acks -1
	InFlight   int    `json:"in_flight"`            // 1–5
	Codec      int8   `json:"codec,omitempty"`
	Keyed      bool   `json:"keyed,omitempty"`
	Records    int    `json:"records"` // most in a batch
	Pad        int    `json:"pad,omitempty"`
	EveryMS    int64  `json:"every_ms"`   // mean time between batches
	RequestMS  int64  `json:"request_ms"` // request time-out
	DeliverMS  int64  `json:"deliver_ms"` // after that a batch is given up
	FirstSeq   int32  `json:"first_seq,omitempty"`
	Narrow     bool   `json:"narrow,omitempty"` // partition 0 only
	// Renews: where it must begin anew it goes on with the next epoch of its producer id (KIP-360), or names that id when it asks for one.
	Renews bool `json:"renews,omitempty"`
}

// Producer sends batches of unique values, several in flight, and repeats them with the same sequence until they are settled.
//
//	batch: waiting ──send──▶ in flight ──answer──▶ settled (ok, fail, info)
//	          ▲──connection lost, retriable error──┘
type Producer struct {
	base
	cfg     ProducerConfig
	link    *link
	topic   topicInfo
	known   bool
	pid     int64
	epoch   int16
	was     int64 // the producer id that it names when it asks for one, or noProducerID, and its epoch
	wasOf   int16
	asking  bool
	seqs    []int32
	open    []*sendBatch // unsettled, oldest first
	slots   [history.Slots]bool
	paused  []bool // scratch of pump, by partition: an older batch waits
	made    int64
	ok      int64 // acknowledged after healing
	stopped bool
	writer  bool
	buf     []byte
}

type sendBatch struct {
	op        history.Op
	part      int
	slot      int
	born      clock.Time
	inFlight  bool
	ambiguous bool // an earlier attempt may have been applied
	notBefore clock.Time
	bytes     []byte
}

const (
	noProducerID = -1
	// afterHealing is how many batches a producer must still get acknowledged once the faults are over.
	afterHealing = 5
	retryPause   = 100 * clock.Millisecond
)

// NewProducer makes a producer.
func NewProducer(cfg ProducerConfig, sh *Shared) *Producer {
	if cfg.Idempotent {
		cfg.Acks = -1
	}
	sh.Writers++
	return &Producer{base: base{id: cfg.ID, sh: sh, repeats: true}, cfg: cfg, pid: noProducerID, was: noProducerID, writer: true}
}

// Start implements Client.
func (p *Producer) Start(n Net) {
	p.start(n, "producer")
	p.onWork, p.onTick, p.onLead = p.work, p.tick, p.pump
	p.link = p.newLink(p.cfg.Node, p.opened, func() {})
	p.after(p.jitter(clock.MS(p.cfg.EveryMS)), timerWork)
}

func (p *Producer) opened() {
	p.askTopics(p.link, []string{p.cfg.Topic}, func(ts []topicInfo) {
		p.topic, p.known = ts[0], true
		for len(p.seqs) < p.topic.parts { // at first, and when partitions were added
			p.seqs = append(p.seqs, p.cfg.FirstSeq)
		}
		p.pump()
	})
}

// work makes a batch now and then.
func (p *Producer) work() {
	if p.stopped {
		return
	}
	p.after(p.jitter(clock.MS(p.cfg.EveryMS)), timerWork)
	if p.known && len(p.open) < p.cfg.InFlight && (!p.cfg.Idempotent || p.pid >= 0) {
		p.make()
	}
	p.pump()
}

func (p *Producer) make() {
	part := 0
	if !p.cfg.Narrow {
		part = p.rnd.Intn(p.topic.parts)
	}
	slot := 0
	for p.slots[slot] {
		slot++
	}
	p.slots[slot] = true
	b := &sendBatch{part: part, slot: slot, born: p.n.Now()}
	count := 1 + p.rnd.Intn(p.cfg.Records)
	recs := make([]history.Record, count)
	for i := range recs {
		recs[i] = history.Record{Offset: history.NoOffset, Value: history.MakeValue(p.id, p.made)}
		p.made++
	}
	b.op = history.Op{Kind: history.Send, Key: p.topic.keys[part], Acks: p.cfg.Acks, PID: noProducerID, Records: recs, Offset: history.NoOffset}
	if p.cfg.Idempotent {
		b.op.PID, b.op.Epoch, b.op.Seq = p.pid, p.epoch, p.seqs[part]
		p.seqs[part] = addSequence(p.seqs[part], int32(count))
	}
	b.bytes = appendBatch(nil, &batchSpec{codec: p.cfg.Codec, pid: b.op.PID, epoch: p.specEpoch(), seq: p.specSeq(&b.op), wall: p.n.Wall(),
		keyed: p.cfg.Keyed, keys: 16, pad: p.cfg.Pad, values: recs})
	p.record(slot, history.Invoke, "", b.op)
	p.open = append(p.open, b)
}

func (p *Producer) specEpoch() int16 {
	if p.cfg.Idempotent {
		return p.epoch
	}
	return -1
}

func (p *Producer) specSeq(o *history.Op) int32 {
	if p.cfg.Idempotent {
		return o.Seq
	}
	return -1
}

// addSequence goes on from 2^31-1 to 0 (DefaultRecordBatch.incrementSequence).
func addSequence(seq, n int32) int32 { return int32((uint32(seq) + uint32(n)) & 0x7fffffff) }

// pump sends what waits, oldest first; a partition whose older batch must pause waits with it.
func (p *Producer) pump() {
	if !p.known {
		return
	}
	if p.cfg.Idempotent && p.pid < 0 {
		p.initProducer()
		return
	}
	now := p.n.Now()
	p.paused = append(p.paused[:0], make([]bool, p.topic.parts)...)
	for _, b := range append([]*sendBatch(nil), p.open...) {
		if b.inFlight {
			continue
		}
		l := p.leader(b.part)
		if p.paused[b.part] || b.notBefore > now || l == nil || !l.open() {
			p.paused[b.part] = true
			continue
		}
		p.send(l, b)
	}
}

// leader gives the link to a partition's leader, nil if none is known.
func (p *Producer) leader(part int) *link {
	if p.topic.lead[part] < 0 {
		p.stale()
		return nil
	}
	return p.to(p.topic.lead[part])
}

func (p *Producer) send(l *link, b *sendBatch) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = p.cfg.Acks, int32(p.cfg.RequestMS)
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = p.topic.name, p.topic.id
	tp := kmsg.NewProduceRequestTopicPartition()
	tp.Partition, tp.Records = int32(b.part), b.bytes
	t.Partitions = append(t.Partitions, tp)
	req.Topics = append(req.Topics, t)
	low := int16(3)
	if p.cfg.Codec == codecZstd {
		low = 7 // KIP-110
	}
	b.inFlight = true
	b.tried(false)
	if p.cfg.Acks == 0 {
		if l.version(req, low, idCap(&p.topic, 13)) {
			if l.push(req, 0, nil) {
				b.tried(true)
			}
		}
		p.settle(b, history.Info, "")
		return
	}
	pid, epoch := p.pid, p.epoch
	again := l.ask(req, low, idCap(&p.topic, 13), clock.MS(p.cfg.RequestMS), func(r kmsg.Response, err error) {
		b.inFlight = false
		if p.slots[b.slot] && p.isOpen(b) && (pid == p.pid && epoch == p.epoch || !p.cfg.Idempotent) {
			p.answer(b, r, err)
		}
	})
	if again {
		b.tried(true)
	}
}

// tried counts an attempt. One that the network makes by itself may be applied whatever is answered to the client.
func (b *sendBatch) tried(unheard bool) {
	b.op.Attempts++
	b.ambiguous = b.ambiguous || unheard
}

// again asks for the topic once more: at once where one broker is all there is, else at the next tick.
func (p *Producer) again() {
	if p.sh.Nodes > 1 {
		p.stale()
		return
	}
	p.opened()
}

func (p *Producer) isOpen(b *sendBatch) bool {
	for _, o := range p.open {
		if o == b {
			return true
		}
	}
	return false
}

func (p *Producer) answer(b *sendBatch, r kmsg.Response, err error) {
	if err != nil {
		b.ambiguous = b.ambiguous || err != errVersion
		return // pump repeats it when the link is open again
	}
	resp := r.(*kmsg.ProduceResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		p.caught(b.slot, b.op.Key, "Produce answers other partitions than it was asked for", fmt.Sprint(len(resp.Topics)))
		b.ambiguous = true
		return
	}
	part := &resp.Topics[0].Partitions[0]
	switch code := kerr.Code(part.ErrorCode); {
	case code == kerr.None:
		p.acked(b, part.BaseOffset)
	case retriable(code):
		b.ambiguous = b.ambiguous || unclear(code)
		b.notBefore = p.n.Now().Add(retryPause)
		if code == kerr.UnknownTopicID || code == kerr.UnknownTopicOrPartition || code == kerr.NotLeaderForPartition {
			p.again()
		}
	case code == kerr.OutOfOrderSequenceNumber && !p.oldest(b):
		b.notBefore = p.n.Now().Add(retryPause) // the one before it has not arrived yet
	default:
		p.refused(b, code)
	}
}

func (p *Producer) acked(b *sendBatch, base int64) {
	if base < 0 {
		p.caught(b.slot, b.op.Key, "Produce answers success without an offset", fmt.Sprint(base))
	}
	b.op.Records = placed(b.op.Records, base)
	if p.healed {
		p.ok++
	}
	p.settle(b, history.OK, "")
}

// placed gives the records at their offsets. Events keep the slices that they were recorded with, so it is a new one.
func placed(recs []history.Record, base int64) []history.Record {
	at := make([]history.Record, len(recs))
	for i, r := range recs {
		at[i] = history.Record{Offset: base + int64(i), Value: r.Value}
	}
	return at
}

// refused ends a batch on an error that no retry mends. After it an idempotent producer starts with a new id.
func (p *Producer) refused(b *sendBatch, code kerr.Code) {
	t := history.Fail
	if b.ambiguous {
		t = history.Info
	}
	if code == kerr.InvalidTimestamp && p.healed { // clocks may still be far apart: an answer is all that can be had
		p.ok++
	}
	p.settle(b, t, code.String())
	p.restart()
}

// restart gives up all open batches and asks for a new producer id: what may have been applied must not be sent under a new sequence.
func (p *Producer) restart() {
	if !p.cfg.Idempotent {
		return
	}
	for len(p.open) > 0 {
		p.settle(p.open[0], history.Info, "")
	}
	if p.renewed() {
		return
	}
	p.pid, p.epoch = noProducerID, 0
	for i := range p.seqs {
		p.seqs[i] = p.cfg.FirstSeq
	}
}

// renewed goes on with the next epoch, in which sequences begin with 0. Else the producer may name what it was.
func (p *Producer) renewed() bool {
	if !p.cfg.Renews || p.pid < 0 || p.epoch == math.MaxInt16 {
		return false
	}
	if p.rnd.Permille(300) {
		p.was, p.wasOf = p.pid, p.epoch
		return false
	}
	p.epoch++
	clear(p.seqs)
	return true
}

// oldest says that no older batch of the same partition is open.
func (p *Producer) oldest(b *sendBatch) bool {
	for _, o := range p.open {
		if o.part == b.part {
			return o == b
		}
	}
	return true
}

func (p *Producer) settle(b *sendBatch, t history.Type, err string) {
	for i, o := range p.open {
		if o == b {
			p.open = append(p.open[:i], p.open[i+1:]...)
			break
		}
	}
	p.slots[b.slot] = false
	p.record(b.slot, t, err, b.op)
	b.bytes = nil
}

func (p *Producer) initProducer() {
	if p.asking {
		return
	}
	if !p.link.open() {
		return
	}
	p.asking = true
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionTimeoutMillis = 60000
	req.ProducerID, req.ProducerEpoch = -1, -1
	low := int16(0)
	if p.was >= 0 {
		req.ProducerID, req.ProducerEpoch, low = p.was, p.wasOf, initNames
	}
	op := history.Op{Kind: history.InitProducerID, PID: noProducerID, Offset: history.NoOffset}
	p.record(15, history.Invoke, "", op)
	p.link.ask(req, low, anyVersion, clock.MS(p.cfg.RequestMS), func(r kmsg.Response, err error) {
		p.asking = false
		if err != nil {
			p.record(15, history.Info, err.Error(), op)
			return
		}
		resp := r.(*kmsg.InitProducerIDResponse)
		if resp.ErrorCode != 0 {
			p.record(15, history.Fail, kerr.Code(resp.ErrorCode).String(), op)
			return
		}
		op.PID, op.Epoch = resp.ProducerID, resp.ProducerEpoch
		p.record(15, history.OK, "", op)
		p.pid, p.epoch, p.was = resp.ProducerID, resp.ProducerEpoch, noProducerID
		p.pump()
	})
}

func (p *Producer) tick() {
	now := p.n.Now()
	gaveUp := false
	for _, b := range append([]*sendBatch(nil), p.open...) {
		if p.isOpen(b) && !b.inFlight && now >= b.born.Add(p.deliver()) {
			p.settle(b, history.Info, "delivery time-out")
			gaveUp = true
		}
	}
	if gaveUp {
		p.restart()
	}
	p.pump()
	if p.healed && !p.stopped && (p.ok >= afterHealing || p.cfg.Acks == 0) {
		p.stopped = true
	}
	if p.stopped && len(p.open) == 0 && p.writer {
		p.writer = false
		p.sh.Writers--
	}
}

func (p *Producer) deliver() clock.Duration {
	d := clock.MS(p.cfg.DeliverMS)
	if p.healed {
		d = max(d, 2*healedBound)
	}
	return d
}

// Done implements Settler.
func (p *Producer) Done() bool { return !p.writer }

// Waiting implements Settler.
func (p *Producer) Waiting() string {
	return fmt.Sprintf("%s: %d batches open, %d of %d acknowledged since healing", p.name, len(p.open), p.ok, afterHealing)
}

// retriable says that Kafka's own clients repeat the request on this error.
func retriable(c kerr.Code) bool {
	switch c {
	case kerr.UnknownTopicOrPartition, kerr.LeaderNotAvailable, kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NetworkException,
		kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.KafkaStorageError, kerr.UnknownTopicID, kerr.CoordinatorLoadInProgress,
		kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.OffsetNotAvailable, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch,
		kerr.ReplicaNotAvailable, kerr.BrokerNotAvailable, kerr.ThrottlingQuotaExceeded:
		return true
	}
	return false
}

// unclear says that the request may have been applied although it was answered with this error.
func unclear(c kerr.Code) bool {
	switch c {
	case kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NetworkException, kerr.KafkaStorageError, kerr.UnknownServerError,
		kerr.NotLeaderForPartition, kerr.CoordinatorNotAvailable, kerr.NotCoordinator: // a coordinator that unloads fails what it has already appended
		return true
	}
	return false
}
