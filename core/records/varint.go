package records

// Signed numbers inside records are zigzag varints (DefaultRecord, ByteUtils): 1 to 5 bytes for int32, 1 to 10 for int64.
// Longer ones, and bits beyond the type's width, are malformed.

// bad is the position after a number that could not be read.
const bad = -1

// varint32 reads the number at b[i] and gives the position after it, or bad. i may be bad already.
func varint32(b []byte, i int) (int32, int) {
	if uint(i) < uint(len(b)) && b[i] < 0x80 {
		u := uint32(b[i])
		return int32(u>>1) ^ -int32(u&1), i + 1
	}
	return longVarint32(b, i)
}

func longVarint32(b []byte, i int) (int32, int) {
	var u uint32
	for shift := 0; shift < 35; shift += 7 {
		if uint(i) >= uint(len(b)) {
			return 0, bad
		}
		c := b[i]
		i++
		if shift == 28 && c > 0x0f {
			return 0, bad
		}
		u |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return int32(u>>1) ^ -int32(u&1), i
		}
	}
	return 0, bad
}

// varint64 is varint32 for int64.
func varint64(b []byte, i int) (int64, int) {
	if uint(i) < uint(len(b)) && b[i] < 0x80 {
		u := uint64(b[i])
		return int64(u>>1) ^ -int64(u&1), i + 1
	}
	return longVarint64(b, i)
}

func longVarint64(b []byte, i int) (int64, int) {
	var u uint64
	for shift := 0; shift < 70; shift += 7 {
		if uint(i) >= uint(len(b)) {
			return 0, bad
		}
		c := b[i]
		i++
		if shift == 63 && c > 1 {
			return 0, bad
		}
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i
		}
	}
	return 0, bad
}

// appendVarint appends n; an int32 has the same form as the int64 of its value.
func appendVarint(b []byte, n int64) []byte {
	u := uint64(n)<<1 ^ uint64(n>>63)
	for u >= 0x80 {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

// varintSize is how many bytes appendVarint appends.
func varintSize(n int64) int {
	size := 1
	for u := uint64(n)<<1 ^ uint64(n>>63); u >= 0x80; u >>= 7 {
		size++
	}
	return size
}
