package compress

import (
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/snappy"
)

// xerialHeader opens the framing of snappy-java: magic, version 1, lowest compatible version 1. Then come blocks, each a
// big-endian int32 length and a raw snappy block.
const (
	xerialHeader    = "\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
	xerialMagic     = "\x82SNAPPY\x00"
	xerialBlockSize = 32 << 10
	// xerialConcat is the magic's first four bytes read as a length: a further stream begins there.
	xerialConcat = 0x82534e41
)

// maxSnappyRatio bounds what a raw block can decompress to for each of its bytes: a copy of 64 bytes takes 3. A block that
// announces more is malformed, so that memory follows the bytes that are there.
const maxSnappyRatio = 22

// snappyReader reads either framing, one raw block at a time.
type snappyReader struct {
	src    []byte // what is not decoded yet
	xerial bool
	block  []byte // decoded, kept for reuse
	pos    int    // 0 <= pos <= len(block): how far block was read
	left   int64  // how many bytes further blocks may decode to
}

func (s *snappyReader) open(src []byte, max int64) error {
	s.src, s.block, s.pos, s.left = src, s.block[:0], 0, max
	s.xerial = len(src) >= len(xerialHeader) && string(src[:len(xerialMagic)]) == xerialMagic
	if s.xerial {
		s.src = src[len(xerialHeader):]
	}
	if len(src) == 0 {
		return ErrCorrupt
	}
	return nil
}

func (s *snappyReader) Read(p []byte) (int, error) {
	for s.pos == len(s.block) {
		if len(s.src) == 0 {
			return 0, io.EOF
		}
		raw, err := s.next()
		if err == nil {
			err = s.decode(raw)
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, s.block[s.pos:])
	s.pos += n
	return n, nil
}

// next cuts the next raw block off the source.
func (s *snappyReader) next() ([]byte, error) {
	if !s.xerial {
		raw := s.src
		s.src = nil
		return raw, nil
	}
	for {
		if len(s.src) < 4 {
			return nil, ErrCorrupt
		}
		n := binary.BigEndian.Uint32(s.src)
		if n != xerialConcat {
			s.src = s.src[4:]
			if uint64(n) > uint64(len(s.src)) || n == 0 {
				return nil, ErrCorrupt
			}
			raw := s.src[:n]
			s.src = s.src[n:]
			return raw, nil
		}
		if len(s.src) < len(xerialHeader) {
			return nil, ErrCorrupt
		}
		s.src = s.src[len(xerialHeader):]
	}
}

func (s *snappyReader) decode(raw []byte) error {
	n, err := snappy.DecodedLen(raw)
	if err != nil || n > maxSnappyRatio*len(raw) {
		return ErrCorrupt
	}
	if int64(n) > s.left {
		return ErrTooLarge
	}
	s.left -= int64(n)
	// The strict decoder refuses an extension of s2 that other snappy libraries do not know.
	block, err := snappy.DecodeStrict(s.block[:cap(s.block)], raw)
	if err != nil {
		return ErrCorrupt
	}
	s.block, s.pos = block, 0
	return nil
}

// appendXerial appends src in xerial's framing.
func appendXerial(dst, src, block []byte, pace Pace) (out, reuse []byte, err error) {
	dst = append(dst, xerialHeader...)
	for len(src) > 0 {
		n := min(len(src), xerialBlockSize)
		block = snappy.Encode(block[:cap(block)], src[:n])
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(block)))
		dst = append(dst, block...)
		src = src[n:]
		if err := pace.step(n); err != nil {
			return dst, block, err
		}
	}
	return dst, block, nil
}
