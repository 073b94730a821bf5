package models

import (
	"fmt"
	"math"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/seedlog/seedlog/sim/history"
)

// txnState is where a transactional id stands, as its callers can tell (M4). Between calls the coordinator goes on by itself: it carries out what was decided, aborts what
// was open for too long, and what a request without an answer asked for may happen late.
//
//	empty ─ write ─▶ open ─ commit, abort, time-out ─▶ decided ──▶ complete ─ write ─▶ open      init: empty, with another epoch
//	empty, complete ─ it expires ─▶ unknown
type txnState struct {
	phase  txnPhase
	commit bool  // what was decided
	pid    int64 // newPID: one that nobody has been told of
	epoch  int16 // of an unknown one: that with which it begins
	prev   int64 // the producer id before, where that had no epoch left; none
	last   int16 // the epoch before, by which an InitProducerId may be repeated that names it (KIP-360); noEpoch: none
	first  int16 // the epoch with which an id begins
	rotate bool  // decided: another producer id takes over once it is complete
	inits  int8  // InitProducerId without an answer, which may still happen
	stays  bool  // one of those may repeat another: it changes no epoch
	gone   int8  // how often the id may still turn out to have been forgotten
	late   uint8 // what else may still happen, in the present epoch: lateWrite, …
}

type txnPhase uint8

const (
	txnUnknown txnPhase = iota
	txnEmpty
	txnOpen
	txnDecided
	txnComplete
)

const (
	noPID   = -1
	newPID  = -2
	noEpoch = -1
	// lastEpoch is the last one that a producer is given.
	lastEpoch = math.MaxInt16 - 1
)

const (
	lateWrite uint8 = 1 << iota
	lateCommit
	lateAbort
)

var lates = map[string]uint8{"write": lateWrite, "commit": lateCommit, "abort": lateAbort}

// txnOp is one call. An unknown one stands at its invocation: from then on it may happen.
type txnOp struct {
	call    string // init, write, commit, abort; forget: from now on the id may be gone
	old     bool   // of the first version of the protocol
	pid     int64  // of init: that it names, or noPID
	epoch   int16
	toPID   int64 // in the answer; noPID: it has none
	toEpoch int16
	err     string
	unknown bool
	what    string
}

// reach gives the states that a state may have become by itself and that are wanted. What comes after a wanted one can still come later, so
// nobody looks behind it; nil wants all.
func (s txnState) reach(wanted func(*txnState) bool) (found []txnState) {
	all, seen := []txnState{s}, map[txnState]bool{s: true}
	for i := 0; i < len(all); i++ {
		d := all[i]
		if wanted == nil || wanted(&d) {
			if found = append(found, d); wanted != nil {
				continue
			}
		}
		for _, n := range all[i].moves() {
			if !seen[n] {
				seen[n] = true
				all = append(all, n)
			}
		}
	}
	return found
}

// moves gives the states that come next without a call.
func (s txnState) moves() (next []txnState) {
	switch s.phase {
	case txnOpen:
		next = append(next, s.decide(false, false)) // it has timed out
	case txnDecided:
		next = append(next, s.complete())
	}
	if s.inits > 0 && s.phase != txnDecided {
		n := s
		n.inits--
		if s.phase == txnOpen {
			next = append(next, n.decide(false, false))
		} else {
			n = n.init()
			n.last = s.epoch
			next = append(next, n)
		}
	}
	if s.stays && s.idle() {
		next = append(next, s.stay())
	}
	if s.gone > 0 && s.idle() {
		next = append(next, txnState{pid: noPID, prev: noPID, last: noEpoch, epoch: s.first, first: s.first, inits: s.inits, stays: s.stays, gone: s.gone - 1})
	}
	for _, what := range [...]string{"write", "commit", "abort"} {
		if s.late&lates[what] != 0 {
			next = append(next, s.does(&txnOp{call: what, pid: s.pid, epoch: s.epoch, toPID: noPID})...)
			next = append(next, s.does(&txnOp{call: what, pid: s.pid, epoch: s.epoch, toPID: noPID, old: true})...)
		}
	}
	return next
}

// at goes to another epoch: what comes late of the one before is refused.
func (s txnState) at(pid int64, epoch int16) txnState {
	s.pid, s.epoch, s.late = pid, epoch, 0
	return s
}

func (s *txnState) idle() bool { return s.phase == txnEmpty || s.phase == txnComplete }

// decide ends what is open, or an empty transaction. The second version, and the coordinator by itself, bump the epoch.
func (s txnState) decide(commit, old bool) txnState {
	s.phase, s.commit, s.prev = txnDecided, commit, noPID
	if old {
		return s
	}
	s.rotate, s.last = s.epoch >= lastEpoch, s.epoch // also of one that has timed out (KAFKA-19367)
	return s.at(s.pid, s.epoch+1)
}

func (s txnState) complete() txnState {
	s.phase = txnComplete
	if s.rotate {
		s.prev, s.rotate = s.pid, false
		s = s.at(newPID, 0)
	}
	return s
}

func (s txnState) init() txnState {
	switch {
	case s.phase == txnUnknown:
		s = s.at(newPID, s.epoch)
		s.prev = noPID
	case s.epoch >= lastEpoch:
		s.prev = s.pid
		s = s.at(newPID, 0)
	default:
		s.prev = noPID
		s = s.at(s.pid, s.epoch+1)
	}
	s.phase, s.last = txnEmpty, noEpoch
	return s
}

// stay is an InitProducerId that repeats another.
func (s txnState) stay() txnState {
	s.phase, s.prev = txnEmpty, noPID
	return s
}

// inited gives the states after an InitProducerId, which may name a producer: one that is the present one goes on, and may do so again as long as the
// coordinator knows that it has (KIP-360).
func (s txnState) inited(op *txnOp) (next []txnState) {
	for _, d := range s.reach(nil) {
		if d.phase == txnOpen || d.phase == txnDecided {
			continue
		}
		var n txnState
		switch before := d.epoch; {
		case op.pid == noPID:
			n = d.init()
		case d.phase == txnUnknown:
			n = d.init()
		case d.is(op.pid) && op.epoch == d.epoch:
			n = d.init()
			n.last = before
		case op.epoch == d.last && (d.is(op.pid) || d.prev == op.pid && op.epoch >= lastEpoch):
			n = d.stay()
		default:
			continue
		}
		if n.is(op.toPID) && n.epoch == op.toEpoch {
			next = append(next, n)
		}
	}
	return next
}

// is says whether the state has a producer id, and knows it from then on.
func (s *txnState) is(pid int64) bool {
	if s.pid == newPID && pid >= 0 && pid != s.prev && s.phase != txnUnknown {
		s.pid = pid
	}
	return s.pid == pid
}

// step gives the states after a call, none where its answer is wrong. What the state may become by itself afterwards is left to the next call.
func (s txnState) step(op *txnOp) (next []txnState) {
	switch {
	case op.call == "forget":
		s.gone = min(s.gone+1, 100)
		return []txnState{s}
	case op.unknown && op.call == "init":
		s.inits, s.stays = min(s.inits+1, 100), s.stays || op.pid != noPID
		return []txnState{s}
	case op.unknown:
		next = s.reach(func(d *txnState) bool { return d.is(op.pid) && d.epoch == op.epoch })
		for i := range next {
			next[i].late |= lates[op.call]
		}
		next = append(next, s) // or it comes too late for any
	case op.err != "":
		next = s.reach(func(d *txnState) bool { return d.refuses(op) })
	case op.call == "init":
		next = s.inited(op)
	default:
		for _, d := range s.reach(nil) {
			next = append(next, d.does(op)...)
		}
	}
	return undominated(next)
}

// undominated leaves out the states that differ from another one only by fewer calls that may still happen: the other may do all that they may.
func undominated(list []txnState) []txnState {
	most := map[txnState]int{} // by the state without those calls: its place in out
	out := list[:0]
	for _, s := range list {
		key := s
		key.inits, key.gone = 0, 0
		i, known := most[key]
		switch {
		case known && out[i].inits >= s.inits && out[i].gone >= s.gone:
		case known && out[i].inits <= s.inits && out[i].gone <= s.gone:
			out[i] = s
		default:
			most[key] = len(out)
			out = append(out, s)
		}
	}
	return out
}

// does gives the states after a call that was taken.
func (s txnState) does(op *txnOp) []txnState {
	if s.phase == txnUnknown {
		return nil
	}
	mine, idle := s.is(op.pid) && s.epoch == op.epoch, s.idle()
	commit := op.call == "commit"
	switch {
	case op.call == "write":
		if !mine || s.phase == txnDecided {
			return nil
		}
		s.phase, s.prev = txnOpen, noPID
		return []txnState{s}
	case mine && s.phase == txnOpen, mine && idle && !op.old && !commit:
		n := s.decide(commit, op.old)
		if pid, epoch := n.after(); !op.told(pid, epoch) {
			return nil
		}
		return []txnState{n}
	case mine && op.old && s.phase == txnComplete && s.commit == commit:
		return []txnState{s}
	}
	if !op.old && s.phase == txnComplete && s.commit == commit && s.retries(op) && (s.is(op.toPID) || op.toPID == noPID) && op.told(s.pid, s.epoch) {
		return []txnState{s}
	}
	return nil
}

// after is what the next transaction is to use.
func (s txnState) after() (int64, int16) {
	if s.rotate {
		return newPID, 0
	}
	return s.pid, s.epoch
}

// told says whether an answer names this producer.
func (op *txnOp) told(pid int64, epoch int16) bool {
	return op.toPID == noPID || op.toEpoch == epoch && (op.toPID == pid || pid == newPID && op.toPID != op.pid)
}

// retries says whether a call of the second version ends the transaction before: its epoch is the one before (KIP-890).
func (s *txnState) retries(op *txnOp) bool {
	return s.pid == op.pid && int32(op.epoch)+1 == int32(s.epoch) || s.prev == op.pid && op.epoch == lastEpoch && s.epoch == 0
}

// refuses says whether an error was right. Those that say nothing of the transaction are always possible.
func (s txnState) refuses(op *txnOp) bool {
	ends := op.call == "commit" || op.call == "abort"
	if !ends {
		return true
	}
	known := s.phase != txnUnknown
	same := known && s.is(op.pid)
	retry := known && !op.old && s.retries(op) // the first version knows no producer id before
	current := same && s.epoch == op.epoch
	switch op.err {
	case "INVALID_PRODUCER_ID_MAPPING":
		return !known || !same && !retry
	case "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH":
		switch {
		case op.old || s.phase == txnEmpty || s.phase == txnOpen:
			return known && !current
		case s.phase == txnDecided:
			return !retry || s.rotate
		}
		return known && !current && !retry
	case "INVALID_TXN_STATE":
		commit := op.call == "commit"
		other := (s.phase == txnDecided || s.phase == txnComplete) && s.commit != commit
		if op.old {
			return current && (s.phase == txnEmpty || other)
		}
		return retry && other || current && commit && (s.phase == txnEmpty || s.phase == txnComplete)
	}
	return true
}

func txnModel(first txnState) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{first} },
		Step: func(state, input, _ any) []any {
			var out []any
			for _, n := range state.(txnState).step(input.(*txnOp)) {
				out = append(out, n)
			}
			return out
		},
		Equal: func(a, b any) bool { return a.(txnState) == b.(txnState) },
		Hash: func(a any) uint64 {
			s := a.(txnState)
			return uint64(s.pid)<<24 ^ uint64(uint16(s.epoch))<<8 ^ uint64(s.phase)<<4 ^ uint64(s.late) ^ uint64(s.inits)<<56 ^ uint64(s.gone)<<48
		},
		DescribeOperation: func(in, _ any) string { return in.(*txnOp).what },
	}
	return m.ToModel()
}

// CheckTransactional checks the calls about one transactional id (M4). A coordinator that was deposed may answer by what is over: it refuses, tells who retries that
// it is done, or that a partition is in the transaction. A producer id that it gives out is committed. gone: the events at which it let the id expire.
func CheckTransactional(id string, calls []Call, gone []int64, opt Options) Result {
	return checkTransactional(id, txnState{pid: noPID, prev: noPID, last: noEpoch, epoch: opt.FirstEpoch, first: opt.FirstEpoch}, calls, gone, opt)
}

func checkTransactional(id string, first txnState, calls []Call, gone []int64, opt Options) Result {
	r := Result{Model: "M4", Key: id}
	var ops []porcupine.Operation
	for i := range calls {
		k := &calls[i]
		op := &txnOp{call: k.Op.Meta, old: k.Op.Member == "old", pid: k.Op.PID, epoch: k.Op.Epoch, toPID: k.Op.Offset, toEpoch: int16(k.Op.Generation), unknown: k.Type == history.Info}
		op.what = fmt.Sprintf("%s by %d/%d: %s %d/%d", op.call, op.pid, op.epoch, outcome(k), op.toPID, op.toEpoch)
		ret := k.Return
		switch {
		case k.Type == history.Fail && opt.weakTxn(id, k.Call, k.Return):
			r.Weak++
			continue
		case k.Type == history.OK && op.call != "init" && opt.weakTxn(id, k.Call, k.Return):
			r.Weak++
			op.unknown, ret = true, k.Call
		case k.Type == history.Fail:
			op.err = k.Err
		case op.unknown:
			ret = k.Call
		}
		r.Strong++
		ops = append(ops, porcupine.Operation{ClientId: int(k.Process), Input: op, Call: k.Call, Return: ret})
	}
	r.Ops = len(ops)
	for _, at := range gone {
		ops = append(ops, porcupine.Operation{Input: &txnOp{call: "forget", what: "the id expires"}, Call: at, Return: at})
	}
	r.window(sorted(ops), opt.Timeout, txnModel(first))
	return r
}

// outcome says how a call ended.
func outcome(k *Call) string { return strings.TrimSpace(k.Type.String() + " " + k.Err) }

// weakTxn says that the coordinator of a transactional id may have been one that was deposed.
func (o *Options) weakTxn(id string, call, ret int64) bool {
	if o.Weak == nil {
		return false
	}
	n := o.TxnPartitions
	if n == 0 {
		n = defaultTxnPartitions
	}
	return o.Weak(history.Key(transactionState, partitionOf(id, n)), call, ret)
}

const (
	transactionState     = "__transaction_state"
	defaultTxnPartitions = 50 // transaction.state.log.num.partitions
)

// txnExcused says that what coordinators of transactions knew may be gone.
func txnExcused(events []*history.Event) bool {
	for _, e := range events {
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == history.Excuse && (o.Key == "" || strings.HasPrefix(o.Key, transactionState+"/")) {
				return true
			}
		}
	}
	return false
}
