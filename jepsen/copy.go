package jepsen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/sim/history"
)

// copyWorkload has members of one group copy a topic into another, exactly once: what a poll brings is one transaction with the offsets behind it
// (KIP-447). Some transactions are aborted, some members leave, and some die within a transaction.
type copyWorkload struct{ ids map[[16]byte]string }

// That the input of a topic is called so is what oracle I:T10 goes by.
const (
	copyTopic     = "copies"
	copyInput     = copyTopic + "-in"
	copyParts     = 3
	copyGroup     = "copiers"
	copyMembers   = 3
	copyProducers = 2
	copyMost      = 20 // records of a transaction
)

func (x *copyWorkload) topics() map[string]int {
	return map[string]int{copyTopic: copyParts, copyInput: copyParts}
}

func (x *copyWorkload) must() []string {
	return []string{"I:T10", "M1", "M4", "txn:committed", "txn:cut", "double-owner", "lost-write"}
}

func (x *copyWorkload) begin(w *world) (err error) {
	for range copyProducers {
		if err := newProducer(w, copyInput, copyParts, 2, 40*time.Millisecond); err != nil {
			return err
		}
	}
	if x.ids, err = w.topicIDs(copyInput); err != nil {
		return err
	}
	for i := range copyMembers {
		c := x.copier(w, fmt.Sprintf("copier-%d", i))
		rnd := w.random(c.id, 0)
		w.loop(rnd, 20*time.Millisecond, func(ctx context.Context) { c.turn(ctx, rnd) })
		w.atEnd(c.close)
	}
	r, err := w.newCommitted("reader of committed", copyTopic, copyParts)
	if err != nil {
		return err
	}
	w.loop(w.random(r.id, 0), 20*time.Millisecond, func(ctx context.Context) { r.poll(ctx, 0) })
	return nil
}

// finish has one more member copy what is left, and reads both topics once nothing is open.
func (x *copyWorkload) finish(ctx context.Context, w *world) error {
	ends, err := w.endsOf(ctx, copyInput, copyParts)
	if err != nil {
		return err
	}
	c := x.copier(w, "copier-last")
	defer c.close()
	if err := c.toEnds(ctx, ends); err != nil {
		return err
	}
	if err := w.readAll(ctx, copyInput, ends); err != nil {
		return err
	}
	return w.readCommitted(ctx, copyTopic, copyParts)
}

// copier is a member that copies, in as many lives as it has.
type copier struct {
	w     *world
	id    int
	txn   string
	seen  *membership
	calls *txnCalls
	wire  *wire
	s     *kgo.GroupTransactSession
	made  int64
}

func (x *copyWorkload) copier(w *world, txn string) *copier {
	c := &copier{w: w, id: w.client("copier"), txn: txn}
	c.seen, c.calls = w.newMembership(c.id, copyGroup, x.ids), w.newTxnCalls(c.id, txn)
	return c
}

func (c *copier) open() (err error) {
	hear := c.seen.hearers(false)
	for k, h := range c.calls.hearers() {
		hear[k] = h
	}
	c.wire = newWire(c.w.c.dialer(), hear)
	c.s, err = kgo.NewGroupTransactSession(c.w.c.options(kgo.Dialer(c.wire.Dial), kgo.TransactionalID(c.txn), kgo.TransactionTimeout(txnTimeout), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), kgo.ProduceRequestTimeout(3*time.Second), kgo.ConsumerGroup(copyGroup), kgo.ConsumeTopics(copyInput), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.RequireStableFetchOffsets(), kgo.FetchMaxWait(200*time.Millisecond), kgo.SessionTimeout(sessionBound), kgo.HeartbeatInterval(sessionBound/12), kgo.RebalanceTimeout(sessionBound))...)
	return err
}

// close ends the client: in good order, unless it was cut off before.
func (c *copier) close() {
	if c.s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestBound)
	defer cancel()
	_ = c.s.Client().LeaveGroupContext(ctx)
	c.wire.Cut()
	c.s.Close()
	c.s = nil
}

// end is what becomes of a transaction, as far as its client has a say.
type end int

const (
	commits end = iota
	aborts
	dies
)

func (c *copier) turn(ctx context.Context, rnd *rand.Rand) {
	if c.s == nil && c.open() != nil {
		return
	}
	how := commits
	switch n := rnd.IntN(100); {
	case n < 10:
		how = aborts
	case n < 12:
		how = dies
	}
	_ = c.copy(ctx, how) // how it went is in the history
	if c.s != nil && rnd.IntN(150) == 0 {
		c.close()
	}
}

// copy is a poll, and the transaction of what it brought. An error means that the client is of no more use.
func (c *copier) copy(ctx context.Context, how end) error {
	process := history.ProcessOf(c.id, 0)
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c.w.rec.Event(process, history.Invoke, "poll", "")
	fs := c.s.PollRecords(soon, copyMost)
	polled := c.w.polled(c.id, fs)
	c.w.rec.Event(process, history.OK, "poll", "", polled...)
	if len(polled) == 0 {
		return nil
	}
	records, ops := c.copies(polled)
	c.w.rec.Event(process, history.Invoke, "", "", ops...)
	ctx, cancel = context.WithTimeout(ctx, 3*txnTimeout)
	defer cancel()
	done, err := c.write(ctx, records, how)
	switch {
	case err != nil:
		c.w.rec.Event(process, history.Info, "", name(err), ops...)
		c.close()
	case done:
		c.w.rec.Event(process, history.OK, "", "", ops...)
		return nil
	default:
		c.w.rec.Event(process, history.Fail, "", "aborted", ops...)
	}
	c.w.rec.Event(process, history.Info, "seek", "") // it reads again what it has not committed
	return err
}

// copies gives a copy of each record, with a value of its own, into the partition of the same number.
func (c *copier) copies(polled []history.Op) (records []*kgo.Record, ops []history.Op) {
	for i := range polled {
		_, part := history.SplitKey(polled[i].Key)
		var of, values []string
		for _, r := range polled[i].Records {
			v := history.MakeValue(c.id, c.made)
			c.made++
			of, values = append(of, r.Value.String()), append(values, v.String())
			records = append(records, &kgo.Record{Topic: copyTopic, Partition: part, Value: v.AppendText(nil)})
		}
		ops = append(ops, history.Op{Kind: history.Txn, Key: history.Key(copyTopic, part), PID: -1, Offset: history.NoOffset, Member: c.txn, Meta: strings.Join(values, " "), Want: strings.Join(of, " ")})
	}
	return records, ops
}

func (c *copier) write(ctx context.Context, records []*kgo.Record, how end) (committed bool, err error) {
	if err := c.s.Begin(); err != nil {
		return false, err
	}
	wrote := c.s.ProduceSync(ctx, records...).FirstErr()
	try := kgo.TryCommit
	switch {
	case how == dies:
		c.wire.Cut()
		return false, errors.New("died")
	case how == aborts || wrote != nil:
		try = kgo.TryAbort
	}
	return c.s.End(ctx, try)
}

// toEnds copies until the group has committed all there is.
func (c *copier) toEnds(ctx context.Context, ends []int64) error {
	var err error
	for {
		if c.s == nil {
			if err := c.open(); err != nil {
				return err
			}
		}
		behind := ""
		for p, end := range ends {
			if at := c.s.Client().CommittedOffsets()[copyInput][int32(p)].Offset; at < end {
				behind = fmt.Sprintf("partition %d to %d of %d", p, at, end)
			}
		}
		if behind == "" {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(fmt.Errorf("the last copier came in %s", behind), err)
		}
		err = c.copy(ctx, commits)
	}
}
