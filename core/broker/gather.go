package broker

import (
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/timer"
)

// gather collects, on shard 0, what the shards want of the controller, and asks for it in one request at a time.
//
//	add ─▶ queue ─ end of the round ─▶ in flight ─▶ done: the rest of the queue
//	                                     └─ no answer, or no controller: later ─ retryEach ─▶ the same is asked again
type gather[T any] struct {
	env      *env.Env
	most     int             // of one request
	ask      func(batch []T) // answered by done or later, perhaps at once
	queue    []T
	inFlight []T
	timer    timer.Timer
}

func (g *gather[T]) begin(e *env.Env, most int, ask func(batch []T)) {
	g.env, g.most, g.ask = e, most, ask
	g.timer.Owner = g
}

func (g *gather[T]) add(x T) {
	g.queue = append(g.queue, x)
	if len(g.inFlight) == 0 && !g.timer.IsSet() {
		g.env.Mark(g)
	}
}

// Flush is env.Flusher: what this round has gathered leaves together. It is called once for each add.
func (g *gather[T]) Flush() {
	if len(g.inFlight) == 0 && !g.timer.IsSet() {
		g.send()
	}
}

// TimerFired is the heap's call: there may be a controller now.
func (g *gather[T]) TimerFired(*timer.Timer) { g.send() }

func (g *gather[T]) send() {
	if len(g.inFlight) == 0 {
		n := min(len(g.queue), g.most)
		g.inFlight = g.queue[:n:n]
		g.queue = append([]T(nil), g.queue[n:]...)
	}
	if len(g.inFlight) > 0 {
		g.ask(g.inFlight)
	}
}

// later asks the same again after a while.
func (g *gather[T]) later() { g.env.After(&g.timer, retryEach) }

// done gives what was in flight, which is answered, and asks for what has come meanwhile.
func (g *gather[T]) done() []T {
	batch := g.inFlight
	g.inFlight = nil
	if len(g.queue) > 0 {
		g.env.Mark(g)
	}
	return batch
}
