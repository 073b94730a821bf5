package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/txn"
)

// InitProducerId (key 22). With a transactional id it is the transaction coordinator's. For idempotent producers ids come from blocks that the
// controller has committed, so that none is given twice, whatever is killed when. Each shard hands out its own block.
func initProducerID(r *Request, req kmsg.Request) {
	q := req.(*kmsg.InitProducerIDRequest)
	if c := txn.CheckInit(q, r.s.Node.TransactionMaxTimeoutMS); c != kerr.None {
		r.answer(txn.ErrorResponse(q, c))
		return
	}
	if q.TransactionalID != nil {
		r.oneTxn(*q.TransactionalID, q)
		return
	}
	s := r.s
	if s.pids.left > 0 {
		r.answer(s.pids.next())
		return
	}
	r.finish = (*Request).gotBlock
	c := kmsg.NewPtrAllocateProducerIDsRequest()
	c.BrokerID = s.Node.NodeID
	if b := s.Image.Broker(s.Node.NodeID); b != nil {
		c.BrokerEpoch = b.Epoch
	}
	r.cold(0, 0, &ColdCall{Req: c, Group: -1})
}

// gotBlock takes in a block, unless another request's came first: then that one is used up first and this one follows.
func (r *Request) gotBlock() {
	s := r.s
	c, _ := r.resps[0].(*kmsg.AllocateProducerIDsResponse)
	if c == nil || c.ErrorCode != 0 || c.ProducerIDLen <= 0 {
		resp := kmsg.NewPtrInitProducerIDResponse()
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code(kerr.CoordinatorNotAvailable), -1, -1
		r.answer(resp)
		return
	}
	got := pidBlock{first: c.ProducerIDStart, left: c.ProducerIDLen}
	resp := got.next()
	if got.left > s.pids.left {
		s.pids = got
	}
	r.answer(resp)
}

type pidBlock struct {
	first int64
	left  int32
}

func (b *pidBlock) next() kmsg.Response {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = b.first, 0
	b.first++
	b.left--
	return resp
}
