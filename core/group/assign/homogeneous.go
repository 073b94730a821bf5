package assign

// assignAlike is Uniform where all members subscribe to the same topics. Loads differ by one at most, and among such assignments it is one that moves the
// fewest partitions: each member keeps what it has up to the lower load, and one more as long as there are members to have one more. Kafka gives the one
// more to whichever members come first, and so may move partitions without need.
func (p *problem) assignAlike(members []Member) {
	total := int32(0)
	for _, t := range p.subs[0] {
		total += p.partitions(t)
	}
	least, more := total/int32(len(members)), total%int32(len(members))
	for m := range members {
		p.current(members, m, func(slot int32) {
			if p.load[m] < least {
				p.give(slot, m)
			} else if p.load[m] == least && more > 0 {
				p.give(slot, m)
				more--
			}
		})
	}
	free := p.free(p.subs[0])
	for m := range members {
		upTo := least
		if more > 0 && p.load[m] <= least {
			upTo++
			more--
		}
		for p.load[m] < upTo {
			p.give(free[0], m)
			free = free[1:]
		}
	}
}

// free gives the slots of these topics that nobody owns.
func (p *problem) free(topics []int32) []int32 {
	var free []int32
	for _, t := range topics {
		for slot := p.first[t]; slot < p.first[t+1]; slot++ {
			if p.owner[slot] == nobody {
				free = append(free, slot)
			}
		}
	}
	return free
}
