package compress

import (
	"errors"
	"io"
)

// Codec is the codec's number in a batch's attributes.
type Codec = int8

// The codecs. Source: org.apache.kafka.common.record.CompressionType.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
	// Count is the first number without a codec.
	Count
)

// DefaultLevel is the codec's own default level. Kafka's defaults (gzip -1, lz4 9, zstd 3) mean the same.
const DefaultLevel = 0

var (
	// ErrCorrupt is what malformed input gives, whatever the library called it.
	ErrCorrupt = errors.New("compress: malformed data")
	// ErrTooLarge is what input that decompresses to more than the limit gives.
	ErrTooLarge = errors.New("compress: decompresses to more than the limit")
	// ErrCodec is an unknown codec.
	ErrCodec = errors.New("compress: unknown codec")
	// ErrStopped is what a Pace gives that lets work not go on.
	ErrStopped = errors.New("compress: stopped")
)

// Pace is told of each piece of a batch's decompression or compression that so many plain bytes have gone through, and says whether to go on. A step of
// the caller may end within it: the codec's state waits. A nil Pace has all in one piece.
type Pace func(bytes int) bool

// Piece is how many plain bytes go between two calls of a Pace, at most, but for raw snappy, which is one block, lz4 of blocks that are larger, and
// zstd, which compresses 128 KiB at a time.
const Piece = 64 << 10

// step tells of a piece.
func (p Pace) step(n int) error {
	if p != nil && !p(n) {
		return ErrStopped
	}
	return nil
}

var names = [Count]string{"none", "gzip", "snappy", "lz4", "zstd"}

// Name is the codec's name as compression.type spells it, or "".
func Name(c Codec) string {
	if c < 0 || c >= Count {
		return ""
	}
	return names[c]
}

// Decompress appends what src decompresses to, at most max bytes of it, to dst. Cold code calls this; hot code keeps a Decoder.
func Decompress(dst []byte, codec Codec, src []byte, max int64) ([]byte, error) {
	var d Decoder
	return d.Append(dst, codec, src, max)
}

// Compress appends the compressed form of src to dst. Cold code calls this; hot code keeps an Encoder.
func Compress(dst []byte, codec Codec, level int, src []byte) ([]byte, error) {
	var e Encoder
	return e.Append(dst, codec, level, src)
}

// appender is a growing byte slice as an io.Writer.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

var _ io.Writer = (*appender)(nil)
