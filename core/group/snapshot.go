package group

import (
	"sort"

	"github.com/seedlog/seedlog/core/group/classic"
)

// Snapshot is what metrics show, sorted.
type Snapshot struct {
	Groups  []GroupInfo
	Offsets []CommittedOffset
}

// GroupInfo is one group.
type GroupInfo struct {
	ID           string
	State        string
	ProtocolType string
	Generation   int32 // of a consumer group its epoch
	Members      int
}

// CommittedOffset is one committed offset.
type CommittedOffset struct {
	Group     string
	Topic     string
	Partition int32
	Offset    int64
	CommitMS  int64
}

// Snapshot gives the groups by id, and the committed offsets by group, topic and partition. It does not wait for the high
// watermark: figures may be ahead of what a client is told.
func (c *Coordinator) Snapshot() Snapshot {
	var s Snapshot
	for _, id := range sortedKeys(c.groups) {
		g := c.groups[id]
		s.Groups = append(s.Groups, GroupInfo{id, g.State.String(), g.ProtocolType, g.Generation, len(g.Members)})
	}
	for _, id := range sortedKeys(c.consumers) {
		g := c.consumers[id]
		s.Groups = append(s.Groups, GroupInfo{id, g.State(), classic.ConsumerProtocol, g.Epoch, g.Len()})
	}
	sort.Slice(s.Groups, func(i, j int) bool { return s.Groups[i].ID < s.Groups[j].ID })
	for _, id := range c.offsets.Groups() {
		for _, t := range c.offsets.Group(id).Topics {
			for i := range t.Partitions {
				p := &t.Partitions[i]
				s.Offsets = append(s.Offsets, CommittedOffset{id, t.Name, p.Partition, p.Offset.Offset, p.CommitMS})
			}
		}
	}
	return s
}
