package assign

import "sort"

// Range gives each subscriber of a topic a range of its partitions: all ranges are equally long, but that the first ones may be longer by one. Topics of as
// many partitions and the same subscribers are cut at the same places, which is what joins of streams want. Static members come first, by instance id, so
// that one that comes back under another member id gets the range that it had; then the others, by member id.
func Range(members []Member, topics []Topic) [][]TopicPartitions {
	p := newProblem(members, topics)
	subscribers := make([][]int32, len(topics))
	for _, m := range rangeOrder(members) {
		for _, t := range p.subs[m] {
			subscribers[t] = append(subscribers[t], m)
		}
	}
	for t, ms := range subscribers {
		slot := p.first[t]
		for i, m := range ms {
			left := p.first[t+1] - slot
			others := int32(len(ms) - i)
			for n := (left + others - 1) / others; n > 0; n-- {
				p.give(slot, int(m))
				slot++
			}
		}
	}
	return p.targets()
}

// rangeOrder gives the indices of members in the order in which they are served.
func rangeOrder(members []Member) []int32 {
	order := make([]int32, len(members))
	for i := range order {
		order[i] = int32(i)
	}
	sort.Slice(order, func(i, j int) bool {
		a, b := &members[order[i]], &members[order[j]]
		if (a.InstanceID == "") != (b.InstanceID == "") {
			return a.InstanceID != ""
		}
		if a.InstanceID != b.InstanceID {
			return a.InstanceID < b.InstanceID
		}
		return a.ID < b.ID
	})
	return order
}
