package records

import (
	"errors"
	"iter"

	"github.com/seedlog/seedlog/core/records/compress"
)

// Record is one record of a batch. Its slices alias the batch, or the Scratch that it was decompressed into.
type Record struct {
	OffsetDelta    int32
	TimestampDelta int64 // milliseconds
	Attributes     int8
	Key            []byte // nil is null; an empty key is not nil
	Value          []byte // nil is null, a tombstone on compacted topics
	HeaderCount    int32
	headers        []byte // HeaderCount headers, well formed
}

// Headers gives the record's headers in order; a null value is nil.
func (r *Record) Headers() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for i := 0; i < len(r.headers); {
			var key, value []byte
			key, i = sized(r.headers, i)
			value, i = sized(r.headers, i)
			if i < 0 || !yield(key, value) {
				return
			}
		}
	}
}

// sized reads a size and as many bytes at b[i]; size -1 is null. The position after it is bad if that is not there.
func sized(b []byte, i int) ([]byte, int) {
	n, i := varint32(b, i)
	if i < 0 || n < -1 || int(n) > len(b)-i {
		return nil, bad
	}
	if n < 0 {
		return nil, i
	}
	end := i + int(n)
	return b[i:end:end], end
}

// Reader iterates over the records of one batch that was validated before, or came from the log: it trusts neither, and
// ends with an error on anything malformed. A compacted batch may have gaps between its offset deltas.
type Reader struct {
	b    []byte // the records that are left, decompressed
	left int32  // how many
	err  error
}

// NewReader gives a Reader of v, which Header or Split cut. s may be nil for uncompressed batches.
func NewReader(v View, s *Scratch) *Reader {
	r := new(Reader)
	r.Reset(v, s)
	return r
}

var errNoScratch = errors.New("records: a compressed batch needs a Scratch")

// Reset makes r read v from its first record. A compressed batch is decompressed whole into s, up to s.Max.
func (r *Reader) Reset(v View, s *Scratch) {
	r.b, r.left, r.err = v[HeaderSize:], v.Count(), nil
	if r.left == 0 { // what compaction leaves of a producer's last batch; it has no compressed stream either
		r.b = nil
	}
	if v.Codec() == compress.None || r.left == 0 {
		return
	}
	if s == nil {
		r.err = errNoScratch
		return
	}
	s.trim()
	s.plain, r.err = s.dec.Append(s.plain[:0], v.Codec(), v[HeaderSize:], s.max())
	r.b = s.plain
}

// Next gives the next record; false at the end of the batch, or with an error.
func (r *Reader) Next() (rec Record, ok bool, err error) {
	if r.err != nil {
		return rec, false, r.err
	}
	if r.left <= 0 {
		if len(r.b) > 0 {
			r.err = faultRecordsExcess
		}
		return rec, false, r.err
	}
	size, i := varint32(r.b, 0)
	if i < 0 || size < 0 || int(size) > len(r.b)-i {
		r.err = faultRecordSize
		return rec, false, r.err
	}
	if f := rec.parse(r.b[i : i+int(size)]); f != fine {
		r.err = f
		return Record{}, false, r.err
	}
	r.b = r.b[i+int(size):]
	r.left--
	return rec, true, nil
}

func (rec *Record) parse(b []byte) fault {
	if len(b) == 0 {
		return faultRecordSize
	}
	rec.Attributes = int8(b[0])
	i := 1
	if rec.TimestampDelta, i = varint64(b, i); i < 0 {
		return faultVarint
	}
	if rec.OffsetDelta, i = varint32(b, i); i < 0 {
		return faultVarint
	}
	if rec.Key, i = sized(b, i); i < 0 {
		return faultKeySize
	}
	if rec.Value, i = sized(b, i); i < 0 {
		return faultValueSize
	}
	if rec.HeaderCount, i = varint32(b, i); i < 0 {
		return faultHeaders
	}
	rec.headers = b[i:]
	if skipHeaders(b, i, rec.HeaderCount) != len(b) {
		return faultHeaders
	}
	return fine
}
