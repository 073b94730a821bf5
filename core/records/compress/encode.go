package compress

import (
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Encoder compresses one source after the other. The zero value is ready. It keeps one encoder a codec, for the level
// that was asked for last.
type Encoder struct {
	out       appender
	block     []byte
	gzip      *gzip.Writer
	gzipLevel int
	lz4       *lz4.Writer
	lz4Level  int
	zstd      *zstd.Encoder
	zstdLevel int
}

// Append appends the compressed form of src to dst. Levels are Kafka's: gzip 1 to 9, lz4 1 to 17, zstd to 22; DefaultLevel is the default.
func (e *Encoder) Append(dst []byte, codec Codec, level int, src []byte) ([]byte, error) {
	return e.AppendPaced(dst, codec, level, src, nil)
}

// AppendPaced is Append in pieces. What comes out may be other bytes than Append's, of the same content.
func (e *Encoder) AppendPaced(dst []byte, codec Codec, level int, src []byte, pace Pace) (_ []byte, err error) {
	switch codec {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return e.appendGzip(dst, level, src, pace)
	case Snappy:
		dst, e.block, err = appendXerial(dst, src, e.block, pace)
		return dst, err
	case LZ4:
		return e.appendLZ4(dst, level, src, pace)
	case Zstd:
		return e.appendZstd(dst, level, src, pace)
	}
	return dst, ErrCodec
}

// pour writes src to a codec that writes to e.out, and gives what is there then.
func (e *Encoder) pour(w io.WriteCloser, src []byte, pace Pace) ([]byte, error) {
	for len(src) > 0 {
		n := len(src)
		if pace != nil {
			n = min(n, Piece)
		}
		if _, err := w.Write(src[:n]); err != nil {
			return e.take(), err
		}
		if err := pace.step(n); err != nil {
			return e.take(), err
		}
		src = src[n:]
	}
	err := w.Close()
	return e.take(), err
}

func (e *Encoder) appendGzip(dst []byte, level int, src []byte, pace Pace) ([]byte, error) {
	if level == DefaultLevel {
		level = gzip.DefaultCompression
	}
	e.out.b = dst
	if e.gzip == nil || e.gzipLevel != level {
		w, err := gzip.NewWriterLevel(&e.out, level)
		if err != nil {
			return dst, err
		}
		e.gzip, e.gzipLevel = w, level
	} else {
		e.gzip.Reset(&e.out)
	}
	return e.pour(e.gzip, src, pace)
}

func (e *Encoder) appendLZ4(dst []byte, level int, src []byte, pace Pace) ([]byte, error) {
	e.out.b = dst
	if e.lz4 == nil || e.lz4Level != level {
		e.lz4, e.lz4Level = lz4.NewWriter(&e.out), level
		err := e.lz4.Apply(lz4.ConcurrencyOption(1), lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false),
			lz4.CompressionLevelOption(lz4Level(level)))
		if err != nil {
			return dst, err
		}
	} else {
		e.lz4.Reset(&e.out)
	}
	return e.pour(e.lz4, src, pace)
}

// lz4Level maps Kafka's levels: 9, its default, is the fast compressor, as in Kafka; the others are search depths.
func lz4Level(level int) lz4.CompressionLevel {
	if level <= 0 || level == 9 {
		return lz4.Fast
	}
	return 1 << (8 + min(level, 9))
}

// encodeWindow is how far back zstd looks, in bytes: record batches are seldom larger, and memory follows it.
const encodeWindow = 1 << 20

func (e *Encoder) appendZstd(dst []byte, level int, src []byte, pace Pace) ([]byte, error) {
	if level == DefaultLevel {
		level = 3
	}
	if e.zstd == nil || e.zstdLevel != level {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true),
			zstd.WithWindowSize(encodeWindow), zstd.WithZeroFrames(true), zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)))
		if err != nil {
			return dst, err
		}
		e.zstd, e.zstdLevel = z, level
	}
	if pace != nil && len(src) > Piece {
		e.out.b = dst
		e.zstd.ResetContentSize(&e.out, int64(len(src)))
		return e.pour(e.zstd, src, pace)
	}
	return e.zstd.EncodeAll(src, dst), pace.step(len(src))
}

func (e *Encoder) take() []byte {
	b := e.out.b
	e.out.b = nil
	return b
}
