package jepsen

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// txnWorkload moves amounts between accounts in transactions, of which some are aborted, while readers of committed records look on.
type txnWorkload struct{}

// The topic, and where a value has its amount, are what oracle txn:sum goes by.
const (
	txnTopic    = "transfers"
	txnAmounts  = 1 << 8
	txnAccounts = 12
	txnParts    = 3
	txnMovers   = 3
	txnReaders  = 2
	// txnTimeout is when a coordinator aborts a transaction whose client has gone.
	txnTimeout = 10 * time.Second
)

func (t *txnWorkload) topics() map[string]int { return map[string]int{txnTopic: txnParts} }

func (t *txnWorkload) must() []string { return []string{"txn:committed", "txn:cut", "txn:sum", "M4"} }

func (t *txnWorkload) begin(w *world) error {
	for i := range txnMovers {
		m := &mover{w: w, id: w.client("mover"), txn: fmt.Sprintf("mover-%d", i)}
		m.wire = newWire(w.c.dialer(), w.newTxnCalls(m.id, m.txn).hearers())
		rnd := w.random(m.id, 0)
		w.loop(rnd, 50*time.Millisecond, func(ctx context.Context) { m.move(ctx, rnd) })
		w.atEnd(m.close)
	}
	for range txnReaders {
		r, err := w.newCommitted("reader of committed", txnTopic, txnParts)
		if err != nil {
			return err
		}
		w.loop(w.random(r.id, 0), 20*time.Millisecond, func(ctx context.Context) { r.poll(ctx, 0) })
	}
	return nil
}

// mover is one transactional producer. When it does not know how a transaction ended it goes on as a new client of the same transactional id,
// which ends what is open.
type mover struct {
	w    *world
	id   int
	txn  string
	wire *wire
	cl   *kgo.Client
	made int64
}

func (m *mover) close() {
	if m.cl != nil {
		m.cl.Close()
		m.cl = nil
	}
}

func (m *mover) move(ctx context.Context, rnd *rand.Rand) {
	if m.cl == nil {
		cl, err := m.w.c.client(kgo.Dialer(m.wire.Dial), kgo.TransactionalID(m.txn), kgo.TransactionTimeout(txnTimeout), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
			kgo.ProduceRequestTimeout(3*time.Second))
		if err != nil {
			return
		}
		m.cl = cl
	}
	records, ops := m.draw(rnd)
	commit := rnd.IntN(5) > 0
	process := history.ProcessOf(m.id, 0)
	m.w.rec.Event(process, history.Invoke, "", "", ops...)
	ctx, cancel := context.WithTimeout(ctx, 3*txnTimeout)
	defer cancel()
	err := m.write(ctx, records)
	end := kgo.TryCommit
	if err != nil || !commit {
		end = kgo.TryAbort
	}
	ended := m.cl.EndTransaction(ctx, end)
	switch {
	case ended != nil:
		m.w.rec.Event(process, history.Info, "", name(ended), ops...)
		m.close()
	case end == kgo.TryCommit:
		m.w.rec.Event(process, history.OK, "", "", ops...)
	default:
		m.w.rec.Event(process, history.Fail, "", "aborted", ops...)
	}
	if err != nil && ended == nil {
		m.close() // its producer may be of no more use
	}
}

// draw makes up to three transfers: their records, and what the history says of them.
func (m *mover) draw(rnd *rand.Rand) (records []*kgo.Record, ops []history.Op) {
	values := map[int32][]string{}
	side := func(account, amount int) {
		part := int32(account % txnParts)
		v := history.MakeValue(m.id, (m.made*txnAccounts+int64(account))*txnAmounts+int64(amount+txnAmounts/2))
		values[part] = append(values[part], v.String())
		records = append(records, &kgo.Record{Topic: txnTopic, Partition: part, Value: v.AppendText(nil)})
	}
	for range 1 + rnd.IntN(3) {
		from, amount := rnd.IntN(txnAccounts), 1+rnd.IntN(txnAmounts/2-1)
		side(from, -amount)
		side((from+1+rnd.IntN(txnAccounts-1))%txnAccounts, amount)
		m.made++
	}
	for p := range int32(txnParts) {
		if len(values[p]) > 0 {
			ops = append(ops, history.Op{Kind: history.Txn, Key: history.Key(txnTopic, p), PID: -1, Offset: history.NoOffset, Member: m.txn, Meta: strings.Join(values[p], " ")})
		}
	}
	return records, ops
}

func (m *mover) write(ctx context.Context, records []*kgo.Record) error {
	if err := m.cl.BeginTransaction(); err != nil {
		return err
	}
	return m.cl.ProduceSync(ctx, records...).FirstErr()
}

// committedReader is one of read_committed.
type committedReader struct {
	*reader
	asked []int64 // by partition: an event before the fetch of what the next poll may bring
}

func (w *world) newCommitted(role, topic string, parts int) (*committedReader, error) {
	r, err := w.newReader(role, topic, parts, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	return &committedReader{r, make([]int64, parts)}, err
}

// poll notes what a poll brings. Since is when the last reading began, 0: it is none.
func (r *committedReader) poll(ctx context.Context, since clock.Time) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r.cl.PollFetches(ctx).EachPartition(func(p kgo.FetchTopicPartition) {
		key := history.Key(p.Topic, p.Partition)
		r.w.failed(r.id, key, p.Err)
		if len(p.Records) == 0 {
			return
		}
		op := history.Op{Kind: history.Seen, Key: key, PID: -1, From: r.from(&p), HW: p.LastStableOffset, Start: p.HighWatermark, Generation: int32(r.asked[p.Partition])}
		var values []string
		for _, rec := range p.Records {
			r.at[p.Partition] = rec.Offset + 1
			if !rec.Attrs.IsControl() {
				values = append(values, string(rec.Value))
			}
		}
		op.Offset, op.Meta = r.at[p.Partition], strings.Join(values, " ")
		if since > 0 {
			op.Member, op.Timestamp = "final", int64(since)
		}
		r.asked[p.Partition] = r.w.rec.Event(history.ProcessOf(r.id, 0), history.Info, "", "", op)
	})
}

// openBound is how long transactions may stay open once nobody writes: longer than their time-out, and than it takes to notice.
const openBound = 45 * time.Second

func (t *txnWorkload) finish(ctx context.Context, w *world) error {
	return w.readCommitted(ctx, txnTopic, txnParts)
}

// readCommitted waits until no transaction is open in a topic, or one hangs, and reads what was committed.
func (w *world) readCommitted(ctx context.Context, topic string, parts int) error {
	ask, err := w.newProber(topic, parts)
	if err != nil {
		return err
	}
	defer ask.cl.Close()
	ends, open, err := stable(ctx, ask)
	if err != nil {
		return err
	}
	r, err := w.newCommitted("last reader", topic, parts)
	if err != nil {
		return err
	}
	defer r.cl.Close()
	since := w.rec.Now()
	for p := 0; p < parts; {
		if r.at[p] >= ends[p] {
			p++
			continue
		}
		if r.poll(ctx, since); ctx.Err() != nil {
			return fmt.Errorf("the last reading of %s came in partition %d to %d of %d", topic, p, r.at[p], ends[p])
		}
	}
	for p, end := range ends {
		op := history.Op{Kind: history.Seen, Key: history.Key(topic, int32(p)), PID: -1, From: r.at[p], Offset: r.at[p], HW: end, Start: end, Member: "final", Timestamp: int64(since), Want: "end"}
		if open[p] {
			op.Got = "open"
		}
		w.rec.Note(history.ProcessOf(r.id, 0), op)
	}
	return nil
}

// stable waits until no transaction is open, and gives where partitions end for readers of committed records, and which hang.
func stable(ctx context.Context, ask *prober) (ends []int64, open []bool, err error) {
	until := time.Now().Add(openBound)
	for {
		if ends, err = ask.ends(ctx, 1); err != nil {
			return nil, nil, err
		}
		all, err := ask.ends(ctx, 0)
		if err != nil {
			return nil, nil, err
		}
		hang := false
		open = make([]bool, len(ends))
		for p := range ends {
			open[p] = ends[p] != all[p]
			hang = hang || open[p]
		}
		if !hang || time.Now().After(until) {
			return ends, open, nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return nil, nil, err
		}
	}
}
