package txn

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
)

// CheckInit gives the code of an InitProducerId that no coordinator is asked about. Kafka looks at these before it looks for the id.
func CheckInit(q *kmsg.InitProducerIDRequest, maxTimeoutMS int32) kerr.Code {
	switch half := (q.ProducerID == noID) != (q.ProducerEpoch == noEpoch); {
	case half: // KIP-360: both or none
		return kerr.InvalidRequest
	case q.TransactionalID == nil:
		return kerr.None
	case *q.TransactionalID == "":
		return kerr.InvalidRequest
	case q.TransactionTimeoutMillis <= 0 || q.TransactionTimeoutMillis > maxTimeoutMS:
		return kerr.InvalidTransactionTimeout
	}
	return kerr.None
}

// InitProducerID handles InitProducerId v0 to v5 of a transactional id: it fences whoever produced under it, aborts what was open, and gives the
// next epoch.
func (c *Coordinator) InitProducerID(q *kmsg.InitProducerIDRequest, w coordinator.Waiter) {
	if code := CheckInit(q, c.cfg.MaxTimeoutMS); code != kerr.None {
		coordinator.Reply(w, ErrorResponse(q, code))
		return
	}
	c.start(*q.TransactionalID, q, w, c.cfg.HoldMS)
}

func (c *Coordinator) initProducerID(x *call, q *kmsg.InitProducerIDRequest) {
	e := c.ids[x.id]
	by := expected{given: q.ProducerID != noID, id: q.ProducerID, epoch: q.ProducerEpoch}
	if e == nil {
		c.firstProducer(x, q, by)
		return
	}
	switch {
	case !e.mayInit(by):
		e.State.zombie()
		x.refuse(kerr.ProducerFenced)
	case e.State.Preparing():
		sometimes.Hit("txn: a producer begins anew while its transaction prepares")
		c.hold(e, x)
	case e.State == Ongoing:
		sometimes.Hit("txn: a producer aborts what another has open")
		c.abortFor(x, e)
	case e.mustRotate(by):
		sometimes.Hit("txn: InitProducerId finds the epochs used up")
		if id, ok := x.needID(); ok {
			next := e.rotate(id, by, q.TransactionTimeoutMillis, c.nowMS())
			c.inited(x, q, &next)
		}
	default:
		next, code := e.init(by, q.TransactionTimeoutMillis, c.nowMS())
		if code != kerr.None {
			x.refuse(code)
			return
		}
		c.inited(x, q, &next)
	}
}

// abortFor aborts what another producer has open, and holds the call until that is done.
func (c *Coordinator) abortFor(x *call, e *entry) {
	nextID := noID
	if c.mustReplace(e) {
		id, ok := x.needID()
		if !ok {
			return
		}
		nextID, x.newID = id, noID
	}
	if code := c.abort(e, nextID); code != kerr.None {
		x.refuse(code)
		return
	}
	c.hold(e, x)
}

// firstProducer makes an id known.
func (c *Coordinator) firstProducer(x *call, q *kmsg.InitProducerIDRequest, by expected) {
	if len(c.ids) >= c.cfg.MaxIDs {
		x.refuse(kerr.CoordinatorNotAvailable)
		return
	}
	id, ok := x.needID()
	if !ok {
		return
	}
	m := Metadata{ProducerID: id, PreviousID: noID, NextID: noID, Epoch: noEpoch, lastEpoch: noEpoch}
	next, _ := m.init(by, q.TransactionTimeoutMillis, c.nowMS())
	next.Epoch += c.cfg.FirstEpoch
	c.inited(x, q, &next)
}

func (c *Coordinator) inited(x *call, q *kmsg.InitProducerIDRequest, next *Metadata) {
	if code := c.write(x.id, next); code != kerr.None {
		x.refuse(code)
		return
	}
	resp := q.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = next.ProducerID, next.Epoch
	c.reply(x, resp)
}
