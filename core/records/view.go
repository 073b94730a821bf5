// Package records is the record batch of magic 2 as a view over its bytes, in place: what a client sent is what is stored.
//
//	baseOffset int64 | batchLength int32 | partitionLeaderEpoch int32 | magic int8 | crc uint32 | attributes int16 |
//	lastOffsetDelta int32 | baseTimestamp int64 | maxTimestamp int64 | producerId int64 | producerEpoch int16 |
//	baseSequence int32 | count int32 | records …
//
// The CRC (CRC-32C) covers everything from attributes on, so base offset and leader epoch may be patched. Source: KIP-98.
package records

import (
	"encoding/binary"
	"hash/crc32"
)

// Positions of the header's fields, in bytes from the start of the batch.
const (
	posLength          = 8
	posLeaderEpoch     = 12
	posMagic           = 16
	posCRC             = 17
	posAttributes      = 21
	posLastOffsetDelta = 23
	posBaseTimestamp   = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posCount           = 57

	// HeaderSize is the size of a batch without records, in bytes.
	HeaderSize = 61
	// LogOverhead is what stands before the part that batchLength counts.
	LogOverhead = 12
)

// Bits of attributes.
const (
	AttrCodec         = 0x07
	AttrLogAppendTime = 0x08
	AttrTransactional = 0x10
	AttrControl       = 0x20
	AttrDeleteHorizon = 0x40
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
var be = binary.BigEndian

// View is the bytes of one batch, at least HeaderSize of them. Its methods do not check; Check does.
type View []byte

func (v View) BaseOffset() int64      { return int64(be.Uint64(v)) }
func (v View) Length() int32          { return int32(be.Uint32(v[posLength:])) }
func (v View) Size() int              { return int(v.Length()) + LogOverhead }
func (v View) LeaderEpoch() int32     { return int32(be.Uint32(v[posLeaderEpoch:])) }
func (v View) Magic() int8            { return int8(v[posMagic]) }
func (v View) CRC() uint32            { return be.Uint32(v[posCRC:]) }
func (v View) Attributes() int16      { return int16(be.Uint16(v[posAttributes:])) }
func (v View) Codec() int8            { return int8(v.Attributes() & AttrCodec) }
func (v View) LastOffsetDelta() int32 { return int32(be.Uint32(v[posLastOffsetDelta:])) }
func (v View) LastOffset() int64      { return v.BaseOffset() + int64(v.LastOffsetDelta()) }
func (v View) NextOffset() int64      { return v.LastOffset() + 1 }
func (v View) BaseTimestamp() int64   { return int64(be.Uint64(v[posBaseTimestamp:])) }
func (v View) MaxTimestamp() int64    { return int64(be.Uint64(v[posMaxTimestamp:])) }
func (v View) ProducerID() int64      { return int64(be.Uint64(v[posProducerID:])) }
func (v View) ProducerEpoch() int16   { return int16(be.Uint16(v[posProducerEpoch:])) }
func (v View) BaseSequence() int32    { return int32(be.Uint32(v[posBaseSequence:])) }
func (v View) Count() int32           { return int32(be.Uint32(v[posCount:])) }
func (v View) IsTransactional() bool  { return v.Attributes()&AttrTransactional != 0 }
func (v View) IsControl() bool        { return v.Attributes()&AttrControl != 0 }
func (v View) IsLogAppendTime() bool  { return v.Attributes()&AttrLogAppendTime != 0 }

// SetBaseOffset patches a field outside the CRC.
func (v View) SetBaseOffset(o int64) { be.PutUint64(v, uint64(o)) }

// SetLeaderEpoch patches a field outside the CRC.
func (v View) SetLeaderEpoch(e int32) { be.PutUint32(v[posLeaderEpoch:], uint32(e)) }

// ComputeCRC gives what CRC should be.
func (v View) ComputeCRC() uint32 { return crc32.Checksum(v[posAttributes:v.Size()], castagnoli) }

// SetCRC writes the CRC of the present content; whoever changed bytes under it calls this.
func (v View) SetCRC() { be.PutUint32(v[posCRC:], v.ComputeCRC()) }

// LastSequence is the sequence number of the last record: it wraps from 2^31-1 to 0 (DefaultRecordBatch.incrementSequence).
func (v View) LastSequence() int32 { return AddSequence(v.BaseSequence(), v.LastOffsetDelta()) }

// AddSequence adds n >= 0 to a sequence number, with the wrap.
func AddSequence(seq, n int32) int32 {
	if seq > 1<<31-1-n {
		return n - (1<<31 - 1 - seq) - 1
	}
	return seq + n
}
