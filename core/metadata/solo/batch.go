package solo

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/core/records"
)

// maxBatch bounds a batch that is read back, in bytes: one entry of the largest size beside what was queued before it.
const maxBatch = 20 << 20

// appendBatch appends one batch whose records' values are entries; base is the index of the first.
func appendBatch(dst []byte, base int64, term int32, timestamp int64, entries [][]byte) []byte {
	be := binary.BigEndian
	at := len(dst)
	dst = append(dst, make([]byte, records.HeaderSize)...)
	for i, e := range entries {
		dst = appendRecord(dst, i, e)
	}
	h := dst[at:]
	be.PutUint64(h[0:], uint64(base))
	be.PutUint32(h[8:], uint32(len(h)-records.LogOverhead))
	be.PutUint32(h[12:], uint32(term))
	h[16] = 2
	be.PutUint32(h[23:], uint32(len(entries)-1))
	be.PutUint64(h[27:], uint64(timestamp))
	be.PutUint64(h[35:], uint64(timestamp))
	be.PutUint64(h[43:], ^uint64(0))
	be.PutUint16(h[51:], ^uint16(0))
	be.PutUint32(h[53:], ^uint32(0))
	be.PutUint32(h[57:], uint32(len(entries)))
	records.View(h).SetCRC()
	return dst
}

// appendRecord appends a record without key, headers or timestamp delta.
func appendRecord(dst []byte, offsetDelta int, value []byte) []byte {
	var body [32]byte
	b := append(body[:0], 0) // attributes
	b = binary.AppendVarint(b, 0)
	b = binary.AppendVarint(b, int64(offsetDelta))
	b = binary.AppendVarint(b, -1)
	b = binary.AppendVarint(b, int64(len(value)))
	dst = binary.AppendVarint(dst, int64(len(b)+len(value)+1))
	dst = append(dst, b...)
	dst = append(dst, value...)
	return append(dst, 0) // headers
}

// header gives the batch at the front of b and its size; ok is false if it is not whole, or its checksum or shape is wrong.
func header(b []byte) (v records.View, ok bool) {
	if len(b) < records.HeaderSize {
		return nil, false
	}
	v = records.View(b)
	n := int64(v.Length()) + records.LogOverhead
	if n < records.HeaderSize || n > maxBatch || n > int64(len(b)) || v.Magic() != 2 {
		return nil, false
	}
	v = v[:n]
	if v.CRC() != v.ComputeCRC() || v.Attributes() != 0 || v.BaseOffset() < 0 || v.LeaderEpoch() < 0 || v.LastOffsetDelta() != v.Count()-1 {
		return nil, false
	}
	return v, true
}

// values calls f with the value of each record; false if the records are not as announced.
func values(v records.View, f func(value []byte) error) (bool, error) {
	b := []byte(v[records.HeaderSize:])
	next := func() (int64, bool) {
		x, n := binary.Varint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return x, true
	}
	for i := range v.Count() {
		size, ok := next()
		if !ok || size < 1 || size > int64(len(b)) {
			return false, nil
		}
		rest := b[size:]
		b = b[1:size]
		_, ok1 := next()
		delta, ok2 := next()
		key, ok3 := next()
		n, ok4 := next()
		if !ok1 || !ok2 || !ok3 || !ok4 || delta != int64(i) || key != -1 || n < 0 || n > int64(len(b)) {
			return false, nil
		}
		if err := f(b[:n]); err != nil {
			return true, err
		}
		b = rest
	}
	return len(b) == 0, nil
}
