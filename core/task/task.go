// Package task runs straight-line code that awaits the disk or a timer more than once: recovery, loading a coordinator, compaction.
// A task is a coroutine (iter.Pull) that its shard resumes when what it awaits has completed. One await needs no task: it is an Op.
//
// A crash or an unload stops a task: every await then returns at once with Stopped set, and the task returns without effects.
package task

import (
	"iter"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Task is one coroutine. Its methods that await may be called by its own function only.
type Task struct {
	env     *env.Env
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	waiting int // completions outstanding
	done    []disk.Completion
	timer   timer.Timer
	stopped bool
	running bool
	ended   bool
	slot    int // of the environment's list
}

// Go starts f as a task and runs it to its first await.
func Go(e *env.Env, f func(t *Task)) *Task {
	t := &Task{env: e}
	t.timer.Owner = t
	t.slot = e.TaskBegan(t)
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		f(t)
		t.ended = true
		e.TaskEnded(t.slot)
	})
	t.resume()
	return t
}

func (t *Task) resume() {
	assert.That(!t.running, "task: resumed while it runs")
	t.running = true
	t.next()
	t.running = false
}

// Env is the environment of the task's shard.
func (t *Task) Env() *env.Env { return t.env }

// Stopped says that the task must return without further effects.
func (t *Task) Stopped() bool { return t.stopped }

// Ended says whether the function has returned.
func (t *Task) Ended() bool { return t.ended }

// Stop ends the task at its await; it may not be called from within. Completions that come later are dropped.
func (t *Task) Stop() {
	if t.ended || t.stopped {
		return
	}
	t.stopped = true
	t.env.Timers.Cancel(&t.timer)
	if !t.ended {
		t.running = true
		t.stop()
		t.running = false
	}
}

// Disk issues one request and awaits its completion.
func (t *Task) Disk(r disk.Request) disk.Completion {
	c := t.All(r)
	if t.stopped {
		return disk.Completion{Err: disk.ErrIO, Detail: "task stopped"}
	}
	return c[0]
}

// All issues requests together and awaits all their completions, which stand at the requests' places. The slice is reused by the next await.
func (t *Task) All(rs ...disk.Request) []disk.Completion {
	t.done = t.done[:0]
	for range rs {
		t.done = append(t.done, disk.Completion{})
	}
	if t.stopped || len(rs) == 0 {
		return t.done
	}
	t.waiting = len(rs)
	for i, r := range rs {
		t.env.Disk(r, env.Op{Owner: t, A: int64(i)})
	}
	t.await()
	return t.done
}

// Sleep awaits the passing of d. Sleep(0) lets other events of the shard be handled first: it is over in a later step, since a step fires what has come
// due within it, too.
func (t *Task) Sleep(d clock.Duration) {
	if t.stopped {
		return
	}
	t.waiting = 1
	t.env.After(&t.timer, max(d, 1))
	t.await()
}

func (t *Task) await() {
	if !t.yield(struct{}{}) {
		t.stopped = true
	}
}

// DiskDone is the shard's call.
func (t *Task) DiskDone(op env.Op, c *disk.Completion) {
	if t.stopped {
		return
	}
	t.done[op.A] = *c
	t.waiting--
	if t.waiting == 0 {
		t.resume()
	}
}

// TimerFired is the shard's call.
func (t *Task) TimerFired(*timer.Timer) {
	t.waiting = 0
	t.resume()
}
