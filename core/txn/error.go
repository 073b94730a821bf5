package txn

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// ErrorResponse is the answer to one of this package's requests that says code, wherever the response has a place for one.
func ErrorResponse(req kmsg.Request, code kerr.Code) kmsg.Response {
	resp := req.ResponseKind()
	code = ClientCode(req.Key(), req.GetVersion(), code)
	switch q := req.(type) {
	case *kmsg.AddPartitionsToTxnRequest:
		return addResponse(q, code)
	case *kmsg.DescribeTransactionsRequest:
		r := resp.(*kmsg.DescribeTransactionsResponse)
		for _, id := range q.TransactionalIDs {
			r.TransactionStates = append(r.TransactionStates, described(id, code))
		}
	default:
		refuse(resp, code)
	}
	return resp
}

// Keys of the requests whose first versions know no PRODUCER_FENCED (KIP-588).
const (
	keyInitProducerID = 22
	keyAddPartitions  = 24
	keyAddOffsets     = 25
	keyEndTxn         = 26
)

// ClientCode is what a client of an older version is told instead of code.
func ClientCode(key, version int16, code kerr.Code) kerr.Code {
	since := int16(0)
	switch key {
	case keyInitProducerID:
		since = 4
	case keyAddPartitions, keyAddOffsets, keyEndTxn:
		since = 2
	}
	if code == kerr.ProducerFenced && version < since {
		return kerr.InvalidProducerEpoch
	}
	return code
}

// Refuse turns a reply that was to say success into one that says code: nothing of what it held may be told.
func (c *Coordinator) Refuse(resp kmsg.Response, code kerr.Code) { refuse(resp, code) }

func refuse(resp kmsg.Response, code kerr.Code) {
	switch r := resp.(type) {
	case *kmsg.InitProducerIDResponse:
		r.ErrorCode, r.ProducerID, r.ProducerEpoch = int16(code), noID, noEpoch
	case *kmsg.EndTxnResponse:
		r.ErrorCode, r.ProducerID, r.ProducerEpoch = int16(code), noID, noEpoch
	case *kmsg.AddPartitionsToTxnResponse:
		for i := range r.Transactions {
			refuseAdded(&r.Transactions[i], code)
		}
	case *kmsg.DescribeTransactionsResponse:
		for i := range r.TransactionStates {
			r.TransactionStates[i] = described(r.TransactionStates[i].TransactionalID, code)
		}
	case *kmsg.ListTransactionsResponse:
		r.ErrorCode, r.TransactionStates = int16(code), nil
	}
}

func refuseAdded(t *kmsg.AddPartitionsToTxnResponseTransaction, code kerr.Code) {
	for i := range t.Topics {
		for j := range t.Topics[i].Partitions {
			t.Topics[i].Partitions[j].ErrorCode = int16(code)
		}
	}
}

func described(id string, code kerr.Code) kmsg.DescribeTransactionsResponseTransactionState {
	out := kmsg.NewDescribeTransactionsResponseTransactionState()
	out.TransactionalID, out.ErrorCode = id, int16(code)
	return out
}
