package txn

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
)

// abortTimedOut aborts the transactions that have been open for longer than their producers asked for.
func (c *Coordinator) abortTimedOut() {
	now := c.nowMS()
	var late []*entry
	for e := c.open.First(); e != nil; e = e.inOpen.Next() {
		if e.StartMS+int64(e.TimeoutMS) < now {
			late = append(late, e)
		}
	}
	for _, e := range late {
		sometimes.Hit("txn: a transaction times out")
		x := &timedOut{c: c, id: e.id, at: e.at}
		if c.mustReplace(e) {
			c.pids.NextProducerID(x)
		} else {
			x.abort(noID)
		}
	}
}

// timedOut is a transaction that is to be aborted, if it stays as it is until there is a producer id for it.
type timedOut struct {
	c  *Coordinator
	id string
	at int64
}

// GotProducerID is IDWaiter.
func (x *timedOut) GotProducerID(id int64, code kerr.Code) {
	if code == kerr.None && x.c.Active() {
		x.abort(id)
		x.c.check()
	}
}

func (x *timedOut) abort(nextID int64) {
	e := x.c.ids[x.id]
	if e == nil || e.at != x.at {
		sometimes.Hit("txn: a transaction that was to time out has moved on")
		return
	}
	if code := x.c.abort(e, nextID); code != kerr.None {
		x.c.env.Warnf("transactional id %s: its transaction has timed out, and cannot be aborted yet: %s", e.id, code)
	}
}

// tombstonesPerBatch bounds the batches that delete.
const tombstonesPerBatch = 500

// expire forgets the ids that have not been used for Config.ExpirationMS. Each batch stands for itself.
func (c *Coordinator) expire() {
	before := c.nowMS() - c.cfg.ExpirationMS
	var recs []coordinator.Record
	for _, id := range sortedKeys(c.ids) {
		if e := c.ids[id]; e.State.Idle() && (e.UpdatedMS <= before || plant.On(plant.T9) && e.StartMS <= before) {
			recs = append(recs, record(id, nil, c.cfg.Version))
		}
	}
	c.shard.SetOptions(options(c.cfg))
	for len(recs) > 0 {
		n := min(len(recs), tombstonesPerBatch)
		sometimes.Hit("txn: transactional ids expire")
		if _, code := c.shard.Write("", recs[:n]); code != kerr.None {
			c.env.Warnf("expired transactional ids stay until the next check: %s", code)
			return
		}
		recs = recs[n:]
	}
}
