package client

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// TransactorConfig says what a transactional producer does. Times are virtual milliseconds.
type TransactorConfig struct {
	ID            int       `json:"id"`
	Node          int       `json:"node"`
	Topic         TopicSpec `json:"topic"` // made by whoever comes first; nobody but transactors and committed readers uses it
	TxnID         string    `json:"txn_id"`
	Keyed         bool      `json:"keyed,omitempty"` // records have keys: those of a table, or each its own
	Batches       int       `json:"batches"`         // most in a transaction
	Records       int       `json:"records"`         // most in a batch
	EveryMS       int64     `json:"every_ms"`
	RequestMS     int64     `json:"request_ms"`
	TimeoutMS     int64     `json:"timeout_ms"` // of transactions
	AbortPermille int       `json:"abort_permille"`
	StallPermille int       `json:"stall_permille,omitempty"` // transactions that are left open until they have timed out
}

// Transactor writes transactions of unique values into the partitions of one topic, and commits or aborts them, as a client of transaction.version 2 does
// (KIP-890). Two with one transactional id fence each other.
//
//	looking ──coordinator──▶ beginning ──InitProducerId──▶ idle ──▶ sending ──all taken, or one refused──▶ ending ──EndTxn──▶ idle
//	   ▲─────────────────────────── fenced, or of an earlier epoch ───────────────────────────────────────────┘
type Transactor struct {
	base
	cfg     TransactorConfig
	link    *link
	coord   *link
	topic   topicInfo
	known   bool
	state   txnState
	asking  bool
	waitFor clock.Time // nothing is asked of the coordinator before
	pid     int64
	epoch   int16
	seqs    []int32
	txn     *transaction
	made    int64
	ok      int // committed since healing
	stopped bool
	writer  bool
}

type txnState uint8

const (
	txnLooking txnState = iota
	txnBeginning
	txnIdle
	txnSending
	txnEnding
)

var txnStates = [...]string{"looking for its coordinator", "beginning", "idle", "sending", "ending"}

// transaction is one that is under way.
type transaction struct {
	ops       []history.Op // one a partition, as recorded
	batches   []*txnBatch
	commit    bool
	began     clock.Time
	stall     clock.Time // it is not ended before
	asked     bool       // EndTxn(commit) may have been taken, though nobody has answered it
	refusedBy kerr.Code
}

type txnBatch struct {
	part      int
	seq       int32
	bytes     []byte
	inFlight  bool
	taken     bool
	notBefore clock.Time
}

// committedAfterHealing is how many transactions a transactor must still get committed once the faults are over.
const committedAfterHealing = 3

// What a client of transaction.version 2 speaks.
const (
	produceAdds  = 12
	endTxnBumps  = 5
	txnGiveUp    = 20 * clock.Second // a transaction whose records are not taken is aborted
	txnPause     = 50 * clock.Millisecond
	slotTxn      = 3
	transactions = 1 // FindCoordinator's key type
)

// NewTransactor makes a transactor.
func NewTransactor(cfg TransactorConfig, sh *Shared) *Transactor {
	sh.Writers++
	return &Transactor{base: base{id: cfg.ID, sh: sh}, cfg: cfg, pid: noProducerID, writer: true}
}

// Start implements Client.
func (x *Transactor) Start(n Net) {
	x.start(n, "transactor")
	x.onWork, x.onTick, x.onLead = x.work, x.tick, x.advance
	x.link = x.newLink(x.cfg.Node, x.opened, func() {})
	x.after(x.jitter(clock.MS(x.cfg.EveryMS)), timerWork)
}

func (x *Transactor) opened() {
	if !x.known {
		x.createTopic(x.link, x.cfg.Topic, func(kerr.Code, error) {}) // askTopics asks until it is there
	}
	x.askTopics(x.link, []string{x.cfg.Topic.Name}, func(ts []topicInfo) {
		x.topic, x.known = ts[0], true
		x.advance()
	})
}

func (x *Transactor) work() {
	if x.stopped {
		return
	}
	x.after(x.jitter(clock.MS(x.cfg.EveryMS)), timerWork)
	if x.state == txnIdle && x.known {
		x.begin()
	}
	x.advance()
}

func (x *Transactor) tick() {
	if !x.known && x.link.open() && x.retry == nil {
		x.opened()
	}
	x.advance()
	if x.healed && !x.stopped && x.ok >= committedAfterHealing {
		x.stopped = true
	}
	if x.stopped && x.txn == nil && x.writer {
		x.writer = false
		x.sh.Writers--
	}
}

// advance does what is next.
func (x *Transactor) advance() {
	switch {
	case !x.known || x.asking:
		return
	case x.state == txnSending:
		x.send()
		return
	case x.n.Now() < x.waitFor:
		return
	}
	switch x.state {
	case txnLooking:
		x.look()
	case txnBeginning:
		x.initProducer()
	case txnEnding:
		x.end()
	}
}

func (x *Transactor) pause() { x.waitFor = x.n.Now().Add(txnPause) }

func (x *Transactor) look() {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = transactions, x.cfg.TxnID, []string{x.cfg.TxnID}
	x.asking = true
	x.link.ask(req, 1, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		x.asking = false
		x.pause()
		if err != nil {
			return
		}
		node, code := coordinatorIn(r.(*kmsg.FindCoordinatorResponse))
		if code != 0 {
			return // tick asks again
		}
		x.state = txnBeginning
		switch {
		case x.txn != nil:
			x.state = txnEnding
		case x.pid >= 0:
			x.state = txnIdle
		}
		if x.coord == nil {
			x.coord = x.newLink(nodeOf(node), x.advance, func() {})
			return
		}
		x.coord.redirect(nodeOf(node))
		x.advance()
	})
}

// elsewhere looks for the coordinator anew if a code says that this is not it. Other codes that a client repeats its request on: true.
func (x *Transactor) elsewhere(c kerr.Code) bool {
	switch c {
	case kerr.NotCoordinator, kerr.CoordinatorNotAvailable:
		x.state = txnLooking
	case kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions, kerr.RequestTimedOut, kerr.NetworkException, kerr.NotEnoughReplicas:
	default:
		return false
	}
	x.pause()
	return true
}

func (x *Transactor) initProducer() {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &x.cfg.TxnID, int32(x.cfg.TimeoutMS)
	req.ProducerID, req.ProducerEpoch = -1, -1
	x.asking = true
	x.coord.ask(req, 0, anyVersion, clock.MS(x.cfg.RequestMS), func(r kmsg.Response, err error) {
		x.asking = false
		if err != nil {
			x.state = txnLooking
			x.pause()
			return
		}
		resp := r.(*kmsg.InitProducerIDResponse)
		switch c := kerr.Code(resp.ErrorCode); {
		case c == kerr.None:
			x.begun(resp.ProducerID, resp.ProducerEpoch)
		case !x.elsewhere(c) && c != kerr.ProducerFenced && c != kerr.InvalidProducerEpoch: // another with the same id is quicker
			x.caught(slotTxn, "", "InitProducerId answers an error of no use", c.String())
			x.pause()
		}
	})
}

func (x *Transactor) begun(pid int64, epoch int16) {
	x.pid, x.epoch, x.state = pid, epoch, txnIdle
	x.seqs = make([]int32, x.topic.parts)
}

// begin makes a transaction.
func (x *Transactor) begin() {
	t := &transaction{commit: !x.rnd.Permille(x.cfg.AbortPermille), began: x.n.Now()}
	if x.rnd.Permille(x.cfg.StallPermille) && !x.healed {
		t.stall = t.began.Add(clock.MS(x.cfg.TimeoutMS) + x.jitter(2*clock.Second))
	}
	values := map[int]string{}
	for n := 1 + x.rnd.Intn(x.cfg.Batches); n > 0; n-- {
		b := &txnBatch{part: x.rnd.Intn(len(x.seqs)), notBefore: t.began}
		recs := make([]history.Record, 1+x.rnd.Intn(x.cfg.Records))
		for i := range recs {
			recs[i].Value = history.MakeValue(x.id, x.made)
			x.made++
			values[b.part] += " " + recs[i].Value.String()
		}
		b.seq = x.seqs[b.part]
		x.seqs[b.part] = addSequence(b.seq, int32(len(recs)))
		b.bytes = appendBatch(nil, &batchSpec{pid: x.pid, epoch: x.epoch, seq: b.seq, wall: x.n.Wall(), values: recs, transactional: true, keyed: x.cfg.Keyed, keys: history.KeysOf(x.cfg.Topic.Name)})
		t.batches = append(t.batches, b)
	}
	for p := range x.seqs {
		if values[p] != "" {
			t.ops = append(t.ops, history.Op{Kind: history.Txn, Key: x.topic.keys[p], PID: x.pid, Epoch: x.epoch, Offset: history.NoOffset, Meta: values[p][1:], Member: x.cfg.TxnID})
		}
	}
	x.txn, x.state = t, txnSending
	x.record(slotTxn, history.Invoke, "", t.ops...)
}

// send sends what is not taken yet, one batch a partition at a time.
func (x *Transactor) send() {
	t, now := x.txn, x.n.Now()
	left, flying := 0, 0
	behind := make([]bool, len(x.seqs))
	for _, b := range t.batches {
		if b.taken {
			continue
		}
		left++
		if b.inFlight {
			flying++
		}
		if behind[b.part] || b.inFlight || b.notBefore > now || t.refusedBy != 0 {
			behind[b.part] = true
			continue
		}
		behind[b.part] = true
		if lead := x.topic.lead[b.part]; lead < 0 {
			x.stale()
		} else if l := x.to(lead); l.open() {
			x.produce(l, b)
			flying++
		}
	}
	if left > 0 && t.refusedBy == 0 && now >= t.began.Add(max(txnGiveUp, clock.MS(x.cfg.TimeoutMS))) {
		t.refusedBy = kerr.RequestTimedOut
	}
	if flying == 0 && (left == 0 || t.refusedBy != 0) && now >= t.stall {
		t.commit = t.commit && left == 0
		x.state = txnEnding
		x.advance()
	}
}

func (x *Transactor) produce(l *link, b *txnBatch) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.TransactionID = -1, int32(x.cfg.RequestMS), &x.cfg.TxnID
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = x.topic.name, x.topic.id
	tp := kmsg.NewProduceRequestTopicPartition()
	tp.Partition, tp.Records = int32(b.part), b.bytes
	t.Partitions = append(t.Partitions, tp)
	req.Topics = append(req.Topics, t)
	b.inFlight = true
	of := x.txn
	l.ask(req, produceAdds, idCap(&x.topic, 13), clock.MS(x.cfg.RequestMS), func(r kmsg.Response, err error) {
		b.inFlight = false
		if of != x.txn {
			return
		}
		b.notBefore = x.n.Now().Add(retryPause)
		if err == nil {
			x.produced(b, r.(*kmsg.ProduceResponse))
		}
	})
}

func (x *Transactor) produced(b *txnBatch, resp *kmsg.ProduceResponse) {
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		x.caught(slotTxn, x.topic.keys[b.part], "Produce answers other partitions than it was asked for", fmt.Sprint(len(resp.Topics)))
		return
	}
	switch c := kerr.Code(resp.Topics[0].Partitions[0].ErrorCode); {
	case c == kerr.None:
		b.taken = true
	case c == kerr.ConcurrentTransactions:
	case retriable(c):
		if x.sh.Nodes > 1 {
			x.stale()
		}
	default:
		x.txn.refusedBy = c
	}
}

// end asks for the end until it is answered.
func (x *Transactor) end() {
	t := x.txn
	if x.coord == nil || !x.coord.open() {
		if x.coord != nil && x.n.Now() >= x.waitFor { // it may be elsewhere by now
			x.state = txnLooking
			x.pause()
		}
		return
	}
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = x.cfg.TxnID, x.pid, x.epoch, t.commit
	x.asking = true
	x.coord.ask(req, endTxnBumps, anyVersion, clock.MS(x.cfg.RequestMS), func(r kmsg.Response, err error) {
		x.asking = false
		if err != nil {
			t.asked = t.asked || t.commit && err != errVersion
			x.state = txnLooking
			x.pause()
			return
		}
		resp := r.(*kmsg.EndTxnResponse)
		c := kerr.Code(resp.ErrorCode)
		switch {
		case c == kerr.None && t.commit:
			x.conclude(history.OK, "")
		case c == kerr.None:
			x.conclude(history.Fail, "aborted")
		case x.elsewhere(c):
			t.asked = t.asked || t.commit && unclear(c)
			return
		case t.asked && c != kerr.InvalidTxnState: // one that was not answered may have been taken
			x.conclude(history.Info, c.String())
		default:
			x.conclude(history.Fail, c.String())
		}
		if c != kerr.None {
			x.restart()
			return
		}
		if resp.ProducerID >= 0 {
			x.begun(resp.ProducerID, resp.ProducerEpoch)
		}
	})
}

func (x *Transactor) conclude(t history.Type, why string) {
	x.record(slotTxn, t, why, x.txn.ops...)
	if t == history.OK && x.healed {
		x.ok++
	}
	x.txn, x.state = nil, txnIdle
}

// restart begins anew with an epoch that fences whatever is left.
func (x *Transactor) restart() {
	x.pid, x.state = noProducerID, txnBeginning
	x.waitFor = x.n.Now().Add(x.jitter(clock.MS(x.cfg.EveryMS)))
}

// Done implements Settler.
func (x *Transactor) Done() bool { return !x.writer }

// Waiting implements Settler.
func (x *Transactor) Waiting() string {
	return fmt.Sprintf("%s: %s, %d of %d transactions committed since healing", x.name, txnStates[x.state], x.ok, committedAfterHealing)
}
