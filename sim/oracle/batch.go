package oracle

import "encoding/binary"

// baseOffset and epochOf read the head of a whole batch (record batch v2: offset, length, leader epoch).
func baseOffset(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

func epochOf(b []byte) int32 { return int32(binary.BigEndian.Uint32(b[12:])) }
