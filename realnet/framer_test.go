package realnet

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/io/buf"
)

// feed reads from stream what the framer asks for, at most n bytes, as a socket would.
func feed(f *framer, p *buf.Pool, stream []byte, n int, grow bool) []byte {
	sp := f.space(p, grow)
	n = copy(sp[:min(n, len(sp))], stream)
	f.arrived(n, n == len(sp))
	return stream[n:]
}

func TestFramesComeOutAsTheyWentInHoweverTheStreamIsSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.SampledFrom([]struct{ size, piece int }{{40, 6}, {5000, 4000}, {40 << 10, 20 << 10}, {300 << 10, 300 << 10}, {900 << 10, 200 << 10}}).Draw(t, "scale")
		size, piece := rapid.IntRange(1, scale.size), rapid.IntRange(1, scale.piece)
		var stream []byte
		var want [][]byte
		for i, n := range rapid.SliceOfN(size, 1, 12).Draw(t, "frames") {
			b := bytes.Repeat([]byte{byte(i + 1)}, n)
			b[0], b[n-1] = byte(n), byte(n>>8)
			want = append(want, b)
			stream = append(binary.BigEndian.AppendUint32(stream, uint32(n)), b...)
		}
		pool := &buf.Pool{Mangle: true}
		var f framer
		type kept struct {
			b     []byte
			lease *buf.Lease
		}
		var got []kept
		held := false
		longest := 0
		for len(stream) > 0 || f.whole(1<<20) {
			if rapid.IntRange(0, 9).Draw(t, "turn") == 0 {
				held = !held
			}
			if rapid.IntRange(0, 19).Draw(t, "sweep") == 0 {
				f.sweep(pool)
			}
			if len(stream) > 0 && (held || !f.whole(1<<20)) {
				sp := f.space(pool, !held)
				if !held && len(sp) == 0 {
					t.Fatal("no space though nothing holds the connection")
				}
				if len(sp) > 0 {
					n := copy(sp, stream[:min(len(stream), piece.Draw(t, "piece"))])
					f.arrived(n, n == len(sp))
					stream = stream[n:]
				}
			}
			for !held {
				b, bad := f.next(1 << 20)
				if bad {
					t.Fatal("a good stream was found bad")
				}
				if b == nil {
					break
				}
				f.lease.Retain()
				got = append(got, kept{b, f.lease})
			}
			f.idle()
			longest = max(longest, f.largest)
			if f.lease != nil && len(f.lease.Bytes) > max(largeLease, 4*max(f.w, longest)) {
				t.Fatalf("a lease of %d for %d bytes, after frames of %d", len(f.lease.Bytes), f.w, longest)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("want %d frames, got %d", len(want), len(got))
		}
		for i := range got {
			if !bytes.Equal(want[i], got[i].b) {
				t.Fatalf("frame %d differs: want %d bytes, got %d", i, len(want[i]), len(got[i].b))
			}
			got[i].lease.Release()
		}
		if pool.Out != 0 {
			t.Fatalf("%d bytes are still leased", pool.Out)
		}
	})
}

func TestAnAnnouncedLengthLeasesNoMoreThanTheBase(t *testing.T) {
	pool := &buf.Pool{}
	var f framer
	stream := binary.BigEndian.AppendUint32(nil, 90<<20)
	feed(&f, pool, stream, 4, true)
	for range 3 { // What reads find nothing.
		f.space(pool, true)
	}
	if pool.Out > smallLease {
		t.Fatalf("want at most %d leased, got %d", smallLease, pool.Out)
	}
	f.large = true
	f.drop()
	feed(&f, pool, append([]byte{0, 0, 0, 1, 7}, stream...), 9, true)
	if b, _ := f.next(1 << 30); len(b) != 1 {
		t.Fatal("no frame before the large one")
	}
	f.space(pool, true)
	if pool.Out > largeLease {
		t.Fatalf("want at most %d leased, got %d", largeLease, pool.Out)
	}
}

func TestALeaseGrowsWithWhatHasArrived(t *testing.T) {
	pool := &buf.Pool{}
	var f framer
	const n = 90 << 20
	feed(&f, pool, binary.BigEndian.AppendUint32(nil, n), 4, true)
	zero := make([]byte, 1<<20)
	moves, last := 0, f.lease
	for f.w < n+4 {
		feed(&f, pool, zero, min(len(zero), n+4-f.w), true)
		if f.lease != last {
			moves, last = moves+1, f.lease
		}
		if pool.Out > int64(max(4*f.w, largeLease)) {
			t.Fatalf("%d bytes leased when %d had arrived", pool.Out, f.w)
		}
	}
	b, bad := f.next(100 << 20)
	if bad || len(b) != n || f.r != f.w {
		t.Fatalf("want a frame of %d, got %d, bad %v", n, len(b), bad)
	}
	if moves > 12 {
		t.Fatalf("the frame was copied %d times", moves)
	}
	f.idle()
	feed(&f, pool, binary.BigEndian.AppendUint32(nil, 10<<20), 4, true)
	for f.w < 10<<20+4 {
		feed(&f, pool, zero, min(len(zero), 10<<20+4-f.w), true)
	}
	if f.next(100 << 20); len(f.lease.Bytes) != 16<<20 {
		t.Fatalf("a frame within what the connection has sent before lies in %d bytes", len(f.lease.Bytes))
	}
	f.idle()
	if pool.Out != 0 {
		t.Fatalf("%d bytes are still leased", pool.Out)
	}
}

func TestALargeFrameIsReadExactlyAndTheNextOneStartsAFreshLease(t *testing.T) {
	pool := &buf.Pool{}
	var f framer
	f.large, f.largest = true, 1<<20
	stream := append(binary.BigEndian.AppendUint32(nil, 600<<10), make([]byte, 600<<10+100)...)
	for len(stream) > 100 {
		stream = feed(&f, pool, stream, 100<<10, true)
	}
	if b, _ := f.next(1 << 20); len(b) != 600<<10 || f.r != f.w {
		t.Fatalf("want nothing behind the large frame, got %d bytes", f.w-f.r)
	}
}

func TestABadLengthIsFoundBeforeItsFrameArrives(t *testing.T) {
	for _, n := range []uint32{0, 1<<20 + 1, 1 << 31, 1<<32 - 1} {
		pool := &buf.Pool{}
		var f framer
		feed(&f, pool, binary.BigEndian.AppendUint32(nil, n), 4, true)
		if _, bad := f.next(1 << 20); !bad {
			t.Errorf("length %d was taken", n)
		}
	}
}

func TestAQuietSecondTakesALargeLeaseBack(t *testing.T) {
	pool := &buf.Pool{}
	var f framer
	f.large, f.largest = true, 8<<20
	feed(&f, pool, []byte{0, 0, 1, 0, 5}, 5, true)
	f.sweep(pool)
	if pool.Out != int64(buf.Classes[0]) || f.large || f.largest != 0 {
		t.Fatalf("leased %d, large %v, largest %d", pool.Out, f.large, f.largest)
	}
	feed(&f, pool, make([]byte, 255), 255, true)
	b, _ := f.next(1 << 20)
	if len(b) != 256 || b[0] != 5 {
		t.Fatalf("the frame was lost: %d bytes", len(b))
	}
}
