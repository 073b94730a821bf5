package api

import (
	"cmp"
	"slices"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/replica"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/io/buf"
)

// A batch that begins a transaction in its partition is appended once the coordinator says that the partition is in the transaction (KIP-890). Those that
// come behind it meanwhile wait with it: they are appended in order, and the coordinator is asked once.
//
//	Produce ─▶ Partition.Verify ─ guard ─▶ Txn.Verify … Verified ─▶ Partition.AppendVerified(guard)
//	                └ the transaction is open here: append
//
// A marker on the way makes the guard worthless. It may be that of the transaction before: the coordinator lets a producer begin the next one while the markers
// of the last are being written, and answers once they are. Under transaction.version 2 each transaction has an epoch of its own, so the coordinator is asked once
// more. Before that the batch might be of a transaction that has ended, and is refused.

// producing is what a Produce says of its transaction.
type producing struct {
	id      string
	version int16
}

// From these versions of Produce on clients know TRANSACTION_ABORTABLE, and the leader adds partitions to transactions (transaction.version 2).
const (
	produceAbortable = 11
	produceAdds      = 12
)

func (x *producing) adds() bool { return x.version >= produceAdds }

// transaction gives the transaction of a Produce, nil if it has none, or the code with which all of it is refused.
func (r *Request) transaction() (*producing, kerr.Code) {
	q := &r.produce
	var first records.View
	for i := range q.Parts {
		v := records.View(q.Parts[i].Records)
		switch {
		case len(v) < records.HeaderSize || !v.IsTransactional():
		case !q.HasTxnID:
			return nil, kerr.TransactionalIDAuthorizationFailed
		case first == nil:
			first = v
		case v.ProducerID() != first.ProducerID() || v.ProducerEpoch() != first.ProducerEpoch():
			return nil, kerr.InvalidProducerIDMapping
		}
	}
	if first == nil {
		return nil, kerr.None
	}
	return &producing{string(q.TransactionalID), r.Version}, kerr.None
}

// unverified is a batch that waits.
type unverified struct {
	v     records.View
	lease *buf.Lease
	acks  int16
	w     replica.Waiter
	slot  int32
	tries int8   // how often a marker came between
	place uint64 // in the order in which they came
}

// maxVerifies bounds how often the coordinator is asked for one batch.
const maxVerifies = 4

func (u *unverified) refuse(c kerr.Code) {
	u.w.Appended(u.slot, replica.Result{Code: c, Base: -1, Time: -1})
}

type verifyKey struct {
	p     *replica.Partition
	guard replica.Guard
	epoch int16
	txn   producing
}

// verification is batches of one producer that wait for one answer. Their number is bounded by the requests in flight.
type verification struct {
	s       *State
	key     verifyKey
	waiting []unverified
}

// verify says whether a batch has to wait for its coordinator, or was refused. Then it is answered later, or has been.
func (s *State) verify(p *replica.Partition, u unverified, txn *producing) bool {
	g, c := p.Verify(u.v, txn.adds())
	if c != kerr.None {
		u.refuse(c)
		return true
	}
	if g == 0 {
		return false
	}
	s.unverified++
	u.place = s.unverified
	x, asks := s.verification(p, g, u.v.ProducerEpoch(), txn)
	x.waiting = append(x.waiting, u)
	if asks {
		x.ask()
	}
	return true
}

// verification gives the one that a guard stands for; asks: it is a new one.
func (s *State) verification(p *replica.Partition, g replica.Guard, epoch int16, txn *producing) (x *verification, asks bool) {
	k := verifyKey{p, g, epoch, *txn}
	if x = s.verifies[k]; x != nil {
		sometimes.Hit("produce: a batch waits behind another's verification")
		return x, false
	}
	x = &verification{s: s, key: k}
	s.verifies[k] = x
	return x, true
}

func (x *verification) ask() {
	txn, p := &x.key.txn, x.key.p
	x.s.Txn.Verify(VerifyCall{
		TransactionalID: txn.id, ProducerID: x.waiting[0].v.ProducerID(), ProducerEpoch: x.key.epoch, Add: txn.adds(),
		Topic: p.Topic, Partitions: []int32{p.Number}, Waiter: x,
	})
}

// Verified is coordinator.VerifyWaiter.
func (x *verification) Verified(codes []kerr.Code) {
	s, k := x.s, x.key
	delete(s.verifies, k)
	c := verifiedCode(codes[0], k.txn.version)
	var lost []unverified
	for i := range x.waiting {
		u := &x.waiting[i]
		switch {
		case c != kerr.None:
			u.refuse(c)
		case s.Closed || s.Partition(k.p.TopicID, k.p.Number) != k.p || k.p.Log == nil:
			u.refuse(kerr.NotLeaderForPartition)
		case k.txn.adds() && u.tries < maxVerifies && k.p.GuardLost(u.v, k.guard):
			u.tries++
			sometimes.Hit("produce: a marker comes between a batch and its verification")
			lost = append(lost, *u)
		default:
			k.p.AppendVerified(u.v, u.lease, u.acks, k.guard, u.w, u.slot)
		}
	}
	if len(lost) > 0 {
		x.again(lost)
	}
}

// again has batches verified once more. They wait with those that have come since the marker, or have lost theirs before: a producer's batches stay in
// the order in which they came.
func (x *verification) again(lost []unverified) {
	s, k := x.s, x.key
	g, c := replica.Guard(0), kerr.None
	for i := range lost {
		if g, c = k.p.Verify(lost[i].v, true); c != kerr.None {
			break
		}
	}
	if c == kerr.None && g != 0 {
		next, asks := s.verification(k.p, g, k.epoch, &k.txn)
		next.waiting = append(next.waiting, lost...)
		slices.SortFunc(next.waiting, func(a, b unverified) int { return cmp.Compare(a.place, b.place) })
		if asks {
			next.ask()
		}
		return
	}
	for i := range lost {
		if u := &lost[i]; c != kerr.None {
			u.refuse(c)
		} else {
			k.p.Append(u.v, u.lease, u.acks, u.w, u.slot)
		}
	}
}

// verifiedCode is what a producer is told of a coordinator's answer. Sources: AddPartitionsToTxnManager, ReplicaManager.handleProduceAppend of Kafka 4.3: older clients try
// again on NOT_ENOUGH_REPLICAS, and without new metadata.
func verifiedCode(c kerr.Code, version int16) kerr.Code {
	if c != kerr.NetworkException && plant.On(plant.T2) {
		return kerr.None
	}
	switch c {
	case kerr.ProducerFenced:
		return kerr.InvalidProducerEpoch
	case kerr.TransactionAbortable:
		if version < produceAbortable {
			return kerr.InvalidTxnState
		}
	case kerr.ConcurrentTransactions:
		if version < produceAdds {
			return kerr.NotEnoughReplicas
		}
	case kerr.NetworkException, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator:
		return kerr.NotEnoughReplicas
	case kerr.ClusterAuthorizationFailed:
		return kerr.InvalidTxnState
	}
	return c
}
