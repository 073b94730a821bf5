package coordinator

import (
	"encoding/binary"
	"errors"

	"github.com/seedlog/seedlog/core/records"
)

// ErrBatch is a batch of an internal topic that cannot be read.
var ErrBatch = errors.New("coordinator: unreadable batch")

var be = binary.BigEndian

// buildBatch makes one uncompressed batch of magic 2. Base offset and leader epoch are the log's to patch.
func buildBatch(by Position, nowMS int64, recs []Record) []byte {
	size := records.HeaderSize
	for i := range recs {
		size += len(recs[i].Key) + len(recs[i].Value) + 24
	}
	b := make([]byte, records.HeaderSize, size)
	be.PutUint32(b[12:], 0xffffffff)
	b[16] = 2
	if by.Transactional {
		be.PutUint16(b[21:], records.AttrTransactional)
	}
	be.PutUint32(b[23:], uint32(len(recs)-1))
	be.PutUint64(b[27:], uint64(nowMS))
	be.PutUint64(b[35:], uint64(nowMS))
	be.PutUint64(b[43:], uint64(by.ProducerID))
	be.PutUint16(b[51:], uint16(by.ProducerEpoch))
	be.PutUint32(b[53:], 0xffffffff)
	be.PutUint32(b[57:], uint32(len(recs)))
	var scratch []byte
	for i := range recs {
		scratch = appendRecord(scratch[:0], int64(i), recs[i])
		b = binary.AppendVarint(b, int64(len(scratch)))
		b = append(b, scratch...)
	}
	be.PutUint32(b[8:], uint32(len(b)-records.LogOverhead))
	records.View(b).SetCRC()
	return b
}

func appendRecord(b []byte, delta int64, r Record) []byte {
	b = append(b, 0) // attributes
	b = append(b, 0) // timestamp delta
	b = binary.AppendVarint(b, delta)
	b = appendField(b, r.Key)
	b = appendField(b, r.Value)
	return append(b, 0) // headers
}

func appendField(b, f []byte) []byte {
	if f == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(f))), f...)
}

// replayBatch feeds a batch to m. Compaction leaves batches with fewer records than their header spans, or none.
func replayBatch(m Machine, v records.View) error {
	if len(v) < records.HeaderSize || v.Size() < records.HeaderSize || v.Size() > len(v) || v.Magic() != 2 {
		return ErrBatch
	}
	if v.Codec() != 0 {
		return ErrBatch
	}
	at := Position{ProducerID: v.ProducerID(), ProducerEpoch: v.ProducerEpoch(), Transactional: v.IsTransactional()}
	body := cursor{b: v[records.HeaderSize:v.Size()]}
	for i := int32(0); i < v.Count(); i++ {
		delta, rec, ok := body.record()
		if !ok {
			return ErrBatch
		}
		at.Offset = v.BaseOffset() + delta
		if err := replayRecord(m, at, v.IsControl(), rec); err != nil {
			return err
		}
	}
	return nil
}

// replayRecord applies one record. The key of a control record is version int16 and type int16: 0 aborts, 1 commits.
func replayRecord(m Machine, at Position, control bool, rec Record) error {
	if !control {
		return m.Replay(at, rec)
	}
	if len(rec.Key) < 4 {
		return ErrBatch
	}
	if kind := be.Uint16(rec.Key[2:]); kind <= 1 {
		m.ReplayMarker(at.ProducerID, at.ProducerEpoch, kind == 1)
	}
	return nil
}

// cursor walks the records of an uncompressed batch.
type cursor struct{ b []byte }

func (c *cursor) varint() (int64, bool) {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		return 0, false
	}
	c.b = c.b[n:]
	return v, true
}

func (c *cursor) field() ([]byte, bool) {
	n, ok := c.varint()
	if !ok || n > int64(len(c.b)) {
		return nil, false
	}
	if n < 0 {
		return nil, true
	}
	f := c.b[:n:n]
	c.b = c.b[n:]
	return f, true
}

// record reads one record; its headers are skipped with what its length spans.
func (c *cursor) record() (delta int64, rec Record, ok bool) {
	body, ok := c.field()
	if !ok || len(body) < 1 {
		return 0, rec, false
	}
	r := cursor{b: body[1:]}
	if _, ok = r.varint(); !ok {
		return 0, rec, false
	}
	if delta, ok = r.varint(); !ok {
		return 0, rec, false
	}
	if rec.Key, ok = r.field(); !ok {
		return 0, rec, false
	}
	rec.Value, ok = r.field()
	return delta, rec, ok
}
