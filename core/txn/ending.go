package txn

import (
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/list"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/io/clock"
)

// ending is a decided transaction whose markers are being written. Its coordinator may be dropped meanwhile: then it is stopped, and nobody waits
// for it any more.
type ending struct {
	c        *Coordinator
	id       string
	producer int64
	epoch    int16
	coord    int32 // the coordinator's epoch
	commit   bool
	version  int16
	left     int // partitions without a marker
	stopped  bool
	inUndone list.Elem[ending]
}

// sendMarkers has a decision written to every partition of its transaction.
func (c *Coordinator) sendMarkers(e *entry) {
	x := &ending{
		c: c, id: e.id, producer: e.ProducerID, epoch: e.Epoch, coord: c.epoch, commit: e.State == PrepareCommit, version: e.ClientVer,
		left: e.Partitions.Len(),
	}
	e.ending = x
	if x.left == 0 {
		c.complete(x)
		return
	}
	c.sender.add(x, e.Partitions)
}

// written is the sender's call: n more partitions have their marker, or are gone.
func (x *ending) written(n int) {
	x.left -= n
	if x.left == 0 && !x.stopped {
		x.c.complete(x)
		x.c.check()
	}
}

// retryEach is how often the record that a transaction is complete is tried again where the log refuses it.
const retryEach = 100 * clock.Millisecond

// complete writes that a transaction is complete, and lets go what waits for that.
func (c *Coordinator) complete(x *ending) {
	e := c.ids[x.id]
	next := e.complete(c.nowMS())
	if code := c.write(x.id, &next); code != kerr.None {
		sometimes.Hit("txn: the record that a transaction is complete is refused")
		if x.inUndone.In(&c.undone) || plant.On(plant.T4) {
			return
		}
		c.undone.Push(x, &x.inUndone)
		if !c.retries.IsSet() {
			c.env.After(&c.retries, retryEach)
		}
		return
	}
	if x.inUndone.In(&c.undone) {
		c.undone.Remove(&x.inUndone)
	}
	e.ending = nil
	c.release(e)
}

func (c *Coordinator) retryCompletions() {
	for n := c.undone.Len(); n > 0; n-- {
		x := c.undone.First()
		c.undone.Remove(&x.inUndone)
		c.complete(x)
	}
	if c.undone.Len() > 0 {
		c.env.After(&c.retries, retryEach)
	}
}
