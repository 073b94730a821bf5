package txn

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/coordinator"
)

// Replay applies one record of the log: the only place where durable state changes.
func (c *Coordinator) Replay(at coordinator.Position, rec coordinator.Record) error {
	id, known, err := readKey(rec.Key)
	if err != nil || !known {
		return err
	}
	if rec.Value == nil {
		c.remove(id)
		return nil
	}
	m, err := readValue(rec.Value)
	if err != nil {
		return err
	}
	e := c.ids[id]
	if e == nil {
		e = &entry{id: id}
		c.ids[id] = e
	}
	if was := e.inOpen.In(&c.open); was != (m.State == Ongoing) {
		if was {
			c.open.Remove(&e.inOpen)
		} else {
			c.open.Push(e, &e.inOpen)
		}
	}
	e.Metadata, e.at = m, at.Offset
	return nil
}

func (c *Coordinator) remove(id string) {
	e := c.ids[id]
	if e == nil {
		return
	}
	if e.inOpen.In(&c.open) {
		c.open.Remove(&e.inOpen)
	}
	delete(c.ids, id)
}

// ReplayMarker is coordinator.Machine: nobody writes to this log in a transaction.
func (c *Coordinator) ReplayMarker(int64, int16, bool) {}

// Committed is the shard's call: a decision that is below the high watermark is carried out.
func (c *Coordinator) Committed(id string, last int64) {
	e := c.ids[id]
	if e != nil && e.State.Preparing() && e.at <= last && e.ending == nil {
		c.sendMarkers(e)
	}
	c.check()
}

// Stalled is the shard's call. Who waits has been told; the record may yet be committed.
func (c *Coordinator) Stalled(string, int64) {}

// Digest sums up the durable state: equal logs give equal digests, live or loaded.
func (c *Coordinator) Digest() uint64 {
	h := fnv.New64a()
	var b []byte
	for _, id := range sortedKeys(c.ids) {
		r := record(id, &c.ids[id].Metadata, Version2)
		b = binary.BigEndian.AppendUint32(b[:0], uint32(len(r.Key)))
		b = append(append(b, r.Key...), r.Value...)
		b = binary.BigEndian.AppendUint64(b, uint64(c.ids[id].at))
		h.Write(b)
	}
	return h.Sum64()
}

// check runs the costly checks after a step.
func (c *Coordinator) check() {
	if assert.Invariants {
		c.CheckInvariants()
	}
}

// CheckInvariants panics if the bookkeeping of any id is wrong.
func (c *Coordinator) CheckInvariants() {
	if c.shard.Phase() == coordinator.Dropped {
		return
	}
	open := 0
	for _, id := range sortedKeys(c.ids) {
		e := c.ids[id]
		if e.State == Ongoing {
			open++
		}
		assert.That(e.inOpen.In(&c.open) == (e.State == Ongoing), "txn: an open transaction is not on the list of those, or another is")
		assert.That(e.held.Len() == 0 || e.State.Preparing(), "txn: a request is held for a transaction that is not being completed")
		assert.That(e.ending == nil || e.State.Preparing() && !e.ending.stopped, "txn: markers are written for a transaction that is not decided")
		assert.That(e.State == Ongoing || e.State.Preparing() || len(e.Partitions) == 0, "txn: partitions of no transaction")
		assert.That(e.Epoch >= 0 && e.ProducerID >= 0, "txn: an id without a producer")
	}
	assert.That(open == c.open.Len(), "txn: the list of open transactions is wrong")
}
