package corruption

import (
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/sim/history"
)

// Operator is one way in which a broker can be wrong.
type Operator struct {
	Name  string
	Sites func(s *Story) []*Edit
}

// Operators are all of them.
func Operators() []Operator {
	return slices.Concat(partitionOperators, transactionOperators, groupOperators, producerOperators, metadataOperators)
}

// Edit is a change of a story that leaves what no correct broker leaves.
type Edit struct {
	At     string   // where, in words
	Breaks []string // the properties that are broken, each of them
	s      *Story
	change map[int]*history.Event
	gone   map[int]bool
	tail   []*history.Event
}

func (s *Story) edit(breaks []string, at string, args ...any) *Edit {
	return &Edit{At: fmt.Sprintf(at, args...), Breaks: breaks, s: s, change: map[int]*history.Event{}, gone: map[int]bool{}}
}

// event gives an event of the story for change.
func (e *Edit) event(i int) *history.Event {
	c := e.change[i]
	if c == nil {
		was := *e.s.Events[i]
		c = &was
		c.Ops = slices.Clone(c.Ops)
		for k := range c.Ops {
			c.Ops[k].Records = slices.Clone(c.Ops[k].Records)
		}
		e.change[i] = c
	}
	return c
}

// answer gives the completed micro-operation of a call for change.
func (e *Edit) answer(c *call) *history.Op { return &e.event(c.done).Ops[c.op] }

// drop takes an event away.
func (e *Edit) drop(i int) { e.gone[i] = true }

// stranger is a client that no plan has.
const stranger = 4000

// add puts an event behind all others.
func (e *Edit) add(t history.Type, ops ...history.Op) *Edit {
	last := e.s.Events[len(e.s.Events)-1]
	e.tail = append(e.tail, &history.Event{I: last.I + int64(len(e.tail)) + 1, Process: history.ProcessOf(stranger, 0), Type: t, F: ops[0].Kind.String(), Time: last.Time, Ops: ops})
	return e
}

// poll has a stranger read records from an offset on.
func (e *Edit) poll(key string, from int64, values ...history.Value) *Edit {
	o := history.Op{Kind: history.Poll, Key: key, From: from, HW: -1, Start: -1, PID: -1, Offset: history.NoOffset}
	e.add(history.Invoke, o)
	for i, v := range values {
		o.Records = append(o.Records, history.Record{Offset: from + int64(i), Value: v})
	}
	o.Batches, o.HW = 1, from+int64(len(values))
	return e.add(history.OK, o)
}

// History is the story as it is after the change. The story itself stays as it is.
func (e *Edit) History() []*history.Event {
	out := make([]*history.Event, 0, len(e.s.Events)+len(e.tail))
	for i, was := range e.s.Events {
		switch c := e.change[i]; {
		case e.gone[i]:
		case c != nil:
			out = append(out, c)
		default:
			out = append(out, was)
		}
	}
	return append(out, e.tail...)
}
