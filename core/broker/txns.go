package broker

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/txn"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

// txns is a shard's side of transactions: its coordinators' way to those who lead partitions, and its partitions' way to coordinators.
//
// Both have connections of their own. Another broker answers a connection's requests in order, so one that waits there, a follower's fetch above
// all, would hold markers back; and a verification waits for what markers end.
type txns struct {
	s       *Shard
	cfg     *txn.Config
	sender  *txn.Sender
	markers *peer.Pool
	verify  *peer.Pool
	asking  []*verifications // by node, in the order in which they came
	marked  bool
}

func (x *txns) begin(s *Shard) {
	x.s, x.cfg = s, txn.DefaultConfig()
	x.sender = txn.NewSender(s.env, x)
	id := strconv.Itoa(int(s.static.NodeID))
	x.markers = peer.NewPool(s.env, peer.Config{ClientID: "transactions-" + id})
	x.verify = peer.NewPool(s.env, peer.Config{ClientID: "verification-" + id})
	s.state.Txn = x
}

func (x *txns) opened(info *network.Info) bool {
	return x.markers.Opened(info) || x.verify.Opened(info)
}
func (x *txns) closed(info *network.Info) bool {
	return x.markers.Closed(info) || x.verify.Closed(info)
}
func (x *txns) frame(f *network.Frame) bool { return x.markers.Frame(f) || x.verify.Frame(f) }

// follow takes in a newer image: leaders and settings may have changed.
func (x *txns) follow() {
	x.settings()
	x.sender.LeadersChanged()
}

func (x *txns) settings() {
	c, n := x.cfg, x.s.node
	c.MaxTimeoutMS, c.ExpirationMS = n.TransactionMaxTimeoutMS, n.TransactionalIDExpirationMS
	c.AbortEachMS, c.ExpireEachMS = n.TransactionAbortEachMS, n.TransactionExpireEachMS
	c.FirstEpoch = n.TransactionalIDFirstEpoch
	c.Version = x.s.state.TransactionVersion()
	if t := x.s.applied.TopicByName(transactionTopic); t != nil {
		c.MaxBatchBytes = x.s.state.Settings(t).MaxMessageBytes
	}
}

// coordinator makes the coordinator of a partition of __transaction_state.
func (x *txns) coordinator(p *replica.Partition) *txn.Coordinator {
	x.settings()
	return txn.New(x.s.env, groupLog{p}, p.LeaderEpoch, x.cfg, x, x.sender)
}

// NextProducerID is txn.ProducerIDs: an id is asked for as an idempotent producer does.
func (x *txns) NextProducerID(w txn.IDWaiter) {
	q := kmsg.NewPtrInitProducerIDRequest()
	q.Version, q.TransactionTimeoutMillis, q.ProducerID, q.ProducerEpoch = 5, 1, -1, -1
	x.s.state.Ask(q, idAnswer{w})
}

type idAnswer struct{ w txn.IDWaiter }

// Reply is coordinator.Waiter.
func (a idAnswer) Reply(resp kmsg.Response) {
	r, _ := resp.(*kmsg.InitProducerIDResponse)
	if r == nil {
		a.w.GotProducerID(-1, kerr.CoordinatorNotAvailable)
		return
	}
	a.w.GotProducerID(r.ProducerID, kerr.Code(r.ErrorCode))
}

// LeaderOf is txn.Leaders.
func (x *txns) LeaderOf(topic string, number int32) int32 {
	t := x.s.state.Image.TopicByName(topic)
	if t == nil || number < 0 || int(number) >= len(t.Partitions) {
		return txn.Gone
	}
	if l := t.Partitions[number].Leader; l >= 0 {
		return l
	}
	return txn.NoLeader
}

// InOne is txn.Leaders: what this broker asks itself does not go in turn.
func (x *txns) InOne(node int32) bool { return node != x.s.static.NodeID }

// markersVersion is the version of WriteTxnMarkers that brokers of this kind speak.
const markersVersion = 2

// WriteMarkers is txn.Leaders.
func (x *txns) WriteMarkers(node int32, q *kmsg.WriteTxnMarkersRequest, w txn.MarkersWaiter) {
	q.Version = markersVersion
	x.ask(x.markers, node, q, markersAnswer{w})
}

type markersAnswer struct{ w txn.MarkersWaiter }

// Reply is coordinator.Waiter.
func (a markersAnswer) Reply(resp kmsg.Response) {
	r, _ := resp.(*kmsg.WriteTxnMarkersResponse)
	a.w.MarkersWritten(r)
}

// ask sends a request to a broker, itself too. w is told the answer, nil if there is none.
func (x *txns) ask(pool *peer.Pool, node int32, q kmsg.Request, w coordinator.Waiter) {
	s := x.s
	if node == s.static.NodeID {
		s.state.Ask(q, w)
		return
	}
	addr := s.brokerAddr(node)
	if addr == "" {
		w.Reply(nil)
		return
	}
	timeout := clock.MS(int64(s.node.RequestTimeoutMS))
	pool.Get(addr).Call(peer.Cold(q, q.GetVersion(), timeout, &peerAnswer{q, w}))
}

type peerAnswer struct {
	q kmsg.Request
	w coordinator.Waiter
}

// Answered is peer.Waiter.
func (a *peerAnswer) Answered(body []byte, _ *buf.Lease, ok bool, _ peer.Reason) {
	a.w.Reply(answerOf(a.q, a.q.GetVersion(), body, ok))
}

// verifications are what the coordinator on one node is to be asked.
type verifications struct {
	node  int32
	calls []coordinator.VerifyCall
	busy  bool
}

// Verify is api.Txn. What comes in one round, and while a request is under way, goes together.
func (x *txns) Verify(v coordinator.VerifyCall) {
	t := x.s.state.Image.TopicByName(transactionTopic)
	if t == nil {
		verified(&v, kerr.CoordinatorNotAvailable)
		return
	}
	node := t.Partitions[coordinator.PartitionFor(v.TransactionalID, int32(len(t.Partitions)))].Leader
	if node < 0 {
		verified(&v, kerr.CoordinatorNotAvailable)
		return
	}
	i := slices.IndexFunc(x.asking, func(a *verifications) bool { return a.node == node })
	if i < 0 {
		i = len(x.asking)
		x.asking = append(x.asking, &verifications{node: node})
	}
	x.asking[i].calls = append(x.asking[i].calls, v)
	x.mark()
}

// verified gives every partition of a call the same code.
func verified(v *coordinator.VerifyCall, code kerr.Code) {
	codes := make([]kerr.Code, len(v.Partitions))
	for i := range codes {
		codes[i] = code
	}
	v.Waiter.Verified(codes)
}

func (x *txns) mark() {
	if !x.marked {
		x.marked = true
		x.s.env.Mark(x)
	}
}

// Flush is env.Flusher.
func (x *txns) Flush() {
	x.marked = false
	for _, a := range x.asking {
		for len(a.calls) > 0 && !a.busy {
			x.send(a)
		}
	}
}

// maxVerified bounds the calls of one request.
const maxVerified = 1000

// verifying is one request under way: which calls ask for each of its transactions.
type verifying struct {
	x     *txns
	a     *verifications
	calls [][]coordinator.VerifyCall
}

// send asks for as much as fits in one request, in which a transactional id may stand once. A broker's own coordinators are asked for one
// transaction each, so that none waits for another.
func (x *txns) send(a *verifications) {
	q := kmsg.NewPtrAddPartitionsToTxnRequest()
	q.Version = 5
	u := &verifying{x: x, a: a}
	var rest []coordinator.VerifyCall
	for _, v := range a.calls {
		if i := slices.IndexFunc(q.Transactions, func(t kmsg.AddPartitionsToTxnRequestTransaction) bool { return t.TransactionalID == v.TransactionalID }); i >= 0 {
			t := &q.Transactions[i]
			if t.ProducerID == v.ProducerID && t.ProducerEpoch == v.ProducerEpoch && t.VerifyOnly == !v.Add {
				addTopic(t, &v)
				u.calls[i] = append(u.calls[i], v)
				continue
			}
			rest = append(rest, v)
			continue
		}
		if len(q.Transactions) == maxVerified || len(q.Transactions) > 0 && !x.InOne(a.node) {
			rest = append(rest, v)
			continue
		}
		t := kmsg.NewAddPartitionsToTxnRequestTransaction()
		t.TransactionalID, t.ProducerID, t.ProducerEpoch, t.VerifyOnly = v.TransactionalID, v.ProducerID, v.ProducerEpoch, !v.Add
		addTopic(&t, &v)
		q.Transactions = append(q.Transactions, t)
		u.calls = append(u.calls, []coordinator.VerifyCall{v})
	}
	a.calls = rest
	a.busy = x.InOne(a.node)
	x.ask(x.verify, a.node, q, u)
}

// addTopic adds a call's partitions to a transaction, whose topics may each stand in it once.
func addTopic(t *kmsg.AddPartitionsToTxnRequestTransaction, v *coordinator.VerifyCall) {
	i := slices.IndexFunc(t.Topics, func(x kmsg.AddPartitionsToTxnRequestTransactionTopic) bool { return x.Topic == v.Topic })
	if i < 0 {
		t.Topics = append(t.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: v.Topic, Partitions: slices.Clone(v.Partitions)})
		return
	}
	for _, n := range v.Partitions {
		if !slices.Contains(t.Topics[i].Partitions, n) {
			t.Topics[i].Partitions = append(t.Topics[i].Partitions, n)
		}
	}
}

// Reply is coordinator.Waiter.
func (u *verifying) Reply(resp kmsg.Response) {
	u.a.busy = false
	if len(u.a.calls) > 0 {
		u.x.mark()
	}
	r, _ := resp.(*kmsg.AddPartitionsToTxnResponse)
	for i := range u.calls {
		for j := range u.calls[i] {
			u.tell(&u.calls[i][j], r)
		}
	}
}

// tell answers one call. What an answer does not name could not be asked.
func (u *verifying) tell(v *coordinator.VerifyCall, r *kmsg.AddPartitionsToTxnResponse) {
	codes := make([]kerr.Code, len(v.Partitions))
	for i, n := range v.Partitions {
		codes[i] = codeIn(r, v, n)
	}
	v.Waiter.Verified(codes)
}

func codeIn(r *kmsg.AddPartitionsToTxnResponse, v *coordinator.VerifyCall, number int32) kerr.Code {
	if r == nil {
		return kerr.NetworkException
	}
	if r.ErrorCode != 0 {
		return kerr.Code(r.ErrorCode)
	}
	for i := range r.Transactions {
		t := &r.Transactions[i]
		for j := range t.Topics {
			for _, p := range t.Topics[j].Partitions {
				if t.TransactionalID == v.TransactionalID && t.Topics[j].Topic == v.Topic && p.Partition == number {
					return kerr.Code(p.ErrorCode)
				}
			}
		}
	}
	return kerr.NetworkException
}
