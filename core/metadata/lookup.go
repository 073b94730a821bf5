package metadata

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// nameBucket is FNV-1a folded to the number of buckets.
func nameBucket[S string | []byte](name S) int {
	h := uint32(2166136261)
	for i := 0; i < len(name); i++ {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return int((h ^ h>>8 ^ h>>16 ^ h>>24) % buckets)
}

// idBucket uses one byte of the id, which is random in all places but the version and variant bits.
func idBucket(id [16]byte) int { return int(id[15]) }

func findIn(b []*Topic, name string) *Topic {
	if i, ok := searchName(b, name); ok {
		return b[i]
	}
	return nil
}

func searchName(b []*Topic, name string) (int, bool) {
	return slices.BinarySearchFunc(b, name, func(t *Topic, n string) int { return strings.Compare(t.Name, n) })
}

func searchID(b []*Topic, id [16]byte) (int, bool) {
	return slices.BinarySearchFunc(b, id, func(t *Topic, id [16]byte) int { return bytes.Compare(t.ID[:], id[:]) })
}

func findBroker(b []*Broker, id int32) (int, bool) {
	return slices.BinarySearchFunc(b, id, func(x *Broker, id int32) int { return cmp.Compare(x.ID, id) })
}

func findResource(r []*Resource, resourceType int8, name string) (int, bool) {
	return slices.BinarySearchFunc(r, name, func(x *Resource, n string) int { return compareResource(x, resourceType, n) })
}
