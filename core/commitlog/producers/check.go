package producers

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/io/clock"
)

// Verdict says what to do with a batch. A duplicate has Code None: it is answered with Base, and not before Base's own answer
// could be given, since the original may still be unwritten.
type Verdict struct {
	Code          kerr.Code
	Duplicate     bool
	Base          int64 // of the original, if Duplicate
	Last          int64 // last offset of the original, if Duplicate
	LogAppendTime int64 // the original's max timestamp, as Kafka answers
}

// Check is CheckVerified of a batch without a verification.
func (t *Table) Check(v records.View, now clock.Wall) Verdict { return t.CheckVerified(v, 0) }

// CheckVerified judges a client's batch against the producer's state, as ProducerAppendInfo and UnifiedLog of Kafka 4.3 do; it changes nothing. g is what
// Verify gave for it, and stands for its coordinator's word.
//
//	same epoch, sequence range cached        duplicate
//	epoch below the known one                INVALID_PRODUCER_EPOCH
//	begins a transaction without g           INVALID_TXN_STATE (KIP-890)
//	new epoch, first sequence not 0          OUT_OF_ORDER_SEQUENCE_NUMBER, unless nothing is known of the producer
//	same epoch, not the next sequence        OUT_OF_ORDER_SEQUENCE_NUMBER
//	unknown producer                         accepted at any sequence: its records may have been deleted or it expired
//	not of the transaction that is open      INVALID_TXN_STATE
func (t *Table) CheckVerified(v records.View, g Guard) Verdict {
	if v.ProducerID() < 0 || v.IsControl() {
		return Verdict{}
	}
	e := t.byID[v.ProducerID()]
	if e != nil {
		if b, ok := e.duplicate(v); ok && !plant.On(plant.I1) {
			sometimes.Hit("producers: a batch is a duplicate")
			sometimes.If(b.LastOffset < t.Start, "producers: a duplicate's original has been deleted")
			return t.repeat(b)
		}
		if v.ProducerEpoch() < e.Epoch {
			sometimes.Hit("producers: a zombie's batch is refused by its epoch")
			return Verdict{Code: kerr.InvalidProducerEpoch}
		}
	}
	if v.IsTransactional() && t.unverified(v.ProducerID(), v.ProducerEpoch(), g) {
		sometimes.Hit("producers: a batch of a transaction is not verified")
		return Verdict{Code: kerr.InvalidTxnState}
	}
	if t.misplaced(v, e) {
		return Verdict{Code: kerr.OutOfOrderSequenceNumber}
	}
	if e == nil {
		sometimes.If(sometimes.On && v.BaseSequence() > 0, "producers: a producer that is not known goes on in the midst")
		return Verdict{}
	}
	if c := e.inOrder(v); c != kerr.None {
		return Verdict{Code: c}
	}
	if e.TxnFirstOffset >= 0 && !v.IsTransactional() {
		return Verdict{Code: kerr.InvalidTxnState}
	}
	return Verdict{}
}

// inOrder judges the sequence number of a batch of e's epoch or a later one.
func (e *Entry) inOrder(v records.View) kerr.Code {
	if v.ProducerEpoch() != e.Epoch {
		if v.BaseSequence() != 0 && e.Epoch != noEpoch {
			return kerr.OutOfOrderSequenceNumber
		}
		return kerr.None
	}
	last, known := e.last()
	if !known && plant.On(plant.I4) {
		return kerr.OutOfOrderSequenceNumber
	}
	sometimes.If(sometimes.On && known && last.LastSeq == 1<<31-1 && v.BaseSequence() == 0, "producers: sequence numbers wrap")
	if !follows(last.LastSeq, v.BaseSequence()) {
		sometimes.Hit("producers: a batch is out of order")
		return kerr.OutOfOrderSequenceNumber
	}
	return kerr.None
}

func (t *Table) repeat(b Batch) Verdict {
	if b.LastOffset < t.Start && plant.On(plant.I3) {
		return Verdict{Code: kerr.UnknownServerError}
	}
	return Verdict{Duplicate: true, Base: b.FirstOffset(), Last: b.LastOffset, LogAppendTime: b.Timestamp}
}

// duplicate finds the cached batch with the same epoch and range of sequence numbers.
func (e *Entry) duplicate(v records.View) (Batch, bool) {
	if v.ProducerEpoch() != e.Epoch && !plant.On(plant.I2) {
		return Batch{}, false
	}
	for i := int(e.N) - 1; i >= 0; i-- {
		if b := e.Batches[i]; b.firstSeq() == v.BaseSequence() && b.LastSeq == v.LastSequence() {
			return b, true
		}
	}
	return Batch{}, false
}

// follows says whether next comes right after last: sequence numbers wrap from 2^31-1 to 0.
func follows(last, next int32) bool {
	if plant.On(plant.I6) {
		return int64(next) == int64(last)+1
	}
	return int64(next) == int64(last)+1 || next == 0 && last == 1<<31-1
}
