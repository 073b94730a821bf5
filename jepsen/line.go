package jepsen

import (
	"sync"

	"github.com/seedlog/seedlog/sim/history"
)

// line is one process of the history. A client may begin the next thing while an answer to the last is still on its way, as when it gave that
// up; then nobody knows how the last one ended, whatever comes.
type line struct {
	w       *world
	process int32
	mu      sync.Mutex
	begun   int // operations
	under   bool
	ops     []history.Op // of what is under way
}

func (w *world) newLine(client, slot int) *line {
	return &line{w: w, process: history.ProcessOf(client, slot)}
}

// begin records an invocation, and gives what records its end.
func (l *line) begin(ops ...history.Op) (end func(t history.Type, err string, ops ...history.Op)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveUp()
	l.begun++
	n := l.begun
	l.under, l.ops = true, ops
	l.w.rec.Event(l.process, history.Invoke, "", "", ops...)
	return func(t history.Type, err string, ops ...history.Op) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.under && l.begun == n {
			l.under = false
			l.w.rec.Event(l.process, t, "", err, ops...)
		}
	}
}

// drop leaves what is under way without an answer.
func (l *line) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveUp()
}

func (l *line) giveUp() {
	if l.under {
		l.under = false
		l.w.rec.Event(l.process, history.Info, "", "no answer", l.ops...)
	}
}

// Slots of a client's processes; what it polls and sends is in the first one.
const (
	slotCommit = iota + 8
	slotOffsets
	slotJoin
	slotOwner
	slotTxn
)
