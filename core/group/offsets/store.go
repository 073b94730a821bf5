package offsets

import "sort"

// Offset is one committed offset.
type Offset struct {
	Offset      int64
	LeaderEpoch int32 // -1: not known
	Metadata    string
	CommitMS    int64    // wall clock of the commit
	ExpireMS    int64    // -1, or when it goes: OffsetCommit v2 to v4 could ask for that
	TopicID     [16]byte // zero: not known
	RecordAt    int64    // offset of its record in the log
}

// Store is every group's offsets. The zero value is empty.
type Store struct {
	groups  map[string]*Group
	pending []*transaction // by producer id, ascending
	n       int
}

// Group is one group's offsets, by topic, ascending; never empty.
type Group struct {
	Topics []*Topic
}

// Topic is one topic's offsets, by partition, ascending; never empty.
type Topic struct {
	Name       string
	Partitions []Partition
}

// Partition is one partition's offset.
type Partition struct {
	Partition int32
	Offset
}

// Len is the number of committed offsets.
func (s *Store) Len() int { return s.n }

// Group gives a group's offsets, nil if it has none.
func (s *Store) Group(id string) *Group { return s.groups[id] }

// Get gives one offset, nil if there is none. It holds until the next change.
func (s *Store) Get(group, topic string, partition int32) *Offset {
	g := s.groups[group]
	if g == nil {
		return nil
	}
	return g.Get(topic, partition)
}

// Get gives one offset of the group, nil if there is none.
func (g *Group) Get(topic string, partition int32) *Offset {
	i, ok := g.find(topic)
	if !ok {
		return nil
	}
	t := g.Topics[i]
	j, ok := t.find(partition)
	if !ok {
		return nil
	}
	return &t.Partitions[j].Offset
}

func (g *Group) find(topic string) (int, bool) {
	i := sort.Search(len(g.Topics), func(i int) bool { return g.Topics[i].Name >= topic })
	return i, i < len(g.Topics) && g.Topics[i].Name == topic
}

func (t *Topic) find(p int32) (int, bool) {
	i := sort.Search(len(t.Partitions), func(i int) bool { return t.Partitions[i].Partition >= p })
	return i, i < len(t.Partitions) && t.Partitions[i].Partition == p
}

// Put sets an offset.
func (s *Store) Put(group, topic string, partition int32, o Offset) {
	if s.groups == nil {
		s.groups = make(map[string]*Group)
	}
	g := s.groups[group]
	if g == nil {
		g = &Group{}
		s.groups[group] = g
	}
	i, ok := g.find(topic)
	if !ok {
		g.Topics = append(g.Topics, nil)
		copy(g.Topics[i+1:], g.Topics[i:])
		g.Topics[i] = &Topic{Name: topic}
	}
	t := g.Topics[i]
	j, ok := t.find(partition)
	if !ok {
		t.Partitions = append(t.Partitions, Partition{})
		copy(t.Partitions[j+1:], t.Partitions[j:])
		s.n++
	}
	t.Partitions[j] = Partition{partition, o}
}

// Delete takes an offset away, a pending one too.
func (s *Store) Delete(group, topic string, partition int32) {
	s.remove(group, topic, partition)
	for _, t := range s.pending {
		t.offsets.remove(group, topic, partition)
	}
}

func (s *Store) remove(group, topic string, partition int32) {
	g := s.groups[group]
	if g == nil {
		return
	}
	i, ok := g.find(topic)
	if !ok {
		return
	}
	t := g.Topics[i]
	j, ok := t.find(partition)
	if !ok {
		return
	}
	s.n--
	t.Partitions = append(t.Partitions[:j], t.Partitions[j+1:]...)
	if len(t.Partitions) > 0 {
		return
	}
	g.Topics = append(g.Topics[:i], g.Topics[i+1:]...)
	if len(g.Topics) == 0 {
		delete(s.groups, group)
	}
}

// Groups gives the ids of all groups with committed offsets, ascending.
func (s *Store) Groups() []string {
	ids := make([]string, 0, len(s.groups))
	for id := range s.groups {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}
