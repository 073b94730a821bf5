package engine

import (
	"fmt"

	"github.com/seedlog/seedlog/io/clock"
)

// Entity names who an event belongs to: a shard, a disk, a client, the plan. Events of one entity at one instant keep their order.
type Entity uint32

// Kind says what an event, or a line of the trace, is about. Packages take ranges of a hundred and Describe them.
type Kind uint16

// Handler takes the events that it scheduled.
type Handler interface {
	Fire(kind Kind, a, b int64)
}

// Engine is one run. The zero value is not usable: New.
type Engine struct {
	Seed   uint64
	Events int64 // fired until now
	now    clock.Time
	heap   heap
	seq    uint64
	permut uint64 // not 0: the key of fault C2
	trace  trace
	failed *Violation
	names  []string // by Entity
}

// New makes an engine at virtual time 1 ns: 0 means "no time" to the core.
func New(seed uint64) *Engine {
	e := &Engine{Seed: seed, now: 1}
	e.trace.init()
	return e
}

// Now is the virtual time. It is nobody's clock: nodes and clients have their own (package simclock).
func (e *Engine) Now() clock.Time { return e.now }

// Entity names a new entity, for the trace.
func (e *Engine) Entity(name string) Entity {
	e.names = append(e.names, name)
	return Entity(len(e.names) - 1)
}

// At schedules h.Fire(kind, a, b) for t, or for now if t has passed.
func (e *Engine) At(t clock.Time, who Entity, h Handler, kind Kind, a, b int64) {
	if t < e.now {
		t = e.now
	}
	e.seq++
	ev := event{at: t, seq: e.seq, who: who, kind: kind, h: h, a: a, b: b}
	if e.permut != 0 {
		ev.tie = uint32(mix(e.permut^uint64(t)*0x9e3779b97f4a7c15^uint64(who)<<40) >> 32)
	}
	e.heap.push(ev)
}

// After schedules for d from now.
func (e *Engine) After(d clock.Duration, who Entity, h Handler, kind Kind, a, b int64) {
	e.At(e.now.Add(d), who, h, kind, a, b)
}

// Permute turns fault C2 on: entities that fire at one instant do so in an order drawn for that instant.
func (e *Engine) Permute(on bool) {
	e.permut = 0
	if on {
		e.permut = uint64(KeyOf(e.Seed, "F:C2")) | 1
	}
}

// Step fires the next event. It says false when there is none or the run has failed.
func (e *Engine) Step() bool {
	if e.failed != nil || len(e.heap) == 0 {
		return false
	}
	ev := e.heap.pop()
	e.now = ev.at
	e.Events++
	e.Trace(ev.who, ev.kind, ev.a, ev.b, 0)
	ev.h.Fire(ev.kind, ev.a, ev.b)
	return e.failed == nil
}

// Next is the time of the next event, or 0.
func (e *Engine) Next() clock.Time {
	if len(e.heap) == 0 {
		return 0
	}
	return e.heap[0].at
}

// Advance moves the time to t, which has come elsewhere. Nothing may be due before it.
func (e *Engine) Advance(t clock.Time) {
	if next := e.Next(); next == 0 || next >= t {
		e.now = max(e.now, t)
	}
}

// Pending is the number of events scheduled.
func (e *Engine) Pending() int { return len(e.heap) }

// Violation is a broken property: of the node under test, never of the simulator.
type Violation struct {
	Property string // as in "I:I4", "assert", "contract"
	Was      string // what should have been
	Is       string // what is
	At       clock.Time
}

func (v *Violation) Error() string {
	return fmt.Sprintf("%s at %d.%06d s: was %s; is %s", v.Property, int64(v.At)/1e9, int64(v.At)%1e9/1e3, v.Was, v.Is)
}

// Fail ends the run; the first call counts.
func (e *Engine) Fail(property, was, is string) {
	if e.failed == nil {
		e.failed = &Violation{Property: property, Was: was, Is: is, At: e.now}
	}
}

// Failed gives the violation that ended the run, or nil.
func (e *Engine) Failed() *Violation { return e.failed }
