package compress

import (
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
	switch codec {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return e.appendGzip(dst, level, src)
	case Snappy:
		dst, e.block = appendXerial(dst, src, e.block)
		return dst, nil
	case LZ4:
		return e.appendLZ4(dst, level, src)
	case Zstd:
		return e.appendZstd(dst, level, src)
	}
	return dst, ErrCodec
}

func (e *Encoder) appendGzip(dst []byte, level int, src []byte) ([]byte, error) {
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
	if _, err := e.gzip.Write(src); err != nil {
		return dst, err
	}
	err := e.gzip.Close()
	return e.take(), err
}

func (e *Encoder) appendLZ4(dst []byte, level int, src []byte) ([]byte, error) {
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
	if _, err := e.lz4.Write(src); err != nil {
		return dst, err
	}
	err := e.lz4.Close()
	return e.take(), err
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

func (e *Encoder) appendZstd(dst []byte, level int, src []byte) ([]byte, error) {
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
	return e.zstd.EncodeAll(src, dst), nil
}

func (e *Encoder) take() []byte {
	b := e.out.b
	e.out.b = nil
	return b
}
