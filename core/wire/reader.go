package wire

import "encoding/binary"

// maxString is the longest string that Kafka's parser takes, in bytes, in the compact encoding too.
const maxString = 0x7fff

// Reader takes Kafka's primitive types off the front of B. The first failure sticks: all further calls give zero values, so that
// a decoder checks OK once at its end (and in loops over announced counts). Slices that it gives alias B.
type Reader struct {
	B   []byte
	bad bool
}

// OK says whether everything asked for was there.
func (r *Reader) OK() bool { return !r.bad }

// Fail marks the input as malformed.
func (r *Reader) Fail() { r.bad, r.B = true, nil }

// Span gives the next n bytes.
func (r *Reader) Span(n int) []byte {
	if n < 0 || n > len(r.B) {
		r.Fail()
		return nil
	}
	s := r.B[:n:n]
	r.B = r.B[n:]
	return s
}

// Bool gives a byte as a truth value: anything but 0 is true.
func (r *Reader) Bool() bool { return r.Int8() != 0 }

// Int8 gives one byte.
func (r *Reader) Int8() int8 {
	if len(r.B) < 1 {
		r.Fail()
		return 0
	}
	v := int8(r.B[0])
	r.B = r.B[1:]
	return v
}

// Int16 gives two bytes, big-endian like all that follow.
func (r *Reader) Int16() int16 {
	if len(r.B) < 2 {
		r.Fail()
		return 0
	}
	v := int16(binary.BigEndian.Uint16(r.B))
	r.B = r.B[2:]
	return v
}

// Int32 gives four bytes.
func (r *Reader) Int32() int32 {
	if len(r.B) < 4 {
		r.Fail()
		return 0
	}
	v := int32(binary.BigEndian.Uint32(r.B))
	r.B = r.B[4:]
	return v
}

// Int64 gives eight bytes.
func (r *Reader) Int64() int64 {
	if len(r.B) < 8 {
		r.Fail()
		return 0
	}
	v := int64(binary.BigEndian.Uint64(r.B))
	r.B = r.B[8:]
	return v
}

// UUID gives sixteen bytes.
func (r *Reader) UUID() (id [16]byte) {
	copy(id[:], r.Span(16))
	return id
}

// Uvarint gives an unsigned varint of at most five bytes. As in Kafka, the bits of the fifth byte that do not fit are dropped, and only
// a sixth byte is an error.
func (r *Reader) Uvarint() uint32 {
	var v uint32
	for i := 0; i < 5 && i < len(r.B); i++ {
		c := r.B[i]
		v |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.B = r.B[i+1:]
			return v
		}
	}
	r.Fail()
	return 0
}

// compactLen gives a length that is sent as an unsigned varint of length+1. It is computed in 32 bits, as Kafka does: 0xffffffff
// reads as -2, hence as null, and not as a long length.
func (r *Reader) compactLen() int { return int(int32(r.Uvarint()) - 1) }

func (r *Reader) stringLen(flexible bool) int {
	if flexible {
		return r.compactLen()
	}
	return int(r.Int16())
}

func (r *Reader) bytesLen(flexible bool) int {
	if flexible {
		return r.compactLen()
	}
	return int(r.Int32())
}

// NullableString gives a string, or false if it is null.
func (r *Reader) NullableString(flexible bool) ([]byte, bool) {
	n := r.stringLen(flexible)
	if n < 0 || r.bad {
		return nil, false
	}
	if n > maxString {
		r.Fail()
		return nil, false
	}
	s := r.Span(n)
	return s, !r.bad
}

// String gives a string; null is a failure.
func (r *Reader) String(flexible bool) []byte {
	s, ok := r.NullableString(flexible)
	if !ok {
		r.Fail()
	}
	return s
}

// NullableBytes gives bytes, nil if they are null, and not nil if they are merely empty.
func (r *Reader) NullableBytes(flexible bool) []byte {
	n := r.bytesLen(flexible)
	if n < 0 || r.bad {
		return nil
	}
	return r.Span(n)
}

// Bytes gives bytes; null is a failure.
func (r *Reader) Bytes(flexible bool) []byte {
	b := r.NullableBytes(flexible)
	if b == nil {
		r.Fail()
	}
	return b
}

// NullableArray gives the number of elements that follow, or -1 for null. A number above the bytes that are left is a failure, since no
// element is shorter than a byte.
func (r *Reader) NullableArray(flexible bool) int {
	n := r.bytesLen(flexible)
	if n > len(r.B) {
		r.Fail()
		return 0
	}
	if n < 0 {
		return -1
	}
	return n
}

// Array gives the number of elements that follow; null is a failure.
func (r *Reader) Array(flexible bool) int {
	n := r.NullableArray(flexible)
	if n < 0 {
		r.Fail()
		return 0
	}
	return n
}

// Tags gives the number of tagged fields that follow (KIP-482). A count above 0x7fffffff reads as none, as in Kafka.
func (r *Reader) Tags() int {
	n := int(int32(r.Uvarint()))
	if n > len(r.B)/2 {
		r.Fail()
	}
	if n < 0 || r.bad {
		return 0
	}
	return n
}

// Tag gives one tagged field: its number, and a reader over its bytes.
func (r *Reader) Tag() (tag uint32, field Reader) {
	tag = r.Uvarint()
	size := int32(r.Uvarint())
	field.B = r.Span(int(size))
	return tag, field
}

// SkipTags passes over the tagged fields of a flexible struct; nothing otherwise.
func (r *Reader) SkipTags(flexible bool) {
	if !flexible {
		return
	}
	for n := r.Tags(); n > 0 && !r.bad; n-- {
		r.Tag()
	}
}
