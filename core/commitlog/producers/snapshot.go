package producers

import (
	"encoding/binary"
	"hash/crc32"
	"sort"

	"github.com/seedlog/seedlog/io/clock"
)

// A snapshot is Kafka's .snapshot file, version 1 (ProducerStateManager):
//
//	version int16 | crc uint32 (CRC-32C of what follows) | n int32 | n × { producerId int64 | epoch int16 | lastSequence int32 |
//	lastOffset int64 | offsetDelta int32 | timestamp int64 | coordinatorEpoch int32 | currentTxnFirstOffset int64 }
const (
	snapshotVersion = 1
	snapshotHead    = 2 + 4 + 4
	snapshotEntry   = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
var be = binary.BigEndian

// List is the producers by id. They are the table's own: not to be changed, and valid until it changes.
func (t *Table) List() []*Entry {
	all := make([]*Entry, 0, len(t.byID))
	for e := t.oldest; e != nil; e = e.newer {
		all = append(all, e)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// AppendSnapshot adds the state as a snapshot file has it, by producer id.
func (t *Table) AppendSnapshot(dst []byte) []byte {
	all := t.List()
	start := len(dst)
	dst = be.AppendUint16(dst, snapshotVersion)
	dst = be.AppendUint32(dst, 0)
	dst = be.AppendUint32(dst, uint32(len(all)))
	for _, e := range all {
		b, _ := e.last()
		dst = be.AppendUint64(dst, uint64(e.ID))
		dst = be.AppendUint16(dst, uint16(e.Epoch))
		dst = be.AppendUint32(dst, uint32(b.LastSeq))
		dst = be.AppendUint64(dst, uint64(b.LastOffset))
		dst = be.AppendUint32(dst, uint32(b.OffsetDelta))
		dst = be.AppendUint64(dst, uint64(e.LastTimestamp))
		dst = be.AppendUint32(dst, uint32(e.CoordinatorEpoch))
		dst = be.AppendUint64(dst, uint64(e.TxnFirstOffset))
	}
	be.PutUint32(dst[start+2:], crc32.Checksum(dst[start+6:], castagnoli))
	return dst
}

// Load replaces the state with a snapshot's; now is when its producers count as seen. It changes nothing and returns false
// unless the bytes are a whole snapshot with a right CRC.
func (t *Table) Load(b []byte, now clock.Wall) bool {
	if !whole(b) {
		return false
	}
	t.Reset()
	t.add(b, now, maxOffset)
	return true
}

const maxOffset = 1<<63 - 1

// Add takes from a snapshot the producers that the table does not know: the table has seen the batches of the others, and knows more of
// them than the one that a snapshot holds. Of a transaction that began where the table has looked already, at from or later, nothing is left:
// compaction has taken it, and its marker later than the snapshot. It changes nothing and returns false where Load would.
func (t *Table) Add(b []byte, now clock.Wall, from int64) bool {
	if !whole(b) {
		return false
	}
	t.add(b, now, from)
	return true
}

// whole says whether the bytes are a whole snapshot with a right CRC.
func whole(b []byte) bool {
	if len(b) < snapshotHead || be.Uint16(b) != snapshotVersion || be.Uint32(b[2:]) != crc32.Checksum(b[6:], castagnoli) {
		return false
	}
	return int64(len(b)) == snapshotHead+int64(be.Uint32(b[6:]))*snapshotEntry
}

func (t *Table) add(b []byte, now clock.Wall, from int64) {
	var open []*Entry
	for b = b[snapshotHead:]; len(b) > 0; b = b[snapshotEntry:] {
		id := int64(be.Uint64(b))
		if id < 0 || t.byID[id] != nil {
			continue
		}
		e := t.insert(id)
		e.Seen = now
		e.Epoch = int16(be.Uint16(b[8:]))
		last := Batch{LastSeq: int32(be.Uint32(b[10:])), LastOffset: int64(be.Uint64(b[14:])), OffsetDelta: int32(be.Uint32(b[22:])), Timestamp: int64(be.Uint64(b[26:]))}
		e.LastTimestamp = last.Timestamp
		e.CoordinatorEpoch = int32(be.Uint32(b[34:]))
		if e.TxnFirstOffset = int64(be.Uint64(b[38:])); e.TxnFirstOffset >= from {
			e.TxnFirstOffset = none
		}
		if last.LastSeq >= 0 && last.OffsetDelta >= 0 {
			e.push(last)
		}
		if e.TxnFirstOffset >= 0 {
			open = append(open, e)
		}
	}
	t.reopen(open)
}
