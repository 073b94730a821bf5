package models

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// Window is a stretch of a history that no order explains, up to the completion that leaves none.
type Window struct {
	Ops      []WindowOp // by their calls
	Order    []int      // the longest beginning of an order that porcupine found: indexes of Ops
	Unplaced int        // the operation whose completion leaves no order, while there is one without it; -1: not found
}

// WindowOp is an operation of a window, with its interval in event numbers. Return is Never if nobody saw it end.
type WindowOp struct {
	Process int
	Call    int64
	Return  int64
	What    string
}

// search runs porcupine over windows of ops that no operation spans. next gives the model for a window that starts after `done`
// operations; ops are sorted by Call. It leaves verdict, detail and window in r.
func (r *Result) search(ops []porcupine.Operation, timeout time.Duration, next func(before []porcupine.Operation) porcupine.Model) {
	sort.SliceStable(ops, func(i, j int) bool { return ops[i].Call < ops[j].Call })
	start, end := 0, int64(-1)
	for i := range ops {
		if i-start >= windowOps && ops[i].Call > end {
			if r.window(ops[start:i], timeout, next(ops[:start])); r.Verdict != OK {
				return
			}
			start = i
		}
		end = max(end, ops[i].Return)
	}
	r.window(ops[start:], timeout, next(ops[:start]))
}

// window searches one window.
func (r *Result) window(ops []porcupine.Operation, timeout time.Duration, m porcupine.Model) {
	r.Verdict = OK
	if len(ops) == 0 {
		return
	}
	switch porcupine.CheckOperationsTimeout(m, ops, timeout) {
	case porcupine.Ok:
	case porcupine.Unknown:
		r.Verdict, r.Detail = Unchecked, fmt.Sprintf("no answer within %v over %d operations from event %d", timeout, len(ops), ops[0].Call)
	default:
		r.Verdict = Illegal
		r.blame(ops, timeout, m)
	}
}

// blame finds the operation whose completion makes the window illegal: the shortest prefix, by return, that has no explanation.
func (r *Result) blame(ops []porcupine.Operation, timeout time.Duration, m porcupine.Model) {
	byReturn := append([]porcupine.Operation(nil), ops...)
	sort.SliceStable(byReturn, func(i, j int) bool { return byReturn[i].Return < byReturn[j].Return })
	n := sort.Search(len(byReturn), func(n int) bool {
		return porcupine.CheckOperationsTimeout(m, prefix(byReturn, n+1), timeout) == porcupine.Illegal
	})
	if n == len(byReturn) {
		r.Detail = fmt.Sprintf("illegal between events %d and %d", ops[0].Call, byReturn[n-1].Return)
		r.Window = unordered(ops, nil, timeout, m)
		return
	}
	o := byReturn[n]
	r.Detail = fmt.Sprintf("no order explains %s (events %d to %d)", m.DescribeOperation(o.Input, o.Output), o.Call, o.Return)
	r.Window = unordered(prefix(byReturn, n+1), &o, timeout, m)
}

// unordered is the window of operations that have no order.
func unordered(ops []porcupine.Operation, bad *porcupine.Operation, timeout time.Duration, m porcupine.Model) *Window {
	sort.SliceStable(ops, func(i, j int) bool { return ops[i].Call < ops[j].Call })
	w := &Window{Unplaced: -1}
	for i, o := range ops {
		if bad != nil && o.Input == bad.Input {
			w.Unplaced = i
		}
		w.Ops = append(w.Ops, WindowOp{Process: o.ClientId, Call: o.Call, Return: o.Return, What: m.DescribeOperation(o.Input, o.Output)})
	}
	_, info := porcupine.CheckOperationsVerbose(m, ops, timeout)
	for _, orders := range info.PartialLinearizations() {
		for _, order := range orders {
			if n := len(order) - len(w.Order); n > 0 || n == 0 && slices.Compare(order, w.Order) < 0 { // they come in the order of a map
				w.Order = order
			}
		}
	}
	return w
}

// prefix is the history as it stood when the n-th operation returned: what was called later is absent, what was still open may have
// taken effect, so it stays with its output and an open end.
func prefix(byReturn []porcupine.Operation, n int) []porcupine.Operation {
	cut := byReturn[n-1].Return
	var p []porcupine.Operation
	for i, o := range byReturn {
		if i < n || o.Call < cut {
			p = append(p, o)
		}
	}
	return p
}
