package index

import "hash/crc32"

// AbortedSize is the size of an entry of a transaction index, in bytes.
const AbortedSize = 2 + 8 + 8 + 8 + 8

// abortedVersion is Kafka's AbortedTxn.CURRENT_VERSION.
const abortedVersion = 0

// Aborted is one entry of a transaction index (.txnindex): an aborted transaction whose marker stands in the segment.
//
//	version int16 | producerId int64 | firstOffset int64 | lastOffset int64 | lastStableOffset int64
type Aborted struct {
	ProducerID  int64
	First, Last int64 // offset of its first record, and of its marker
	Stable      int64 // the last stable offset once the marker was written: whatever aborted transaction comes later has no record below
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// abortedTail is the size of what follows the entries.
const abortedTail = 4

// AppendAborted adds a transaction index with these entries, which ascend by Last: Kafka's bytes, and after them their CRC-32C. Kafka's reader passes over
// what is too short for an entry; without a checksum a bit that rots would show aborted records.
func AppendAborted(dst []byte, list []Aborted) []byte {
	from := len(dst)
	for _, a := range list {
		dst = be.AppendUint16(dst, abortedVersion)
		dst = be.AppendUint64(dst, uint64(a.ProducerID))
		dst = be.AppendUint64(dst, uint64(a.First))
		dst = be.AppendUint64(dst, uint64(a.Last))
		dst = be.AppendUint64(dst, uint64(a.Stable))
	}
	return be.AppendUint32(dst, crc32.Checksum(dst[from:], castagnoli))
}

// ParseAborted reads a transaction index. It is false unless the bytes are whole entries of version 0 with a right CRC, of which each aborts what came before its
// marker, and which ascend.
func ParseAborted(b []byte) (list []Aborted, ok bool) {
	n := (len(b) - abortedTail) / AbortedSize
	if len(b) < abortedTail || len(b) != n*AbortedSize+abortedTail || be.Uint32(b[n*AbortedSize:]) != crc32.Checksum(b[:n*AbortedSize], castagnoli) {
		return nil, false
	}
	list = make([]Aborted, 0, n)
	last := int64(-1)
	for ; len(b) >= AbortedSize; b = b[AbortedSize:] {
		a := Aborted{int64(be.Uint64(b[2:])), int64(be.Uint64(b[10:])), int64(be.Uint64(b[18:])), int64(be.Uint64(b[26:]))}
		if be.Uint16(b) != abortedVersion || a.First < 0 || a.First >= a.Last || a.Last <= last {
			return nil, false
		}
		last = a.Last
		list = append(list, a)
	}
	return list, true
}
