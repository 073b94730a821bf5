package oracle

import "encoding/binary"

// baseOffset and epochOf read the head of a whole batch (record batch v2: offset, length, leader epoch).
func baseOffset(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

func epochOf(b []byte) int32 { return int32(binary.BigEndian.Uint32(b[12:])) }

func lastDeltaOf(b []byte) int32 { return int32(binary.BigEndian.Uint32(b[23:])) }

// cleaned says whether compaction has made the batch what it is: records are gone from it, or it has a delete horizon (KIP-534, bit 6).
func cleaned(b []byte) bool {
	return int32(binary.BigEndian.Uint32(b[57:])) != lastDeltaOf(b)+1 || b[22]&0x40 != 0
}
