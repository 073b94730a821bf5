// Package index is the bytes of Kafka's sparse indexes: entries of .index (relative offset int32, position int32) and of
// .timeindex (timestamp int64, relative offset int32), big-endian, ascending. An entry of .index names the last offset of the
// batch that stands at its position; an entry of .timeindex says that nothing before its offset has a greater timestamp.
//
// The package works on bytes and holds none: what is in memory and what on the disk is the log's affair.
package index

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/core/plant"
)

// Sizes of an entry, in bytes.
const (
	EntrySize     = 8
	TimeEntrySize = 12
)

// Entry is one entry of an offset index.
type Entry struct {
	Rel int32 // last offset of the batch, less the segment's base
	Pos int32 // where the batch begins
}

// TimeEntry is one entry of a time index.
type TimeEntry struct {
	Timestamp int64
	Rel       int32 // last offset of the batch that first had it, less the segment's base
}

var be = binary.BigEndian

// Append adds an entry's bytes.
func (e Entry) Append(dst []byte) []byte {
	dst = be.AppendUint32(dst, uint32(e.Rel))
	return be.AppendUint32(dst, uint32(e.Pos))
}

// Append adds an entry's bytes.
func (e TimeEntry) Append(dst []byte) []byte {
	dst = be.AppendUint64(dst, uint64(e.Timestamp))
	return be.AppendUint32(dst, uint32(e.Rel))
}

// At reads entry i of b.
func At(b []byte, i int) Entry {
	b = b[i*EntrySize:]
	return Entry{int32(be.Uint32(b)), int32(be.Uint32(b[4:]))}
}

// TimeAt reads entry i of b.
func TimeAt(b []byte, i int) TimeEntry {
	b = b[i*TimeEntrySize:]
	return TimeEntry{int64(be.Uint64(b)), int32(be.Uint32(b[8:]))}
}

// Valid gives how many entries of b, from the first, ascend in both fields, follow prev, and lie below size and maxRel.
func Valid(b []byte, prev Entry, maxRel int32, size int64) int {
	n := len(b) / EntrySize
	for i := 0; i < n; i++ {
		e := At(b, i)
		if e.Rel <= prev.Rel || e.Pos <= prev.Pos || int64(e.Pos) >= size || e.Rel > maxRel {
			return i
		}
		prev = e
	}
	return n
}

// ValidTime gives how many entries of b ascend in time, do not go back in offset, follow prev, and do not pass maxRel.
func ValidTime(b []byte, prev TimeEntry, maxRel int32) int {
	n := len(b) / TimeEntrySize
	for i := 0; i < n; i++ {
		e := TimeAt(b, i)
		if e.Timestamp <= prev.Timestamp || e.Rel < prev.Rel || e.Rel > maxRel {
			return i
		}
		prev = e
	}
	return n
}

// Floor gives the index of the last entry of b with Rel <= rel, or -1.
func Floor(b []byte, rel int64) int {
	lo, hi := 0, len(b)/EntrySize
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if int64(At(b, mid).Rel) <= rel {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if plant.On(plant.P11) && lo < len(b)/EntrySize {
		return lo
	}
	return lo - 1
}

// FloorTime gives the index of the last entry of b with Timestamp <= ts, or -1.
func FloorTime(b []byte, ts int64) int {
	lo, hi := 0, len(b)/TimeEntrySize
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if TimeAt(b, mid).Timestamp <= ts {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}
