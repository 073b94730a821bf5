package client

import (
	"fmt"
	"strings"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// MoverConfig says what a client does that moves amounts between accounts in transactions, and reads all accounts meanwhile, in read_committed.
type MoverConfig struct {
	Writer   TransactorConfig `json:"writer"` // of batches of one record; Batches: most transfers in a transaction
	Reader   CommittedConfig  `json:"reader"`
	Accounts int              `json:"accounts"` // account a is in partition a modulo the partitions that the topic had at first
}

// Mover reads in its transactions, so that two of them which read of each other would show.
type Mover struct {
	Committed
	cfg MoverConfig
	x   *txnWriter
	pace
}

// A transfer's record is its value: who moved, how often it had done so, the account, and what that gets. Its other record has the same amount with the other sign.
const (
	moverAccounts = 1 << 6
	moverAmounts  = 1 << 8 // twice
)

// transfer makes the value of one side.
func transfer(client int, n int64, account, amount int) history.Value {
	return history.MakeValue(client, (n*moverAccounts+int64(account))*moverAmounts+int64(amount+moverAmounts/2))
}

// NewMover makes a mover.
func NewMover(cfg MoverConfig, sh *Shared) *Mover {
	sh.Writers++
	cfg.Reader.ID, cfg.Reader.Topic = cfg.Writer.ID, cfg.Writer.Topic.Name
	return &Mover{Committed: *NewCommitted(cfg.Reader, sh), cfg: cfg, pace: pace{sh: sh, writer: true}}
}

// Start implements Client.
func (m *Mover) Start(n Net) {
	m.x = newTxnWriter(&m.base, nil, m.cfg.Writer.txn(), m)
	m.Committed.Start(n)
	m.x.own = m.newLink(m.cfg.Writer.Node, m.x.advance, func() {})
	m.x.apart()
	m.onWork, m.onTick, m.onLead = m.work, m.tick, m.work
}

func (m *Mover) work() {
	if !m.x.asleep() {
		m.Committed.work()
	}
	m.x.advance()
}

func (m *Mover) tick() {
	if !m.known && m.link.open() && m.retry == nil { // the writer asks for topics too, and the last question is the one that is repeated
		m.opened()
	}
	m.work()
	m.leave(m.x.txn != nil)
}

// begun implements txnUser.
func (m *Mover) begun() { m.x.advance() }

// idle implements txnUser: it makes a transaction when it is time for one.
func (m *Mover) idle() {
	now, c := m.n.Now(), &m.cfg.Writer
	if m.stopped || now < m.next {
		return
	}
	m.next = now.Add(c.until(&m.base))
	t := &transaction{began: now, rolls: m.rnd.Permille(c.AbortPermille)}
	if m.rnd.Permille(c.StallPermille) && !m.healed {
		t.stall = now.Add(clock.MS(c.TimeoutMS) + m.jitter(2*clock.Second))
	}
	for n := 1 + m.rnd.Intn(c.Batches); n > 0; n-- {
		from, amount := m.rnd.Intn(m.cfg.Accounts), 1+m.rnd.Intn(moverAmounts/2-1)
		to := (from + 1 + m.rnd.Intn(m.cfg.Accounts-1)) % m.cfg.Accounts
		m.side(t, from, -amount)
		m.side(t, to, amount)
		m.x.made++
	}
	m.x.start(t)
	m.x.advance()
}

func (m *Mover) side(t *transaction, account, amount int) {
	part := account % int(m.cfg.Writer.Topic.Partitions)
	t.batches = append(t.batches, &txnBatch{part: part, values: []history.Record{{Value: transfer(m.id, m.x.made, account, amount)}}})
}

// commitOffsets implements txnUser.
func (m *Mover) commitOffsets(*transaction, func(kerr.Code, error)) bool { return false }

// ended implements txnUser.
func (m *Mover) ended(_ *transaction, how history.Type) { m.pace.ended(m.healed, how) }

// Done implements Settler.
func (m *Mover) Done() bool { return !m.writer && m.Committed.Done() }

// Waiting implements Settler.
func (m *Mover) Waiting() string {
	if m.writer {
		return fmt.Sprintf("%s:%s, %d of %d transactions committed since healing", m.name, m.x, m.ok, committedAfterHealing)
	}
	return strings.TrimSpace(m.Committed.Waiting())
}
