package client

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// MisbehaverConfig says which topic a misbehaver may write to; it is its own, with one partition.
type MisbehaverConfig struct {
	ID      int    `json:"id"`
	Node    int    `json:"node"`
	Topic   string `json:"topic"`
	EveryMS int64  `json:"every_ms"`
}

// Misbehaver does what no client should (F:L3) and notes whether the answer is the exact error. Each probe is a script of steps; an
// answer that any fault may cause (connection lost, not leader, loading) ends the script without a verdict.
type Misbehaver struct {
	base
	cfg    MisbehaverConfig
	link   *link
	topic  topicInfo
	known  bool
	busy   bool
	made   int64
	writer bool
	raw    uint64 // connection of a raw probe
	rawEnd func(got string)
	rawBy  clock.Time
	script script
	again  func() // a question that is asked once more
	late   int    // how often one was since healing
}

// script is the state of one sequence probe.
type script struct {
	pid   int64
	sent  []history.Op // batches so far, with their answers
	steps []step
}

// step is one batch of a script. again >= 0 repeats an earlier one.
type step struct {
	epoch int16
	seq   int32
	n     int
	again int
	want  kerr.Code
	trim  bool // before it, everything is deleted with DeleteRecords
}

// NewMisbehaver makes a misbehaver.
func NewMisbehaver(cfg MisbehaverConfig, sh *Shared) *Misbehaver {
	sh.Writers++
	return &Misbehaver{base: base{id: cfg.ID, sh: sh}, cfg: cfg, writer: true}
}

// Start implements Client.
func (m *Misbehaver) Start(n Net) {
	m.start(n, "misbehaver")
	m.oldVersions = false
	m.onWork, m.onTick = m.work, m.tick
	m.link = m.newLink(m.cfg.Node, m.opened, func() {})
	m.after(m.jitter(clock.MS(m.cfg.EveryMS)), timerWork)
}

func (m *Misbehaver) opened() {
	m.askTopics(m.link, []string{m.cfg.Topic}, func(ts []topicInfo) {
		m.topic, m.known = ts[0], true
		m.follow()
	})
}

// follow moves the client to the leader of its one partition: all that it provokes is the leader's to refuse.
func (m *Misbehaver) follow() {
	if m.sh.Nodes > 1 && m.topic.lead[0] >= 0 {
		m.link.redirect(m.topic.lead[0])
	}
}

func (m *Misbehaver) tick() {
	if m.raw != 0 && m.n.Now() >= m.rawBy {
		m.n.Close(m.raw)
		m.endRaw("silence")
	}
	if m.healed && !m.busy && m.writer {
		m.writer = false
		m.sh.Writers--
	}
}

func (m *Misbehaver) work() {
	m.after(m.jitter(clock.MS(m.cfg.EveryMS)), timerWork)
	if f := m.again; f != nil && m.link.open() {
		m.again = nil
		f()
		return
	}
	if m.busy || m.healed || !m.known || !m.link.open() {
		return
	}
	switch m.rnd.Intn(3) {
	case 0:
		m.startScript(scripts[m.rnd.Intn(len(scripts))])
	case 1:
		m.startRaw()
	default:
		list := probes
		if m.sh.Nodes > 1 {
			list = probesOfMany
		}
		list[m.rnd.Intn(len(list))](m)
	}
}

// verdict records a probe. got "" is no answer, and proves nothing.
func (m *Misbehaver) verdict(what, want, got string) {
	m.busy = false
	op := history.Op{Kind: history.Probe, Meta: what, Want: want, Got: got, Offset: history.NoOffset}
	t := history.Fail
	switch {
	case got == "":
		t = history.Info
	case contains(strings.Split(want, "|"), got):
		t = history.OK
	}
	m.record(2, history.Invoke, "", op)
	m.record(2, t, "", op)
}

// got gives an answer's code as a verdict takes it: "" for one that any fault may cause, unless it is the one that is wanted.
func got(code int16, want string) string {
	c := kerr.Code(code)
	if retriable(c) && !contains(strings.Split(want, "|"), c.String()) {
		return ""
	}
	return c.String()
}

// scripts are batches of one idempotent producer, each with the answer that it must get.
var scripts = [][]step{
	{{seq: 0, n: 2}, {again: 0}, {seq: 2, n: 1}, {again: 1}, {again: 0}},
	{{seq: 0, n: 1}, {seq: 5, n: 1, want: kerr.OutOfOrderSequenceNumber}, {seq: 1, n: 1}},
	{{seq: 1<<31 - 3, n: 2}, {seq: 1<<31 - 1, n: 2}, {seq: 1, n: 1}, {again: 1}, {again: 0}, {seq: 1<<31 - 1, n: 1, want: kerr.OutOfOrderSequenceNumber}},
	{{seq: 1<<31 - 1, n: 1}, {seq: 0, n: 3}, {again: 0}, {seq: 3, n: 1}},
	{{seq: 0, n: 1}, {epoch: 1, seq: 0, n: 1}, {epoch: 0, seq: 1, n: 1, want: kerr.InvalidProducerEpoch}, {epoch: 1, seq: 1, n: 1}, {epoch: 2, seq: 7, n: 1, want: kerr.OutOfOrderSequenceNumber}},
	{{seq: 0, n: 1}, {seq: 1, n: 1}, {seq: 2, n: 1}, {seq: 3, n: 1}, {seq: 4, n: 1}, {again: 0}, {seq: 5, n: 1}, {again: 1}, {seq: 0, n: 1, want: kerr.OutOfOrderSequenceNumber}},
	{{seq: 0, n: 4}, {seq: 4, n: 4}, {seq: 8, n: 4}, {again: 2, trim: true}, {again: 0}, {seq: 12, n: 1}},
}

func (m *Misbehaver) startScript(steps []step) {
	m.busy = true
	m.script = script{pid: noProducerID}
	m.script.steps = append(m.script.steps, steps...)
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = 60000, -1, -1
	op := history.Op{Kind: history.InitProducerID, PID: noProducerID, Offset: history.NoOffset}
	m.record(15, history.Invoke, "", op)
	m.link.ask(req, 0, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		if err != nil || r.(*kmsg.InitProducerIDResponse).ErrorCode != 0 {
			m.record(15, history.Info, "", op)
			m.busy = false
			return
		}
		resp := r.(*kmsg.InitProducerIDResponse)
		op.PID, op.Epoch = resp.ProducerID, resp.ProducerEpoch
		m.record(15, history.OK, "", op)
		m.script.pid = resp.ProducerID
		m.nextStep()
	})
}

func (m *Misbehaver) nextStep() {
	s := &m.script
	if len(s.steps) == 0 {
		m.busy = false
		return
	}
	if s.steps[0].trim {
		s.steps[0].trim = false
		m.trim()
		return
	}
	st := s.steps[0]
	s.steps = s.steps[1:]
	op := history.Op{Kind: history.Send, Key: m.topic.keys[0], Acks: -1, PID: s.pid, Epoch: st.epoch, Seq: st.seq, Offset: history.NoOffset, Attempts: 1}
	name := fmt.Sprintf("sequence %d of epoch %d", st.seq, st.epoch)
	repeat := st.n == 0
	if repeat {
		op = s.sent[st.again]
		name = fmt.Sprintf("sequence %d of epoch %d again", op.Seq, op.Epoch)
	}
	op.Records = append([]history.Record(nil), op.Records...)
	for i := 0; i < st.n; i++ {
		op.Records = append(op.Records, history.Record{Offset: history.NoOffset, Value: m.value()})
	}
	base := int64(history.NoOffset)
	if repeat {
		base = op.Records[0].Offset
	}
	for i := range op.Records {
		op.Records[i].Offset = history.NoOffset
	}
	bytes := appendBatch(nil, &batchSpec{pid: op.PID, epoch: op.Epoch, seq: op.Seq, wall: m.n.Wall(), values: op.Records})
	m.produce(bytes, op, func(offset int64, code kerr.Code, ok bool) {
		if !ok || retriable(code) || code == kerr.InvalidTimestamp { // clocks may be far apart
			m.busy = false
			return
		}
		answer := code.String()
		if repeat && code == kerr.None && offset != base {
			answer = fmt.Sprintf("offset %d instead of %d", offset, base)
		}
		op.Records = placed(op.Records, offset)
		m.script.sent = append(m.script.sent, op)
		m.verdict(name, st.want.String(), answer)
		if answer == st.want.String() {
			m.busy = true
			m.nextStep()
		}
	})
}

func (m *Misbehaver) value() history.Value {
	m.made++
	return history.MakeValue(m.id, m.made)
}

// produce sends bytes as one partition's records and records the send.
func (m *Misbehaver) produce(bytes []byte, op history.Op, done func(offset int64, code kerr.Code, ok bool)) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = op.Acks, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = m.topic.name, m.topic.id
	tp := kmsg.NewProduceRequestTopicPartition()
	tp.Records = bytes
	t.Partitions = append(t.Partitions, tp)
	req.Topics = append(req.Topics, t)
	inv := op
	inv.Records = append([]history.Record(nil), op.Records...)
	m.record(0, history.Invoke, "", inv)
	m.link.ask(req, 3, idCap(&m.topic, 13), 5*clock.Second, func(r kmsg.Response, err error) {
		if err != nil {
			m.record(0, history.Info, err.Error(), inv)
			done(0, 0, false)
			return
		}
		resp := r.(*kmsg.ProduceResponse)
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			m.record(0, history.Info, "malformed", inv)
			done(0, 0, false)
			return
		}
		part := &resp.Topics[0].Partitions[0]
		code := kerr.Code(part.ErrorCode)
		switch {
		case code == kerr.None:
			inv.Records = placed(inv.Records, part.BaseOffset)
			m.record(0, history.OK, "", inv)
		case unclear(code):
			m.record(0, history.Info, code.String(), inv)
		default:
			m.record(0, history.Fail, code.String(), inv)
		}
		done(part.BaseOffset, code, true)
	})
}

// trim deletes all records of the partition, so that a repeated batch is a duplicate of what is no longer there.
func (m *Misbehaver) trim() {
	req := kmsg.NewPtrDeleteRecordsRequest()
	t := kmsg.NewDeleteRecordsRequestTopic()
	tp := kmsg.NewDeleteRecordsRequestTopicPartition()
	tp.Partition, tp.Offset = 0, -1 // to the high watermark
	t.Topic, t.Partitions = m.topic.name, append(t.Partitions, tp)
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 5000
	op := history.Op{Kind: history.DeleteRecords, Key: m.topic.keys[0], Offset: 1<<63 - 1}
	m.record(1, history.Invoke, "", op)
	m.link.ask(req, 0, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		if err != nil || r.(*kmsg.DeleteRecordsResponse).Topics == nil || r.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode != 0 {
			m.record(1, history.Info, "", op)
			m.busy = false
			return
		}
		op.Offset = r.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].LowWatermark
		m.record(1, history.OK, "", op)
		m.nextStep()
	})
}

// Done implements Settler.
func (m *Misbehaver) Done() bool { return !m.writer }

// Waiting implements Settler.
func (m *Misbehaver) Waiting() string { return fmt.Sprintf("%s: busy=%v", m.name, m.busy) }
