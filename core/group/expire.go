package group

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/group/offsets"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
)

// expireOffsets deletes offsets whose retention has passed, and groups that have neither members nor offsets left.
func (c *Coordinator) expireOffsets() {
	for _, id := range c.groupIDs() {
		recs, all := c.expired(id)
		n := int64(len(recs))
		if all && !c.offsets.Open(id) {
			if code, deletes := c.mayDelete(id); code == kerr.None {
				recs = append(recs, deletes...)
			}
		}
		if code := c.writeTombstones(id, recs); code != kerr.None {
			c.env.Warnf("group %s: expired offsets stay until the next check: %s", id, code)
			continue
		}
		sometimes.If(n > 0, "group: offsets expire")
		c.Expired += n
	}
}

// expired gives tombstones for what has expired, and whether that is all that the group has.
func (c *Coordinator) expired(id string) (recs []coordinator.Record, all bool) {
	o := c.offsets.Group(id)
	if o == nil {
		return nil, true
	}
	g := c.groups[id] // nil: a consumer group, whose members' topics are always known
	if g != nil && !mayExpire(g) {
		return nil, false
	}
	all = true
	for _, t := range o.Topics {
		if c.isSubscribed(id, t.Name) && !plant.On(plant.G5) {
			all = false
			continue
		}
		for i := range t.Partitions {
			p := &t.Partitions[i]
			if !c.hasExpired(g, &p.Offset) || c.offsets.Unstable(id, t.Name, p.Partition) && !plant.On(plant.T11) {
				all = false
				continue
			}
			recs = append(recs, offsetRecord(id, t.Name, p.Partition, nil))
		}
	}
	return recs, all
}

// mayExpire: KIP-211. Offsets of a group with members never expire, but for topics that its consumers no longer read.
func mayExpire(g *classic.Group) bool {
	return plant.On(plant.G5) || g.ProtocolType == "" || g.State == classic.Empty || g.State == classic.Stable && g.IsConsumer() && g.AwareOfTopics()
}

// hasExpired counts from when the group became empty, and otherwise from the commit.
func (c *Coordinator) hasExpired(g *classic.Group, o *offsets.Offset) bool {
	now := int64(c.env.Now.Wall)
	if o.ExpireMS >= 0 {
		return now >= o.ExpireMS
	}
	since := o.CommitMS
	if g != nil && g.ProtocolType != "" && g.State == classic.Empty && g.SinceMS >= 0 {
		since = g.SinceMS
	}
	return now-since >= c.cfg.OffsetsRetentionMS
}
