package models

import (
	"fmt"
	"sort"

	"github.com/anishathalye/porcupine"

	"github.com/seedlog/seedlog/sim/history"
)

// cachedBatches is how many batches of a producer a partition remembers (ProducerStateEntry.NUM_BATCHES_TO_RETAIN).
const cachedBatches = 5

type batchSeq struct {
	first, last int32
	offset      int64 // -1: appended by a send whose answer and record nobody saw
}

// producerState is one producer id on one partition. known false: the partition has nothing of it and takes any first sequence (KIP-360).
// vague: a crash may have taken some of it, so that until the next append every answer is possible.
type producerState struct {
	known, vague bool
	epoch        int16
	n            int
	cache        [cachedBatches]batchSeq // oldest first
}

type producerOp struct {
	epoch  int16
	first  int32
	n      int32
	offset int64 // of an acknowledgement, or as read; -1 unknown
	err    string
	maybe  bool // no answer, no trace: it may have been appended or not
	forget bool // an excuse passed
	what   string
}

func nextSequence(seq, n int32) int32 {
	s := int64(seq) + int64(n)
	if s > 1<<31-1 {
		s -= 1 << 31
	}
	return int32(s)
}

func (s producerState) expected() int32 { return nextSequence(s.cache[s.n-1].last, 1) }

func (s producerState) cached(op *producerOp) (batchSeq, bool) {
	last := nextSequence(op.first, op.n-1)
	for i := 0; i < s.n && s.epoch == op.epoch; i++ {
		if s.cache[i].first == op.first && s.cache[i].last == last {
			return s.cache[i], true
		}
	}
	return batchSeq{}, false
}

// takes says whether the next append of this epoch and sequence is in order.
func (s producerState) takes(op *producerOp) bool {
	switch {
	case !s.known || s.vague:
		return true
	case op.epoch > s.epoch:
		return op.first == 0
	}
	return op.epoch == s.epoch && op.first == s.expected()
}

func (s producerState) append(op *producerOp) producerState {
	if !s.known || s.epoch != op.epoch {
		s = producerState{known: true, epoch: op.epoch}
	}
	if s.n == cachedBatches {
		copy(s.cache[:], s.cache[1:])
		s.n--
	}
	s.cache[s.n] = batchSeq{op.first, nextSequence(op.first, op.n-1), op.offset}
	s.n++
	return s
}

func (s producerState) step(op *producerOp) []producerState {
	switch {
	case op.forget:
		s.vague = true
		return []producerState{s}
	case op.maybe:
		return s.maybe(op)
	case op.err != "":
		return s.refuse(op)
	}
	if b, dup := s.cached(op); dup {
		switch {
		case b.offset < 0 || op.offset < 0 || b.offset == op.offset:
			return []producerState{s}
		case !s.vague: // what was lost may be sent and stored again
			return nil
		}
	}
	return s.appends(op)
}

// appends gives the states that the append of a batch may lead to, none if it is out of order.
func (s producerState) appends(op *producerOp) (next []producerState) {
	if s.vague {
		return s.fresh(op)
	}
	if !s.takes(op) {
		return nil
	}
	if s.known && op.offset >= 0 && op.offset <= s.cache[s.n-1].offset {
		return nil // a later batch of one producer below an earlier one
	}
	return []producerState{s.append(op)}
}

// fresh is an append after a loss: what was remembered before is gone, or any beginning of it has stayed, which answers duplicates on.
func (s producerState) fresh(op *producerOp) []producerState {
	next := []producerState{producerState{}.append(op)}
	for n := 1; n <= s.n; n++ {
		left := producerState{known: true, epoch: s.epoch, n: n}
		copy(left.cache[:n], s.cache[:n])
		next = append(next, left.appends(op)...)
	}
	return next
}

func (s producerState) maybe(op *producerOp) []producerState {
	next := []producerState{s}
	if _, dup := s.cached(op); !dup {
		next = append(next, s.appends(op)...)
	}
	return next
}

// refuse says whether an error was right. Errors that say nothing of sequences are always possible and change nothing.
func (s producerState) refuse(op *producerOp) []producerState {
	_, dup := s.cached(op)
	right := true
	switch op.err {
	case "OUT_OF_ORDER_SEQUENCE_NUMBER":
		right = s.vague || s.known && op.epoch >= s.epoch && !dup && !s.takes(op)
	case "INVALID_PRODUCER_EPOCH":
		right = s.vague || s.known && op.epoch < s.epoch
	case "UNKNOWN_PRODUCER_ID":
		right = s.vague || !s.known
	case "DUPLICATE_SEQUENCE_NUMBER":
		right = false // Kafka answers a known duplicate with its offset, an unknown one with OUT_OF_ORDER_SEQUENCE_NUMBER
	}
	if !right {
		return nil
	}
	return []producerState{s}
}

func producerModel(expire bool) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{producerState{}} },
		Step: func(state, input, _ any) []any {
			s, op := state.(producerState), input.(*producerOp)
			next := s.step(op)
			if expire && s.known {
				next = append(next, producerState{}.step(op)...)
			}
			out := make([]any, len(next))
			for i := range next {
				out[i] = next[i]
			}
			return out
		},
		Equal: func(a, b any) bool { return a.(producerState) == b.(producerState) },
		Hash: func(a any) uint64 {
			s := a.(producerState)
			h := uint64(s.epoch)<<32 ^ uint64(s.n)
			for i := 0; i < s.n; i++ {
				h = h*1099511628211 ^ uint64(s.cache[i].first) ^ uint64(s.cache[i].offset)<<32
			}
			return h
		},
		DescribeOperation: func(in, _ any) string { return in.(*producerOp).what },
	}
	return m.ToModel()
}

// staleRefusal stands for a refusal that a deposed leader may have made: it says what that one knows.
const staleRefusal = "of a leader that may be deposed"

// CheckProducers checks each idempotent producer of a partition (M2), in order of producer id.
func CheckProducers(key string, calls []Call, ex []excuse, opt Options) []Result {
	seen, room := firstReads(calls), int64(0)
	if opt.ProducersExpire {
		room = unknownRun(calls)
	}
	byPID := map[int64][]porcupine.Operation{}
	for i := range calls {
		k := &calls[i]
		if k.Op.Kind != history.Send || k.Op.PID < 0 || len(k.Op.Records) == 0 {
			continue
		}
		own := producerOperation(k, seen)
		if op := own.Input.(*producerOp); op.err != "" && opt.Weak != nil && opt.Weak(key, k.Call, k.Return) {
			op.err = staleRefusal
		}
		byPID[k.Op.PID] = append(append(byPID[k.Op.PID], own), lostCopies(k, seen, ex)...)
		if opt.ProducersExpire {
			byPID[k.Op.PID] = append(byPID[k.Op.PID], lateCopies(k, seen, room)...)
		}
	}
	pids := make([]int64, 0, len(byPID))
	for p := range byPID {
		pids = append(pids, p)
	}
	sort.Slice(pids, func(i, j int) bool { return pids[i] < pids[j] })
	var results []Result
	for _, p := range pids {
		ops := byPID[p]
		for _, x := range ex {
			ops = append(ops, porcupine.Operation{Input: &producerOp{forget: true, what: "a loss that the ledger excuses"}, Call: x.At, Return: x.At})
		}
		r := Result{Model: "M2", Key: fmt.Sprintf("%s pid=%d", key, p), Ops: len(ops)}
		r.window(sorted(ops), opt.Timeout, producerModel(opt.ProducersExpire))
		results = append(results, r)
	}
	return results
}

func sorted(ops []porcupine.Operation) []porcupine.Operation {
	sort.SliceStable(ops, func(i, j int) bool { return ops[i].Call < ops[j].Call })
	return ops
}

func producerOperation(k *Call, seen sightings) porcupine.Operation {
	recs := k.Op.Records
	op := &producerOp{epoch: k.Op.Epoch, first: k.Op.Seq, n: int32(len(recs)), offset: recs[0].Offset}
	ret := k.Return
	switch k.Type {
	case history.Fail:
		op.err, op.offset = k.Err, history.NoOffset
		if op.err == "" {
			op.err = "error"
		}
	case history.Info:
		if at := seen[recs[0].Value]; len(at) > 0 {
			op.offset, ret = at[0].offset, max(at[0].ret, k.Call)
		} else {
			op.maybe, op.offset = true, history.NoOffset
		}
	}
	op.what = fmt.Sprintf("send epoch=%d sequence=%d n=%d: offset %d %s", op.epoch, op.first, op.n, op.offset, outcome(k))
	return porcupine.Operation{ClientId: int(k.Process), Input: op, Call: k.Call, Return: ret}
}
