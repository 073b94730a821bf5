package group

import (
	"encoding/binary"
	"hash/fnv"
	"slices"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/group/offsets"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
)

var be = binary.BigEndian

// Replay applies one record of the log: the only place where durable state changes.
func (c *Coordinator) Replay(at coordinator.Position, rec coordinator.Record) error {
	if len(rec.Key) >= 2 && consumer.IsKey(int16(be.Uint16(rec.Key))) {
		return c.replayConsumer(rec)
	}
	k, known, err := readKey(rec.Key)
	if err != nil || !known {
		return err
	}
	if k.kind == keyGroup {
		return c.replayGroup(k, rec.Value)
	}
	return c.replayOffset(at, k, rec.Value)
}

func (c *Coordinator) replayGroup(k key, value []byte) error {
	if value == nil {
		delete(c.meta, k.group)
		if g := c.groups[k.group]; g != nil {
			c.bury(g, kerr.CoordinatorNotAvailable)
		}
		return nil
	}
	if _, err := readGroup(value); err != nil {
		return err
	}
	c.meta[k.group] = slices.Clone(value)
	return nil
}

func (c *Coordinator) replayOffset(at coordinator.Position, k key, value []byte) error {
	if value == nil {
		c.offsets.Delete(k.group, k.topic, k.partition)
		return nil
	}
	o, err := readOffset(value)
	if err != nil {
		return err
	}
	o.RecordAt = at.Offset
	if o.ExpireMS < 0 && !c.Active() && plant.On(plant.G1) {
		o.ExpireMS = o.CommitMS
	}
	if at.ProducerID >= 0 {
		c.offsets.PutPending(at.ProducerID, k.group, k.topic, k.partition, o)
	} else {
		c.offsets.Put(k.group, k.topic, k.partition, o)
	}
	if c.Active() && c.consumers[k.group] == nil {
		c.ensure(k.group)
	}
	return nil
}

// ReplayMarker ends a producer's transaction.
func (c *Coordinator) ReplayMarker(producerID int64, _ int16, commit bool) {
	c.offsets.End(producerID, commit)
}

// Digest sums up the durable state: equal logs give equal digests, live or loaded.
func (c *Coordinator) Digest() uint64 {
	h := fnv.New64a()
	var b []byte
	for _, id := range sortedKeys(c.meta) {
		b = appendString(appendString(b[:0], id), string(c.meta[id]))
		h.Write(b)
	}
	for _, id := range sortedKeys(c.consumers) {
		for _, r := range c.consumers[id].Records() {
			h.Write(appendString(appendString(b[:0], string(r.Key)), string(r.Value)))
		}
	}
	h.Write(appendStore(b[:0], -1, &c.offsets))
	c.offsets.Transactions(func(id int64, pending *offsets.Store) { h.Write(appendStore(nil, id, pending)) })
	return h.Sum64()
}

func appendStore(b []byte, producerID int64, s *offsets.Store) []byte {
	b = be.AppendUint64(b, uint64(producerID))
	for _, id := range s.Groups() {
		b = appendString(b, id)
		for _, t := range s.Group(id).Topics {
			b = appendString(b, t.Name)
			for i := range t.Partitions {
				p := &t.Partitions[i]
				b = be.AppendUint32(b, uint32(p.Partition))
				b = be.AppendUint64(b, uint64(p.Offset.Offset))
				b = be.AppendUint32(b, uint32(p.LeaderEpoch))
				b = be.AppendUint64(b, uint64(p.CommitMS))
				b = be.AppendUint64(b, uint64(p.ExpireMS))
				b = be.AppendUint64(b, uint64(p.RecordAt))
				b = append(appendString(b, p.Metadata), p.TopicID[:]...)
			}
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(be.AppendUint32(b, uint32(len(s))), s...)
}

// Committed is the shard's call: what waited for this record goes on.
func (c *Coordinator) Committed(groupID string, last int64) {
	g := c.groups[groupID]
	if g == nil {
		return
	}
	if g.State == classic.CompletingRebalance && g.Storing >= 0 && g.Storing <= last {
		c.stabilize(g)
	}
	c.answerReplaced(g, last)
	c.check(groupID)
}

// Stalled is the shard's call: who waits for this record is told to find the coordinator again.
func (c *Coordinator) Stalled(groupID string, last int64) {
	g := c.groups[groupID]
	if g == nil {
		return
	}
	if g.State == classic.CompletingRebalance && g.Storing >= 0 && g.Storing <= last {
		c.failSync(g, kerr.CoordinatorNotAvailable)
	}
	c.refuseReplaced(g, last)
	c.check(groupID)
}
