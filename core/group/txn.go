package group

import (
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/offsets"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/sometimes"
)

// Transactions is the way to transaction coordinators.
type Transactions interface {
	Verify(v coordinator.VerifyCall)
}

// Producers is what the log knows of producers that write to it in transactions.
type Producers interface {
	// BeginVerify says whether a producer must be verified before it writes (KIP-890): the guard of that, or 0 where its transaction is open
	// here. bumps: its epoch is greater with each transaction.
	BeginVerify(producerID int64, epoch int16, bumps bool) (guard uint64, code kerr.Code)
	// Admit says whether it may write now. A marker that came after BeginVerify has ended what the guard stands for.
	Admit(producerID int64, epoch int16, guard uint64) kerr.Code
	// AdmitMarker says whether a coordinator may end its transaction.
	AdmitMarker(producerID int64, epoch int16, coordinatorEpoch int32, version int8) kerr.Code
}

// txnCommit is a TxnOffsetCommit that waits for its verification.
type txnCommit struct {
	c     *Coordinator
	req   *kmsg.TxnOffsetCommitRequest
	resp  *kmsg.TxnOffsetCommitResponse
	w     coordinator.Waiter
	topic string // where this coordinator's log is
	part  int32
	guard uint64
	tries int8 // how often a marker came between
}

// maxVerifies bounds how often the coordinator is asked for one commit.
const maxVerifies = 4

// TxnOffsetCommit handles TxnOffsetCommit v0 to v5: offsets that count once the producer's transaction is committed. From v5 on (KIP-890) it adds
// its partition to the transaction, and before it looks whether that was done. partition is the number of this coordinator's.
func (c *Coordinator) TxnOffsetCommit(req *kmsg.TxnOffsetCommitRequest, topic string, partition int32, w coordinator.Waiter) {
	x := &txnCommit{c: c, req: req, resp: req.ResponseKind().(*kmsg.TxnOffsetCommitResponse), w: w, topic: topic, part: partition}
	if !x.name() {
		coordinator.Reply(w, x.resp)
		return
	}
	x.begin()
}

// begin asks the transaction's coordinator, if it must be asked.
func (x *txnCommit) begin() {
	c, req := x.c, x.req
	code := c.unavailable()
	if code == kerr.None && req.Group == "" {
		code = kerr.InvalidGroupID
	}
	if code == kerr.None && c.producers != nil {
		x.guard, code = c.producers.BeginVerify(req.ProducerID, req.ProducerEpoch, req.Version > 4)
	}
	switch {
	case code != kerr.None:
		x.refuse(code)
	case x.guard == 0:
		x.commit()
	default:
		c.Txn.Verify(coordinator.VerifyCall{
			TransactionalID: req.TransactionalID, ProducerID: req.ProducerID, ProducerEpoch: req.ProducerEpoch, Add: req.Version > 4,
			Topic: x.topic, Partitions: []int32{x.part}, Waiter: x,
		})
	}
}

// name puts every partition into the response, those that do not exist with an error; false: there is no other.
func (x *txnCommit) name() bool {
	some := false
	for i := range x.req.Topics {
		t := &x.req.Topics[i]
		out := kmsg.TxnOffsetCommitResponseTopic{Topic: t.Topic, Partitions: make([]kmsg.TxnOffsetCommitResponseTopicPartition, len(t.Partitions))}
		for j := range t.Partitions {
			p := &out.Partitions[j]
			p.Partition = t.Partitions[j].Partition
			if x.c.partitionExists(t.Topic, p.Partition) {
				some = true
			} else {
				p.ErrorCode = int16(kerr.UnknownTopicOrPartition)
			}
		}
		x.resp.Topics = append(x.resp.Topics, out)
	}
	return some
}

// Verified is coordinator.VerifyWaiter.
func (x *txnCommit) Verified(codes []kerr.Code) {
	if code := verifiedCode(codes[0], x.req.Version); code != kerr.None {
		x.refuse(code)
		return
	}
	if code := x.c.unavailable(); code != kerr.None {
		x.refuse(code)
		return
	}
	x.commit()
}

// verifiedCode is what a client is told of a failed verification. Sources: AddPartitionsToTxnManager, handleOperationException of Kafka's group
// coordinator: clients know how to try again on COORDINATOR_LOAD_IN_PROGRESS without looking for the coordinator.
func verifiedCode(code kerr.Code, version int16) kerr.Code {
	switch {
	case code == kerr.ProducerFenced:
		return kerr.InvalidProducerEpoch
	case code == kerr.TransactionAbortable && version < 4:
		return kerr.InvalidTxnState
	case code == kerr.NetworkException:
		return kerr.CoordinatorLoadInProgress
	}
	return coordinator.ClientCode(code)
}

// commit writes the offsets. Source: validateTransactionalOffsetCommit (KIP-447).
func (x *txnCommit) commit() {
	c, req := x.c, x.req
	code := kerr.None
	if c.producers != nil {
		code = c.producers.Admit(req.ProducerID, req.ProducerEpoch, x.guard)
	}
	if code == kerr.InvalidTxnState && req.Version > 4 && x.guard != 0 && x.tries < maxVerifies {
		// The marker of the producer's last transaction came between, while this one, of a greater epoch, was held: see api/verify.go.
		x.tries++
		sometimes.Hit("group: a marker comes between offsets and their verification")
		x.begin()
		return
	}
	if code == kerr.None && !plant.On(plant.T10) {
		code = c.mayCommitTxn(req)
	}
	if code != kerr.None {
		x.refuse(code)
		return
	}
	if recs := x.records(); len(recs) > 0 {
		c.shard.SetOptions(options(c.cfg))
		by := coordinator.Position{ProducerID: req.ProducerID, ProducerEpoch: req.ProducerEpoch, Transactional: true}
		if _, code := c.shard.WriteFor(by, req.Group, recs); code != kerr.None {
			x.refuse(coordinator.ClientCode(code))
			return
		}
	}
	c.shard.Park(req.Group, x.w, x.resp)
	c.check(req.Group)
}

// mayCommitTxn: who names a generation, or a member, must be of the group as it stands; older clients name neither, and may always.
func (c *Coordinator) mayCommitTxn(req *kmsg.TxnOffsetCommitRequest) kerr.Code {
	if g := c.consumers[req.Group]; g != nil {
		return c.mayCommitTxnConsumer(g, req)
	}
	g := c.groups[req.Group]
	switch {
	case g == nil && req.Generation >= 0:
		return kerr.IllegalGeneration
	case g == nil && len(c.groups)+len(c.consumers) >= c.cfg.MaxGroups:
		return kerr.CoordinatorNotAvailable
	case g == nil || req.Generation < 0 && g.State == classic.Empty:
		return kerr.None
	case req.Generation < 0 && req.MemberID == "" && req.InstanceID == nil:
		return kerr.None
	}
	if _, code := memberOf(g, req.MemberID, req.InstanceID); code != kerr.None {
		return code
	}
	if req.Generation != g.Generation {
		return kerr.IllegalGeneration
	}
	return kerr.None
}

// records gives what is to be written, and refuses what is not.
func (x *txnCommit) records() []coordinator.Record {
	c, now := x.c, int64(x.c.env.Now.Wall)
	var recs []coordinator.Record
	for i := range x.req.Topics {
		t := &x.req.Topics[i]
		id, _ := c.topics.TopicID(t.Topic)
		for j := range t.Partitions {
			p, out := &t.Partitions[j], &x.resp.Topics[i].Partitions[j]
			if out.ErrorCode != 0 {
				continue
			}
			o := offsets.Offset{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, CommitMS: now, ExpireMS: -1, TopicID: id}
			if p.Metadata != nil {
				o.Metadata = *p.Metadata
			}
			if c.metadataTooLarge(o.Metadata) {
				out.ErrorCode = int16(kerr.OffsetMetadataTooLarge)
				continue
			}
			recs = append(recs, offsetRecord(x.req.Group, t.Topic, p.Partition, &o))
		}
	}
	return recs
}

// metadataTooLarge says whether what a client wants kept with an offset is too much. Kafka counts UTF-16 units.
func (c *Coordinator) metadataTooLarge(s string) bool {
	limit := int(c.cfg.OffsetMetadataMaxBytes)
	return len(s) > math.MaxInt16 || len(s) > limit && utf16Len(s) > limit
}

func (x *txnCommit) refuse(code kerr.Code) {
	if code == kerr.CoordinatorLoadInProgress && x.req.Version < 2 {
		code = kerr.CoordinatorNotAvailable // which those clients know
	}
	refuseTxnCommit(x.resp, code)
	if x.c.Active() {
		x.c.shard.Park(x.req.Group, x.w, x.resp)
		return
	}
	coordinator.Reply(x.w, x.resp)
}

// refuseTxnCommit leaves the errors of single partitions as they are.
func refuseTxnCommit(r *kmsg.TxnOffsetCommitResponse, code kerr.Code) {
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			if p := &r.Topics[i].Partitions[j]; p.ErrorCode == 0 {
				p.ErrorCode = int16(code)
			}
		}
	}
}

// EndTransaction writes a transaction's marker, which makes the offsets that it committed count, or drops them. The answer is an EndTxnResponse,
// told once the high watermark has passed the marker.
func (c *Coordinator) EndTransaction(producerID int64, epoch int16, coordinatorEpoch int32, version int8, commit bool, w coordinator.Waiter) {
	resp := kmsg.NewPtrEndTxnResponse()
	code := c.unavailable()
	if code == kerr.None && c.producers != nil {
		code = c.producers.AdmitMarker(producerID, epoch, coordinatorEpoch, version)
	}
	if code == kerr.None {
		by := coordinator.Position{ProducerID: producerID, ProducerEpoch: epoch, Transactional: true}
		code = c.shard.WriteMarker(by, records.Marker{Commit: commit, CoordinatorEpoch: coordinatorEpoch}, c.offsets.PendingGroups(producerID))
	}
	resp.ErrorCode = int16(code)
	if !c.Active() {
		coordinator.Reply(w, resp)
		return
	}
	c.shard.ParkAll(w, resp)
	c.checkAll()
}
