package txn

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/list"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// call is one request about one transactional id. It runs when it comes, and again when what it waits for is there: a producer id, or the end of
// the transaction that is being completed.
type call struct {
	c     *Coordinator
	id    string
	req   kmsg.Request
	w     coordinator.Waiter
	newID int64 // a producer id that was asked for, -1 none
	until clock.Time
	timer timer.Timer
	in    list.Elem[call] // place in the entry's held
	of    *entry          // that holds it
}

// start runs a request for the first time.
func (c *Coordinator) start(id string, req kmsg.Request, w coordinator.Waiter, holdMS int32) {
	x := &call{c: c, id: id, req: req, w: w, newID: noID, until: c.env.Now.Mono.Add(clock.MS(int64(holdMS)))}
	x.timer.Owner = x
	x.run()
	c.check()
}

func (x *call) run() {
	c := x.c
	if code := c.unavailable(); code != kerr.None {
		sometimes.If(code == kerr.CoordinatorLoadInProgress, "txn: a call comes while the coordinator loads")
		x.refuse(code)
		return
	}
	switch q := x.req.(type) {
	case *kmsg.InitProducerIDRequest:
		c.initProducerID(x, q)
	case *kmsg.AddPartitionsToTxnRequest:
		c.addPartitions(x, q)
	case *kmsg.EndTxnRequest:
		c.endTxn(x, q)
	default:
		assert.Never("txn: an unknown request")
	}
}

// refuse answers with a code. What the code says may rest on records that are not committed yet: it waits for them like any answer.
func (x *call) refuse(code kerr.Code) {
	resp := ErrorResponse(x.req, code)
	if x.c.Active() {
		x.c.reply(x, resp)
		return
	}
	coordinator.Reply(x.w, resp)
}

// hold keeps a call until the transaction of its id is complete.
func (c *Coordinator) hold(e *entry, x *call) {
	if e.held.Len() >= c.cfg.MaxHeld || x.until <= c.env.Now.Mono {
		x.refuse(kerr.ConcurrentTransactions)
		return
	}
	x.of = e
	e.held.Push(x, &x.in)
	c.env.Timers.Set(&x.timer, x.until)
}

func (c *Coordinator) unhold(e *entry, x *call) {
	e.held.Remove(&x.in)
	c.env.Timers.Cancel(&x.timer)
	x.of = nil
}

// release runs what was held for an id, in the order in which it came.
func (c *Coordinator) release(e *entry) {
	if e.held.Len() == 0 {
		return
	}
	xs := make([]*call, 0, e.held.Len())
	for x := e.held.First(); x != nil; x = e.held.First() {
		c.unhold(e, x)
		xs = append(xs, x)
	}
	for _, x := range xs {
		x.run()
	}
}

// TimerFired is the heap's call: it was held for too long.
func (x *call) TimerFired(*timer.Timer) {
	sometimes.Hit("txn: a call is held for too long")
	x.c.unhold(x.of, x)
	x.refuse(kerr.ConcurrentTransactions)
}

// needID has the call run again with a new producer id, unless it has one.
func (x *call) needID() (id int64, ok bool) {
	if x.newID != noID {
		return x.newID, true
	}
	x.c.pids.NextProducerID(x)
	return noID, false
}

// GotProducerID is IDWaiter.
func (x *call) GotProducerID(id int64, code kerr.Code) {
	if code != kerr.None {
		x.refuse(code)
		return
	}
	x.newID = id
	x.run()
	x.c.check()
}
