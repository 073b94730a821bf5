package history

import "github.com/seedlog/seedlog/io/clock"

// Recorder numbers events and hands each to Sink, in order. It is not safe for several goroutines: a run is one.
type Recorder struct {
	Now  func() clock.Time
	Sink func(*Event)
	next int64
}

// NewRecorder makes a recorder.
func NewRecorder(now func() clock.Time, sink func(*Event)) *Recorder {
	return &Recorder{Now: now, Sink: sink}
}

// Record completes e with its number and time and hands it on. F defaults to the first micro-operation's name.
func (r *Recorder) Record(e *Event) {
	e.I, e.Time = r.next, r.Now()
	r.next++
	if e.F == "" && len(e.Ops) > 0 {
		e.F = e.Ops[0].Kind.String()
	}
	if r.Sink != nil {
		r.Sink(e)
	}
}

// Op records an event of an operation.
func (r *Recorder) Op(process int32, t Type, err string, ops ...Op) {
	r.Record(&Event{Process: process, Type: t, Ops: ops, Err: err})
}

// Note records a note: an Info event without an invocation.
func (r *Recorder) Note(process int32, op Op) {
	r.Record(&Event{Process: process, Type: Info, Ops: []Op{op}})
}

// Len is the number of events so far.
func (r *Recorder) Len() int64 { return r.next }
