package jepsen

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/sim/history"
)

// txnCalls records what a client asked coordinators of its transactional id, for M4: InitProducerId, the first request that opens a transaction,
// EndTxn. What is of no transaction it passes over.
type txnCalls struct {
	id   string
	line *line

	mu    sync.Mutex
	wrote bool // the present transaction's first request has left
	open  func(t history.Type, err string, ops ...history.Op)
	op    history.Op // of open
}

func (w *world) newTxnCalls(client int, id string) *txnCalls {
	return &txnCalls{id: id, line: w.newLine(client, slotTxn)}
}

// What a TxnCall asks for, in its Meta.
const (
	callInit   = "init"
	callWrite  = "write"
	callCommit = "commit"
	callAbort  = "abort"
)

// From these versions on EndTxn gives the next epoch (KIP-890), and Produce and TxnOffsetCommit add what they are of to the transaction.
const (
	endTxnBumps = 5
	produceAdds = 12
	offsetsAdd  = 5
)

func (x *txnCalls) hearers() map[kmsg.Key]hearer {
	return map[kmsg.Key]hearer{kmsg.InitProducerID: x.begins, kmsg.Produce: x.produces, kmsg.AddPartitionsToTxn: x.adds, kmsg.AddOffsetsToTxn: x.addsOffsets,
		kmsg.TxnOffsetCommit: x.commits, kmsg.EndTxn: x.ends}
}

func (x *txnCalls) call(what string, pid int64, epoch int16, old bool) history.Op {
	op := history.Op{Kind: history.TxnCall, Key: x.id, PID: pid, Epoch: epoch, Offset: history.NoOffset, Meta: what}
	if old {
		op.Member = "old"
	}
	return op
}

// concluded says how a call ended that was answered with a code.
func concluded(code int16) (history.Type, string) {
	err := kerr.TypedErrorForCode(code)
	switch {
	case err == nil:
		return history.OK, ""
	case unclear(err):
		return history.Info, err.Message
	}
	return history.Fail, err.Message
}

// unclear says that a request may have been carried out, or may still be, although it was answered so.
func unclear(err *kerr.Error) bool {
	switch err {
	case kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NetworkException, kerr.KafkaStorageError, kerr.UnknownServerError, kerr.NotLeaderForPartition,
		kerr.CoordinatorNotAvailable, kerr.NotCoordinator: // a coordinator that unloads fails what it has already appended
		return true
	}
	return false
}

func (x *txnCalls) begins(r kmsg.Request) func(kmsg.Response) {
	x.unknown()
	op := x.call(callInit, -1, -1, false)
	end := x.line.begin(op)
	return func(r kmsg.Response) {
		resp, _ := r.(*kmsg.InitProducerIDResponse)
		if resp == nil {
			end(history.Info, "no answer", op)
			return
		}
		t, why := concluded(resp.ErrorCode)
		op.Offset, op.Generation = resp.ProducerID, int32(resp.ProducerEpoch)
		end(t, why, op)
	}
}

// writes notes that a request leaves which may open the transaction, unless one has before.
func (x *txnCalls) writes(pid int64, epoch int16, old bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.wrote {
		x.wrote, x.op = true, x.call(callWrite, pid, epoch, old)
		x.open = x.line.begin(x.op)
	}
}

// written notes the first answer that shows it open. It may be of the transaction before, and then says nothing.
func (x *txnCalls) written(pid int64, epoch int16) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open != nil && x.op.PID == pid && x.op.Epoch == epoch {
		x.open(history.OK, "", x.op)
		x.open = nil
	}
}

// unknown ends the transaction: if no answer has shown it open, nobody knows whether it was.
func (x *txnCalls) unknown() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wrote, x.open = false, nil
	x.line.drop()
}

func (x *txnCalls) produces(r kmsg.Request) func(kmsg.Response) {
	q := r.(*kmsg.ProduceRequest)
	pid, epoch := producerOf(q)
	if q.TransactionID == nil || pid < 0 {
		return nil
	}
	x.writes(pid, epoch, q.Version < produceAdds)
	return func(r kmsg.Response) {
		resp, _ := r.(*kmsg.ProduceResponse)
		if resp == nil {
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 0 {
					x.written(pid, epoch)
				}
			}
		}
	}
}

// producerOf is who wrote the first batch of a request.
func producerOf(q *kmsg.ProduceRequest) (pid int64, epoch int16) {
	for i := range q.Topics {
		for j := range q.Topics[i].Partitions {
			var b kmsg.RecordBatch
			if b.ReadFrom(q.Topics[i].Partitions[j].Records) == nil {
				return b.ProducerID, b.ProducerEpoch
			}
		}
	}
	return -1, -1
}

func (x *txnCalls) adds(r kmsg.Request) func(kmsg.Response) {
	q := r.(*kmsg.AddPartitionsToTxnRequest)
	x.writes(q.ProducerID, q.ProducerEpoch, true)
	return func(r kmsg.Response) {
		resp, _ := r.(*kmsg.AddPartitionsToTxnResponse)
		if resp == nil || resp.ErrorCode != 0 || len(resp.Topics) == 0 {
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return
				}
			}
		}
		x.written(q.ProducerID, q.ProducerEpoch)
	}
}

func (x *txnCalls) addsOffsets(r kmsg.Request) func(kmsg.Response) {
	q := r.(*kmsg.AddOffsetsToTxnRequest)
	x.writes(q.ProducerID, q.ProducerEpoch, true)
	return func(r kmsg.Response) {
		if resp, _ := r.(*kmsg.AddOffsetsToTxnResponse); resp != nil && resp.ErrorCode == 0 {
			x.written(q.ProducerID, q.ProducerEpoch)
		}
	}
}

func (x *txnCalls) commits(r kmsg.Request) func(kmsg.Response) {
	q := r.(*kmsg.TxnOffsetCommitRequest)
	x.writes(q.ProducerID, q.ProducerEpoch, q.Version < offsetsAdd)
	return nil
}

func (x *txnCalls) ends(r kmsg.Request) func(kmsg.Response) {
	q := r.(*kmsg.EndTxnRequest)
	x.unknown()
	op := x.call(callAbort, q.ProducerID, q.ProducerEpoch, q.Version < endTxnBumps)
	if q.Commit {
		op.Meta = callCommit
	}
	end := x.line.begin(op)
	return func(r kmsg.Response) {
		resp, _ := r.(*kmsg.EndTxnResponse)
		if resp == nil {
			end(history.Info, "no answer", op)
			return
		}
		t, why := concluded(resp.ErrorCode)
		if q.Version >= endTxnBumps {
			op.Offset, op.Generation = resp.ProducerID, int32(resp.ProducerEpoch)
		}
		end(t, why, op)
	}
}
