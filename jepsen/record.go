package jepsen

import (
	"bufio"
	"io"
	"sync"
	"time"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// Recorder keeps a run's history. It is safe for several goroutines: an event's number says when it happened, among all of them.
type Recorder struct {
	mu     sync.Mutex
	began  time.Time
	rec    *history.Recorder
	events []*history.Event
}

// NewRecorder begins a history.
func NewRecorder() *Recorder {
	r := &Recorder{began: time.Now()}
	r.rec = history.NewRecorder(r.now, func(e *history.Event) { r.events = append(r.events, e) })
	return r
}

func (r *Recorder) now() clock.Time { return clock.Time(time.Since(r.began)) }

// Now is the run's time.
func (r *Recorder) Now() clock.Time { return r.now() }

// Event records one and gives its number. The name is that of the first micro-operation unless one is given.
func (r *Recorder) Event(process int32, t history.Type, name, err string, ops ...history.Op) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &history.Event{Process: process, Type: t, F: name, Ops: ops, Err: err}
	r.rec.Record(e)
	return e.I
}

// Next is the number of the event that comes next.
func (r *Recorder) Next() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rec.Len()
}

// Note records something that nobody invoked.
func (r *Recorder) Note(process int32, op history.Op) { r.Event(process, history.Info, "", "", op) }

// Events gives the history so far.
func (r *Recorder) Events() []*history.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[:len(r.events):len(r.events)]
}

// Write writes it, one event a line.
func (r *Recorder) Write(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<20)
	if err := history.WriteAll(b, r.Events()); err != nil {
		return err
	}
	return b.Flush()
}
