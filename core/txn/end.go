package txn

import (
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
)

// EndTxn handles EndTxn v0 to v5. From v5 on (KIP-890) each end bumps the epoch, and the answer says what the next transaction is to use.
func (c *Coordinator) EndTxn(q *kmsg.EndTxnRequest, w coordinator.Waiter) {
	if q.TransactionalID == "" {
		coordinator.Reply(w, ErrorResponse(q, kerr.InvalidRequest))
		return
	}
	c.start(q.TransactionalID, q, w, c.cfg.HoldMS)
}

func (c *Coordinator) endTxn(x *call, q *kmsg.EndTxnRequest) {
	e := c.ids[x.id]
	if e == nil {
		x.refuse(kerr.InvalidProducerIDMapping)
		return
	}
	if q.Version > 4 && e.isBeforeNext(q) {
		sometimes.Hit("txn: the end of the next transaction comes before the last is complete")
		c.hold(e, x)
		return
	}
	version, mayEnd := Version0, (*entry).mayEnd
	if q.Version > 4 {
		version, mayEnd = Version2, (*entry).mayEndBumping
	}
	ends, code := mayEnd(e, q)
	if code == kerr.ProducerFenced || code == kerr.InvalidProducerIDMapping {
		e.State.zombie()
	}
	switch {
	case code != kerr.None:
		x.refuse(code)
		return
	case !ends: // a retry of what is done
		sometimes.Hit("txn: the end of a transaction is asked for twice")
		c.ended(x, q, e)
		return
	}
	nextID := noID
	if version >= Version2 && exhausted(e.Epoch) {
		sometimes.Hit("txn: an end has used up the epochs")
		id, ok := x.needID()
		if !ok {
			return
		}
		nextID = id
	}
	next := e.end(q.Commit, version, nextID, c.nowMS())
	if code := c.write(x.id, &next); code != kerr.None {
		x.refuse(code)
		return
	}
	c.ended(x, q, e)
}

func (c *Coordinator) ended(x *call, q *kmsg.EndTxnRequest, e *entry) {
	resp := q.ResponseKind().(*kmsg.EndTxnResponse)
	if q.Version > 4 {
		resp.ProducerID, resp.ProducerEpoch = e.after()
	}
	c.reply(x, resp)
}

// isBeforeNext says that the transaction that is to end comes after the one that is being completed: its producer got its epoch with the answer to the
// end before, and sent no record since that was kept. In the second version no retry looks like that, so it is held, where Kafka fences the producer.
func (e *entry) isBeforeNext(q *kmsg.EndTxnRequest) bool {
	id, epoch := e.after()
	return e.State.Preparing() && e.ClientVer >= Version2 && q.ProducerID == id && q.ProducerEpoch == epoch
}

// mayEnd says whether a client of the first version may end the transaction; not, without a code, where it is a retry that has been done.
//
//	                 commit                  abort
//	Ongoing          yes                     yes
//	Empty            INVALID_TXN_STATE       INVALID_TXN_STATE
//	Prepare, same    CONCURRENT_TRANSACTIONS (the other: INVALID_TXN_STATE)
//	Complete, same   done                    (the other: INVALID_TXN_STATE)
func (e *entry) mayEnd(q *kmsg.EndTxnRequest) (bool, kerr.Code) {
	switch {
	case q.ProducerID != e.ProducerID:
		return false, kerr.InvalidProducerIDMapping
	case q.ProducerEpoch != e.Epoch:
		return false, kerr.ProducerFenced
	case e.State == Ongoing:
		return true, kerr.None
	}
	return false, e.retryOf(q.Commit)
}

// retryOf is the code for an end where the transaction is decided already.
func (e *entry) retryOf(commit bool) kerr.Code {
	switch {
	case e.State == PrepareCommit && commit, e.State == PrepareAbort && !commit:
		return kerr.ConcurrentTransactions
	case plant.On(plant.T7):
	case e.State == CompleteCommit && commit, e.State == CompleteAbort && !commit:
		return kerr.None
	}
	return kerr.InvalidTxnState
}

// mayEndBumping is mayEnd for the second version, in which the epoch tells a retry from the end of the next transaction. Source: KIP-890, and the
// table in Kafka's TransactionCoordinator:
//
//	                 abort                    commit
//	                 retry      current       retry      current
//	Empty            FENCED     yes           FENCED     INVALID_TXN_STATE
//	CompleteAbort    done       yes           INVALID    INVALID_TXN_STATE
//	CompleteCommit   INVALID    yes           done       INVALID_TXN_STATE
func (e *entry) mayEndBumping(q *kmsg.EndTxnRequest) (bool, kerr.Code) {
	overflowed := q.ProducerID == e.PreviousID && q.ProducerEpoch == math.MaxInt16-1 && e.Epoch == 0
	retry := overflowed || int32(q.ProducerEpoch)+1 == int32(e.Epoch)
	current := q.ProducerEpoch == e.Epoch
	valid := current
	switch e.State {
	case PrepareCommit, PrepareAbort:
		valid = retry && !overflowed
	case CompleteCommit, CompleteAbort:
		valid = retry || current
	}
	switch {
	case q.ProducerID != e.ProducerID && !overflowed:
		return false, kerr.InvalidProducerIDMapping
	case !valid:
		return false, kerr.ProducerFenced
	case e.State == Ongoing:
		return true, kerr.None
	case e.State.Preparing() || retry && e.State != Empty:
		return false, e.retryOf(q.Commit)
	case q.Commit:
		return false, kerr.InvalidTxnState
	}
	return true, kerr.None // an abort without any partition still bumps the epoch
}

// abort decides to abort an open transaction, as the cluster's version of the protocol has it; either fences the producer. In the second version it
// may go on from the epoch that it had with an InitProducerId (KAFKA-19367). nextID is for one that has no epoch left.
func (c *Coordinator) abort(e *entry, nextID int64) kerr.Code {
	next := e.Metadata
	if c.cfg.Version < Version2 {
		next = next.fenced()
	}
	next = next.end(false, c.cfg.Version, nextID, c.nowMS())
	return c.write(e.id, &next)
}

// mustReplace says that an abort needs another producer id for what comes after it.
func (c *Coordinator) mustReplace(e *entry) bool {
	return c.cfg.Version >= Version2 && exhausted(e.Epoch)
}
