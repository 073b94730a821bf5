package metadata

import "github.com/seedlog/seedlog/core/assert"

// hasher mixes words into 64 bits (the finalizer of splitmix64). The image's digest is the sum of its objects' hashes, so that
// folding one object costs one object.
type hasher uint64

func (h *hasher) word(v uint64) {
	z := uint64(*h)*0x9e3779b97f4a7c15 + v + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	*h = hasher(z ^ z>>31)
}

func (h *hasher) text(s string) {
	h.word(uint64(len(s)))
	for len(s) >= 8 {
		h.word(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
		s = s[8:]
	}
	var w uint64
	for i := 0; i < len(s); i++ {
		w = w<<8 | uint64(s[i])
	}
	h.word(w)
}

func (h *hasher) id(id [16]byte) { h.text(string(id[:])) }

func (h *hasher) int32s(v []int32) {
	h.word(uint64(len(v)))
	for _, x := range v {
		h.word(uint64(uint32(x)))
	}
}

func (h *hasher) idList(v [][16]byte) {
	h.word(uint64(len(v)))
	for _, x := range v {
		h.id(x)
	}
}

func (h *hasher) configs(c Configs) {
	h.word(uint64(len(c)))
	for _, x := range c {
		h.text(x.Key)
		h.text(x.Value)
	}
}

func hashCluster(id string) uint64 {
	h := hasher(tagCluster)
	h.text(id)
	return uint64(h)
}

func hashProducerIDs(next int64) uint64 {
	if next == 0 {
		return 0
	}
	h := hasher(tagProducerIDs)
	h.word(uint64(next))
	return uint64(h)
}

func hashFeature(f Feature) uint64 {
	h := hasher(tagFeatureLevel)
	h.text(f.Name)
	h.word(uint64(uint16(f.Level)))
	return uint64(h)
}

func hashResource(r *Resource) uint64 {
	h := hasher(tagConfig)
	h.word(uint64(uint8(r.Type)))
	h.text(r.Name)
	h.configs(r.Configs)
	return uint64(h)
}

func hashBroker(b *Broker) uint64 {
	h := hasher(tagRegisterBroker)
	h.word(uint64(uint32(b.ID)))
	h.id(b.Incarnation)
	h.word(uint64(b.Epoch))
	h.word(uint64(len(b.Listeners)))
	for _, l := range b.Listeners {
		h.text(l.Name)
		h.word(uint64(uint16(l.Protocol)))
		h.text(l.Host)
		h.word(uint64(uint32(l.Port)))
	}
	if b.Rack != nil {
		h.text(*b.Rack)
	}
	h.idList(b.LogDirs)
	if b.Fenced || b.InShutdown {
		h.word(word(b.Fenced) | word(b.InShutdown)<<1)
		h.word(uint64(b.ActiveEpoch))
	}
	for _, f := range b.Features {
		h.text(f.Name)
		h.word(uint64(uint16(f.Min))<<16 | uint64(uint16(f.Max)))
	}
	return uint64(h)
}

func word(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func hashTopic(t *Topic) uint64 {
	h := hasher(tagTopic)
	h.text(t.Name)
	h.id(t.ID)
	h.configs(t.Configs)
	for i := range t.Partitions {
		p := &t.Partitions[i]
		h.word(uint64(uint32(p.Leader))<<32 | uint64(uint32(p.LeaderEpoch)))
		h.word(uint64(uint32(p.PartitionEpoch)))
		h.int32s(p.Replicas)
		h.int32s(p.ISR)
		h.idList(p.Dirs)
		if len(p.ELR)+len(p.LastKnownELR)+len(p.Adding)+len(p.Removing) > 0 {
			h.int32s(p.ELR)
			h.int32s(p.LastKnownELR)
			h.int32s(p.Adding)
			h.int32s(p.Removing)
		}
		if p.LastLeader != 0 || p.Recovering {
			h.word(uint64(uint32(p.LastLeader))<<1 | word(p.Recovering))
		}
	}
	return uint64(h)
}

// check panics if the indexes, the list, the counts and the digest disagree. It is costly: only checked builds call it.
func (m *Image) check() {
	var sum uint64
	n, named := 0, 0
	for i, t := range m.topics {
		assert.That(i == 0 || m.topics[i-1].Name < t.Name, "metadata: topics out of order")
		assert.That(m.TopicByName(t.Name) == t, "metadata: a topic is not found by its name")
		assert.That(m.TopicByID(t.ID) == t, "metadata: a topic is not found by its id")
		assert.That(t.digest == hashTopic(t), "metadata: a topic changed after its fold")
		sum += t.digest
		n += len(t.Partitions)
	}
	for i := range m.names {
		named += len(m.names[i])
	}
	assert.That(named == len(m.topics), "metadata: an index holds a topic that the list does not")
	assert.That(n == m.partitions, "metadata: partitions miscounted")
	if m.clusterID != "" {
		sum += hashCluster(m.clusterID)
	}
	for _, f := range m.features {
		sum += hashFeature(f)
	}
	for _, b := range m.brokers {
		sum += hashBroker(b)
	}
	for _, r := range m.configs {
		sum += hashResource(r)
	}
	assert.That(sum+hashProducerIDs(m.nextPID) == m.digest, "metadata: digest disagrees with the state")
}
