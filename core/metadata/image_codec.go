package metadata

import (
	"encoding/binary"
	"fmt"
)

// The bytes of an image, all integers big-endian:
//
//	image = version:1 (0) | index:8 | term:8 | (size:4 | entry[size])* | 0:4 | digest:8
//
// What holds them (a snapshot's file, a stream) has the checksum; the digest shows that they fold into the state that was written.

const imageVersion = 0

// perImageEntry is about how many bytes of state one entry of an encoded image holds.
const perImageEntry = 256 << 10

// EncodeImage gives the bytes of an image.
func EncodeImage(m *Image) []byte {
	be := binary.BigEndian
	b := []byte{imageVersion}
	b = be.AppendUint64(b, uint64(m.index))
	b = be.AppendUint64(b, uint64(m.term))
	m.Records(perImageEntry, func(r []Record) {
		at := len(b)
		b = AppendEntry(append(b, 0, 0, 0, 0), Entry{Term: m.term, Records: r})
		be.PutUint32(b[at:], uint32(len(b)-at-4))
	})
	b = append(b, 0, 0, 0, 0)
	return be.AppendUint64(b, m.digest)
}

// DecodeImage reads what EncodeImage wrote. What it returns shares nothing with b.
func DecodeImage(b []byte) (*Image, error) {
	r := reader{b: b}
	if v := r.u8(); v != imageVersion && !r.bad {
		return nil, fmt.Errorf("%w: image of version %d", ErrCorrupt, v)
	}
	index, term := r.i64(), r.i64()
	m := Empty()
	for {
		n := r.i32()
		if r.bad || n < 0 {
			return nil, fmt.Errorf("%w: image cut short", ErrCorrupt)
		}
		if n == 0 {
			break
		}
		body := r.take(int(n))
		if r.bad {
			return nil, fmt.Errorf("%w: image cut short", ErrCorrupt)
		}
		e, err := Decode(body)
		if err != nil {
			return nil, err
		}
		m = m.Load(e.Records)
	}
	digest := uint64(r.i64())
	if r.bad || len(r.b) > 0 || digest != m.digest || index < -1 {
		return nil, fmt.Errorf("%w: image disagrees with its digest", ErrCorrupt)
	}
	return m.At(index, term), nil
}
