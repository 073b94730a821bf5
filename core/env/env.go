// Package env is what a machine of a shard works with: the step's time and effects, and the shard's flights, timers, tasks, leases
// and randomness. The shard owns it and sets Now and Out at each step; machines keep the pointer.
package env

import (
	"fmt"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/flight"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Owner is a machine that waits for the disk or for a send. Op is its own note of what it asked.
type Owner interface {
	DiskDone(op Op, c *disk.Completion)
}

// SendOwner is a machine that waits for a response to leave, because the response holds its extents.
type SendOwner interface{ SendDone(op Op) }

// Op is what a flight remembers: whose request it was, which kind of the owner's, and two numbers of its own.
type Op struct {
	Owner Owner
	Send  SendOwner
	Kind  uint8
	A, B  int64
}

// Env is shared by the machines of one shard.
type Env struct {
	Shard   int
	Now     clock.Now
	Out     *step.Effects
	Timers  timer.Heap
	Pool    *buf.Pool
	Rand    *prng.Source
	Dirty   []Flusher // machines that want a call before the effects are executed, in the order in which they asked
	flights flight.Table[Op]
	dials   disk.Token // the last given out
	files   []bool     // by index, true if in use; index 0 is never given out
	free    []int
	tasks   []Stopper // that have not ended, by slot; nil: a free slot
	noTask  []int
}

// Stopper is a task that has not ended.
type Stopper interface{ Stop() }

// Flusher is a machine that gathers work during a round and turns it into effects at the round's Flush.
type Flusher interface{ Flush() }

// New makes the environment of a shard.
func New(shard int, pool *buf.Pool, rand *prng.Source) *Env {
	return &Env{Shard: shard, Pool: pool, Rand: rand, files: make([]bool, 1)}
}

// Disk issues a request on behalf of op.Owner.
func (e *Env) Disk(r disk.Request, op Op) {
	r.Token = e.flights.Put(op)
	e.Out.Disk = append(e.Out.Disk, r)
}

// SendToken gives a token for a Send whose end op.Send wants to hear of.
func (e *Env) SendToken(op Op) disk.Token { return e.flights.Put(op) }

// DialToken gives a token for a Dial. All who dial on a shard take theirs here, so that ConnOpened and ConnClosed find who asked.
func (e *Env) DialToken() disk.Token {
	e.dials++
	return e.dials
}

// Done routes a disk completion to its owner.
func (e *Env) Done(c *disk.Completion) {
	op := e.flights.Take(c.Token)
	op.Owner.DiskDone(op, c)
}

// Sent routes the end of a send.
func (e *Env) Sent(tok disk.Token) {
	op := e.flights.Take(tok)
	op.Send.SendDone(op)
}

// InFlight is the number of requests that have not completed.
func (e *Env) InFlight() int { return e.flights.Len() }

// File takes a file number.
func (e *Env) File() disk.File {
	if k := len(e.free); k > 0 {
		i := e.free[k-1]
		e.free = e.free[:k-1]
		e.files[i] = true
		return disk.FileOf(e.Shard, i)
	}
	e.files = append(e.files, true)
	assert.That(len(e.files) < disk.MaxFilesPerShard, "env: out of file numbers")
	return disk.FileOf(e.Shard, len(e.files)-1)
}

// FreeFile gives a number back, once the file's Close has completed (or its Open has failed).
func (e *Env) FreeFile(f disk.File) {
	assert.That(f.Shard() == e.Shard && e.files[f.Index()], "env: file freed twice")
	e.files[f.Index()] = false
	e.free = append(e.free, f.Index())
}

// Mark asks for a Flush at the end of the round. The machine keeps its own flag, so that it asks once.
func (e *Env) Mark(f Flusher) { e.Dirty = append(e.Dirty, f) }

// FlushDirty calls those that asked, those too that ask meanwhile.
func (e *Env) FlushDirty() {
	for i := 0; i < len(e.Dirty); i++ {
		e.Dirty[i].Flush()
		e.Dirty[i] = nil
	}
	e.Dirty = e.Dirty[:0]
}

// Infof, Warnf and Errorf add a line for people. Cold: they allocate.
func (e *Env) Infof(format string, args ...any) { e.Out.Line(step.Info, fmt.Sprintf(format, args...)) }

// Warnf says what may need attention, and what to do.
func (e *Env) Warnf(format string, args ...any) { e.Out.Line(step.Warn, fmt.Sprintf(format, args...)) }

// Errorf says what is broken, and what to do.
func (e *Env) Errorf(format string, args ...any) {
	e.Out.Line(step.Error, fmt.Sprintf(format, args...))
}

// After arms t for d from now.
func (e *Env) After(t *timer.Timer, d clock.Duration) { e.Timers.Set(t, e.Now.Mono.Add(d)) }

// TaskBegan notes a task, so that StopTasks reaches it, and gives the slot that TaskEnded takes back.
func (e *Env) TaskBegan(t Stopper) int {
	if k := len(e.noTask); k > 0 {
		i := e.noTask[k-1]
		e.noTask = e.noTask[:k-1]
		e.tasks[i] = t
		return i
	}
	e.tasks = append(e.tasks, t)
	return len(e.tasks) - 1
}

// TaskEnded forgets a task.
func (e *Env) TaskEnded(slot int) {
	e.tasks[slot] = nil
	e.noTask = append(e.noTask, slot)
}

// StopTasks ends every task at its await. A driver that gives the shard up calls it, through the shard, so that no coroutine is left.
func (e *Env) StopTasks() {
	for i := 0; i < len(e.tasks); i++ {
		if e.tasks[i] != nil {
			e.tasks[i].Stop()
		}
	}
}
