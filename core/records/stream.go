package records

import (
	"io"

	"github.com/seedlog/seedlog/core/records/compress"
)

// window is a moving piece of a decompressed stream. b[r:w] is what was decompressed and not yet looked at.
type window struct {
	b    []byte
	r, w int // 0 <= r <= w <= len(b)
	dec  *compress.Decoder
	err  error // why the stream ended; io.EOF at its clean end
}

// fill makes n bytes available, 0 <= n <= len(b), unless the stream ends before.
func (s *window) fill(n int) bool {
	for s.w-s.r < n {
		if s.err != nil {
			return false
		}
		if s.r > 0 && s.r+n > len(s.b) || s.r == s.w {
			s.w = copy(s.b, s.b[s.r:s.w])
			s.r = 0
		}
		var got int
		got, s.err = s.dec.Read(s.b[s.w:])
		s.w += got
	}
	return true
}

// ended is the fault of a stream that gave less than was asked for.
func (s *window) ended(clean fault) fault {
	switch s.err {
	case nil, io.EOF:
		return clean
	case compress.ErrTooLarge:
		return faultBomb
	}
	return faultDecompress
}

// prefixSize is the most bytes that a record's numbers before the key take together: size, attributes, timestamp delta,
// offset delta, key size.
const prefixSize = 5 + 1 + 10 + 5 + 5

// compressed walks the records of a compressed batch through a window.
func (w *walk) compressed(v View, lim *Limits) fault {
	scratch := lim.Scratch
	if scratch == nil {
		scratch = new(Scratch)
	}
	if scratch.window == nil {
		scratch.window = make([]byte, windowSize)
	}
	limit := lim.MaxDecompressed
	if limit <= 0 {
		limit = DefaultMaxDecompressed
	}
	if scratch.dec.Open(v.Codec(), v[HeaderSize:], limit) != nil {
		return faultDecompress
	}
	in := window{b: scratch.window, dec: &scratch.dec}
	f := w.stream(&in, v.Count())
	scratch.dec.Close()
	return f
}

// stream walks count records and the end of the stream after them.
func (w *walk) stream(in *window, count int32) fault {
	for w.next < count {
		in.fill(prefixSize) // the last records may be shorter
		size, at := varint32(in.b[:in.w], in.r)
		if at < 0 {
			if in.r == in.w {
				return in.ended(faultRecordsMissing)
			}
			return in.ended(faultVarint)
		}
		if size < 0 {
			return faultRecordSize
		}
		in.r = at
		var f fault
		if int(size) > len(in.b) {
			f = w.long(in, int(size))
		} else if in.fill(int(size)) {
			at, in.r = in.r, in.r+int(size)
			f = w.record(in.b[at:in.r])
		} else {
			f = in.ended(faultRecordSize)
		}
		if f != fine {
			return f
		}
	}
	if in.fill(1) {
		return faultRecordsExcess
	}
	return in.ended(fine)
}

// long checks a record that is larger than the window, of which left bytes, its whole body, are still to come.
func (w *walk) long(in *window, left int) fault {
	if !in.fill(prefixSize) {
		return in.ended(faultRecordSize)
	}
	ts, i := varint64(in.b, in.r+1)
	delta, i := varint32(in.b, i)
	key, i := varint32(in.b, i)
	if i < 0 {
		return faultVarint
	}
	if f := w.fields(ts, delta, key); f != fine {
		return f
	}
	left -= i - in.r
	in.r = i
	if !in.skip(int(max(0, key)), &left) {
		return in.ended(faultKeySize)
	}
	value, ok := in.varint(&left)
	if !ok {
		return in.ended(faultVarint)
	}
	if value < -1 || !in.skip(int(max(0, value)), &left) {
		return in.ended(faultValueSize)
	}
	headers, ok := in.varint(&left)
	if !ok || headers < 0 || int(headers) > left/2 {
		return in.ended(faultHeaders)
	}
	for ; headers > 0; headers-- {
		if !in.header(&left) {
			return in.ended(faultHeaders)
		}
	}
	if left != 0 {
		return faultRecordSize
	}
	return fine
}

// header passes over one header of a long record.
func (s *window) header(left *int) bool {
	key, ok := s.varint(left)
	if !ok || key < 0 || !s.skip(int(key), left) {
		return false
	}
	value, ok := s.varint(left)
	return ok && value >= -1 && s.skip(int(max(0, value)), left)
}

// varint reads a number of a long record.
func (s *window) varint(left *int) (int32, bool) {
	s.fill(min(5, *left))
	n, i := varint32(s.b[s.r:min(s.w, s.r+*left)], 0)
	if i < 0 {
		return 0, false
	}
	s.r += i
	*left -= i
	return n, true
}

// skip passes over n bytes of a long record.
func (s *window) skip(n int, left *int) bool {
	if n > *left {
		return false
	}
	*left -= n
	for n > 0 {
		if s.r == s.w && !s.fill(1) {
			return false
		}
		step := min(n, s.w-s.r)
		s.r += step
		n -= step
	}
	return true
}
