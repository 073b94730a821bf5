package client

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// Positions in a batch of magic 2 (KIP-98). Written down here once more: the clients must not share the broker's idea of them.
const (
	batchLength       = 8
	batchLeaderEpoch  = 12
	batchMagic        = 16
	batchCRC          = 17
	batchAttributes   = 21
	batchLastDelta    = 23
	batchBaseTime     = 27
	batchMaxTime      = 35
	batchPID          = 43
	batchEpoch        = 51
	batchSequence     = 53
	batchCount        = 57
	batchHeader       = 61
	batchLogOverhead  = 12
	attrCodec         = 7
	attrTransactional = 0x10
	attrControl       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batchSpec is what a producer puts into one batch.
type batchSpec struct {
	codec  int8
	pid    int64
	epoch  int16
	seq    int32
	wall   clock.Wall
	keyed  bool
	keys   uint64 // keyed: how many keys there are; 0: each value has its own
	pad    int    // bytes of padding behind each value
	values []history.Record

	transactional bool
}

// appendBatch writes a batch with the values' text as record values, "v3.17 xxxx".
func appendBatch(dst []byte, s *batchSpec) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, batchHeader)...)
	body := dst[len(dst):]
	for i, r := range s.values {
		body = appendRecord(body, int64(i), r.Value, s)
	}
	if s.codec != 0 {
		body = compress(s.codec, body)
	}
	dst = append(dst[:start+batchHeader], body...)
	h, be := dst[start:], binary.BigEndian
	be.PutUint32(h[batchLength:], uint32(len(h)-batchLogOverhead))
	be.PutUint32(h[batchLeaderEpoch:], 0xffffffff) // leader epoch: the broker's to fill
	h[batchMagic] = 2
	attr := uint16(s.codec)
	if s.transactional {
		attr |= attrTransactional
	}
	be.PutUint16(h[batchAttributes:], attr)
	be.PutUint32(h[batchLastDelta:], uint32(len(s.values)-1))
	be.PutUint64(h[batchBaseTime:], uint64(s.wall))
	be.PutUint64(h[batchMaxTime:], uint64(s.wall))
	be.PutUint64(h[batchPID:], uint64(s.pid))
	be.PutUint16(h[batchEpoch:], uint16(s.epoch))
	be.PutUint32(h[batchSequence:], uint32(s.seq))
	be.PutUint32(h[batchCount:], uint32(len(s.values)))
	be.PutUint32(h[batchCRC:], crc32.Checksum(h[batchAttributes:], castagnoli))
	return dst
}

func appendRecord(b []byte, delta int64, v history.Value, s *batchSpec) []byte {
	var text [64]byte
	val := v.AppendText(text[:0])
	n := len(val)
	if s.pad > 0 {
		n += 1 + s.pad
	}
	keyLen := 0
	if s.keyed {
		keyLen = 8
	}
	size := 1 + 1 + varintLen(delta) + varintLen(int64(n)) + n + 1
	if s.keyed {
		size += varintLen(int64(keyLen)) + keyLen
	} else {
		size++
	}
	b = binary.AppendVarint(b, int64(size))
	b = append(b, 0, 0) // attributes, timestamp delta
	b = binary.AppendVarint(b, delta)
	if s.keyed {
		b = binary.AppendVarint(b, int64(keyLen))
		b = binary.BigEndian.AppendUint64(b, keyOf(v, s.keys))
	} else {
		b = append(b, 1) // -1: null
	}
	b = binary.AppendVarint(b, int64(n))
	b = append(b, val...)
	if s.pad > 0 {
		b = append(b, ' ')
		for i := 0; i < s.pad; i++ {
			b = append(b, byte('a'+(int(v)+i)%23))
		}
	}
	return append(b, 0) // no headers
}

// keyOf is the key of a value where there are so many; 0: each has its own.
func keyOf(v history.Value, keys uint64) uint64 {
	if keys == 0 {
		return uint64(v)
	}
	return uint64(v) % keys
}

func varintLen(n int64) int {
	u := uint64(n<<1) ^ uint64(n>>63)
	k := 1
	for ; u >= 0x80; u >>= 7 {
		k++
	}
	return k
}

// served is what a fetch brought for one partition.
type served struct {
	records []history.Record // at and above the position asked for
	next    int64            // position after them
	batches int32
	bad     string // what no broker may send
	epoch   int32  // leader epoch of the last batch
	// recordEpoch is that of the last batch with records at and above the position: as the log has it, which the broker has filled in.
	recordEpoch int32
	sparse      bool // of a compacted log: records may be gone from a batch, but no batch's offsets
}

// readBatches walks a fetch answer from a position. A batch cut short at the end is legal if a whole one stands before it.
func readBatches(b []byte, from int64) served {
	s := served{next: from, epoch: -1}
	expect := int64(-1)
	for len(b) > 0 {
		if len(b) < batchLogOverhead {
			break
		}
		size := int64(int32(binary.BigEndian.Uint32(b[batchLength:]))) + batchLogOverhead
		if size < batchHeader {
			s.bad = fmt.Sprintf("batch of %d bytes", size)
			return s
		}
		if size > int64(len(b)) {
			break
		}
		had := len(s.records)
		base, last, why := s.batch(b[:size], from)
		if why == "" && expect >= 0 && base != expect {
			why = fmt.Sprintf("gap: batch at %d follows %d", base, expect-1)
		}
		if why != "" {
			s.bad = fmt.Sprintf("offset %d: %s", base, why)
			return s
		}
		expect, s.next, s.epoch = last+1, max(s.next, last+1), int32(binary.BigEndian.Uint32(b[batchLeaderEpoch:]))
		if len(s.records) > had {
			s.recordEpoch = s.epoch
		}
		s.batches++
		b = b[size:]
	}
	if s.batches == 0 && len(b) > 0 {
		s.bad = fmt.Sprintf("%d bytes without one whole batch", len(b))
	}
	return s
}

func (s *served) batch(b []byte, from int64) (base, last int64, why string) {
	be := binary.BigEndian
	base = int64(be.Uint64(b))
	delta, count := int32(be.Uint32(b[batchLastDelta:])), int32(be.Uint32(b[batchCount:]))
	last = base + int64(delta)
	attr := be.Uint16(b[batchAttributes:])
	switch {
	case b[batchMagic] != 2:
		return base, last, fmt.Sprintf("magic %d", b[batchMagic])
	case be.Uint32(b[batchCRC:]) != crc32.Checksum(b[batchAttributes:], castagnoli):
		return base, last, "bad CRC"
	case attr&attrControl != 0:
		return base, last, ""
	case s.sparse && delta >= 0 && count >= 0 && count <= delta:
		if count == 0 {
			return base, last, ""
		}
	case count <= 0 || delta != count-1:
		return base, last, fmt.Sprintf("count %d with last offset delta %d", count, delta)
	case last < from:
		return base, last, fmt.Sprintf("ends below the position %d that was asked for", from)
	}
	body := b[batchHeader:]
	if codec := int8(attr & attrCodec); codec != 0 {
		var err error
		if body, err = decompress(codec, body); err != nil {
			return base, last, err.Error()
		}
	}
	return base, last, s.recordsOf(body, base, count, from)
}

func (s *served) recordsOf(body []byte, base int64, count int32, from int64) string {
	at := int64(-1)
	for i := int64(0); i < int64(count); i++ {
		size, k := binary.Varint(body)
		if k <= 0 || size < 0 || size > int64(len(body)-k) {
			return fmt.Sprintf("record %d is cut", i)
		}
		rec := body[k : k+int(size)]
		body = body[k+int(size):]
		v, delta, ok := valueOf(rec)
		switch {
		case !ok:
			return fmt.Sprintf("record %d does not decode", i)
		case delta != i && !(s.sparse && delta > at):
			return fmt.Sprintf("record %d has offset delta %d", i, delta)
		}
		if at = delta; base+at >= from {
			s.records = append(s.records, history.Record{Offset: base + at, Value: v})
		}
	}
	if len(body) > 0 {
		return fmt.Sprintf("%d bytes behind the last record", len(body))
	}
	return ""
}

// valueOf reads a record's offset delta and its value.
func valueOf(rec []byte) (history.Value, int64, bool) {
	if len(rec) < 1 {
		return 0, 0, false
	}
	rec = rec[1:]
	_, k := binary.Varint(rec)
	if k <= 0 {
		return 0, 0, false
	}
	rec = rec[k:]
	delta, k := binary.Varint(rec)
	if k <= 0 {
		return 0, 0, false
	}
	rec = rec[k:]
	for field := 0; field < 2; field++ {
		n, k := binary.Varint(rec)
		if k <= 0 || n > int64(len(rec)-k) {
			return 0, 0, false
		}
		rec = rec[k:]
		if field == 1 {
			if n < 0 {
				return 0, 0, false
			}
			v, ok := history.ParseValue(rec[:n])
			return v, delta, ok
		}
		if n > 0 {
			rec = rec[n:]
		}
	}
	return 0, 0, false
}

// crcOf gives the CRC that a batch should carry.
func crcOf(b []byte) uint32 { return crc32.Checksum(b[batchAttributes:], castagnoli) }

// ReadBatches decodes whole batches for whoever looks into a log: the records at and above `from`, the position after them, and what is
// wrong with the bytes ("" nothing).
func ReadBatches(b []byte, from int64) (records []history.Record, next int64, bad string) {
	s := readBatches(b, from)
	return s.records, s.next, s.bad
}
