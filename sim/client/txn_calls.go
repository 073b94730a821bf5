package client

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// What a TxnCall of the history asks for, in its Meta.
const (
	callInit   = "init"
	callWrite  = "write" // the first step that opens the transaction: a partition is added, or a batch is taken
	callCommit = "commit"
	callAbort  = "abort"
	// callOrder is a note: a batch was out of order, though all of its partition before it were taken. Timestamp = event number of the request.
	callOrder = "order"
)

// op is a call about the transactional id, as the producer makes it now.
func (x *txnWriter) op(what string) history.Op {
	op := history.Op{Kind: history.TxnCall, Key: x.cfg.id, PID: x.pid, Epoch: x.epoch, Offset: history.NoOffset, Meta: what}
	if x.cfg.old {
		op.Member = "old"
	}
	return op
}

// called records how a call ended. Of one without a known answer nobody knows whether it was, or will be, carried out.
func (x *txnWriter) called(op history.Op, c kerr.Code, err error) {
	switch {
	case err != nil:
		x.b.record(slotTxnCalls, history.Info, err.Error(), op)
	case c == kerr.None:
		x.b.record(slotTxnCalls, history.OK, "", op)
	case unclear(c):
		x.b.record(slotTxnCalls, history.Info, c.String(), op)
	default:
		x.b.record(slotTxnCalls, history.Fail, c.String(), op)
	}
}

// writes notes that the transaction is about to be opened.
func (x *txnWriter) writes() {
	op := x.op(callWrite)
	x.wrote = &op
	x.b.record(slotTxnCalls, history.Invoke, "", op)
}

// written notes the first answer that shows that it is open.
func (x *txnWriter) written() {
	if x.wrote != nil {
		x.called(*x.wrote, kerr.None, nil)
		x.wrote = nil
	}
}

// wroteUnknown notes that no answer has shown it.
func (x *txnWriter) wroteUnknown() {
	if x.wrote != nil {
		x.b.record(slotTxnCalls, history.Info, "", *x.wrote)
		x.wrote = nil
	}
}

// ask sends a request about the transaction to its coordinator.
func (x *txnWriter) ask(req kmsg.Request, low, cap int16, done func(kmsg.Response, error)) (repeated bool) {
	x.asking = true
	t := x.txn
	return x.coord.ask(req, low, cap, clock.MS(x.cfg.requestMS), func(r kmsg.Response, err error) {
		x.asking = false
		if err != nil {
			x.pause()
		}
		done(r, err)
		if err != nil {
			x.unheard(t)
		}
	})
}

func (x *txnWriter) init() {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &x.cfg.id, int32(x.cfg.timeoutMS)
	req.ProducerID, req.ProducerEpoch = -1, -1
	low := int16(0)
	if x.was >= 0 {
		req.ProducerID, req.ProducerEpoch, low = x.was, x.wasOf, initNames
	}
	op := x.op(callInit)
	op.PID, op.Epoch = req.ProducerID, req.ProducerEpoch
	asked := op
	x.b.record(slotTxnCalls, history.Invoke, "", op)
	again := x.ask(req, low, anyVersion, func(r kmsg.Response, err error) {
		if err != nil {
			x.called(op, 0, err)
			x.find()
			return
		}
		resp := r.(*kmsg.InitProducerIDResponse)
		c := kerr.Code(resp.ErrorCode)
		op.Offset, op.Generation = resp.ProducerID, int32(resp.ProducerEpoch)
		x.called(op, c, nil)
		switch {
		case c == kerr.None:
			x.gets(resp.ProducerID, resp.ProducerEpoch)
			x.user.begun()
		case c == kerr.ProducerFenced || c == kerr.InvalidProducerEpoch: // another with the same id is quicker
			x.was = noProducerID
			x.fenced()
		case !x.again(c):
			x.b.caught(slotTxn, "", "InitProducerId answers an error of no use", c.String())
			x.pause()
		}
	})
	if again {
		x.b.twice(asked)
	}
}

// gets has the producer go on under an id and an epoch.
func (x *txnWriter) gets(pid int64, epoch int16) {
	x.pid, x.epoch, x.was, x.seqs, x.copied = pid, epoch, noProducerID, make([]int32, x.out.parts), false
}

func (x *txnWriter) addPartitions() {
	t := x.txn
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = x.cfg.id, x.pid, x.epoch
	rt := kmsg.AddPartitionsToTxnRequestTopic{Topic: x.out.name}
	for _, b := range t.batches {
		rt.Partitions = append(rt.Partitions, int32(b.part))
	}
	req.Topics = append(req.Topics, rt)
	x.ask(req, 0, 3, func(r kmsg.Response, err error) {
		if err != nil || t != x.txn {
			return
		}
		code := kerr.None
		for _, a := range r.(*kmsg.AddPartitionsToTxnResponse).Topics {
			for _, b := range a.Partitions {
				code = either(code, kerr.Code(b.ErrorCode))
			}
		}
		if code == kerr.None {
			x.written()
		}
		x.stepped(t, code, txnProducing)
	})
}

// either gives the first code that is one.
func either(a, b kerr.Code) kerr.Code {
	if a != kerr.None {
		return a
	}
	return b
}

// produce sends what is not taken yet, in order, and not more of a partition at a time than is allowed.
func (x *txnWriter) produce() {
	t, now := x.txn, x.b.n.Now()
	left := false
	behind := make([]bool, x.out.parts) // one has to wait there
	flying := make([]int, x.out.parts)
	for _, b := range t.batches {
		if b.taken {
			continue
		}
		left = true
		if b.part >= x.out.parts { // the topic is another one
			t.abort = true
			continue
		}
		if b.inFlight {
			flying[b.part]++
			continue
		}
		if behind[b.part] || b.notBefore > now || t.abort || flying[b.part] >= max(1, x.cfg.inFlight) {
			behind[b.part] = true
			continue
		}
		flying[b.part]++
		if lead := x.out.lead[b.part]; lead < 0 {
			x.relearn()
			behind[b.part] = true
		} else if l := x.to(lead); l.open() {
			x.send(l, t, b)
		} else {
			behind[b.part] = true
		}
		if t != x.txn { // it was given up, since the request could not even be sent
			return
		}
	}
	if left {
		return
	}
	switch {
	case !t.offsets:
		t.step = txnEnding
	case x.cfg.old:
		t.step = txnJoining
	default:
		t.step = txnCommitting
	}
	x.advance()
}

// waits says whether a batch of the same partition that comes before b is not taken yet.
func (t *transaction) waits(b *txnBatch) bool {
	for _, c := range t.batches {
		if c == b {
			break
		}
		if c.part == b.part && !c.taken {
			return true
		}
	}
	return false
}

func (x *txnWriter) send(l *link, t *transaction, b *txnBatch) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.TransactionID = -1, int32(x.cfg.requestMS), &x.cfg.id
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = x.out.name, x.out.id
	tp := kmsg.NewProduceRequestTopicPartition()
	tp.Partition, tp.Records = int32(b.part), b.bytes
	rt.Partitions = append(rt.Partitions, tp)
	req.Topics = append(req.Topics, rt)
	low, cap := int16(produceAdds), idCap(&x.out, 13)
	if x.cfg.old {
		low, cap = 3, produceAdds-1
	}
	b.inFlight = true
	asked := x.b.sh.Rec.Len()
	repeated := l.ask(req, low, cap, clock.MS(x.cfg.requestMS), func(r kmsg.Response, err error) {
		b.inFlight, b.notBefore = false, x.b.n.Now().Add(retryPause)
		if err != nil {
			x.unheard(t)
		}
		if err != nil || t != x.txn {
			return
		}
		resp := r.(*kmsg.ProduceResponse)
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			x.b.caught(slotTxn, x.out.keys[b.part], "Produce answers other partitions than it was asked for", fmt.Sprint(len(resp.Topics)))
			return
		}
		switch c := kerr.Code(resp.Topics[0].Partitions[0].ErrorCode); {
		case c == kerr.None:
			b.taken = true
			x.written()
		case c == kerr.ConcurrentTransactions:
		case c == kerr.OutOfOrderSequenceNumber && t.waits(b):
		case c == kerr.OutOfOrderSequenceNumber:
			// In the first version the next transaction has the same epoch, and a copy of an earlier batch that comes while it is being verified is
			// taken for its first, as in Kafka (KAFKA-14920).
			if !x.copied || !x.cfg.old {
				op := x.op(callOrder)
				op.Want, op.Timestamp, op.Got = x.out.keys[b.part], asked, c.String()
				x.b.note(slotTxn, op)
			}
			t.abort = true
		case retriable(c):
			x.relearn()
		default:
			t.abort = true
		}
		x.advance()
	})
	x.copied = x.copied || repeated
}

func (x *txnWriter) addOffsets() {
	t := x.txn
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = x.cfg.id, x.pid, x.epoch, x.cfg.group
	x.ask(req, 0, anyVersion, func(r kmsg.Response, err error) {
		if err == nil && t == x.txn {
			x.stepped(t, kerr.Code(r.(*kmsg.AddOffsetsToTxnResponse).ErrorCode), txnCommitting)
		}
	})
}

func (x *txnWriter) commitOffsets() {
	t := x.txn
	x.asking = true
	asked := x.user.commitOffsets(t, func(c kerr.Code, err error) {
		x.asking = false
		x.pause()
		if err != nil {
			x.unheard(t)
		}
		if err != nil || t != x.txn {
			return
		}
		if c == kerr.None {
			x.waitFor = 0
		}
		x.stepped(t, c, txnEnding)
	})
	x.asking = x.asking && asked
}

// end asks for the end until it is answered.
func (x *txnWriter) end() {
	t := x.txn
	x.wroteUnknown()
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = x.cfg.id, x.pid, x.epoch, !t.abort
	low, cap := int16(endTxnBumps), int16(anyVersion)
	if x.cfg.old {
		low, cap = 0, endTxnBumps-1
	}
	op := x.op(callCommit)
	if t.abort {
		op.Meta = callAbort
	}
	x.b.record(slotTxnCalls, history.Invoke, "", op)
	asked := op
	again := x.ask(req, low, cap, func(r kmsg.Response, err error) {
		if err != nil {
			x.called(op, 0, err)
			t.unclear = t.unclear || !t.abort && err != errVersion
			x.find()
			return
		}
		resp := r.(*kmsg.EndTxnResponse)
		c := kerr.Code(resp.ErrorCode)
		if resp.Version >= endTxnBumps {
			op.Offset, op.Generation = resp.ProducerID, int32(resp.ProducerEpoch)
		}
		x.called(op, c, nil)
		if t == x.txn {
			x.end1(t, resp, c)
		}
	})
	if again {
		x.b.twice(asked)
		t.unclear = t.unclear || !t.abort
	}
}

func (x *txnWriter) end1(t *transaction, resp *kmsg.EndTxnResponse, c kerr.Code) {
	switch {
	case c == kerr.None:
		if resp.Version >= endTxnBumps && resp.ProducerID >= 0 {
			x.gets(resp.ProducerID, resp.ProducerEpoch)
		}
		if t.abort {
			if x.cfg.old {
				x.leave()
			}
			x.conclude(history.Fail, "aborted")
		} else {
			x.conclude(history.OK, "")
		}
		x.advance()
	case x.again(c):
		t.unclear = t.unclear || !t.abort && unclear(c)
	case t.unclear && (c != kerr.InvalidTxnState || x.cfg.old):
		x.lost(history.Info, c.String())
	default: // INVALID_TXN_STATE too: who retries the end of what was committed is told so (KIP-890)
		t.unclear = false
		x.lost(history.Fail, c.String())
	}
}
