package consumer

import (
	"slices"

	"github.com/seedlog/seedlog/core/group/assign"
)

// Topics is the topics of the newest metadata.
type Topics interface {
	TopicID(name string) (id [16]byte, ok bool)
	TopicName(id [16]byte) (name string, ok bool)
	// Partitions is the number of a topic's partitions, 0 if there is no such topic.
	Partitions(name string) int32
	// TopicsAfter gives the names after one, ascending, as long as f says so.
	TopicsAfter(name string, f func(name string) bool)
	// Changed is the version of the metadata at which a topic was last created or deleted, or got partitions, and Created that at which one
	// was last created; versions only grow.
	Changed() int64
	Created() int64
}

// FNV-64a, whose sums do not change between versions of ours.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hashBytes(h uint64, b string) uint64 {
	for i := 0; i < len(b); i++ {
		h = (h ^ uint64(b[i])) * fnvPrime
	}
	return (h ^ 0xff) * fnvPrime
}

// hash sums up the id and the number of partitions of each of the topics that exists, 0 if none does. A group whose hash is another than
// the one on record needs a new target. Kafka's function is another, so the first heartbeat after a log has come from it gives a group epoch
// more. Racks do not count: no assignor looks at them.
func hash(topics Topics, names []string) int64 {
	h, some := uint64(fnvOffset), false
	for _, name := range names {
		id, ok := topics.TopicID(name)
		if !ok {
			continue
		}
		some = true
		n := topics.Partitions(name)
		h = hashBytes(h, name)
		h = hashBytes(h, string(id[:]))
		h = hashBytes(h, string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}))
	}
	if !some {
		return 0
	}
	return int64(h)
}

// existing gives the topics of these names, ascending.
func existing(topics Topics, names []string) []assign.Topic {
	var out []assign.Topic
	for _, name := range names {
		if id, ok := topics.TopicID(name); ok {
			out = append(out, assign.Topic{Name: name, ID: id, Partitions: topics.Partitions(name)})
		}
	}
	return out
}

// union joins two ascending lists of names.
func union(a, b []string) []string {
	switch {
	case len(b) == 0:
		return a
	case len(a) == 0:
		return b
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// byName turns an assignment into the assignors' form; topics that are gone are left out.
func byName(topics Topics, a Assignment) []assign.TopicPartitions {
	var out []assign.TopicPartitions
	for i := range a {
		if name, ok := topics.TopicName(a[i].TopicID); ok {
			out = append(out, assign.TopicPartitions{Topic: name, TopicID: a[i].TopicID, Partitions: a[i].Numbers})
		}
	}
	slices.SortFunc(out, func(x, y assign.TopicPartitions) int {
		switch {
		case x.Topic < y.Topic:
			return -1
		case x.Topic > y.Topic:
			return 1
		}
		return 0
	})
	return out
}

// byID turns the assignors' form into a target.
func byID(tps []assign.TopicPartitions) Assignment {
	var m maker
	for i := range tps {
		for _, p := range tps[i].Partitions {
			m.add(tps[i].TopicID, p, 0)
		}
	}
	return m.targets()
}
