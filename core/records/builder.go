package records

import (
	"math"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/records/compress"
)

// Options are a built batch's header fields. The zero value is a plain uncompressed batch without a producer id.
type Options struct {
	BaseOffset    int64
	LeaderEpoch   int32
	HasProducer   bool // the next three fields count; else they are -1 in the batch
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Control       bool
	LogAppendTime bool // the attribute bit: maxTimestamp is the append time
	Codec         int8 // a compress codec
	Level         int
}

// HeaderField is a record header to write. A nil Value is null.
type HeaderField struct {
	Key   string
	Value []byte
}

// Builder makes batches that the broker, or a simulated client, writes itself. Its memory is used again.
type Builder struct {
	opt    Options
	b      []byte // header space, then records
	out    []byte // the compressed batch
	count  int32
	baseTS int64
	maxTS  int64
	enc    compress.Encoder
}

// NewBuilder gives a Builder of an empty batch.
func NewBuilder(o Options) *Builder {
	b := new(Builder)
	b.Reset(o)
	return b
}

// Reset begins the next batch. The bytes of the last one are overwritten.
func (b *Builder) Reset(o Options) {
	b.opt = o
	b.count, b.baseTS, b.maxTS = 0, noTimestamp, noTimestamp
	if cap(b.b) < HeaderSize {
		b.b = make([]byte, HeaderSize, 512)
	}
	b.b = b.b[:HeaderSize]
}

// Count is how many records were added.
func (b *Builder) Count() int32 { return b.count }

// Size is the size of the batch so far, before compression, in bytes.
func (b *Builder) Size() int { return len(b.b) }

// Add appends a record with the next offset delta. ts is in milliseconds; nil key and value are null.
func (b *Builder) Add(key, value []byte, ts int64, headers ...HeaderField) {
	assert.That(b.count < math.MaxInt32, "a batch holds at most 2^31-1 records")
	if b.count == 0 {
		b.baseTS = ts
	}
	b.maxTS = max(b.maxTS, ts)
	delta := ts - b.baseTS
	size := 1 + varintSize(delta) + varintSize(int64(b.count)) + sizedLen(key, key == nil) + sizedLen(value, value == nil)
	size += varintSize(int64(len(headers)))
	for i := range headers {
		h := &headers[i]
		size += varintSize(int64(len(h.Key))) + len(h.Key) + sizedLen(h.Value, h.Value == nil)
	}
	out := append(appendVarint(b.b, int64(size)), 0)
	out = appendVarint(appendVarint(out, delta), int64(b.count))
	out = appendSized(appendSized(out, key), value)
	out = appendVarint(out, int64(len(headers)))
	for i := range headers {
		h := &headers[i]
		out = append(appendVarint(out, int64(len(h.Key))), h.Key...)
		out = appendSized(out, h.Value)
	}
	b.b = out
	b.count++
}

func sizedLen(p []byte, null bool) int {
	if null {
		return 1
	}
	return varintSize(int64(len(p))) + len(p)
}

func appendSized(b, p []byte) []byte {
	if p == nil {
		return appendVarint(b, -1)
	}
	return append(appendVarint(b, int64(len(p))), p...)
}

// Types of control records. Source: ControlRecordType, KIP-98.
const (
	ControlAbort  int16 = 0
	ControlCommit int16 = 1
)

// AddMarker appends the end-of-transaction marker; the batch is Control and Transactional, and this is its one record.
func (b *Builder) AddMarker(kind int16, coordinatorEpoch int32, ts int64) {
	assert.That(b.opt.Control, "a marker belongs in a control batch")
	key := [4]byte{3: byte(kind)} // version 0, type
	var value [6]byte             // version 0, coordinator epoch
	be.PutUint32(value[2:], uint32(coordinatorEpoch))
	b.Add(key[:], value[:], ts)
}

// Build gives the batch, header and CRC included. The bytes are valid until Reset; at least one record was added.
func (b *Builder) Build() []byte {
	assert.That(b.count > 0, "a batch without records")
	out := b.b
	if b.opt.Codec != compress.None {
		var err error
		b.out = append(b.out[:0], b.b[:HeaderSize]...)
		b.out, err = b.enc.Append(b.out, b.opt.Codec, b.opt.Level, b.b[HeaderSize:])
		assert.That(err == nil, "compression in memory cannot fail")
		out = b.out
	}
	b.header(out)
	return out
}

func (b *Builder) header(out []byte) {
	o := &b.opt
	id, epoch, seq := int64(-1), int16(-1), int32(-1)
	if o.HasProducer {
		id, epoch, seq = o.ProducerID, o.ProducerEpoch, o.BaseSequence
	}
	attr := uint16(o.Codec)
	if o.LogAppendTime {
		attr |= AttrLogAppendTime
	}
	if o.Transactional {
		attr |= AttrTransactional
	}
	if o.Control {
		attr |= AttrControl
	}
	v := View(out)
	v.SetBaseOffset(o.BaseOffset)
	be.PutUint32(out[posLength:], uint32(len(out)-LogOverhead))
	v.SetLeaderEpoch(o.LeaderEpoch)
	out[posMagic] = 2
	be.PutUint16(out[posAttributes:], attr)
	be.PutUint32(out[posLastOffsetDelta:], uint32(b.count-1))
	be.PutUint64(out[posBaseTimestamp:], uint64(b.baseTS))
	be.PutUint64(out[posMaxTimestamp:], uint64(b.maxTS))
	be.PutUint64(out[posProducerID:], uint64(id))
	be.PutUint16(out[posProducerEpoch:], uint16(epoch))
	be.PutUint32(out[posBaseSequence:], uint32(seq))
	be.PutUint32(out[posCount:], uint32(b.count))
	v.SetCRC()
}
