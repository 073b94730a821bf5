package coordinator

import "unicode/utf16"

// PartitionFor is the partition of an internal topic, of so many, that a group or a transactional id belongs to: the absolute value of Java's
// String.hashCode, modulo. Source: Utils.abs, which takes the least integer as 0.
func PartitionFor(id string, partitions int32) int32 {
	h := int32(0)
	for _, r := range id {
		if r < 0x10000 {
			h = h*31 + int32(r)
			continue
		}
		hi, lo := utf16.EncodeRune(r)
		h = (h*31+int32(hi))*31 + int32(lo)
	}
	if h < 0 {
		h = max(-h, 0)
	}
	return h % partitions
}
