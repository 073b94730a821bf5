package client

import (
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
	Old    bool `json:"old,omitempty"`
	Renews bool `json:"renews,omitempty"` // it names the producer that it was when it asks for another epoch (KIP-360)
}

// processor is what makes of a Group a member that copies: what a poll brings is one transaction. After anything but a commit it asks the group
// where it stands.
type processor struct {
	*txnWriter
	g       *Group
	cfg     ProcessorConfig
	read    *reading
	turn    int        // the node that was fetched from last
	waits   clock.Time // since when the group's offsets have hung on a transaction; 0: they do not
	hanging bool       // for so long that nobody will end it
	flushed bool       // the end of the last transaction is known to be carried out
	copying bool       // it counts among those that copy
}

// reading is what one poll has brought, and the transaction that copies it.
type reading struct {
	moves      []*position // whose offsets it commits
	to         []int64
	generation int32
	member     string
	txn        *transaction
}

// NewProcessor makes a member that copies.
func NewProcessor(cfg ProcessorConfig, sh *Shared) *Group {
	g := NewGroup(cfg.Group, sh)
	g.proc = &processor{g: g, cfg: cfg, copying: true}
	sh.Copying++
	return g
}

// opens makes the transactional side, once the member has its connection.
func (p *processor) opens() {
	p.txnWriter = newTxnWriter(&p.g.base, p.g.f.link, txnConfig{out: p.cfg.Out, id: p.cfg.TxnID, requestMS: p.cfg.RequestMS, timeoutMS: p.cfg.TimeoutMS,
		sleepPermille: p.cfg.SleepPermille, sleepMS: p.cfg.SleepMS, old: p.cfg.Old, renews: p.cfg.Renews, group: p.g.cfg.Group}, p)
}

func (p *processor) busy() bool { return p.read != nil }

// settled says that nothing that the processor has asked for may still move the group's offsets: what it asks where the group stands stays true.
func (p *processor) settled() bool { return p.read == nil && p.pid >= 0 }

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
		p.g.note(slotTxn, history.Op{Kind: history.Seen, Key: history.Key("__consumer_offsets", 0), Offset: history.NoOffset, HW: -1, Start: -1, PID: noProducerID, Got: "open"})
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

// taken adds what a poll has brought to the transaction that idle begins once all of it is there.
func (p *processor) taken(at *position, recs []history.Record) {
	if len(recs) == 0 {
		return
	}
	if p.read == nil {
		p.read = &reading{generation: p.g.generation, member: p.g.member,
			txn: &transaction{began: p.g.n.Now(), offsets: true, rolls: p.g.rnd.Permille(p.cfg.AbortPermille) && !p.g.healed}}
		p.flushed = false
	}
	r := p.read
	r.moves, r.to = append(r.moves, at), append(r.to, at.next)
	b := &txnBatch{part: int(at.part)}
	for _, rec := range recs {
		b.values = append(b.values, history.Record{Value: history.MakeValue(p.g.id, p.made)}) // each of its own, so that a copy tells which transaction made it
		b.of = append(b.of, rec.Value)
		p.made++
	}
	r.txn.batches = append(r.txn.batches, b)
}

// revoked is the group's call: the partitions are another's now.
func (p *processor) revoked() {
	if p.read != nil && p.cfg.Loyal && p.read.txn.step != txnEnding { // what may have been committed is not aborted
		p.read.txn.abort = true
	}
}

// begun implements txnUser.
func (p *processor) begun() {
	p.flushed = true
	p.g.advance()
	p.g.finish()
}

// idle implements txnUser: what was read is written; without that the member reads on, and at the end of the run makes sure that its last
// transaction is over.
func (p *processor) idle() {
	switch {
	case p.read != nil:
		p.start(p.read.txn)
		p.advance()
	case p.g.healed && p.g.sh.Writers == 0 && !p.flushed:
		p.init() // which is answered once the markers are written
	default:
		p.g.fetch()
	}
}

// commitOffsets implements txnUser.
func (p *processor) commitOffsets(_ *transaction, done func(kerr.Code, error)) bool {
	r, g := p.read, p.g
	if !g.coord.open() {
		return false
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = p.cfg.TxnID, g.cfg.Group, p.pid, p.epoch
	req.Generation, req.MemberID, req.InstanceID = r.generation, r.member, g.static()
	for i, at := range r.moves {
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rt.Topic = at.topic.name
		tp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		tp.Partition, tp.Offset, tp.LeaderEpoch = at.part, r.to[i], -1
		rt.Partitions = append(rt.Partitions, tp)
		req.Topics = append(req.Topics, rt)
	}
	low, cap := int16(offsetsAdd), int16(offsetsAdd)
	if p.cfg.Old {
		low, cap = 3, offsetsAdd-1
	}
	g.coord.ask(req, low, cap, clock.MS(p.cfg.RequestMS), func(resp kmsg.Response, err error) {
		code := kerr.None
		if err == nil {
			for _, t := range resp.(*kmsg.TxnOffsetCommitResponse).Topics {
				for _, part := range t.Partitions {
					code = either(code, kerr.Code(part.ErrorCode))
				}
			}
		}
		done(code, err)
		if code == kerr.NotCoordinator || code == kerr.CoordinatorNotAvailable {
			g.lookAgain()
		}
	})
	return true
}

// ended implements txnUser.
func (p *processor) ended(_ *transaction, how history.Type) {
	r, g := p.read, p.g
	p.read = nil
	if how != history.OK {
		g.replace()
		return
	}
	if g.generation == r.generation && g.member == r.member && g.state == memberStable {
		for i, at := range r.moves {
			g.committed[at.key] = r.to[i]
		}
	}
	g.finish()
}

// done says that everything is copied, and takes the processor out of those that copy.
func (p *processor) done() bool {
	if p.read != nil || !p.flushed {
		return false
	}
	if p.copying {
		p.copying = false
		p.g.sh.Copying--
		p.g.sh.Copied = p.g.n.Now()
	}
	return true
}
