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
	mostSteps   = 1 << 24 // of the model, in all
)

// orders looks for an order of operations that a model with many states explains, by their completions one after the other: it keeps every state that
// the beginning may have led to, with those operations under way that the state has seen already. An operation is taken up only when it, or another one
// that may come after it, completes. So the work grows with the length of the history times the states times the subsets of what is under way at a time,
// and not with the number of orders; a search in depth over sets of states, as porcupine's of a nondeterministic model, meets ever new sets.
type orders[S comparable] struct {
	// moves gives what a state may become by itself.
	moves func(S) []S
	// overdue gives the states after an operation that does not happen now, none if it must.
	overdue func(S, any) []S
	// takes gives the states after one that happens now. enough: what the state may become by itself before need not be looked at.
	takes func(_ S, op any) (next []S, enough bool)
	// split parts a state into what it is and what may still happen to it: the same with more chances may become all that this one may.
	split func(S) (S, chances)

	steps int
	slots [mostOpen]*porcupine.Operation // what is under way; nil: free
	now   []reached[S]
	most  map[config[S]][]chances // those of each that was met at this completion, of which none includes another
	tried map[tried[S]]struct{}   // at this completion
	trace bool                    // the orders are kept
	trail []taken
	ended []reached[S] // all that was met at the last completion
}

// chances are what may still happen: so many of each of two kinds, and a set of others.
type chances struct {
	counts [2]int
	set    uint8
}

// include says whether these are all of the others, or more.
func (c chances) include(d chances) bool {
	return c.counts[0] >= d.counts[0] && c.counts[1] >= d.counts[1] && c.set&d.set == d.set
}

// tried is a state in which an operation was tried, among those that had been taken.
type tried[S comparable] struct {
	config[S]
	slot int
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
	o.most, o.tried = map[config[S]][]chances{}, map[tried[S]]struct{}{}
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
			for _, s := range o.step(c.config, j) {
				list = o.fresh(list, []reached[S]{{config[S]{s, c.taken | 1<<j}, o.after(c.last, op)}})
			}
			if o.steps > mostSteps || len(list) > mostConfigs {
				return false
			}
		}
	}
	o.now, o.ended = done, list
	return true
}

// step gives the states after an operation, whatever the state has become by itself before. What another state has become too is not tried again.
func (o *orders[S]) step(c config[S], slot int) []S {
	op := o.slots[slot].Input
	next, todo := o.overdue(c.state, op), []S{c.state}
	for i := 0; i < len(todo); i++ {
		key := tried[S]{config[S]{todo[i], c.taken}, slot}
		if _, again := o.tried[key]; again {
			continue
		}
		o.tried[key] = struct{}{}
		o.steps++
		after, enough := o.takes(todo[i], op)
		if next = append(next, after...); !enough {
			todo = append(todo, o.moves(todo[i])...)
		}
	}
	return next
}

// fresh appends those of which none with all their chances has been met.
func (o *orders[S]) fresh(list, more []reached[S]) []reached[S] {
	for _, c := range more {
		is, can := o.split(c.state)
		key := config[S]{is, c.taken}
		met := o.most[key]
		if slices.ContainsFunc(met, func(m chances) bool { return m.include(can) }) {
			continue
		}
		o.most[key] = append(slices.DeleteFunc(met, can.include), can)
		list = append(list, c)
	}
	return list
}

// surpassed says whether one with more chances has been met since.
func (o *orders[S]) surpassed(c config[S]) bool {
	is, can := o.split(c.state)
	return !slices.Contains(o.most[config[S]{is, c.taken}], can)
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
