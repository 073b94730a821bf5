package client

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// txnConfig says how a client writes in transactions. Times are virtual milliseconds.
type txnConfig struct {
	out           TopicSpec
	id            string // two with the same one fence each other
	requestMS     int64
	timeoutMS     int64  // of transactions
	sleepPermille int    // steps before which it sleeps, and wakes as what may be a zombie
	sleepMS       int64  // most of that
	inFlight      int    // batches of a partition that are sent without waiting for those before; 0: one
	old           bool   // it speaks the first version: see ProcessorConfig.Old
	keyed         bool   // records have keys
	renews        bool   // it names the producer that it was when it asks for another epoch (KIP-360)
	group         string // whose offsets it commits, if it does
}

// txnUser is the client that has a txnWriter.
type txnUser interface {
	// begun: there is a producer id, and nothing of an earlier transaction is open any more.
	begun()
	// idle: there is a producer id and no transaction.
	idle()
	// commitOffsets asks for the offsets of a transaction to be committed, if it can now; done is called once where it could.
	commitOffsets(t *transaction, done func(kerr.Code, error)) bool
	// ended: a transaction was committed (OK), was not (Fail), or nobody knows (Info).
	ended(t *transaction, how history.Type)
}

// txnWriter is a client's transactional side: one transaction at a time, into the partitions of one topic, as a client of transaction.version 2 (KIP-890) or of the
// first version.
//
//	unknown topic ──▶ no producer id ──InitProducerId──▶ idle ──start──▶ adding (first version) ──▶ producing ──▶ joining offsets (first version) ──▶
//	    committing offsets ──▶ ending ──▶ idle.    Refused, late, or meant to: ending with an abort.    Fenced: no producer id.
type txnWriter struct {
	b       *base
	own     *link // asks for topics and for the coordinator
	user    txnUser
	cfg     txnConfig
	coord   *link
	out     topicInfo
	known   bool
	asking  bool
	finding bool
	waitFor clock.Time
	wakes   clock.Time // until then the client does nothing at all
	pid     int64
	epoch   int16
	was     int64 // of one that renews: the producer that it names when it asks for another epoch, or noProducerID
	wasOf   int16
	seqs    []int32
	copied  bool // the network sends a batch of this epoch once more (F:N4)
	txn     *transaction
	made    int64
	fences  int   // how often another with the same id was quicker, since the last commit
	usedID  int64 // the producer id of the last transaction, and its greatest epoch
	used    int16
	wrote   *history.Op
	leads   []*link // by node: of its own, where the client's others may be held up by long fetches; nil: the client's
}

// transaction is one that is under way.
type transaction struct {
	step    txnStep
	batches []*txnBatch
	offsets bool         // it commits some
	ops     []history.Op // one a partition, as recorded
	rolls   bool         // it is to be aborted once everything is written
	abort   bool         // it is to be aborted now
	unclear bool         // its commit may have been decided
	began   clock.Time
	stall   clock.Time // it is not ended before
}

type txnStep uint8

const (
	txnAdding txnStep = iota
	txnProducing
	txnJoining
	txnCommitting
	txnEnding
)

var txnSteps = [...]string{"adding partitions", "producing", "adding offsets", "committing offsets", "ending"}

type txnBatch struct {
	part      int
	values    []history.Record
	of        []history.Value // what they are copies of, if they are
	bytes     []byte
	inFlight  bool
	taken     bool
	notBefore clock.Time
}

const (
	slotTxn      = 8  // transactions
	slotTxnCalls = 13 // what is asked of coordinators
	txnPause     = 50 * clock.Millisecond
	txnGiveUp    = 20 * clock.Second // a transaction whose records are not taken is aborted
	maxFences    = 7                 // txnPause doubled so often
	// What a client of transaction.version 2 speaks at least, and one of the first version at most.
	produceAdds    = 12
	endTxnBumps    = 5
	initNames      = 3
	offsetsAdd     = 5
	transactionKey = 1 // FindCoordinator's key type
)

func newTxnWriter(b *base, own *link, cfg txnConfig, user txnUser) *txnWriter {
	return &txnWriter{b: b, own: own, cfg: cfg, user: user, pid: noProducerID, was: noProducerID}
}

// apart gives the writer connections of its own to leaders.
func (x *txnWriter) apart() { x.leads = make([]*link, max(1, x.b.sh.Nodes)) }

// to gives the link to a node that leads something.
func (x *txnWriter) to(node int) *link {
	if x.leads == nil {
		return x.b.to(node)
	}
	if x.leads[node] == nil {
		x.leads[node] = x.b.newLink(node, x.advance, x.relearn)
	}
	return x.leads[node]
}

// asleep says that the client does nothing now.
func (x *txnWriter) asleep() bool { return x.b.n.Now() < x.wakes }

// advance does what is next; it is called at each tick and after each answer.
func (x *txnWriter) advance() {
	now := x.b.n.Now()
	if x.asking || now < x.waitFor {
		return
	}
	if !x.known {
		x.learn()
		return
	}
	if x.txn != nil && x.b.rnd.Permille(x.cfg.sleepPermille) && !x.b.healed {
		x.waitFor = now.Add(x.b.jitter(clock.MS(x.cfg.sleepMS)))
		x.wakes = x.waitFor
		return
	}
	if (x.coord == nil || !x.coord.open()) && (x.txn == nil || x.txn.step != txnProducing) {
		x.find()
		return
	}
	switch {
	case x.pid < 0:
		x.init()
	case x.txn == nil:
		x.user.idle()
	default:
		x.proceed()
	}
}

func (x *txnWriter) pause() { x.waitFor = x.b.n.Now().Add(txnPause) }

// leave has the producer ask for another epoch.
func (x *txnWriter) leave() {
	if x.cfg.renews {
		x.was, x.wasOf = x.pid, x.epoch
	}
	x.pid = noProducerID
}

// fenced waits before the next try, longer each time: two of one transactional id that try again at once would fence each other for ever.
func (x *txnWriter) fenced() {
	x.fences = min(x.fences+1, maxFences)
	x.waitFor = x.b.n.Now().Add(x.b.jitter(txnPause << x.fences))
}

func (x *txnWriter) learn() {
	if !x.own.open() {
		return
	}
	x.asking = true
	x.b.createTopic(x.own, x.cfg.out, func(kerr.Code, error) {
		x.asking = false
		x.pause()
	})
	x.b.askTopics(x.own, []string{x.cfg.out.Name}, func(ts []topicInfo) {
		x.out, x.known = ts[0], true
	})
}

// relearn asks who leads the output.
func (x *txnWriter) relearn() {
	if x.b.sh.Nodes > 1 && x.own.open() {
		x.b.askTopics(x.own, []string{x.cfg.out.Name}, func(ts []topicInfo) { x.out = ts[0] })
	}
}

// find looks for the coordinator.
func (x *txnWriter) find() {
	if !x.own.open() || x.finding {
		return
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = transactionKey, x.cfg.id, []string{x.cfg.id}
	x.finding = true
	x.own.ask(req, 1, anyVersion, 5*clock.Second, func(r kmsg.Response, err error) {
		x.finding = false
		x.pause()
		if err != nil {
			return
		}
		node, code := coordinatorIn(r.(*kmsg.FindCoordinatorResponse))
		switch {
		case code != 0:
		case x.coord == nil:
			x.coord = x.b.newLink(nodeOf(node), x.advance, func() {})
		default:
			x.coord.redirect(nodeOf(node))
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
func (x *txnWriter) again(c kerr.Code) bool {
	switch {
	case c == kerr.NotCoordinator || c == kerr.CoordinatorNotAvailable:
		x.find()
	case c != kerr.ConcurrentTransactions && !retriable(c):
		return false
	}
	x.pause()
	return true
}

// start begins a transaction: its batches get their sequence numbers, and what is to be written is noted.
func (x *txnWriter) start(t *transaction) {
	t.ops = []history.Op{}
	if x.pid != x.usedID {
		x.usedID, x.used = x.pid, x.epoch
	}
	x.used = max(x.used, x.epoch)
	for len(x.seqs) < x.out.parts { // partitions were added
		x.seqs = append(x.seqs, 0)
	}
	for _, b := range t.batches {
		b.part %= x.out.parts
		seq := x.seqs[b.part]
		x.seqs[b.part] = addSequence(seq, int32(len(b.values)))
		b.bytes = appendBatch(nil, &batchSpec{pid: x.pid, epoch: x.epoch, seq: seq, wall: x.b.n.Wall(), values: b.values, transactional: true,
			keyed: x.cfg.keyed, keys: history.KeysOf(x.cfg.out.Name)})
	}
	for p, key := range x.out.keys {
		text, of := "", ""
		for _, b := range t.batches {
			if b.part != p {
				continue
			}
			for i, v := range b.values {
				text += " " + v.Value.String()
				if b.of != nil {
					of += " " + b.of[i].String()
				}
			}
		}
		if text != "" {
			op := history.Op{Kind: history.Txn, Key: key, PID: x.pid, Epoch: x.epoch, Offset: history.NoOffset, Meta: text[1:], Member: x.cfg.id}
			if of != "" {
				op.Want = of[1:]
			}
			t.ops = append(t.ops, op)
		}
	}
	x.b.record(slotTxn, history.Invoke, "", t.ops...)
	x.txn = t
	x.writes()
	t.step = txnProducing
	if x.cfg.old {
		t.step = txnAdding
	}
}

func (t *transaction) flying() bool {
	for _, b := range t.batches {
		if b.inFlight {
			return true
		}
	}
	return false
}

// proceed takes the next step of a transaction.
func (x *txnWriter) proceed() {
	t, now := x.txn, x.b.n.Now()
	if t.step != txnEnding && (t.abort || now >= t.began.Add(max(txnGiveUp, clock.MS(x.cfg.timeoutMS)))) && !t.flying() {
		t.abort, t.step = true, txnEnding
	}
	switch t.step {
	case txnAdding:
		x.addPartitions()
	case txnProducing:
		x.produce()
	case txnJoining:
		x.addOffsets()
	case txnCommitting:
		x.commitOffsets()
	case txnEnding:
		if t.abort = t.abort || t.rolls; now >= t.stall {
			x.end()
		}
	}
}

// stepped goes on to the next step, tries the same once more, or gives the transaction up.
func (x *txnWriter) stepped(t *transaction, c kerr.Code, next txnStep) {
	switch {
	case c == kerr.None:
		t.step = next
	case x.again(c):
	case c == kerr.InvalidProducerEpoch || c == kerr.ProducerFenced || c == kerr.InvalidProducerIDMapping:
		x.lost(history.Fail, c.String())
	default:
		t.abort = true
	}
	x.advance()
}

// unheard has a producer of the first version go on with another epoch after a request that was not answered: one that comes late might be taken
// for one of the next transaction.
func (x *txnWriter) unheard(t *transaction) {
	if x.cfg.old && t != nil && t == x.txn {
		x.lost(history.Fail, "no answer")
	}
}

// conclude ends a transaction, and tells the user.
func (x *txnWriter) conclude(how history.Type, why string) {
	t := x.txn
	x.wroteUnknown()
	x.b.record(slotTxn, how, why, t.ops...)
	x.txn = nil
	if how == history.OK {
		x.fences = 0
	}
	x.user.ended(t, how)
}

// lost ends a transaction whose producer may not go on, and begins anew with another epoch.
func (x *txnWriter) lost(how history.Type, why string) {
	if x.txn.unclear {
		how = history.Info
	}
	if x.pid == x.usedID && x.epoch < x.used { // not another: the coordinator has lost epochs, and gives the next ones again
		x.pause()
	} else {
		x.fenced()
	}
	x.leave()
	x.conclude(how, why)
	x.advance()
}

func (x *txnWriter) String() string {
	s := fmt.Sprintf(" producer %d/%d", x.pid, x.epoch)
	if x.txn != nil {
		s += " " + txnSteps[x.txn.step]
	}
	return s
}
