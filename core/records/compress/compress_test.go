package compress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

func TestWhatIsCompressedAtAnyLevelComesBack(t *testing.T) {
	var e Encoder
	var d Decoder
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "unit")
		src := bytes.Repeat(unit, rapid.SampledFrom([]int{1, 2, 500}).Draw(t, "times"))
		codec := rapid.SampledFrom([]Codec{None, Gzip, Snappy, LZ4, Zstd}).Draw(t, "codec")
		level := rapid.IntRange(0, 9).Draw(t, "level")
		prefix := []byte("kept")
		packed, err := e.Append(bytes.Clone(prefix), codec, level, src)
		if err != nil || !bytes.HasPrefix(packed, prefix) {
			t.Fatalf("codec %d: %v", codec, err)
		}
		packed = packed[len(prefix):]
		got, err := d.Append(bytes.Clone(prefix), codec, packed, int64(len(src)))
		if err != nil || !bytes.Equal(got, append(prefix, src...)) {
			t.Fatalf("codec %d: %d bytes for %d, %v", codec, len(got), len(src), err)
		}
		if len(src) > 0 {
			got, err = d.Append(nil, codec, packed, int64(len(src)-1))
			if err != ErrTooLarge || len(got) >= len(src) {
				t.Fatalf("codec %d: %d bytes at a limit of %d, %v", codec, len(got), len(src)-1, err)
			}
		}
	})
}

func TestRawSnappyIsReadToo(t *testing.T) {
	src := bytes.Repeat([]byte("seed"), 50_000)
	got, err := Decompress(nil, Snappy, snappy.Encode(nil, src), 1<<20)
	if err != nil || !bytes.Equal(got, src) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestConcatenatedXerialStreamsAreOne(t *testing.T) {
	one, err := Compress(nil, Snappy, 0, []byte("seed"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decompress(nil, Snappy, append(one, one...), 100)
	if err != nil || string(got) != "seedseed" {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestAnAnnouncedSizeAllocatesNothing gives headers that promise much and hold nothing.
func TestAnAnnouncedSizeAllocatesNothing(t *testing.T) {
	raw := binary.AppendUvarint(nil, 1<<31)
	xerial := append([]byte(xerialHeader), 0, 0, 0, 5)
	xerial = append(xerial, raw...)
	single := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x7f, 0, 0, 0} // zstd, one segment of 2 GiB
	for name, c := range map[string]struct {
		codec Codec
		src   []byte
	}{"raw snappy": {Snappy, raw}, "xerial": {Snappy, xerial}, "zstd": {Zstd, single}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decompress(nil, c.codec, c.src, 1<<40)
		runtime.ReadMemStats(&after)
		if err != ErrCorrupt {
			t.Errorf("%s: want %v, got %v", name, ErrCorrupt, err)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, spent)
		}
	}
}

// TestAWideZstdWindowIsReadButNotKept covers the highest zstd levels, whose window is above what a Decoder keeps.
func TestAWideZstdWindowIsReadButNotKept(t *testing.T) {
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed, zstd.WithWindowSize(32<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	src := bytes.Repeat([]byte("0123456789abcdef"), 3<<20)
	if _, err := w.Write(src); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var d Decoder
	got, err := d.Append(nil, Zstd, packed.Bytes(), 1<<30)
	if err != nil || !bytes.Equal(got, src) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if d.zstd != nil || d.stream != nil {
		t.Fatal("the wide decoder was kept")
	}
}

func TestDependentLZ4BlocksAndUnknownCodecsAreRefused(t *testing.T) {
	packed, err := Compress(nil, LZ4, 0, []byte("seed"))
	if err != nil {
		t.Fatal(err)
	}
	packed[lz4Flags] &^= lz4Independent
	for sum := range 256 { // one of them is the header's right checksum
		packed[lz4Flags+2] = byte(sum)
		if _, err := Decompress(nil, LZ4, packed, 100); err != ErrCorrupt {
			t.Fatalf("want %v, got %v", ErrCorrupt, err)
		}
	}
	for _, c := range []Codec{-1, Count, 7} {
		if _, err := Decompress(nil, c, packed, 100); err != ErrCodec {
			t.Fatalf("want %v, got %v", ErrCodec, err)
		}
		if _, err := Compress(nil, c, 0, packed); err != ErrCodec || Name(c) != "" {
			t.Fatalf("want %v, got %v", ErrCodec, err)
		}
	}
}

func TestNoCodecStartsAGoroutine(t *testing.T) {
	src := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	before := runtime.NumGoroutine()
	for c := None; c < Count; c++ {
		packed, err := Compress(nil, c, 0, src)
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		if err := d.Open(c, packed, 1<<30); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1000)
		for err = nil; err == nil; _, err = d.Read(buf) {
			if n := runtime.NumGoroutine(); n > before {
				t.Fatalf("%s: %d goroutines, %d before", Name(c), n, before)
			}
		}
		if err != io.EOF {
			t.Fatal(err)
		}
	}
}

func FuzzDecompress(f *testing.F) {
	for c := None; c < Count; c++ {
		packed, err := Compress(nil, c, 0, []byte("seed seed seed seed"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(int8(c), packed)
	}
	f.Add(Snappy, snappy.Encode(nil, []byte("raw raw raw raw raw")))
	var d Decoder
	f.Fuzz(func(t *testing.T, c int8, src []byte) {
		got, err := d.Append(nil, c, src, 1<<18)
		if len(got) > 1<<18 {
			t.Fatalf("%d bytes came out, above the limit", len(got))
		}
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrCodec) {
			t.Fatalf("an error of a library: %v", err)
		}
	})
}

func TestPacedWorkComesInPiecesGivesTheSameContentAndEndsWhereItIsTold(t *testing.T) {
	src := make([]byte, 0, 3<<20)
	for i := 0; len(src) < 3<<20-1000; i++ {
		src = append(binary.AppendUvarint(src, uint64(i*i)), "some text that comes again and again"...)
	}
	for codec := Gzip; codec < Count; codec++ {
		var e Encoder
		var d Decoder
		for stop := range 5 {
			told, calls := 0, 0
			pace := func(n int) bool {
				if n > Piece {
					t.Fatalf("%s: a piece of %d bytes", Name(codec), n)
				}
				told += n
				calls++
				return stop == 0 || calls < stop
			}
			packed, err := e.AppendPaced([]byte("kept"), codec, DefaultLevel, src, pace)
			if stop > 0 {
				if err != ErrStopped || calls != stop || string(packed[:4]) != "kept" {
					t.Fatalf("%s: %v after %d pieces, stopped at the %d.", Name(codec), err, calls, stop)
				}
				if packed, err = e.Append([]byte("kept"), codec, DefaultLevel, src); err != nil {
					t.Fatal(err)
				}
			}
			if err != nil || stop == 0 && told != len(src) {
				t.Fatalf("%s: %v after %d of %d bytes", Name(codec), err, told, len(src))
			}
			told, calls = 0, 0
			got, err := d.AppendPaced(nil, codec, packed[4:], int64(len(src)), pace)
			if stop > 0 {
				if err != ErrStopped || calls != stop {
					t.Fatalf("%s: %v after %d pieces, stopped at the %d.", Name(codec), err, calls, stop)
				}
				got, err = d.Append(nil, codec, packed[4:], int64(len(src)))
			} else if told != len(src) {
				t.Fatalf("%s: told of %d of %d bytes", Name(codec), told, len(src))
			}
			if err != nil || !bytes.Equal(got, src) {
				t.Fatalf("%s: %d bytes of %d, %v", Name(codec), len(got), len(src), err)
			}
		}
	}
}
