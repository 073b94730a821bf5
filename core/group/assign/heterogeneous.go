package assign

import (
	"slices"
	"sort"
)

// maxRounds bounds how often all topics are gone through to even out loads. Two are enough unless subscriptions overlap without being the same; then each
// one about halves what is uneven. Source: Kafka's UniformHeterogeneousAssignmentBuilder.
const maxRounds = 16

// assignApart is Uniform where members subscribe to different topics. Everybody keeps what it has and still subscribes to; what nobody has goes to whoever
// has least; then those who have most give to those who have least, topic by topic, until none can do with it better. The topics with the most partitions
// for each subscriber come first, since those with few can even out what they leave.
func (p *problem) assignApart(members []Member) {
	for m := range members {
		p.current(members, m, func(slot int32) { p.give(slot, m) })
	}
	e := newEvener(p)
	order := e.order()
	for _, t := range order {
		e.low.start(e.subscribers[t])
		for _, slot := range p.free([]int32{t}) {
			p.give(slot, int(e.low.next()))
		}
	}
	order = slices.DeleteFunc(order, func(t int32) bool { return len(e.subscribers[t]) < 2 })
	idle := -1
	for range maxRounds {
		for _, t := range order {
			idle++
			if e.even(t) {
				idle = 0
			}
			if idle >= len(order)-1 {
				return // the others have been gone through since the last move
			}
		}
	}
}

// evener moves partitions from those who have most to those who have least.
type evener struct {
	*problem
	subscribers [][]int32 // of each topic its members, ascending
	low         lowest
	high        highest

	slots    []int32 // of the topic at hand, by owner, ascending
	from, to []int32 // of each subscriber its part of slots; what it gives is taken from the end
}

func newEvener(p *problem) *evener {
	n := len(p.subs)
	e := &evener{problem: p, subscribers: make([][]int32, len(p.topics)), from: make([]int32, n), to: make([]int32, n)}
	for m, topics := range p.subs {
		for _, t := range topics {
			e.subscribers[t] = append(e.subscribers[t], int32(m))
		}
	}
	e.low.load, e.high.load = p.load, p.load
	return e
}

// order gives the topics that somebody subscribes to: by partitions for each subscriber, descending, by subscribers, by name.
func (e *evener) order() []int32 {
	var order []int32
	for t, s := range e.subscribers {
		if len(s) > 0 {
			order = append(order, int32(t))
		}
	}
	sort.SliceStable(order, func(i, j int) bool {
		a, b := order[i], order[j]
		m, n := int64(len(e.subscribers[a])), int64(len(e.subscribers[b]))
		if x, y := int64(e.partitions(a))*n, int64(e.partitions(b))*m; x != y {
			return x > y
		}
		return m < n
	})
	return order
}

// even evens out the loads of a topic's subscribers as far as its partitions can, and says whether any moved.
func (e *evener) even(t int32) (moved bool) {
	e.low.start(e.subscribers[t])
	e.high.start(e.low.members)
	if e.high.level-e.low.level <= 3 { // each stands one outside the loads that there are
		return false
	}
	e.group(t)
	for {
		giver, ok := e.giver()
		if !ok {
			return moved
		}
		taker := e.low.next()
		if e.high.level-e.low.level <= 1 {
			return moved
		}
		e.to[giver]--
		e.give(e.slots[e.to[giver]], int(taker))
		moved = true
	}
}

// giver gives the member with most that has a partition of the topic.
func (e *evener) giver() (int32, bool) {
	for {
		m, ok := e.high.next()
		if !ok || e.to[m] > e.from[m] {
			return m, ok
		}
		e.high.drop()
	}
}

// group sorts the topic's slots by owner.
func (e *evener) group(t int32) {
	e.slots = e.slots[:0]
	for s := e.first[t]; s < e.first[t+1]; s++ {
		e.slots = append(e.slots, s)
	}
	sort.SliceStable(e.slots, func(i, j int) bool { return e.owner[e.slots[i]] < e.owner[e.slots[j]] })
	for _, m := range e.subscribers[t] {
		e.from[m], e.to[m] = 0, 0
	}
	for i, s := range e.slots {
		m := e.owner[s]
		if e.to[m] == 0 {
			e.from[m] = int32(i)
		}
		e.to[m] = int32(i) + 1
	}
}
