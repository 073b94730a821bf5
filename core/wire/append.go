package wire

import "encoding/binary"

// AppendBool writes 1 for true, 0 for false.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendInt8 writes one byte.
func AppendInt8(dst []byte, v int8) []byte { return append(dst, byte(v)) }

// AppendInt16 writes two bytes, big-endian like all that follow.
func AppendInt16(dst []byte, v int16) []byte { return binary.BigEndian.AppendUint16(dst, uint16(v)) }

// AppendInt32 writes four bytes.
func AppendInt32(dst []byte, v int32) []byte { return binary.BigEndian.AppendUint32(dst, uint32(v)) }

// AppendInt64 writes eight bytes.
func AppendInt64(dst []byte, v int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(v)) }

// AppendUUID writes sixteen bytes.
func AppendUUID(dst []byte, id [16]byte) []byte { return append(dst, id[:]...) }

// AppendUvarint writes an unsigned varint of one to five bytes.
func AppendUvarint(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// uvarintLen gives the size of AppendUvarint's output, in bytes.
func uvarintLen(v uint32) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}

// text is what a string field may come from: a name of ours, or bytes that alias a request.
type text interface{ ~string | ~[]byte }

// AppendString writes a string with its length; cut to Kafka's 32,767 bytes, since a longer one could not be read back.
func AppendString[S text](dst []byte, flexible bool, s S) []byte {
	n := min(len(s), maxString)
	if flexible {
		dst = AppendUvarint(dst, uint32(n)+1)
	} else {
		dst = AppendInt16(dst, int16(n))
	}
	return append(dst, s[:n]...)
}

// AppendNull writes a null string.
func AppendNull(dst []byte, flexible bool) []byte {
	if flexible {
		return append(dst, 0)
	}
	return AppendInt16(dst, -1)
}

// AppendStringOrNull writes an empty string as null.
func AppendStringOrNull[S text](dst []byte, flexible bool, s S) []byte {
	if len(s) == 0 {
		return AppendNull(dst, flexible)
	}
	return AppendString(dst, flexible, s)
}

// AppendArray writes the number of elements of an array, or the length of bytes; -1 is null.
func AppendArray(dst []byte, flexible bool, n int) []byte {
	if flexible {
		return AppendUvarint(dst, uint32(int32(n)+1))
	}
	return AppendInt32(dst, int32(n))
}

// AppendBytes writes bytes with their length; nil is null.
func AppendBytes(dst []byte, flexible bool, b []byte) []byte {
	if b == nil {
		return AppendArray(dst, flexible, -1)
	}
	return append(AppendArray(dst, flexible, len(b)), b...)
}

// AppendInt32s writes an array of numbers.
func AppendInt32s(dst []byte, flexible bool, v []int32) []byte {
	dst = AppendArray(dst, flexible, len(v))
	for _, n := range v {
		dst = AppendInt32(dst, n)
	}
	return dst
}

// AppendNoTags ends a struct that has no tagged field to send.
func AppendNoTags(dst []byte, flexible bool) []byte {
	if flexible {
		return append(dst, 0)
	}
	return dst
}

// startTag writes a tagged field's number and leaves a byte for its size; finishTag fills it in, and moves the field where its size takes
// more than one byte.
func startTag(dst []byte, tag uint32) ([]byte, int) {
	dst = AppendUvarint(dst, tag)
	return append(dst, 0), len(dst)
}

func finishTag(dst []byte, at int) []byte {
	size := uint32(len(dst) - at - 1)
	extra := uvarintLen(size) - 1
	for range extra {
		dst = append(dst, 0)
	}
	copy(dst[at+1+extra:], dst[at+1:len(dst)-extra])
	AppendUvarint(dst[:at], size)
	return dst
}
