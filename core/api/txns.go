package api

import (
	"regexp"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/txn"
)

// Requests about transactions go to the shard that owns the partition of __transaction_state that the transactional id hashes to, like those about
// groups.

// txnCall runs a request about a transaction on its owner.
func (s *State) txnCall(c *ColdCall, w coordinator.Waiter) {
	t := s.Txns[c.Group]
	if t == nil {
		w.Reply(txn.ErrorResponse(c.Req, kerr.NotCoordinator))
		return
	}
	switch q := c.Req.(type) {
	case *kmsg.InitProducerIDRequest:
		t.InitProducerID(q, w)
	case *kmsg.AddPartitionsToTxnRequest:
		t.AddPartitions(q, w)
	case *kmsg.EndTxnRequest:
		t.EndTxn(q, w)
	case *kmsg.DescribeTransactionsRequest:
		t.DescribeTransactions(q, w)
	case *listTxns:
		t.ListTransactions(q.ListTransactionsRequest, q.pattern, w)
	default:
		w.Reply(txn.ErrorResponse(c.Req, kerr.UnknownServerError))
	}
}

// toTxn sends part slot of r to the coordinator of a transactional id.
func (r *Request) toTxn(slot int32, id string, req kmsg.Request) {
	n, owner, t := r.s.placeOf(transactionTopic, id)
	if t == nil {
		r.fill(slot, txn.ErrorResponse(req, kerr.NotCoordinator))
		return
	}
	r.cold(owner, slot, &ColdCall{Req: req, Group: n, Txn: true})
}

// fill answers part slot of r at once.
func (r *Request) fill(slot int32, resp kmsg.Response) {
	for int(slot) >= len(r.resps) {
		r.resps = append(r.resps, nil)
	}
	r.resps[slot] = resp
}

// oneTxn serves the APIs that name one transactional id.
func (r *Request) oneTxn(id string, req kmsg.Request) {
	r.finish = func(r *Request) { r.answer(r.resps[0]) }
	r.remain++
	r.toTxn(0, id, req)
	r.part()
}

// EndTxn (key 26).
func endTxn(r *Request, req kmsg.Request) {
	q := req.(*kmsg.EndTxnRequest)
	if q.TransactionalID == "" {
		r.answer(txn.ErrorResponse(q, kerr.InvalidRequest))
		return
	}
	r.oneTxn(q.TransactionalID, q)
}

// AddPartitionsToTxn (key 24): from a client one transaction (v0 to v3), from a broker several, to add to or to look at (v4 and v5, KIP-890).
func addPartitionsToTxn(r *Request, req kmsg.Request) {
	q := req.(*kmsg.AddPartitionsToTxnRequest)
	if r.Version < 4 {
		q.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{clientTransaction(q)}
	}
	r.finish = func(r *Request) { r.answer(r.addedToTxn()) }
	r.remain++
	for i := range q.Transactions {
		t := &q.Transactions[i]
		if resp := r.unknownPartitions(q, t); resp != nil {
			r.fill(int32(i), resp)
			continue
		}
		one := kmsg.NewPtrAddPartitionsToTxnRequest()
		one.Version, one.Transactions = q.Version, q.Transactions[i:i+1]
		if t.TransactionalID == "" {
			r.fill(int32(i), txn.ErrorResponse(one, kerr.InvalidRequest))
			continue
		}
		r.toTxn(int32(i), t.TransactionalID, one)
	}
	r.part()
}

// clientTransaction is the form of v0 to v3 in that of v4 and above.
func clientTransaction(q *kmsg.AddPartitionsToTxnRequest) kmsg.AddPartitionsToTxnRequestTransaction {
	t := kmsg.NewAddPartitionsToTxnRequestTransaction()
	t.TransactionalID, t.ProducerID, t.ProducerEpoch = q.TransactionalID, q.ProducerID, q.ProducerEpoch
	for i := range q.Topics {
		t.Topics = append(t.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: q.Topics[i].Topic, Partitions: q.Topics[i].Partitions})
	}
	return t
}

// unknownPartitions refuses a transaction that names partitions which do not exist; nil: there is none. The others are not looked at then.
func (r *Request) unknownPartitions(q *kmsg.AddPartitionsToTxnRequest, t *kmsg.AddPartitionsToTxnRequestTransaction) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	out := kmsg.NewAddPartitionsToTxnResponseTransaction()
	out.TransactionalID = t.TransactionalID
	some := false
	for i := range t.Topics {
		topic := r.s.Image.TopicByName(t.Topics[i].Topic)
		x := kmsg.AddPartitionsToTxnResponseTransactionTopic{Topic: t.Topics[i].Topic}
		for _, n := range t.Topics[i].Partitions {
			c := kerr.OperationNotAttempted
			if topic == nil || n < 0 || int(n) >= len(topic.Partitions) {
				c, some = kerr.UnknownTopicOrPartition, true
			}
			x.Partitions = append(x.Partitions, kmsg.AddPartitionsToTxnResponseTransactionTopicPartition{Partition: n, ErrorCode: code(c)})
		}
		out.Topics = append(out.Topics, x)
	}
	if !some {
		return nil
	}
	resp.Transactions = append(resp.Transactions, out)
	return resp
}

func (r *Request) addedToTxn() kmsg.Response {
	resp := kmsg.NewPtrAddPartitionsToTxnResponse()
	for _, x := range r.resps {
		if a, ok := x.(*kmsg.AddPartitionsToTxnResponse); ok {
			resp.Transactions = append(resp.Transactions, a.Transactions...)
		}
	}
	if r.Version >= 4 {
		return resp
	}
	for i := range resp.Transactions {
		for _, t := range resp.Transactions[i].Topics {
			x := kmsg.AddPartitionsToTxnResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				x.Partitions = append(x.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p.Partition, ErrorCode: p.ErrorCode})
			}
			resp.Topics = append(resp.Topics, x)
		}
	}
	return resp
}

// AddOffsetsToTxn (key 25) adds the partition of __consumer_offsets that a group belongs to. The first question creates that topic.
func addOffsetsToTxn(r *Request, req kmsg.Request) {
	q := req.(*kmsg.AddOffsetsToTxnRequest)
	if r.s.Image.TopicByName(offsetsTopic) != nil {
		r.addOffsets(q)
		return
	}
	r.finish = func(r *Request) { r.addOffsets(q) }
	r.remain++
	r.create(0, []string{offsetsTopic})
	r.part()
}

func (r *Request) addOffsets(q *kmsg.AddOffsetsToTxnRequest) {
	n, _, t := r.s.groupPlace(q.Group)
	if t == nil {
		r.answerOffsets(kerr.CoordinatorNotAvailable)
		return
	}
	if q.TransactionalID == "" {
		r.answerOffsets(kerr.InvalidRequest)
		return
	}
	add := kmsg.NewPtrAddPartitionsToTxnRequest()
	add.Version = 3
	x := kmsg.NewAddPartitionsToTxnRequestTransaction()
	x.TransactionalID, x.ProducerID, x.ProducerEpoch = q.TransactionalID, q.ProducerID, q.ProducerEpoch
	x.Topics = []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: offsetsTopic, Partitions: []int32{n}}}
	add.Transactions = append(add.Transactions, x)
	r.finish = func(r *Request) {
		a, _ := r.resps[0].(*kmsg.AddPartitionsToTxnResponse)
		r.answerOffsets(addedCode(a))
	}
	r.remain++
	r.toTxn(0, q.TransactionalID, add)
	r.part()
}

// addedCode is the code of the one partition that an answer speaks of.
func addedCode(a *kmsg.AddPartitionsToTxnResponse) kerr.Code {
	if a == nil || len(a.Transactions) == 0 || len(a.Transactions[0].Topics) == 0 || len(a.Transactions[0].Topics[0].Partitions) == 0 {
		return kerr.UnknownServerError
	}
	return kerr.Code(a.Transactions[0].Topics[0].Partitions[0].ErrorCode)
}

func (r *Request) answerOffsets(c kerr.Code) {
	resp := kmsg.NewPtrAddOffsetsToTxnResponse()
	resp.ErrorCode = code(txn.ClientCode(r.Key, r.Version, c))
	r.answer(resp)
}

// DescribeTransactions (key 65): each id is asked for where its coordinator is.
func describeTransactions(r *Request, req kmsg.Request) {
	q := req.(*kmsg.DescribeTransactionsRequest)
	r.finish = func(r *Request) {
		resp := kmsg.NewPtrDescribeTransactionsResponse()
		for _, x := range r.resps {
			if d, ok := x.(*kmsg.DescribeTransactionsResponse); ok {
				resp.TransactionStates = append(resp.TransactionStates, d.TransactionStates...)
			}
		}
		r.answer(resp)
	}
	r.remain++
	for i, id := range q.TransactionalIDs {
		one := kmsg.NewPtrDescribeTransactionsRequest()
		one.Version, one.TransactionalIDs = q.Version, q.TransactionalIDs[i:i+1]
		if id == "" {
			r.fill(int32(i), txn.ErrorResponse(one, kerr.InvalidRequest))
			continue
		}
		r.toTxn(int32(i), id, one)
	}
	r.part()
}

// listTxns is a ListTransactions with its pattern compiled.
type listTxns struct {
	*kmsg.ListTransactionsRequest
	pattern *regexp.Regexp
}

// maxPattern bounds the pattern of a ListTransactions, in bytes.
const maxPattern = 4096

// ListTransactions (key 66): gathered from every coordinator of this broker. While one of them loads there is no list.
func listTransactions(r *Request, req kmsg.Request) {
	q := &listTxns{ListTransactionsRequest: req.(*kmsg.ListTransactionsRequest)}
	s := r.s
	resp := kmsg.NewPtrListTransactionsResponse()
	if p := q.TransactionalIDPattern; p != nil && *p != "" {
		var err error
		if q.pattern, err = regexp.Compile(`\A(?:` + *p + `)\z`); err != nil || len(*p) > maxPattern {
			resp.ErrorCode = code(kerr.InvalidRegularExpression)
			r.answer(resp)
			return
		}
	}
	resp.UnknownStateFilters = txn.UnknownStates(q.StateFilters)
	r.finish = func(r *Request) {
		r.listed(resp)
		r.answer(resp)
	}
	r.remain++
	if t := s.Image.TopicByName(transactionTopic); t != nil {
		for n := range t.Partitions {
			if t.Partitions[n].Leader == s.Node.NodeID {
				r.cold(Owner(t.Name, int32(n), s.Shards), int32(n), &ColdCall{Req: q, Group: int32(n), Txn: true})
			}
		}
	}
	r.part()
}

// listed puts the parts together. A coordinator that has gone meanwhile is another broker's to tell of.
func (r *Request) listed(resp *kmsg.ListTransactionsResponse) {
	for _, x := range r.resps {
		l, ok := x.(*kmsg.ListTransactionsResponse)
		switch {
		case !ok || l.ErrorCode == code(kerr.NotCoordinator):
		case l.ErrorCode != 0:
			resp.ErrorCode = l.ErrorCode
		default:
			resp.TransactionStates = append(resp.TransactionStates, l.TransactionStates...)
		}
	}
	if resp.ErrorCode != 0 {
		resp.TransactionStates, resp.UnknownStateFilters = nil, nil
	}
}

// TransactionVersion is transaction.version as the cluster has finalized it, 0 if it has not.
func (s *State) TransactionVersion() int16 {
	for _, f := range s.Image.Features() {
		if f.Name == controller.FeatureTransactions {
			return f.Level
		}
	}
	return 0
}
