package client

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// ProcessorConfig says what a member of a group does that copies what it reads, exactly once: each poll's records are written to another topic in a
// transaction that commits the offsets behind them too (KIP-447). Times are virtual milliseconds.
type ProcessorConfig struct {
	Group         GroupConfig `json:"group"`           // of one topic; it commits in transactions alone
	Out           TopicSpec   `json:"out"`             // made by whoever comes first
	TxnID         string      `json:"txn_id"`          // two with the same one fence each other
	RequestMS     int64       `json:"request_ms"`      // request time-out
	TimeoutMS     int64       `json:"timeout_ms"`      // of transactions
	AbortPermille int         `json:"abort_permille"`  // of transactions
	SleepPermille int         `json:"sleep_permille"`  // steps before which it sleeps, and wakes as what may be a zombie
	SleepMS       int64       `json:"sleep_ms"`        // most of that
	Loyal         bool        `json:"loyal,omitempty"` // it gives a transaction up with its partitions; else it tries to commit as if nothing were
	// Old: it speaks the first version, AddPartitionsToTxn and AddOffsetsToTxn, one epoch for all. Since a request that comes late may then be taken for
	// one of the next transaction, it goes on with a new epoch after each that was not answered, and after an abort.
	Old bool `json:"old,omitempty"`
}

// processor is the transactional side of a Group.
//
//	idle ──records──▶ adding (first version) ──▶ producing ──▶ joining offsets (first version) ──▶ committing ──▶ ending ──▶ idle
//	  ▲                  └── refused, or drawn to ──▶ ending with an abort; fenced ──▶ idle without a producer id ◀────┘
//
// After anything but a commit it asks the group where it stands.
type processor struct {
	g       *Group
	cfg     ProcessorConfig
	coord   *link
	out     topicInfo
	known   bool
	asking  bool
	finding bool
	waitFor clock.Time
	wakes   clock.Time // until then it sends no heartbeats either
	pid     int64
	epoch   int16
	seqs    []int32
	txn     *processing
	made    int64
	turn    int        // the node that was fetched from last
	waits   clock.Time // since when the group's offsets have hung on a transaction; 0: they do not
	hanging bool       // for so long that nobody will end it
	fences  int        // how often another with the same id was quicker, since the last commit
	usedID  int64      // the producer id of the last transaction, and its greatest epoch
	used    int16
	flushed bool       // the end of the last transaction is known to be carried out
	copying bool       // it counts among those that copy
}

// processing is one transaction.
type processing struct {
	step       procStep
	batches    []*procBatch
	moves      []*position // whose offsets it commits
	to         []int64
	generation int32
	member     string
	ops        []history.Op
	abort      bool
	unclear    bool // its commit may have been decided
	began      clock.Time
}

type procStep uint8

const (
	procAdding procStep = iota
	procProducing
	procJoining
	procCommitting
	procEnding
)

var procSteps = [...]string{"adding partitions", "producing", "adding offsets", "committing offsets", "ending"}

type procBatch struct {
	part      int
	seq       int32
	values    []history.Record // each of its own, so that a copy tells which transaction made it
	of        []history.Value  // what they are copies of
	inFlight  bool
	taken     bool
	notBefore clock.Time
}

const (
	procSlot   = 8 // of the member's processes
	procPause  = 50 * clock.Millisecond
	procGiveUp = 20 * clock.Second
	maxFences  = 7 // procPause doubled so often
)

// NewProcessor makes a member that copies.
func NewProcessor(cfg ProcessorConfig, sh *Shared) *Group {
	g := NewGroup(cfg.Group, sh)
	g.proc = &processor{g: g, cfg: cfg, pid: noProducerID, copying: true}
	sh.Copying++
	return g
}

func (p *processor) busy() bool { return p.txn != nil }

// settled says that nothing that the processor has asked for may still move the group's offsets: what it asks where the group stands stays true.
func (p *processor) settled() bool { return p.txn == nil && p.pid >= 0 }

// unstable notes that the group's offsets cannot be told yet. A transaction that nobody ends is noted, and not waited for any more: the oracle knows whether
// what its coordinator knew may be gone.
func (p *processor) unstable(c kerr.Code) {
	now := p.g.n.Now()
	switch {
	case c != kerr.UnstableOffsetCommit || !p.g.healed:
		p.waits = 0
	case p.waits == 0:
		p.waits = now
	case now >= p.waits.Add(openBound):
		p.hanging = true
		p.g.note(procSlot, history.Op{Kind: history.Seen, Key: history.Key("__consumer_offsets", 0), Offset: history.NoOffset, HW: -1, Start: -1, PID: noProducerID, Got: "open"})
	}
}

// fetch asks one leader, each in its turn: what one answer brings is one transaction.
func (p *processor) fetch() {
	g := p.g
	if g.f.busy || !p.settled() {
		return
	}
	nodes := max(1, g.sh.Nodes)
	for n := 0; n < nodes && !g.f.busy; n++ {
		p.turn = (p.turn + 1) % nodes
		g.f.fetchFrom(p.turn)
	}
}

// taken begins a transaction with what a poll has brought.
func (p *processor) taken(at *position, recs []history.Record) {
	if len(recs) == 0 {
		return
	}
	if p.txn == nil {
		p.txn = &processing{began: p.g.n.Now(), generation: p.g.generation, member: p.g.member, abort: p.g.rnd.Permille(p.cfg.AbortPermille) && !p.g.healed}
		p.flushed = false
	}
	t := p.txn
	t.moves, t.to = append(t.moves, at), append(t.to, at.next)
	b := &procBatch{part: int(at.part)}
	for _, r := range recs {
		b.values = append(b.values, history.Record{Value: history.MakeValue(p.g.id, p.made)})
		b.of = append(b.of, r.Value)
		p.made++
	}
	t.batches = append(t.batches, b)
}

// revoked is the group's call: the partitions are another's now.
func (p *processor) revoked() {
	if p.txn != nil && p.cfg.Loyal && p.txn.step != procEnding { // what may have been committed is not aborted
		p.txn.abort = true
	}
}

// advance does what is next; it is called at each tick and after each answer.
func (p *processor) advance() {
	g := p.g
	now := g.n.Now()
	if p.asking || now < p.waitFor {
		return
	}
	if !p.known {
		p.learn()
		return
	}
	if g.rnd.Permille(p.cfg.SleepPermille) && !g.healed && p.txn != nil {
		p.waitFor = now.Add(g.jitter(clock.MS(p.cfg.SleepMS)))
		p.wakes = p.waitFor
		return
	}
	if p.coord == nil || !p.coord.open() {
		if !p.finding {
			p.find()
		}
		return
	}
	switch {
	case p.pid < 0:
		p.init()
	case p.txn == nil:
		p.idle()
	default:
		p.proceed()
	}
}

// idle has the member read on, and at the end of the run makes sure that its last transaction is over.
func (p *processor) idle() {
	if p.g.healed && p.g.sh.Writers == 0 && !p.flushed {
		p.init() // which is answered once the markers are written
		return
	}
	p.g.fetch()
}

func (p *processor) pause() { p.waitFor = p.g.n.Now().Add(procPause) }

// fenced waits before the next try, longer each time: two of one transactional id that try again at once would fence each other for ever.
func (p *processor) fenced() {
	p.fences = min(p.fences+1, maxFences)
	p.waitFor = p.g.n.Now().Add(p.g.jitter(procPause << p.fences))
}

func (p *processor) learn() {
	g := p.g
	if !g.f.link.open() {
		return
	}
	p.asking = true
	g.createTopic(g.f.link, p.cfg.Out, func(kerr.Code, error) {
		p.asking = false
		p.pause()
	})
	g.askTopics(g.f.link, []string{p.cfg.Out.Name}, func(ts []topicInfo) {
		p.out, p.known = ts[0], true
	})
}

// relearn asks who leads the output.
func (p *processor) relearn() {
	g := p.g
	if g.sh.Nodes > 1 && g.f.link.open() {
		g.askTopics(g.f.link, []string{p.cfg.Out.Name}, func(ts []topicInfo) { p.out = ts[0] })
	}
}

func (p *processor) find() {
	g := p.g
	if !g.f.link.open() {
		return
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = 1, p.cfg.TxnID, []string{p.cfg.TxnID}
	p.finding = true
	g.f.link.ask(req, 1, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		p.finding = false
		p.pause()
		if err != nil {
			return
		}
		node, code := coordinatorIn(r.(*kmsg.FindCoordinatorResponse))
		switch {
		case code != 0:
		case p.coord == nil:
			p.coord = g.newLink(nodeOf(node), p.advance, func() {})
		default:
			p.coord.redirect(nodeOf(node))
		}
	})
}

// coordinatorIn gives the one coordinator that an answer of any version names, and its code.
func coordinatorIn(resp *kmsg.FindCoordinatorResponse) (node int32, code int16) {
	if len(resp.Coordinators) == 1 {
		return resp.Coordinators[0].NodeID, resp.Coordinators[0].ErrorCode
	}
	return resp.NodeID, resp.ErrorCode
}

// again says that a code has the client repeat its request, and looks for the coordinator where that has moved.
func (p *processor) again(c kerr.Code) bool {
	switch c {
	case kerr.NotCoordinator, kerr.CoordinatorNotAvailable:
		if !p.finding {
			p.find()
		}
	case kerr.ConcurrentTransactions:
	default:
		if !retriable(c) {
			return false
		}
	}
	p.pause()
	return true
}

// ask sends a request about the transaction to its coordinator.
func (p *processor) ask(req kmsg.Request, low, cap int16, done func(kmsg.Response, error)) {
	p.asking = true
	t := p.txn
	p.coord.ask(req, low, cap, clock.MS(p.cfg.RequestMS), func(r kmsg.Response, err error) {
		p.asking = false
		if err != nil {
			p.pause()
		}
		done(r, err)
		if err != nil {
			p.unheard(t)
		}
	})
}

// unheard has a producer of the first version go on with another epoch after a request that was not answered.
func (p *processor) unheard(t *processing) {
	if p.cfg.Old && t != nil && t == p.txn {
		p.lost(history.Fail, "no answer")
	}
}

func (p *processor) init() {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &p.cfg.TxnID, int32(p.cfg.TimeoutMS)
	req.ProducerID, req.ProducerEpoch = -1, -1
	p.ask(req, 0, anyVersion, func(r kmsg.Response, err error) {
		if err != nil {
			p.find()
			return
		}
		resp := r.(*kmsg.InitProducerIDResponse)
		switch c := kerr.Code(resp.ErrorCode); {
		case c == kerr.None:
			p.pid, p.epoch, p.seqs = resp.ProducerID, resp.ProducerEpoch, make([]int32, p.out.parts)
			p.flushed = p.txn == nil
			p.g.advance()
			p.g.finish()
		case c == kerr.ProducerFenced || c == kerr.InvalidProducerEpoch: // another with the same id is quicker
			p.fenced()
		case !p.again(c):
			p.g.caught(procSlot, "", "InitProducerId answers an error of no use", c.String())
			p.pause()
		}
	})
}

// proceed takes the next step of a transaction.
func (p *processor) proceed() {
	t := p.txn
	if t.ops == nil {
		p.begin()
	}
	if t.step != procEnding && (t.abort || p.g.n.Now() >= t.began.Add(max(procGiveUp, clock.MS(p.cfg.TimeoutMS)))) && !p.flying() {
		t.abort, t.step = true, procEnding
	}
	switch t.step {
	case procAdding:
		p.addPartitions()
	case procProducing:
		p.produce()
	case procJoining:
		p.addOffsets()
	case procCommitting:
		p.commitOffsets()
	case procEnding:
		p.end()
	}
}

// begin gives the batches their sequence numbers, and notes what is to be written.
func (p *processor) begin() {
	t := p.txn
	t.ops = []history.Op{}
	if p.pid != p.usedID {
		p.usedID, p.used = p.pid, p.epoch
	}
	p.used = max(p.used, p.epoch)
	for len(p.seqs) < p.out.parts { // partitions were added
		p.seqs = append(p.seqs, 0)
	}
	for _, b := range t.batches {
		b.part %= p.out.parts
		b.seq = p.seqs[b.part]
		p.seqs[b.part] = addSequence(b.seq, int32(len(b.values)))
		text, of := "", ""
		for i, v := range b.values {
			text, of = text+" "+v.Value.String(), of+" "+b.of[i].String()
		}
		key := p.out.keys[b.part]
		if i := opOf(t.ops, key); i >= 0 {
			t.ops[i].Meta, t.ops[i].Want = t.ops[i].Meta+text, t.ops[i].Want+of
			continue
		}
		t.ops = append(t.ops, history.Op{Kind: history.Txn, Key: key, PID: p.pid, Epoch: p.epoch, Offset: history.NoOffset, Meta: text[1:], Member: p.cfg.TxnID, Want: of[1:]})
	}
	p.g.record(procSlot, history.Invoke, "", t.ops...)
	t.step = procProducing
	if p.cfg.Old {
		t.step = procAdding
	}
}

func opOf(ops []history.Op, key string) int {
	for i := range ops {
		if ops[i].Key == key {
			return i
		}
	}
	return -1
}

func (p *processor) flying() bool {
	for _, b := range p.txn.batches {
		if b.inFlight {
			return true
		}
	}
	return false
}

func (p *processor) addPartitions() {
	t := p.txn
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = p.cfg.TxnID, p.pid, p.epoch
	rt := kmsg.AddPartitionsToTxnRequestTopic{Topic: p.out.name}
	for _, b := range t.batches {
		rt.Partitions = append(rt.Partitions, int32(b.part))
	}
	req.Topics = append(req.Topics, rt)
	p.ask(req, 0, 3, func(r kmsg.Response, err error) {
		if err != nil || t != p.txn {
			return
		}
		code := kerr.None
		for _, x := range r.(*kmsg.AddPartitionsToTxnResponse).Topics {
			for _, y := range x.Partitions {
				code = either(code, kerr.Code(y.ErrorCode))
			}
		}
		p.stepped(t, code, procProducing)
	})
}

// either gives the first code that is one.
func either(a, b kerr.Code) kerr.Code {
	if a != kerr.None {
		return a
	}
	return b
}

func (p *processor) addOffsets() {
	t := p.txn
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = p.cfg.TxnID, p.pid, p.epoch, p.g.cfg.Group
	p.ask(req, 0, anyVersion, func(r kmsg.Response, err error) {
		if err == nil && t == p.txn {
			p.stepped(t, kerr.Code(r.(*kmsg.AddOffsetsToTxnResponse).ErrorCode), procCommitting)
		}
	})
}

// stepped goes on to the next step, tries the same once more, or gives the transaction up.
func (p *processor) stepped(t *processing, c kerr.Code, next procStep) {
	switch {
	case c == kerr.None:
		t.step = next
	case p.again(c):
	case c == kerr.InvalidProducerEpoch || c == kerr.ProducerFenced || c == kerr.InvalidProducerIDMapping:
		p.lost(history.Fail, c.String())
	default:
		t.abort = true
	}
	p.advance()
}

func (p *processor) produce() {
	t, now := p.txn, p.g.n.Now()
	left := false
	behind := make([]bool, p.out.parts)
	for _, b := range t.batches {
		if b.taken {
			continue
		}
		left = true
		if behind[b.part] || b.inFlight || b.notBefore > now {
			behind[b.part] = true
			continue
		}
		behind[b.part] = true
		lead := p.out.lead[b.part]
		if lead < 0 {
			p.relearn()
		} else if l := p.g.to(lead); l.open() {
			p.send(l, b)
		}
	}
	if left {
		return
	}
	if t.step = procCommitting; p.cfg.Old {
		t.step = procJoining
	}
	p.advance()
}

func (p *processor) send(l *link, b *procBatch) {
	t := p.txn
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.TransactionID = -1, int32(p.cfg.RequestMS), &p.cfg.TxnID
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = p.out.name, p.out.id
	tp := kmsg.NewProduceRequestTopicPartition()
	tp.Partition = int32(b.part)
	tp.Records = appendBatch(nil, &batchSpec{pid: p.pid, epoch: p.epoch, seq: b.seq, wall: p.g.n.Wall(), values: b.values, transactional: true})
	rt.Partitions = append(rt.Partitions, tp)
	req.Topics = append(req.Topics, rt)
	low, cap := int16(12), idCap(&p.out, 13)
	if p.cfg.Old {
		low, cap = 3, 11
	}
	b.inFlight = true
	l.ask(req, low, cap, clock.MS(p.cfg.RequestMS), func(r kmsg.Response, err error) {
		b.inFlight, b.notBefore = false, p.g.n.Now().Add(retryPause)
		if err != nil {
			p.unheard(t)
		}
		if err != nil || t != p.txn {
			return
		}
		resp := r.(*kmsg.ProduceResponse)
		switch c := kerr.Code(resp.Topics[0].Partitions[0].ErrorCode); {
		case c == kerr.None:
			b.taken = true
		case c == kerr.ConcurrentTransactions:
		case retriable(c):
			p.relearn()
		default:
			t.abort = true
		}
		p.advance()
	})
}

func (p *processor) commitOffsets() {
	t, g := p.txn, p.g
	if !g.coord.open() {
		return
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = p.cfg.TxnID, g.cfg.Group, p.pid, p.epoch
	req.Generation, req.MemberID, req.InstanceID = t.generation, t.member, g.static()
	for i, at := range t.moves {
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rt.Topic = at.topic.name
		tp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		tp.Partition, tp.Offset, tp.LeaderEpoch = at.part, t.to[i], -1
		rt.Partitions = append(rt.Partitions, tp)
		req.Topics = append(req.Topics, rt)
	}
	low, cap := int16(5), int16(5)
	if p.cfg.Old {
		low, cap = 3, 4
	}
	p.asking = true
	g.coord.ask(req, low, cap, clock.MS(p.cfg.RequestMS), func(r kmsg.Response, err error) {
		p.asking = false
		p.pause()
		if err != nil {
			p.unheard(t)
		}
		if err != nil || t != p.txn {
			return
		}
		code := kerr.None
		for _, x := range r.(*kmsg.TxnOffsetCommitResponse).Topics {
			for _, y := range x.Partitions {
				code = either(code, kerr.Code(y.ErrorCode))
			}
		}
		switch {
		case code == kerr.NotCoordinator || code == kerr.CoordinatorNotAvailable:
			g.lookAgain()
		case code == kerr.None:
			p.waitFor = 0
			p.stepped(t, code, procEnding)
		default:
			p.stepped(t, code, procEnding)
		}
	})
}

func (p *processor) end() {
	t := p.txn
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = p.cfg.TxnID, p.pid, p.epoch, !t.abort
	low, cap := int16(5), int16(anyVersion)
	if p.cfg.Old {
		low, cap = 0, 4
	}
	p.ask(req, low, cap, func(r kmsg.Response, err error) {
		if t != p.txn {
			return
		}
		if err != nil {
			t.unclear = t.unclear || !t.abort && err != errVersion
			p.find()
			return
		}
		resp := r.(*kmsg.EndTxnResponse)
		switch c := kerr.Code(resp.ErrorCode); {
		case c == kerr.None:
			p.ended(resp)
		case p.again(c):
			t.unclear = t.unclear || !t.abort && unclear(c)
		case t.unclear && (c != kerr.InvalidTxnState || p.cfg.Old):
			p.lost(history.Info, c.String())
		default: // INVALID_TXN_STATE too: who retries the end of what was committed is told so (KIP-890)
			t.unclear = false
			p.lost(history.Fail, c.String())
		}
	})
}

func (p *processor) ended(resp *kmsg.EndTxnResponse) {
	t, g := p.txn, p.g
	if resp.Version > 4 && resp.ProducerID >= 0 {
		p.pid, p.epoch, p.seqs = resp.ProducerID, resp.ProducerEpoch, make([]int32, p.out.parts)
	}
	p.txn = nil
	if t.abort {
		g.record(procSlot, history.Fail, "aborted", t.ops...)
		if p.cfg.Old {
			p.pid = noProducerID
		}
		g.replace()
		p.advance()
		return
	}
	p.fences = 0
	g.record(procSlot, history.OK, "", t.ops...)
	if g.generation == t.generation && g.member == t.member && g.state == memberStable {
		for i, at := range t.moves {
			g.committed[at.key] = t.to[i]
		}
	}
	g.finish()
	p.advance()
}

// lost ends a transaction whose producer may not go on, and begins anew with another epoch.
func (p *processor) lost(t history.Type, why string) {
	if p.txn.unclear {
		t = history.Info
	}
	p.g.record(procSlot, t, why, p.txn.ops...)
	if p.pid == p.usedID && p.epoch < p.used { // not another: the coordinator has lost epochs, and gives the next ones again
		p.pause()
	} else {
		p.fenced()
	}
	p.txn, p.pid = nil, noProducerID
	p.g.replace()
	p.advance()
}

// done says that everything is copied, and takes the processor out of those that copy.
func (p *processor) done() bool {
	if p.txn != nil || !p.flushed {
		return false
	}
	if p.copying {
		p.copying = false
		p.g.sh.Copying--
		p.g.sh.Copied = p.g.n.Now()
	}
	return true
}

func (p *processor) String() string {
	s := fmt.Sprintf(" producer %d/%d", p.pid, p.epoch)
	if p.txn != nil {
		s += " " + procSteps[p.txn.step]
	}
	return s
}
