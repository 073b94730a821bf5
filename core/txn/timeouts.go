package txn

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
)

// abortTimedOut aborts the transactions that have been open for longer than their producers asked for, and fences those.
func (c *Coordinator) abortTimedOut() {
	now := c.nowMS()
	var late []*entry
	for e := c.open.First(); e != nil; e = e.inOpen.Next() {
		if e.StartMS+int64(e.TimeoutMS) < now {
			late = append(late, e)
		}
	}
	for _, e := range late {
		if code := c.abort(e); code != kerr.None {
			c.env.Warnf("transactional id %s: its transaction has timed out, and cannot be aborted yet: %s", e.id, code)
		}
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
		if _, code := c.shard.Write("", recs[:n]); code != kerr.None {
			c.env.Warnf("expired transactional ids stay until the next check: %s", code)
			return
		}
		recs = recs[n:]
	}
}
