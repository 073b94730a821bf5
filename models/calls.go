package models

import (
	"math"
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// Never is the return of an operation that nobody saw end.
const Never = math.MaxInt64

// Call is one micro-operation with its interval in global sequence numbers.
type Call struct {
	Process  int32
	Type     history.Type // OK, Fail or Info
	Err      string
	Op       *history.Op // as completed; as invoked where the completion carries none
	Call     int64
	Return   int64 // Never for Info
	Complete *history.Event
}

// Calls pairs invocations with completions. An operation without a completion is Info. Notes are left out.
func Calls(events []*history.Event) []Call {
	open := map[int32]*history.Event{}
	var calls []Call
	var order []int32 // processes in the order in which they first invoked, so that the result does not hang on a map's order
	for _, e := range events {
		if e.Type == history.Invoke {
			if _, seen := open[e.Process]; !seen {
				order = append(order, e.Process)
			}
			if before := open[e.Process]; before != nil {
				calls = appendCalls(calls, before, nil)
			}
			open[e.Process] = e
			continue
		}
		inv := open[e.Process]
		if inv == nil || inv.F != e.F {
			continue
		}
		open[e.Process] = nil
		calls = appendCalls(calls, inv, e)
	}
	for _, p := range order {
		if inv := open[p]; inv != nil {
			calls = appendCalls(calls, inv, nil)
		}
	}
	return calls
}

func appendCalls(calls []Call, inv, done *history.Event) []Call {
	c := Call{Process: inv.Process, Type: history.Info, Call: inv.I, Return: Never, Complete: done}
	ops := inv.Ops
	if done != nil {
		c.Type, c.Err = done.Type, done.Err
		if done.Type != history.Info {
			c.Return = done.I
		}
		if len(done.Ops) > 0 {
			ops = done.Ops
		}
	}
	for i := range ops {
		c.Op = &ops[i]
		calls = append(calls, c)
	}
	return calls
}

// excuse says that from event At on, what a key held at or above Offset may be gone.
type excuse struct{ At, Offset int64 }

// excuses gathers the ledger's notes for one key.
func excuses(events []*history.Event, key string) []excuse {
	var all []excuse
	for _, e := range events {
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == history.Excuse && (o.Key == "" || o.Key == key) {
				all = append(all, excuse{e.I, o.Offset})
			}
		}
	}
	return all
}

// groupExcuses gathers those that concern committed offsets: they live in __consumer_offsets.
func groupExcuses(events []*history.Event) []excuse {
	var all []excuse
	for _, e := range events {
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == history.Excuse && (o.Key == "" || strings.HasPrefix(o.Key, "__consumer_offsets/")) {
				all = append(all, excuse{e.I, o.Offset})
			}
		}
	}
	return all
}

// Notes gives the events of the notes of one kind about a key.
func Notes(events []*history.Event, kind history.Kind, key string) (at []int64) {
	for _, e := range events {
		for i := range e.Ops {
			if o := &e.Ops[i]; o.Kind == kind && o.Key == key {
				at = append(at, e.I)
			}
		}
	}
	return at
}

// groupOf gives the group of a group key.
func groupOf(groupKey string) string {
	group, _, _ := strings.Cut(groupKey, "|")
	return group
}
