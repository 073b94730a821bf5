package controller

import (
	"slices"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
)

// topic gives a topic's effective settings. They are valid until the next call.
func (c *Context) topic(t *metadata.Topic) *config.Topic {
	if len(t.Configs) == 0 {
		return &c.Node.Topic
	}
	if c.of != t {
		c.of, c.resolved = t, config.Resolve(c.Node, t.Configs)
	}
	return &c.resolved
}

// defaultDir is the directory of a new replica: the broker's only one, or unassigned, and then the broker says (KIP-858).
func (c *Context) defaultDir(broker int32) [16]byte {
	if b := c.Image.Broker(broker); b != nil && len(b.LogDirs) == 1 {
		return b.LogDirs[0]
	}
	return [16]byte{}
}

// sweep changes every partition that pick names. set says what is wanted of each.
func (c *Context) sweep(pick func(t *metadata.Topic, p *metadata.Partition) bool, set func(*partitionChange)) []metadata.Record {
	var out []metadata.Record
	for _, t := range c.Image.Topics() {
		for n := range t.Partitions {
			if !pick(t, &t.Partitions[n]) {
				continue
			}
			ch := c.change(t, int32(n))
			set(ch)
			if r := ch.record(); r != nil {
				out = append(out, r)
			}
		}
	}
	return out
}

// leaderless elects leaders for the partitions that have none, where somebody can be elected.
func (c *Context) leaderless() []metadata.Record {
	return c.sweep(func(_ *metadata.Topic, p *metadata.Partition) bool { return p.Leader == metadata.NoLeader }, func(*partitionChange) {})
}

// leave takes a broker out of every ISR and every leadership.
func (c *Context) leave(id int32) []metadata.Record {
	return c.sweep(func(_ *metadata.Topic, p *metadata.Partition) bool {
		return p.Leader == id || slices.Contains(p.ISR, id)
	},
		func(ch *partitionChange) { ch.without = id })
}

// lose takes a broker out of every ISR, ELR and leadership, since it may hold less than it did. intact says of a partition whether the
// broker's disk still has all that it had synced.
func (c *Context) lose(id int32, intact func(p *metadata.Partition) bool) []metadata.Record {
	return c.sweep(func(_ *metadata.Topic, p *metadata.Partition) bool {
		return p.Leader == id || slices.Contains(p.ISR, id) || slices.Contains(p.ELR, id) || slices.Contains(p.LastKnownELR, id)
	}, func(ch *partitionChange) { ch.lost, ch.intact = id, intact(ch.p) })
}

func notIntact(*metadata.Partition) bool { return false }

// leads says whether a broker leads anything.
func (c *Context) leads(id int32) bool {
	for _, t := range c.Image.Topics() {
		for n := range t.Partitions {
			if t.Partitions[n].Leader == id {
				return true
			}
		}
	}
	return false
}
