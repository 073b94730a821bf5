package metadata

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/sometimes"
)

// Apply folds one entry, which the log holds at index with term, into a new image; the old one stays as it is.
// An entry that was decided in another term changes nothing but the index: a deposed controller decided it (design.md, Metadata).
// A record that does not fit the state, such as a partition of a topic that was removed, changes nothing either: every node skips it alike.
//
// Cost: what the entry names, plus the bucket arrays and the sorted names, about 8 bytes a topic, when it touches a topic.
func (m *Image) Apply(index, term int64, e Entry) (*Image, bool) {
	assert.That(index > m.index, "metadata: entries folded out of order")
	n := *m
	n.index, n.term = index, term
	if e.Term != term {
		sometimes.Hit("metadata: an entry of a deposed controller changes nothing")
		return &n, false
	}
	b := builder{img: &n}
	for _, r := range e.Records {
		b.apply(r)
	}
	b.finish()
	if assert.Invariants {
		n.check()
	}
	return &n, true
}

// builder changes a copy of an image. What it has copied already it changes in place.
type builder struct {
	img      *Image
	own      bool // names and ids are copies
	ownName  [buckets]bool
	ownID    [buckets]bool
	touched  []*Topic // copied in this entry, live or removed since
	fresh    map[*Topic]bool
	removed  map[*Topic]bool
	brokers  bool
	configs  bool
	features bool
}

func (b *builder) apply(r Record) {
	switch r := r.(type) {
	case *NoOpRecord:
	case *ClusterRecord:
		if b.img.clusterID == "" {
			b.img.clusterID = r.ClusterID
			b.img.digest += hashCluster(r.ClusterID)
		}
	case *FeatureLevelRecord:
		b.feature(r)
	case *RegisterBrokerRecord:
		b.register(r)
	case *BrokerChangeRecord:
		b.changeBroker(r)
	case *UnregisterBrokerRecord:
		b.unregister(r)
	case *TopicRecord:
		b.topic(r)
	case *PartitionRecord:
		b.partition(r)
	case *PartitionChangeRecord:
		b.change(r)
	case *RemoveTopicRecord:
		b.remove(r)
	case *ConfigRecord:
		b.config(r)
	case *ProducerIDsRecord:
		if r.NextProducerID > b.img.nextPID {
			b.img.digest += hashProducerIDs(r.NextProducerID) - hashProducerIDs(b.img.nextPID)
			b.img.nextPID = r.NextProducerID
		}
	default:
		assert.Never("metadata: unknown record")
	}
}

func (b *builder) feature(r *FeatureLevelRecord) {
	img := b.img
	if !b.features {
		img.features, b.features = slices.Clone(img.features), true
	}
	i, ok := slices.BinarySearchFunc(img.features, r.Name, func(f Feature, n string) int { return strings.Compare(f.Name, n) })
	if ok {
		img.digest -= hashFeature(img.features[i])
		img.features = slices.Delete(img.features, i, i+1)
	}
	if r.Level == 0 {
		return
	}
	f := Feature{r.Name, r.Level}
	img.digest += hashFeature(f)
	img.features = slices.Insert(img.features, i, f)
}

// live are the topics as they stand in the middle of an entry.
func (b *builder) live() []*Topic {
	if len(b.touched) == 0 && len(b.removed) == 0 {
		return b.img.topics
	}
	b.finishTopics()
	return b.img.topics
}

func (b *builder) topic(r *TopicRecord) {
	if b.img.TopicByName(r.Name) != nil || b.img.TopicByID(r.ID) != nil {
		return
	}
	b.place(nil, &Topic{Name: r.Name, ID: r.ID})
}

func (b *builder) partition(r *PartitionRecord) {
	t := b.img.TopicByID(r.TopicID)
	if t == nil || int(r.Partition) != len(t.Partitions) {
		return
	}
	t = b.writable(t)
	t.Partitions = append(t.Partitions, Partition{Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch,
		Replicas: r.Replicas, ISR: r.ISR, Dirs: r.Dirs, ELR: r.ELR, LastKnownELR: r.LastKnownELR, Adding: r.Adding, Removing: r.Removing,
		Recovering: r.Recovering, LastLeader: r.LastLeader})
	b.img.partitions++
}

func (b *builder) change(r *PartitionChangeRecord) {
	t := b.img.TopicByID(r.TopicID)
	if t == nil || r.Partition < 0 || int(r.Partition) >= len(t.Partitions) {
		return
	}
	t = b.writable(t)
	t.Partitions[r.Partition].change(r)
}

// change folds a record into a partition.
func (p *Partition) change(r *PartitionChangeRecord) {
	p.PartitionEpoch++
	if r.Leader != Unchanged {
		p.LeaderEpoch++
		switch {
		case r.Leader != NoLeader:
			p.LastLeader = 0
		case p.Leader != NoLeader:
			p.LastLeader = p.Leader
		}
		p.Leader = r.Leader
	}
	replace(&p.ISR, r.ISR)
	replace(&p.Replicas, r.Replicas)
	replace(&p.Dirs, r.Dirs)
	replace(&p.ELR, r.ELR)
	replace(&p.LastKnownELR, r.LastKnownELR)
	replace(&p.Adding, r.Adding)
	replace(&p.Removing, r.Removing)
	if r.RecoveryState != RecoveryUnchanged {
		p.Recovering = r.RecoveryState == Recovering
	}
}

// After gives the partition as it is after a change.
func (p *Partition) After(r *PartitionChangeRecord) Partition {
	n := *p
	n.change(r)
	return n
}

// replace puts v in place, unless it is nil. An empty list is kept as nil, so that equal states are equal in a snapshot too; ISR alone
// may be told apart by nobody either.
func replace[T any](at *[]T, v []T) {
	switch {
	case v == nil:
	case len(v) == 0:
		*at = nil
	default:
		*at = v
	}
}

func (b *builder) remove(r *RemoveTopicRecord) {
	t := b.img.TopicByID(r.ID)
	if t == nil {
		return
	}
	b.img.partitions -= len(t.Partitions)
	b.place(t, nil)
}

func (b *builder) config(r *ConfigRecord) {
	if r.ResourceType == ResourceTopic {
		if t := b.img.TopicByName(r.Name); t != nil {
			t = b.writable(t)
			t.Configs = t.Configs.With(r.Key, r.Value)
		}
		return
	}
	img := b.img
	if !b.configs {
		img.configs, b.configs = slices.Clone(img.configs), true
	}
	i, ok := findResource(img.configs, r.ResourceType, r.Name)
	n := &Resource{Type: r.ResourceType, Name: r.Name}
	if ok {
		n.Configs = img.configs[i].Configs
		img.digest -= img.configs[i].digest
		img.configs = slices.Delete(img.configs, i, i+1)
	}
	n.Configs = n.Configs.With(r.Key, r.Value)
	if len(n.Configs) == 0 {
		return
	}
	n.digest = hashResource(n)
	img.digest += n.digest
	img.configs = slices.Insert(img.configs, i, n)
}

// writable gives the copy of t that belongs to this entry.
func (b *builder) writable(t *Topic) *Topic {
	if b.fresh[t] {
		return t
	}
	n := *t
	n.Partitions = slices.Clone(t.Partitions)
	b.place(t, &n)
	return &n
}

// place puts n where old was, in both indexes; either may be nil.
func (b *builder) place(old, n *Topic) {
	if !b.own {
		names, ids := *b.img.names, *b.img.ids
		b.img.names, b.img.ids, b.own = &names, &ids, true
		b.fresh, b.removed = make(map[*Topic]bool), make(map[*Topic]bool)
	}
	t := cmp.Or(n, old)
	k := nameBucket(t.Name)
	if !b.ownName[k] {
		b.img.names[k], b.ownName[k] = slices.Clone(b.img.names[k]), true
	}
	i, _ := searchName(b.img.names[k], t.Name)
	b.img.names[k] = splice(b.img.names[k], i, old, n)
	k = idBucket(t.ID)
	if !b.ownID[k] {
		b.img.ids[k], b.ownID[k] = slices.Clone(b.img.ids[k]), true
	}
	i, _ = searchID(b.img.ids[k], t.ID)
	b.img.ids[k] = splice(b.img.ids[k], i, old, n)
	if old != nil {
		b.img.digest -= old.digest
		b.removed[old] = true
	}
	if n != nil {
		n.digest = 0
		b.fresh[n] = true
		b.touched = append(b.touched, n)
	}
}

func splice(b []*Topic, i int, old, n *Topic) []*Topic {
	switch {
	case old == nil:
		return slices.Insert(b, i, n)
	case n == nil:
		return slices.Delete(b, i, i+1)
	}
	b[i] = n
	return b
}

func (b *builder) finish() { b.finishTopics() }

// finishTopics brings the list by name and the digest up to what the indexes hold.
func (b *builder) finishTopics() {
	if len(b.removed) == 0 && len(b.touched) == 0 {
		return
	}
	live := make([]*Topic, 0, len(b.touched))
	for _, t := range b.touched {
		if !b.removed[t] {
			live = append(live, t)
			b.img.digest -= t.digest
			t.digest = hashTopic(t)
			b.img.digest += t.digest
		}
	}
	slices.SortFunc(live, func(x, y *Topic) int { return strings.Compare(x.Name, y.Name) })
	b.img.topics = merge(b.img.topics, live, b.removed)
}

// merge gives the topics of a that were not removed, and those of add, by name. A topic of add that a holds already stays once.
func merge(a, add []*Topic, removed map[*Topic]bool) []*Topic {
	out := make([]*Topic, 0, len(a)+len(add))
	for _, t := range a {
		if removed[t] {
			continue
		}
		for len(add) > 0 && add[0].Name < t.Name {
			out, add = append(out, add[0]), add[1:]
		}
		if len(add) > 0 && add[0] == t {
			add = add[1:]
		}
		out = append(out, t)
	}
	return append(out, add...)
}
