package seedlogtest

import (
	"sync"
	"time"
)

// deadline is a moment that can be waited for and moved, as net.Conn wants it.
type deadline struct {
	mu     sync.Mutex
	timer  *time.Timer
	passed chan struct{} // closed once it has passed
}

func newDeadline() *deadline { return &deadline{passed: make(chan struct{})} }

// set moves it; the zero time is never. Who waits for the one before goes on waiting for this one.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.passed // the timer's function closes it without a lock
	}
	d.timer = nil
	select {
	case <-d.passed:
		d.passed = make(chan struct{})
	default:
	}
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		close(d.passed)
	default:
		passed := d.passed
		d.timer = time.AfterFunc(wait, func() { close(passed) })
	}
}

// wait gives what is closed once it has passed.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passed
}

// isPast says whether it has.
func (d *deadline) isPast() bool {
	select {
	case <-d.wait():
		return true
	default:
		return false
	}
}
