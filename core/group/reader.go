package group

import "encoding/binary"

var be = binary.BigEndian

// reader decodes Kafka's primitive types. After a fault bad is set, and each further read gives zero. It allocates by what is
// there, never by what is announced.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) span(n int64) []byte {
	if r.bad || n < 0 || n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

func (r *reader) int16() int16 {
	if s := r.span(2); s != nil {
		return int16(be.Uint16(s))
	}
	return 0
}

func (r *reader) int32() int32 {
	if s := r.span(4); s != nil {
		return int32(be.Uint32(s))
	}
	return 0
}

func (r *reader) int64() int64 {
	if s := r.span(8); s != nil {
		return int64(be.Uint64(s))
	}
	return 0
}

func (r *reader) uvarint() int64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 || v > 1<<32-1 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int64(v)
}

// version reads the version that leads a value; one out of range is a fault.
func (r *reader) version() int16 {
	v := r.int16()
	if v < 0 || v > maxValueVersion {
		r.bad, r.b = true, nil
	}
	return v
}

// length reads the length of a string, or of bytes if wide; -1 is null.
func (r *reader) length(flexible, wide bool) int64 {
	switch {
	case flexible:
		return r.uvarint() - 1
	case wide:
		return int64(r.int32())
	}
	return int64(r.int16())
}

func (r *reader) string(flexible bool) string { return string(r.span(r.length(flexible, false))) }

func (r *reader) nullable(flexible bool) *string {
	n := r.length(flexible, false)
	if r.bad || n < 0 {
		return nil
	}
	s := string(r.span(n))
	return &s
}

func (r *reader) bytes(flexible bool) []byte {
	return append([]byte{}, r.span(r.length(flexible, true))...)
}

// array reads an array's length: never more than the bytes that are left.
func (r *reader) array(flexible bool) int64 {
	n := r.length(flexible, true)
	if n > int64(len(r.b)) || n < 0 {
		r.bad, r.b = true, nil
		return 0
	}
	return n
}

// tags reads tagged fields and hands each to f, if there is one.
func (r *reader) tags(f func(tag uint32, b []byte)) {
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		tag := r.uvarint()
		b := r.span(r.uvarint())
		if f != nil && !r.bad {
			f(uint32(tag), b)
		}
	}
}
