package group

import "unicode/utf16"

// PartitionFor is the partition of __consumer_offsets, of so many, that a group belongs to: Java's String.hashCode, made
// positive, modulo.
func PartitionFor(groupID string, partitions int32) int32 {
	h := int32(0)
	for _, r := range groupID {
		if r < 0x10000 {
			h = h*31 + int32(r)
			continue
		}
		hi, lo := utf16.EncodeRune(r)
		h = (h*31+int32(hi))*31 + int32(lo)
	}
	return h & 0x7fffffff % partitions
}

// utf16Len is Java's String.length.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x10000 {
			n++
		}
	}
	return n
}
