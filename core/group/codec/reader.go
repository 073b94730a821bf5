package codec

import "encoding/binary"

var be = binary.BigEndian

// Reader decodes Kafka's primitive types from B. After a fault Bad is set, and each further read gives zero. It allocates by what
// is there, never by what is announced.
type Reader struct {
	B   []byte
	Bad bool
}

func (r *Reader) span(n int64) []byte {
	if r.Bad || n < 0 || n > int64(len(r.B)) {
		r.Bad, r.B = true, nil
		return nil
	}
	s := r.B[:n]
	r.B = r.B[n:]
	return s
}

// Int16 reads an INT16.
func (r *Reader) Int16() int16 {
	if s := r.span(2); s != nil {
		return int16(be.Uint16(s))
	}
	return 0
}

// Int32 reads an INT32.
func (r *Reader) Int32() int32 {
	if s := r.span(4); s != nil {
		return int32(be.Uint32(s))
	}
	return 0
}

// Int64 reads an INT64.
func (r *Reader) Int64() int64 {
	if s := r.span(8); s != nil {
		return int64(be.Uint64(s))
	}
	return 0
}

// Uvarint reads an UNSIGNED_VARINT.
func (r *Reader) Uvarint() int64 {
	v, n := binary.Uvarint(r.B)
	if r.Bad || n <= 0 || v > 1<<32-1 {
		r.Bad, r.B = true, nil
		return 0
	}
	r.B = r.B[n:]
	return int64(v)
}

// Version reads the version that leads a value; one above the newest that is known is a fault.
func (r *Reader) Version(newest int16) int16 {
	v := r.Int16()
	if v < 0 || v > newest {
		r.Bad, r.B = true, nil
	}
	return v
}

// Length reads the length of a string, or of bytes if wide; -1 is null.
func (r *Reader) Length(flexible, wide bool) int64 {
	switch {
	case flexible:
		return r.Uvarint() - 1
	case wide:
		return int64(r.Int32())
	}
	return int64(r.Int16())
}

// String reads a string that is not null.
func (r *Reader) String(flexible bool) string { return string(r.span(r.Length(flexible, false))) }

// Nullable reads a string that may be null.
func (r *Reader) Nullable(flexible bool) *string {
	n := r.Length(flexible, false)
	if r.Bad || n < 0 {
		return nil
	}
	s := string(r.span(n))
	return &s
}

// Bytes reads bytes that are not null, and copies them.
func (r *Reader) Bytes(flexible bool) []byte {
	return append([]byte{}, r.span(r.Length(flexible, true))...)
}

// Array reads an array's length: never more than the bytes that are left.
func (r *Reader) Array(flexible bool) int64 {
	n := r.Length(flexible, true)
	if n > int64(len(r.B)) || n < 0 {
		r.Bad, r.B = true, nil
		return 0
	}
	return n
}

// Tags reads tagged fields and hands each to f, if there is one.
func (r *Reader) Tags(f func(tag uint32, b []byte)) {
	for n := r.Uvarint(); n > 0 && !r.Bad; n-- {
		tag := r.Uvarint()
		b := r.span(r.Uvarint())
		if f != nil && !r.Bad {
			f(uint32(tag), b)
		}
	}
}

// Int8 reads an INT8.
func (r *Reader) Int8() int8 {
	if s := r.span(1); s != nil {
		return int8(s[0])
	}
	return 0
}

// UUID reads a UUID.
func (r *Reader) UUID() (id [16]byte) {
	copy(id[:], r.span(16))
	return id
}

// Int32s reads an array of INT32; null gives nil.
func (r *Reader) Int32s(flexible bool) []int32 {
	n := r.Length(flexible, true)
	if n < 0 && !r.Bad {
		return nil
	}
	s := r.span(n * 4)
	out := make([]int32, 0, len(s)/4)
	for ; len(s) >= 4; s = s[4:] {
		out = append(out, int32(be.Uint32(s)))
	}
	return out
}

// Strings reads an array of strings; null counts as none.
func (r *Reader) Strings(flexible bool) []string {
	n := r.Length(flexible, true)
	if n < 0 && !r.Bad {
		return nil
	}
	var out []string
	for ; n > 0 && !r.Bad; n-- {
		out = append(out, r.String(flexible))
	}
	return out
}

// Skip passes over n bytes.
func (r *Reader) Skip(n int64) { r.span(n) }
