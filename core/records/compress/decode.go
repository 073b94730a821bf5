package compress

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

const (
	// maxWindow bounds the zstd window that a Decoder keeps, in bytes: what RFC 8878 asks each decoder to support.
	maxWindow = 8 << 20
	// maxWideWindow is the largest window that is decoded at all, with a decoder made for the one batch and then dropped:
	// the limit of the reference library, which the highest zstd levels reach.
	maxWideWindow = 128 << 20
)

// Decoder decompresses one source after the other. The zero value is ready. It keeps the libraries' state for reuse, at
// most some 10 MiB, most of it zstd's window.
type Decoder struct {
	src    bytes.Reader
	stream io.Reader // reads the decompressed bytes of the current source
	left   int64     // how many more may come out, never negative
	err    error     // what every further Read gives

	gzip   *gzip.Reader
	lz4    *lz4.Reader
	zstd   *zstd.Decoder
	snappy snappyReader
}

// Open makes src the source. Its bytes must stay as they are until the last Read. At most max bytes come out.
func (d *Decoder) Open(codec Codec, src []byte, max int64) error {
	d.Close()
	d.src.Reset(src)
	d.left, d.err = max, nil
	switch codec {
	case None:
		d.stream = &d.src
	case Gzip:
		d.err = d.openGzip()
	case Snappy:
		d.err = d.snappy.open(src, max)
		d.stream = &d.snappy
	case LZ4:
		d.err = d.openLZ4(src)
	case Zstd:
		d.err = d.openZstd(src)
	default:
		d.err = ErrCodec
	}
	return d.err
}

// Close lets go of the source.
func (d *Decoder) Close() {
	d.src.Reset(nil)
	d.snappy.src = nil
	d.stream, d.err = nil, io.EOF
}

// Read fills p with decompressed bytes and gives how many; then io.EOF at the clean end, ErrTooLarge at the limit, ErrCorrupt.
func (d *Decoder) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	// One byte above the limit is asked for, so that an end exactly at the limit is seen as one.
	if int64(len(p)) > d.left+1 {
		p = p[:d.left+1]
	}
	n, err := d.stream.Read(p)
	switch {
	case int64(n) > d.left:
		n, d.err = int(d.left), ErrTooLarge
	case err == io.EOF:
		d.err = io.EOF
	case err == ErrTooLarge:
		d.err = ErrTooLarge
	case err != nil:
		d.err = ErrCorrupt
	}
	d.left -= int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, d.err
}

// Append appends all that src decompresses to, at most max bytes, to dst.
func (d *Decoder) Append(dst []byte, codec Codec, src []byte, max int64) ([]byte, error) {
	return d.AppendPaced(dst, codec, src, max, nil)
}

// AppendPaced is Append in pieces. src must stay as it is meanwhile.
func (d *Decoder) AppendPaced(dst []byte, codec Codec, src []byte, max int64, pace Pace) ([]byte, error) {
	if err := d.Open(codec, src, max); err != nil {
		return dst, err
	}
	defer d.Close()
	for {
		if cap(dst)-len(dst) < minRead {
			dst = grow(dst, len(src))
		}
		to := dst[len(dst):cap(dst)]
		if pace != nil {
			to = to[:min(len(to), Piece)]
		}
		n, err := d.Read(to)
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err == nil {
			err = pace.step(n)
		}
		if err != nil {
			return dst, err
		}
	}
}

// minRead is the least free space that a Read is worth, in bytes.
const minRead = 512

// grow doubles the capacity, from twice the source on: memory follows what came out.
func grow(dst []byte, source int) []byte {
	size := max(2*cap(dst), len(dst)+2*source, len(dst)+4*minRead)
	return append(make([]byte, 0, size), dst...)
}

func (d *Decoder) openGzip() error {
	if d.gzip == nil {
		d.gzip = new(gzip.Reader)
	}
	d.stream = d.gzip
	if d.gzip.Reset(&d.src) != nil {
		return ErrCorrupt
	}
	return nil
}

// Positions in an lz4 frame: magic uint32, then the flags, of which bit 5 says that blocks do not refer to earlier ones.
const (
	lz4Flags       = 4
	lz4Independent = 1 << 5
)

func (d *Decoder) openLZ4(src []byte) error {
	// Kafka's clients refuse frames of dependent blocks, so such a batch must not be stored for them.
	if len(src) <= lz4Flags || src[lz4Flags]&lz4Independent == 0 {
		return ErrCorrupt
	}
	if d.lz4 == nil {
		d.lz4 = lz4.NewReader(&d.src)
		if d.lz4.Apply(lz4.ConcurrencyOption(1)) != nil {
			return ErrCorrupt
		}
	} else {
		d.lz4.Reset(&d.src)
	}
	d.stream = d.lz4
	return nil
}

func (d *Decoder) openZstd(src []byte) error {
	var h zstd.Header
	if h.Decode(src) != nil {
		return ErrCorrupt
	}
	if h.WindowSize > maxWindow || h.SingleSegment && h.FrameContentSize > maxWindow {
		wide, err := newZstd(&d.src, maxWideWindow)
		if err != nil {
			return ErrCorrupt
		}
		d.stream = wide
		return nil
	}
	if d.zstd == nil {
		z, err := newZstd(nil, maxWindow)
		if err != nil {
			return ErrCorrupt
		}
		d.zstd = z
	}
	d.stream = d.zstd
	if d.zstd.Reset(&d.src) != nil {
		return ErrCorrupt
	}
	return nil
}

// newZstd gives a decoder that works on the caller's thread alone: concurrency 1 starts nothing.
func newZstd(src io.Reader, window uint64) (*zstd.Decoder, error) {
	return zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(window), zstd.WithDecoderMaxMemory(window), zstd.WithDecodeBuffersBelow(0))
}
