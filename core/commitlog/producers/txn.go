package producers

import (
	"sort"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/list"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/io/clock"
)

// Ended is a transaction that a marker has ended.
type Ended struct {
	ProducerID  int64
	First, Last int64 // offset of its first record here, and of its marker
	Stable      int64 // first offset of the oldest transaction that was open then, else Last+1: Kafka's lastStableOffset of an aborted transaction
	Abort       bool
}

// txns is the transactions of a partition that hold the last stable offset back.
//
//	batch ──▶ open ── marker ──▶ ended ── high watermark above the marker ──▶ forgotten
type txns struct {
	first, last *Entry // open, by TxnFirstOffset, ascending
	ended       []span // by the offset of the marker, ascending
	least       int64  // the least first offset of ended; only if it is not empty
}

type span struct{ first, last int64 }

// FirstUnstable gives the offset of the first record of the oldest transaction that is open, or whose marker Replicated has not passed; false: there is none.
func (t *Table) FirstUnstable() (offset int64, ok bool) {
	if e := t.txns.first; e != nil {
		offset, ok = e.TxnFirstOffset, true
	}
	if len(t.txns.ended) > 0 && (!ok || t.txns.least < offset) {
		offset, ok = t.txns.least, true
	}
	return offset, ok
}

// FirstOpen gives the offset of the first record of the oldest open transaction (Kafka's first undecided offset); false: there is none.
func (t *Table) FirstOpen() (offset int64, ok bool) {
	if e := t.txns.first; e != nil {
		return e.TxnFirstOffset, true
	}
	return 0, false
}

// Replicated says that everything below the high watermark stays: transactions whose markers stand there are stable.
func (t *Table) Replicated(highWatermark int64) {
	n := 0
	for n < len(t.txns.ended) && t.txns.ended[n].last < highWatermark {
		n++
	}
	if n > 0 {
		t.txns.ended = append(t.txns.ended[:0], t.txns.ended[n:]...)
		t.txns.weigh()
	}
}

// weigh finds the least first offset of what has ended.
func (x *txns) weigh() {
	for i, s := range x.ended {
		if i == 0 || s.first < x.least {
			x.least = s.first
		}
	}
}

// Ongoing says whether a producer has an open transaction in this epoch.
func (t *Table) Ongoing(producerID int64, epoch int16) bool {
	e := t.byID[producerID]
	return e != nil && e.TxnFirstOffset >= 0 && e.Epoch == epoch
}

// begin opens the transaction of e at an offset. Almost always it is the newest.
func (x *txns) begin(e *Entry, first int64) {
	e.TxnFirstOffset = first
	after := x.last
	for after != nil && after.TxnFirstOffset > first {
		after = after.earlier
	}
	e.earlier = after
	if after == nil {
		e.later, x.first = x.first, e
	} else {
		e.later, after.later = after.later, e
	}
	if e.later == nil {
		x.last = e
	} else {
		e.later.earlier = e
	}
}

// end closes the transaction of e.
func (x *txns) end(e *Entry) {
	if e.earlier == nil {
		x.first = e.later
	} else {
		e.earlier.later = e.later
	}
	if e.later == nil {
		x.last = e.earlier
	} else {
		e.later.earlier = e.earlier
	}
	e.earlier, e.later, e.TxnFirstOffset = nil, nil, none
}

// CheckMarker judges a coordinator's marker, as appendEndTxnMarker of Kafka 4.3; it changes nothing. Under transaction version 2 a marker has a greater
// epoch than what it ends; one of the same epoch, where nothing is open, is that marker again (KAFKA-19999).
//
//	epoch too low                    INVALID_PRODUCER_EPOCH
//	an earlier coordinator's         TRANSACTION_COORDINATOR_FENCED
func (t *Table) CheckMarker(producerID int64, epoch int16, coordinatorEpoch int32, version int8) kerr.Code {
	e := t.byID[producerID]
	if e == nil || plant.On(plant.T8) {
		return kerr.None
	}
	again := epoch == e.Epoch && (version < 2 || e.TxnFirstOffset < 0)
	if epoch <= e.Epoch && !again {
		sometimes.Hit("producers: a late marker is refused")
		return kerr.InvalidProducerEpoch
	}
	if e.CoordinatorEpoch > coordinatorEpoch {
		sometimes.Hit("producers: a marker of a deposed coordinator is refused")
		return kerr.TransactionCoordinatorFenced
	}
	return kerr.None
}

// mark ends what a marker ends.
func (t *Table) mark(e *Entry, v records.View, m records.Marker) (x Ended, ok bool) {
	e.CoordinatorEpoch = m.CoordinatorEpoch
	if e.TxnFirstOffset < 0 {
		return x, false
	}
	x = Ended{ProducerID: e.ID, First: e.TxnFirstOffset, Last: v.LastOffset(), Stable: v.NextOffset(), Abort: !m.Commit}
	t.txns.end(e)
	if s, open := t.FirstOpen(); open {
		x.Stable = s
	}
	if len(t.txns.ended) == 0 || x.First < t.txns.least {
		t.txns.least = x.First
	}
	t.txns.ended = append(t.txns.ended, span{x.First, x.Last})
	return x, true
}

// unmark takes back what mark did last.
func (x *txns) unmark(last int64) {
	if n := len(x.ended); n > 0 && x.ended[n-1].last == last {
		x.ended = x.ended[:n-1]
		x.weigh()
	}
}

// reopen puts the open transactions of a snapshot in order: it lists producers by id.
func (t *Table) reopen(list []*Entry) {
	sort.Slice(list, func(i, j int) bool { return list[i].TxnFirstOffset < list[j].TxnFirstOffset })
	for _, e := range list {
		t.txns.begin(e, e.TxnFirstOffset)
	}
}

// Guard stands for one verification of a producer's batches (KIP-890). The zero Guard is none.
type Guard = uint64

// verification is a producer that asks its coordinator, or has asked it, whether this partition is in its transaction. It ends with the first
// batch, or with a marker: an answer that was on its way then says nothing of what comes.
type verification struct {
	guard  Guard
	lowest int32 // least first sequence number that was asked for
	epoch  int16
	bumps  bool // the producer's epoch is greater with each transaction (transaction version 2): it begins at sequence 0
	since  clock.Wall
	id     int64
	place  list.Elem[verification]
}

// Verify says whether a transactional batch needs a verification before it is appended, as Kafka's maybeStartTransactionVerification: its Guard, or
// the zero Guard if the producer's transaction is open here. INVALID_PRODUCER_EPOCH: the producer is fenced.
func (t *Table) Verify(v records.View, bumps bool, now clock.Wall) (Guard, kerr.Code) {
	return t.VerifyProducer(v.ProducerID(), v.ProducerEpoch(), v.BaseSequence(), bumps, now)
}

// VerifyProducer is Verify of a batch that is not made yet; seq is its first sequence number, -1 where a coordinator writes it.
func (t *Table) VerifyProducer(id int64, epoch int16, seq int32, bumps bool, now clock.Wall) (Guard, kerr.Code) {
	e := t.byID[id]
	if e != nil && epoch < e.Epoch {
		return 0, kerr.InvalidProducerEpoch
	}
	if t.Ongoing(id, epoch) {
		return 0, kerr.None
	}
	x := t.verifying[id]
	if x == nil {
		t.guards++
		x = &verification{guard: t.guards, lowest: seq, epoch: epoch, bumps: bumps, since: now, id: id}
		if t.verifying == nil {
			t.verifying = make(map[int64]*verification)
		}
		t.verifying[id] = x
		t.asked.Push(x, &x.place)
	}
	switch {
	case epoch > x.epoch:
		x.epoch, x.lowest = epoch, seq
	case epoch == x.epoch:
		x.lowest = min(x.lowest, seq)
	}
	return x.guard, kerr.None
}

// unverified says whether a transactional batch would begin a transaction without the verification that g stands for.
func (t *Table) unverified(id int64, epoch int16, g Guard) bool {
	if t.Ongoing(id, epoch) {
		return false
	}
	x := t.verifying[id]
	return x == nil || g == 0 || x.guard != g
}

// Verified says whether a producer's transaction is open, or g stands for a verification that may still begin it.
func (t *Table) Verified(id int64, epoch int16, g Guard) bool { return !t.unverified(id, epoch, g) }

// misplaced says whether the batch of a producer that is being verified cannot be its first: one with a lower sequence number was asked for
// (KAFKA-14920), or its epoch begins here, and so at sequence 0. Where the last sequence number of the epoch is known, the next one is too: a lower
// one was a late copy of what has ended.
func (t *Table) misplaced(v records.View, e *Entry) bool {
	x := t.verifying[v.ProducerID()]
	if x == nil || plant.On(plant.T12) {
		return false
	}
	if e != nil && e.Epoch == v.ProducerEpoch() && e.N > 0 {
		return false
	}
	seq := v.BaseSequence()
	return seq > x.lowest || x.bumps && seq != 0 && (e == nil || e.N == 0)
}

// Admit judges a transactional batch that a coordinator writes for a producer, which has no sequence numbers: its epoch, and whether it may begin a
// transaction.
func (t *Table) Admit(id int64, epoch int16, g Guard) kerr.Code {
	if e := t.byID[id]; e != nil && epoch < e.Epoch {
		return kerr.InvalidProducerEpoch
	}
	if t.unverified(id, epoch, g) {
		return kerr.InvalidTxnState
	}
	return kerr.None
}

// verified ends a producer's verification.
func (t *Table) verified(id int64) {
	if x := t.verifying[id]; x != nil {
		t.asked.Remove(&x.place)
		delete(t.verifying, id)
	}
}

// expireVerifications forgets those that have waited for expiryMS.
func (t *Table) expireVerifications(now clock.Wall, expiryMS int64) {
	for x := t.asked.First(); x != nil && int64(now-x.since) >= expiryMS; x = t.asked.First() {
		t.verified(x.id)
	}
}

// Verifying is the number of producers that are being verified.
func (t *Table) Verifying() int { return len(t.verifying) }
