package models

import (
	"slices"
	"sort"

	"github.com/anishathalye/porcupine"
)

// Bounds of a search over orders. They are of work and not of time, so that a verdict is the same on any machine.
const (
	mostOpen    = 64      // operations under way at a time
	mostConfigs = 1 << 16 // at one completion
	mostSteps   = 1 << 22 // of the model, in all
)

// orders looks for an order of operations that a model with many states explains, by their completions one after the other: it keeps every state that
// the beginning may have led to, with those operations under way that the state has seen already. An operation is taken up only when it, or another one
// that may come after it, completes. So the work grows with the length of the history times the states times the subsets of what is under way at a time,
// and not with the number of orders; a search in depth over sets of states, as porcupine's of a nondeterministic model, meets ever new sets.
type orders[S comparable] struct {
	step func(S, any) []S
	// split parts a state into what it is and a number: the same with a larger one may become all that this one may, and more.
	split func(S) (S, int)

	steps int
	slots [mostOpen]*porcupine.Operation // what is under way; nil: free
	now   []reached[S]
	most  map[config[S]]int // the largest number of each that was met at this completion
	trace bool              // the orders are kept
	trail []taken
	ended []reached[S] // all that was met at the last completion
}

// reached is a config, and the last operation on the way to it: its place in the trail, -1 for none.
type reached[S comparable] struct {
	config[S]
	last int
}

// taken is an operation on the way to a state, and the one before it.
type taken struct {
	op   *porcupine.Operation
	last int
}

// config is a state, and the slots of the operations under way that it has seen.
type config[S comparable] struct {
	state S
	taken uint64
}

// moment is a call or a completion.
type moment struct {
	at   int64
	ends bool
	op   *porcupine.Operation
}

// search gives OK, or Illegal with the operation whose completion leaves no state, or Unchecked with the one at which the bounds were reached.
func (o *orders[S]) search(first S, ops []porcupine.Operation) (Verdict, *porcupine.Operation) {
	o.now = []reached[S]{{config[S]{state: first}, -1}}
	places := map[*porcupine.Operation]int{}
	for _, m := range moments(ops) {
		if !m.ends {
			k := o.free()
			if k < 0 {
				return Unchecked, m.op
			}
			o.slots[k], places[m.op] = m.op, k
			continue
		}
		k := places[m.op]
		delete(places, m.op)
		if !o.complete(k) {
			return Unchecked, m.op
		}
		if o.slots[k] = nil; len(o.now) == 0 {
			return Illegal, m.op
		}
	}
	return OK, nil
}

func moments(ops []porcupine.Operation) []moment {
	all := make([]moment, 0, 2*len(ops))
	for i := range ops {
		all = append(all, moment{ops[i].Call, false, &ops[i]}, moment{ops[i].Return, true, &ops[i]})
	}
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].at != all[j].at {
			return all[i].at < all[j].at
		}
		return !all[i].ends && all[j].ends
	})
	return all
}

func (o *orders[S]) free() int {
	for k, op := range o.slots {
		if op == nil {
			return k
		}
	}
	return -1
}

// complete leaves the states that have seen the operation of a slot, which is free from then on. It says no when the bounds are reached.
func (o *orders[S]) complete(k int) bool {
	o.most = map[config[S]]int{}
	list, done := o.fresh(nil, o.now), []reached[S](nil)
	for i := 0; i < len(list); i++ {
		c := list[i]
		switch {
		case o.surpassed(c.config):
			continue
		case c.taken>>k&1 != 0:
			done = append(done, reached[S]{config[S]{c.state, c.taken &^ (1 << k)}, c.last})
			continue
		}
		for j, op := range o.slots {
			if op == nil || c.taken>>j&1 != 0 {
				continue
			}
			if o.steps++; o.steps > mostSteps || len(list) > mostConfigs {
				return false
			}
			for _, s := range o.step(c.state, op.Input) {
				list = o.fresh(list, []reached[S]{{config[S]{s, c.taken | 1<<j}, o.after(c.last, op)}})
			}
		}
	}
	o.now, o.ended = done, list
	return true
}

// fresh appends those of which no one as large has been met.
func (o *orders[S]) fresh(list, more []reached[S]) []reached[S] {
	for _, c := range more {
		is, n := o.split(c.state)
		key := config[S]{is, c.taken}
		if most, met := o.most[key]; met && most >= n {
			continue
		}
		o.most[key] = n
		list = append(list, c)
	}
	return list
}

// surpassed says whether a larger one has been met since.
func (o *orders[S]) surpassed(c config[S]) bool {
	is, n := o.split(c.state)
	return o.most[config[S]{is, c.taken}] > n
}

// after notes that an operation was taken.
func (o *orders[S]) after(last int, op *porcupine.Operation) int {
	if !o.trace {
		return -1
	}
	o.trail = append(o.trail, taken{op, last})
	return len(o.trail) - 1
}

// window is the stretch up to a completion that leaves no state, with the longest order among those that were met last.
func (o *orders[S]) window(first S, ops []porcupine.Operation, at *porcupine.Operation, what func(porcupine.Operation) string) *Window {
	byReturn := append([]porcupine.Operation(nil), ops...)
	sort.SliceStable(byReturn, func(i, j int) bool { return byReturn[i].Return < byReturn[j].Return })
	n := slices.IndexFunc(byReturn, func(x porcupine.Operation) bool { return x.Input == at.Input })
	ops = sorted(prefix(byReturn, n+1))
	w := &Window{Unplaced: -1}
	place := map[*porcupine.Operation]int{}
	for i := range ops {
		x := &ops[i]
		if place[x] = i; x.Input == at.Input {
			w.Unplaced = i
		}
		w.Ops = append(w.Ops, WindowOp{Process: x.ClientId, Call: x.Call, Return: x.Return, What: what(*x)})
	}
	o.trace = true
	o.search(first, ops)
	for _, c := range o.ended {
		var order []int
		for i := c.last; i >= 0; i = o.trail[i].last {
			order = append(order, place[o.trail[i].op])
		}
		if len(order) > len(w.Order) {
			slices.Reverse(order)
			w.Order = order
		}
	}
	return w
}
