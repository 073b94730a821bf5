package consumer

import (
	"bytes"
	"slices"
	"sort"
)

// Partitions is partitions of one topic, ascending, each once. Epochs, where there are any, has of each the member epoch with which its
// owner got it (KIP-1251).
type Partitions struct {
	TopicID [16]byte
	Numbers []int32
	Epochs  []int32
}

// Assignment is by topic id, ascending; no topic without partitions. It is not changed once it is made.
type Assignment []Partitions

func (a Assignment) find(id [16]byte) (int, bool) {
	i := sort.Search(len(a), func(i int) bool { return bytes.Compare(a[i].TopicID[:], id[:]) >= 0 })
	return i, i < len(a) && a[i].TopicID == id
}

// Topic gives the partitions of one topic, nil if there are none.
func (a Assignment) Topic(id [16]byte) *Partitions {
	if i, ok := a.find(id); ok {
		return &a[i]
	}
	return nil
}

// Has says whether a partition is in the assignment.
func (a Assignment) Has(id [16]byte, p int32) bool { return a.Topic(id).has(p) }

// Epoch gives the epoch of a partition in an assignment that has epochs.
func (a Assignment) Epoch(id [16]byte, p int32) (int32, bool) {
	t := a.Topic(id)
	if t == nil || t.Epochs == nil {
		return 0, false
	}
	i, ok := slices.BinarySearch(t.Numbers, p)
	if !ok {
		return 0, false
	}
	return t.Epochs[i], true
}

func (t *Partitions) has(p int32) bool {
	if t == nil {
		return false
	}
	_, ok := slices.BinarySearch(t.Numbers, p)
	return ok
}

// Equal compares partitions, and their epochs.
func (a Assignment) Equal(b Assignment) bool {
	return slices.EqualFunc(a, b, func(x, y Partitions) bool {
		return x.TopicID == y.TopicID && slices.Equal(x.Numbers, y.Numbers) && slices.Equal(x.Epochs, y.Epochs)
	})
}

// Len is the number of partitions.
func (a Assignment) Len() int {
	n := 0
	for i := range a {
		n += len(a[i].Numbers)
	}
	return n
}

// each calls f for every partition, in order.
func (a Assignment) each(f func(id [16]byte, p int32)) {
	for i := range a {
		for _, p := range a[i].Numbers {
			f(a[i].TopicID, p)
		}
	}
}

// withEpochs gives every partition one epoch.
func (a Assignment) withEpochs(epoch int32) Assignment {
	out := make(Assignment, len(a))
	for i := range a {
		out[i] = Partitions{TopicID: a[i].TopicID, Numbers: a[i].Numbers, Epochs: slices.Repeat([]int32{epoch}, len(a[i].Numbers))}
	}
	return out
}

// Plus joins two assignments with epochs that share no partition.
func (a Assignment) Plus(b Assignment) Assignment {
	var m maker
	for _, x := range []Assignment{a, b} {
		for i := range x {
			for j, p := range x[i].Numbers {
				m.add(x[i].TopicID, p, x[i].Epochs[j])
			}
		}
	}
	return m.done()
}

// maker gathers partitions in any order.
type maker struct{ all []owned }

type owned struct {
	id    [16]byte
	p     int32
	epoch int32
}

func (m *maker) add(id [16]byte, p, epoch int32) { m.all = append(m.all, owned{id, p, epoch}) }

// done sorts them. Of a partition that was added twice the first counts.
func (m *maker) done() Assignment {
	slices.SortStableFunc(m.all, func(x, y owned) int {
		if c := bytes.Compare(x.id[:], y.id[:]); c != 0 {
			return c
		}
		return int(x.p) - int(y.p)
	})
	var out Assignment
	for _, o := range m.all {
		n := len(out)
		if n == 0 || out[n-1].TopicID != o.id {
			out = append(out, Partitions{TopicID: o.id})
			n++
		}
		t := &out[n-1]
		if k := len(t.Numbers); k > 0 && t.Numbers[k-1] == o.p {
			continue
		}
		t.Numbers, t.Epochs = append(t.Numbers, o.p), append(t.Epochs, o.epoch)
	}
	return out
}

// targets is done without epochs.
func (m *maker) targets() Assignment {
	out := m.done()
	for i := range out {
		out[i].Epochs = nil
	}
	return out
}
