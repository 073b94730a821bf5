package metadata

import (
	"fmt"
	"slices"
)

// Wrong says which rule of a valid state the image breaks, "" if none (I:I9 of the simulator, and what Kafka's PartitionRegistration
// promises). It looks at every partition: only checked builds and tests call it. What depends on settings (the size from which an ISR has
// no ELR beside it) is the controller's to check.
func (m *Image) Wrong() string {
	for _, t := range m.topics {
		for n := range t.Partitions {
			if text := m.wrong(&t.Partitions[n]); text != "" {
				return fmt.Sprintf("%s-%d: %s: %+v", t.Name, n, text, t.Partitions[n])
			}
		}
	}
	return ""
}

func (m *Image) wrong(p *Partition) string {
	for _, r := range p.ISR {
		b := m.Broker(r)
		switch {
		case b == nil:
			return "a broker in the ISR is not registered"
		case b.Fenced:
			return "a fenced broker is in the ISR"
		case b.InShutdown:
			return "a broker that shuts down is in the ISR"
		}
	}
	switch {
	case p.Leader != NoLeader && !slices.Contains(p.ISR, p.Leader):
		return "the leader is not in the ISR"
	case p.Leader != NoLeader && p.LastLeader != 0:
		return "a partition with a leader has a last leader"
	case !sets(p.Replicas, p.ISR, p.ELR, p.LastKnownELR, p.Adding, p.Removing):
		return "a list names a broker twice"
	case !within(p.Replicas, p.ISR, p.ELR, p.LastKnownELR, p.Adding, p.Removing):
		return "a list holds what is no replica"
	case overlap(p.ISR, p.ELR) || overlap(p.ISR, p.LastKnownELR) || overlap(p.ELR, p.LastKnownELR):
		return "ISR, ELR and LastKnownELR overlap"
	case overlap(p.Adding, p.Removing):
		return "a replica is added and removed at once"
	case len(p.Dirs) != len(p.Replicas):
		return "replicas and directories differ in number"
	case len(p.Replicas) == 0:
		return "a partition has no replicas"
	}
	return ""
}

func sets(lists ...[]int32) bool {
	for _, l := range lists {
		for i, x := range l {
			if slices.Contains(l[:i], x) {
				return false
			}
		}
	}
	return true
}

func within(all []int32, lists ...[]int32) bool {
	for _, l := range lists {
		for _, x := range l {
			if !slices.Contains(all, x) {
				return false
			}
		}
	}
	return true
}

func overlap(a, b []int32) bool {
	return slices.ContainsFunc(a, func(x int32) bool { return slices.Contains(b, x) })
}
