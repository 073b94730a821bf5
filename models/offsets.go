package models

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/seedlog/seedlog/sim/history"
)

// register is a group's committed offset of one partition, and the newest generation that anything proves.
type register struct {
	generation int32
	offset     int64
	meta       string
	vague      bool // a crash may have taken the newest commits: the next read says which
}

type registerOp struct {
	kind       registerKind
	generation int32
	offset     int64
	meta       string
	what       string
}

type registerKind uint8

const (
	registerCommit registerKind = iota
	registerFetch
	registerJoin   // the generation was reached
	registerForget // an excuse passed
	registerAnew   // the group may have begun anew: its generations do so
)

func (s register) step(op *registerOp, expire bool) (bool, register) {
	switch op.kind {
	case registerCommit:
		if op.generation >= 0 && op.generation < s.generation {
			return false, s // an old generation must be refused
		}
		return true, register{generation: max(s.generation, op.generation), offset: op.offset, meta: op.meta}
	case registerJoin:
		s.generation = max(s.generation, op.generation)
		return true, s
	case registerForget:
		return true, register{vague: true, offset: s.offset, meta: s.meta}
	case registerAnew:
		s.generation = -1
		return true, s
	}
	if s.vague {
		return true, register{generation: s.generation, offset: op.offset, meta: op.meta}
	}
	if expire && op.offset < 0 {
		return true, register{offset: op.offset}
	}
	return op.offset == s.offset && (op.meta == s.meta || op.offset < 0), s
}

func registerModel(expire bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return register{generation: -1, offset: -1} },
		Step: func(state, input, _ any) (bool, any) {
			ok, next := state.(register).step(input.(*registerOp), expire)
			return ok, next
		},
		Hash:              func(s any) uint64 { r := s.(register); return uint64(r.offset)<<16 ^ uint64(r.generation) },
		DescribeOperation: func(in, _ any) string { return in.(*registerOp).what },
	}
}

// joins gives the calls that prove a generation of the group that a group key names, and the excuses that concern it.
func joins(calls []Call, groupKey string) []Call {
	group := groupOf(groupKey)
	var js []Call
	for _, c := range calls {
		if c.Op.Kind == history.Join && c.Op.Key == group && c.Type == history.OK {
			js = append(js, c)
		}
	}
	return js
}

// CheckOffsets checks one group's offset of one partition as a register (M3).
func CheckOffsets(key string, calls, joined []Call, ex []excuse, anew []int64, opt Options) Result {
	var ops []porcupine.Operation
	weak, strong := 0, 0
	add := func(k *Call, ret int64, op registerOp) {
		ops = append(ops, porcupine.Operation{ClientId: int(k.Process), Input: &op, Call: k.Call, Return: ret})
	}
	for i := range calls {
		k := &calls[i]
		op := registerOp{offset: k.Op.Offset, meta: k.Op.Meta, generation: k.Op.Generation}
		switch {
		case k.Op.Kind == history.FetchOffsets && k.Type == history.OK:
			if opt.Weak != nil && opt.Weak(key, k.Call, k.Return) {
				weak++
				if opt.OffsetsExpire && op.offset < 0 { // or it asked one that knows less
					op.kind, op.what = registerAnew, "fetch committed offset: none, perhaps expired"
					add(k, k.Return, op)
				}
				if !everCommitted(k, calls) {
					return Result{Model: "M3", Key: key, Verdict: Illegal, Ops: len(ops), Detail: fmt.Sprintf("fetch of committed offset %d %q (events %d to %d): nobody committed that", op.offset, op.meta, k.Call, k.Return)}
				}
				continue
			}
			strong++
			op.kind, op.what = registerFetch, fmt.Sprintf("fetch committed offset: %d %q", op.offset, op.meta)
			add(k, k.Return, op)
		case k.Op.Kind == history.Commit && k.Type != history.Fail:
			ret, ok := commitReturn(k, calls)
			if !ok {
				continue
			}
			op.kind, op.what = registerCommit, fmt.Sprintf("commit offset %d %q generation %d", op.offset, op.meta, op.generation)
			add(k, ret, op)
		}
	}
	if !opt.OffsetsExpire { // a group that expired starts again from generation 1
		for i := range joined {
			g := joined[i].Op.Generation
			add(&joined[i], joined[i].Return, registerOp{kind: registerJoin, generation: g, what: fmt.Sprintf("join of generation %d", g)})
		}
	}
	for _, x := range ex {
		ops = append(ops, porcupine.Operation{Input: &registerOp{kind: registerForget, what: "a loss that the ledger excuses"}, Call: x.At, Return: x.At})
	}
	for _, at := range anew {
		ops = append(ops, porcupine.Operation{Input: &registerOp{kind: registerAnew, what: "the group begins anew"}, Call: at, Return: at})
	}
	r := Result{Model: "M3", Key: key, Ops: len(ops), Strong: strong, Weak: weak}
	r.window(sorted(ops), opt.Timeout, registerModel(opt.OffsetsExpire))
	return r
}

// everCommitted says that a read tells of nothing, or of what a commit that began before it ended may have left: a coordinator that was deposed
// knows no more, but nothing else.
func everCommitted(read *Call, calls []Call) bool {
	if read.Op.Offset < 0 {
		return true
	}
	for i := range calls {
		if o := calls[i].Op; o.Kind == history.Commit && calls[i].Type != history.Fail && o.Offset == read.Op.Offset && o.Meta == read.Op.Meta && calls[i].Call <= read.Return {
			return true
		}
	}
	return false
}

// commitReturn ends a commit of unknown outcome where the first read saw it. One that no read saw may be left out: nothing hangs on it.
// Each commit's metadata is its own, or else several commits may explain the read and the end stays open.
func commitReturn(k *Call, calls []Call) (int64, bool) {
	if k.Type == history.OK {
		return k.Return, true
	}
	ret, twins := int64(Never), 0
	for i := range calls {
		o := calls[i].Op
		if o.Offset != k.Op.Offset || o.Meta != k.Op.Meta {
			continue
		}
		switch {
		case o.Kind == history.Commit:
			twins++
		case calls[i].Type == history.OK && calls[i].Return >= k.Call:
			ret = min(ret, calls[i].Return)
		}
	}
	if ret == Never {
		return 0, false
	}
	if twins > 1 {
		return Never, true
	}
	return ret, true
}
