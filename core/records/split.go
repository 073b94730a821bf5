package records

import "github.com/seedlog/seedlog/core/records/compress"

// Header gives the batch at the start of b, cut to its size; ok is false unless a whole one of magic 2 is there. It
// looks at lengths and magic only, which the CRC does not cover; what the CRC covers is for Check, or ComputeCRC.
func Header(b []byte) (v View, ok bool) {
	if len(b) < HeaderSize || View(b).Magic() != 2 {
		return nil, false
	}
	size := View(b).Size()
	if size < HeaderSize || size > len(b) {
		return nil, false
	}
	return View(b[:size:size]), true
}

// Split gives the first batch of b and what follows it.
func Split(b []byte) (first View, rest []byte, ok bool) {
	first, ok = Header(b)
	if !ok {
		return nil, b, false
	}
	return first, b[len(first):], true
}

// DefaultMaxDecompressed is how many bytes a batch may decompress to where no other limit is given.
const DefaultMaxDecompressed = 128 << 20

// windowSize is how much decompressed data Check looks at a time, in bytes; a record that is longer is streamed through.
const windowSize = 64 << 10

// Scratch is memory and codec state that one owner uses again from batch to batch. The zero value is ready. What Reader
// and Recompress give out of it is valid until it is next used.
type Scratch struct {
	// Max is how many bytes Reader and Recompress decompress a batch to; 0 means DefaultMaxDecompressed.
	Max int64
	// Level is the level that Recompress compresses with; compress.DefaultLevel (0) is the codec's own.
	Level int

	dec    compress.Decoder
	enc    compress.Encoder
	window []byte // Check's view of the decompressed stream
	plain  []byte // a whole decompressed batch
	batch  []byte // a whole batch that Recompress built
}

// keepPlain is the largest whole-batch buffer that a Scratch keeps for reuse, in bytes.
const keepPlain = 4 << 20

func (s *Scratch) max() int64 {
	if s.Max > 0 {
		return s.Max
	}
	return DefaultMaxDecompressed
}

// trim lets go of buffers that one unusual batch made large.
func (s *Scratch) trim() {
	if cap(s.plain) > keepPlain {
		s.plain = nil
	}
	if cap(s.batch) > keepPlain {
		s.batch = nil
	}
}
