package txn

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
)

// AddPartitions handles one transaction of AddPartitionsToTxn, in the form of version 4 and above whatever the version is: a client's adds
// partitions (v0 to v3), a broker's adds those that a client produces to, or looks whether they were added (v4, v5).
func (c *Coordinator) AddPartitions(q *kmsg.AddPartitionsToTxnRequest, w coordinator.Waiter) {
	t := &q.Transactions[0]
	if t.TransactionalID == "" {
		coordinator.Reply(w, ErrorResponse(q, kerr.InvalidRequest))
		return
	}
	hold := c.cfg.HoldMS
	if q.Version > 3 {
		hold = c.cfg.BrokerHoldMS
	}
	c.start(t.TransactionalID, q, w, hold)
}

func (c *Coordinator) addPartitions(x *call, q *kmsg.AddPartitionsToTxnRequest) {
	t := &q.Transactions[0]
	e := c.ids[x.id]
	if e == nil {
		x.refuse(kerr.InvalidProducerIDMapping)
		return
	}
	if code := e.speaks(t.ProducerID, t.ProducerEpoch, t.VerifyOnly); code != kerr.None {
		e.State.zombie()
		x.refuse(code)
		return
	}
	if t.VerifyOnly {
		c.verify(x, e, q)
		return
	}
	if e.State.Preparing() {
		sometimes.Hit("txn: a partition is added while the last transaction prepares")
		c.hold(e, x)
		return
	}
	ps, news := c.added(e, t)
	if e.State == Ongoing && !news {
		c.reply(x, addResponse(q, kerr.None))
		return
	}
	if !c.exist(t) {
		x.refuse(kerr.UnknownTopicOrPartition)
		return
	}
	version := Version0
	if q.Version > 3 {
		version = Version2
	}
	next := e.add(ps, version, c.nowMS())
	if code := c.write(x.id, &next); code != kerr.None {
		x.refuse(code)
		return
	}
	c.reply(x, addResponse(q, kerr.None))
}

// speaks says whether a producer may speak for the id. While a transaction that uses up the epochs is being completed, that is its successor too.
func (e *entry) speaks(id int64, epoch int16, verify bool) kerr.Code {
	if nextID, nextEpoch := e.after(); !verify && id == nextID && epoch == nextEpoch {
		return kerr.None
	}
	switch {
	case id != e.ProducerID:
		return kerr.InvalidProducerIDMapping
	case epoch != e.Epoch:
		return kerr.ProducerFenced
	}
	return kerr.None
}

// added gives the transaction's partitions with those of t, and whether any of these is new.
func (c *Coordinator) added(e *entry, t *kmsg.AddPartitionsToTxnRequestTransaction) (ps Partitions, news bool) {
	ps = e.Partitions
	for i := range t.Topics {
		for _, n := range t.Topics[i].Partitions {
			if !ps.Has(t.Topics[i].Topic, n) {
				news = true
				ps = ps.With(t.Topics[i].Topic, t.Topics[i].Partitions)
				break
			}
		}
	}
	return ps, news
}

// exist says whether this shard's image has all partitions. Who sent the request has looked already; but what is added must be there in the
// image that says later which partitions are gone and need no marker.
func (c *Coordinator) exist(t *kmsg.AddPartitionsToTxnRequestTransaction) bool {
	for i := range t.Topics {
		for _, n := range t.Topics[i].Partitions {
			if c.sender.to.LeaderOf(t.Topics[i].Topic, n) == Gone {
				return false
			}
		}
	}
	return true
}

// verify looks only. Source: handleVerifyPartitionsInTransaction.
func (c *Coordinator) verify(x *call, e *entry, q *kmsg.AddPartitionsToTxnRequest) {
	if e.State.Preparing() {
		sometimes.Hit("txn: a partition is verified while the transaction prepares")
		x.refuse(kerr.ConcurrentTransactions)
		return
	}
	resp := addResponse(q, kerr.None)
	topics := resp.Transactions[0].Topics
	for i := range topics {
		for j := range topics[i].Partitions {
			if p := &topics[i].Partitions[j]; !e.Partitions.Has(topics[i].Topic, p.Partition) {
				sometimes.Hit("txn: a verified partition is not in the transaction")
				p.ErrorCode = int16(kerr.TransactionAbortable)
			}
		}
	}
	c.reply(x, resp)
}

// addResponse gives every partition the same code.
func addResponse(q *kmsg.AddPartitionsToTxnRequest, code kerr.Code) *kmsg.AddPartitionsToTxnResponse {
	resp := q.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	for i := range q.Transactions {
		resp.Transactions = append(resp.Transactions, addResult(&q.Transactions[i], code))
	}
	return resp
}

func addResult(t *kmsg.AddPartitionsToTxnRequestTransaction, code kerr.Code) kmsg.AddPartitionsToTxnResponseTransaction {
	out := kmsg.AddPartitionsToTxnResponseTransaction{TransactionalID: t.TransactionalID}
	for i := range t.Topics {
		x := kmsg.AddPartitionsToTxnResponseTransactionTopic{Topic: t.Topics[i].Topic}
		for _, n := range t.Topics[i].Partitions {
			x.Partitions = append(x.Partitions, kmsg.AddPartitionsToTxnResponseTransactionTopicPartition{Partition: n, ErrorCode: int16(code)})
		}
		out.Topics = append(out.Topics, x)
	}
	return out
}
