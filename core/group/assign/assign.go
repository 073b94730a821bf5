package assign

import (
	"slices"
	"sort"

	"github.com/seedlog/seedlog/core/assert"
)

// Member is one member of a group.
type Member struct {
	ID         string
	InstanceID string            // "": a dynamic member
	RackID     string            // no assignor looks at it yet
	Topics     []string          // names that it subscribes to, ascending, each once; those that no Topic has are passed over
	Current    []TopicPartitions // what it was to own so far, by topic name, ascending
}

// TopicPartitions is partitions of one topic, ascending.
type TopicPartitions struct {
	Topic      string
	TopicID    [16]byte
	Partitions []int32
}

// Topic is one topic that exists.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions int32
}

// Assignor gives each member, in the order in which they came, what it is to own: by topic name, ascending; no topic without partitions. Members come by
// ID and topics by name, ascending, each once.
type Assignor func(members []Member, topics []Topic) [][]TopicPartitions

// nobody owns the partition.
const nobody = -1

// problem is one assignment in the making. Partitions of all topics are numbered through: slots.
type problem struct {
	topics []Topic
	first  []int32   // of each topic its first slot, and one more: the number of slots
	topic  []int32   // of each slot its topic
	subs   [][]int32 // of each member the topics that it subscribes to, ascending; equal ones are often one slice
	owner  []int32   // of each slot a member, or nobody
	load   []int32   // of each member how many slots it owns
}

func newProblem(members []Member, topics []Topic) *problem {
	assert.That(slices.IsSortedFunc(topics, func(a, b Topic) int { return compare(a.Name, b.Name) }), "assign: topics do not come by name")
	p := &problem{topics: topics, first: make([]int32, len(topics)+1), subs: make([][]int32, len(members)), load: make([]int32, len(members))}
	for i, t := range topics {
		p.first[i+1] = p.first[i] + max(t.Partitions, 0)
	}
	n := p.first[len(topics)]
	p.topic, p.owner = make([]int32, n), make([]int32, n)
	for i := range topics {
		for s := p.first[i]; s < p.first[i+1]; s++ {
			p.topic[s], p.owner[s] = int32(i), nobody
		}
	}
	for i := range members {
		if i > 0 && slices.Equal(members[i].Topics, members[i-1].Topics) {
			p.subs[i] = p.subs[i-1]
			continue
		}
		p.subs[i] = p.resolve(members[i].Topics)
	}
	return p
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// find gives a topic's index.
func (p *problem) find(name string) (int32, bool) {
	i := sort.Search(len(p.topics), func(i int) bool { return p.topics[i].Name >= name })
	return int32(i), i < len(p.topics) && p.topics[i].Name == name
}

// resolve gives the topics of these names that exist.
func (p *problem) resolve(names []string) []int32 {
	out := make([]int32, 0, len(names))
	for _, name := range names {
		if i, ok := p.find(name); ok && (len(out) == 0 || out[len(out)-1] < i) {
			out = append(out, i)
		}
	}
	return out
}

func (p *problem) partitions(topic int32) int32 { return p.first[topic+1] - p.first[topic] }

// homogeneous says whether all members subscribe to the same topics.
func (p *problem) homogeneous() bool {
	for _, s := range p.subs {
		if !slices.Equal(s, p.subs[0]) {
			return false
		}
	}
	return true
}

// current calls f for each slot that the member has and may still have, ascending by topic. A topic that was made anew has another id.
func (p *problem) current(members []Member, m int, f func(slot int32)) {
	for i := range members[m].Current {
		c := &members[m].Current[i]
		t, ok := p.find(c.Topic)
		if !ok || p.topics[t].ID != c.TopicID {
			continue
		}
		if _, ok := slices.BinarySearch(p.subs[m], t); !ok {
			continue
		}
		for _, n := range c.Partitions {
			if n >= 0 && n < p.partitions(t) && p.owner[p.first[t]+n] == nobody {
				f(p.first[t] + n)
			}
		}
	}
}

// give makes a member the owner of a slot.
func (p *problem) give(slot int32, member int) {
	if old := p.owner[slot]; old != nobody {
		p.load[old]--
	}
	p.owner[slot] = int32(member)
	p.load[member]++
}

// targets puts the result into the form in which callers want it. All members share two arrays.
func (p *problem) targets() [][]TopicPartitions {
	out := make([][]TopicPartitions, len(p.subs))
	parts, total := make([][]int32, len(p.subs)), int32(0)
	for _, n := range p.load {
		total += n
	}
	all := make([]int32, total)
	for m, n := range p.load {
		parts[m], all = all[:0:n], all[n:]
	}
	for s, m := range p.owner {
		if m == nobody {
			continue
		}
		t := &p.topics[p.topic[s]]
		if n := len(out[m]); n == 0 || out[m][n-1].Topic != t.Name {
			out[m] = append(out[m], TopicPartitions{Topic: t.Name, TopicID: t.ID, Partitions: parts[m][len(parts[m]):]})
		}
		parts[m] = append(parts[m], int32(s)-p.first[p.topic[s]])
		last := &out[m][len(out[m])-1]
		last.Partitions = last.Partitions[:len(last.Partitions)+1]
	}
	for _, tps := range out {
		for i := range tps {
			tps[i].Partitions = slices.Clip(tps[i].Partitions)
		}
	}
	return out
}
