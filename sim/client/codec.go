package client

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codecs by their number in a batch's attributes.
const (
	codecGzip   = 1
	codecSnappy = 2
	codecLZ4    = 3
	codecZstd   = 4
	codecs      = 5
)

// maxPlain bounds what a batch may decompress to.
const maxPlain = 64 << 20

var (
	gzips   = sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed); return w }}
	gunzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	lz4s    = sync.Pool{New: func() any { return lz4.NewWriter(nil) }}
	unlz4s  = sync.Pool{New: func() any { return lz4.NewReader(nil) }}
	zstds   = sync.OnceValue(func() *zstd.Encoder {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(64<<10))
		if err != nil {
			panic(err) // constant options
		}
		return w
	})
	unzstds = sync.OnceValue(func() *zstd.Decoder {
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlain))
		if err != nil {
			panic(err) // constant options
		}
		return r
	})
)

// compress gives the compressed form of a batch's records. Writing to memory does not fail.
func compress(codec int8, src []byte) []byte {
	var out bytes.Buffer
	switch codec {
	case codecGzip:
		w := gzips.Get().(*gzip.Writer)
		defer gzips.Put(w)
		w.Reset(&out)
		must(w.Write(src))
		must(0, w.Close())
	case codecSnappy:
		return snappy.Encode(nil, src)
	case codecLZ4:
		w := lz4s.Get().(*lz4.Writer)
		defer lz4s.Put(w)
		w.Reset(&out)
		must(0, w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ConcurrencyOption(1)))
		must(w.Write(src))
		must(0, w.Close())
	case codecZstd:
		return zstds().EncodeAll(src, nil)
	default:
		panic(fmt.Sprintf("codec %d", codec))
	}
	return out.Bytes()
}

func must(_ int, err error) {
	if err != nil {
		panic(err)
	}
}

// xerial is the framing that Java's snappy puts around blocks.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func decompress(codec int8, src []byte) ([]byte, error) {
	switch codec {
	case codecGzip:
		r := gunzips.Get().(*gzip.Reader)
		defer gunzips.Put(r)
		if err := r.Reset(bytes.NewReader(src)); err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return readAll("gzip", r)
	case codecSnappy:
		return unsnappy(src)
	case codecLZ4:
		r := unlz4s.Get().(*lz4.Reader)
		defer unlz4s.Put(r)
		r.Reset(bytes.NewReader(src))
		return readAll("lz4", r)
	case codecZstd:
		b, err := unzstds().DecodeAll(src, nil)
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("unknown codec %d", codec)
}

func readAll(name string, r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPlain))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

func unsnappy(src []byte) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) || len(src) < 16 {
		b, err := snappy.Decode(nil, src)
		if err != nil {
			return nil, fmt.Errorf("snappy: %w", err)
		}
		return b, nil
	}
	var out []byte
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 || int64(binary.BigEndian.Uint32(src)) > int64(len(src)-4) {
			return nil, errors.New("snappy: cut block")
		}
		n := binary.BigEndian.Uint32(src)
		b, err := snappy.Decode(nil, src[4:4+n])
		if err != nil {
			return nil, fmt.Errorf("snappy: %w", err)
		}
		out, src = append(out, b...), src[4+n:]
	}
	return out, nil
}
