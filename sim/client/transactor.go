package client

import (
	"fmt"

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
	SleepPermille int       `json:"sleep_permille,omitempty"` // steps before which it sleeps, and wakes as what may be a zombie
	SleepMS       int64     `json:"sleep_ms,omitempty"`       // most of that
	InFlight      int       `json:"in_flight,omitempty"`      // batches of one partition that are sent at a time; 0: one
	RestPermille  int       `json:"rest_permille,omitempty"`  // transactions after which it rests, so that its id may expire
	RestMS        int64     `json:"rest_ms,omitempty"`        // mean of that
	Renews        bool      `json:"renews,omitempty"`         // it names the producer that it was when it asks for another epoch (KIP-360)
	Old           bool      `json:"old,omitempty"`            // it speaks the first version: see ProcessorConfig
}

func (c *TransactorConfig) txn() txnConfig {
	return txnConfig{out: c.Topic, id: c.TxnID, requestMS: c.RequestMS, timeoutMS: c.TimeoutMS, sleepPermille: c.SleepPermille, sleepMS: c.SleepMS, old: c.Old, inFlight: c.InFlight, keyed: c.Keyed, renews: c.Renews}
}

// Transactor writes transactions of unique values into the partitions of one topic, and commits or aborts them. Two with one transactional id fence each other.
type Transactor struct {
	base
	cfg TransactorConfig
	x   *txnWriter
	pace
}

// pace is how a client that writes transactions goes on and comes to its end.
type pace struct {
	sh      *Shared
	next    clock.Time // when the next transaction may begin
	ok      int        // committed since healing
	stopped bool
	writer  bool
}

// committedAfterHealing is how many transactions a writer must still get committed once the faults are over.
const committedAfterHealing = 3

// until is how long after the begin of a transaction the next one begins.
func (c *TransactorConfig) until(b *base) clock.Duration {
	if c.RestPermille > 0 && !b.healed && b.rnd.Permille(c.RestPermille) {
		return b.jitter(clock.MS(c.RestMS))
	}
	return b.jitter(clock.MS(c.EveryMS))
}

// ended counts a transaction. What was lost is not begun again at once.
func (p *pace) ended(healed bool, how history.Type) {
	if how == history.OK && healed {
		p.ok++
	}
	p.stopped = p.stopped || p.ok >= committedAfterHealing
}

// leave takes the client out of those that write once nothing of it is open.
func (p *pace) leave(open bool) {
	if p.stopped && !open && p.writer {
		p.writer = false
		p.sh.Writers--
	}
}

// NewTransactor makes a transactor.
func NewTransactor(cfg TransactorConfig, sh *Shared) *Transactor {
	sh.Writers++
	return &Transactor{base: base{id: cfg.ID, sh: sh, repeats: true}, cfg: cfg, pace: pace{sh: sh, writer: true}}
}

// Start implements Client.
func (t *Transactor) Start(n Net) {
	t.start(n, "transactor")
	t.onTick = t.tick
	t.x = newTxnWriter(&t.base, nil, t.cfg.txn(), t)
	t.onWork, t.onLead = t.x.advance, t.x.advance
	t.x.own = t.newLink(t.cfg.Node, t.opened, func() {})
	t.after(t.jitter(clock.MS(t.cfg.EveryMS)), timerWork)
}

func (t *Transactor) opened() {
	if t.x.known {
		t.x.relearn()
	}
	t.x.advance()
}

func (t *Transactor) tick() {
	t.x.advance()
	t.leave(t.x.txn != nil)
}

// begun implements txnUser.
func (t *Transactor) begun() { t.x.advance() }

// idle implements txnUser: it makes a transaction when it is time for one.
func (t *Transactor) idle() {
	now := t.n.Now()
	if t.stopped || now < t.next {
		return
	}
	t.next = now.Add(t.cfg.until(&t.base))
	t.after(t.next.Sub(now), timerWork)
	x := &transaction{began: now, rolls: t.rnd.Permille(t.cfg.AbortPermille)}
	if t.rnd.Permille(t.cfg.StallPermille) && !t.healed {
		x.stall = now.Add(clock.MS(t.cfg.TimeoutMS) + t.jitter(2*clock.Second))
	}
	for n := 1 + t.rnd.Intn(t.cfg.Batches); n > 0; n-- {
		b := &txnBatch{part: t.rnd.Intn(t.x.out.parts), notBefore: now}
		b.values = make([]history.Record, 1+t.rnd.Intn(t.cfg.Records))
		for i := range b.values {
			b.values[i].Value = history.MakeValue(t.id, t.x.made)
			t.x.made++
		}
		x.batches = append(x.batches, b)
	}
	t.x.start(x)
	t.x.advance()
}

// commitOffsets implements txnUser.
func (t *Transactor) commitOffsets(*transaction, func(kerr.Code, error)) bool { return false }

// ended implements txnUser.
func (t *Transactor) ended(_ *transaction, how history.Type) { t.pace.ended(t.healed, how) }

// Done implements Settler.
func (t *Transactor) Done() bool { return !t.writer }

// Waiting implements Settler.
func (t *Transactor) Waiting() string {
	return fmt.Sprintf("%s:%s, %d of %d transactions committed since healing", t.name, t.x, t.ok, committedAfterHealing)
}
