package commitlog

import (
	"fmt"
	"testing"

	"github.com/seedlog/seedlog/core/prng"
)

func TestTheHashOfKeysIsSipHash128(t *testing.T) {
	// The reference implementation's vectors: key 00 … 0f, input 00, 01, …
	want := map[int][2]uint64{
		0: {0xe6a825ba047f81a3, 0x930255c71472f66d},
		1: {0x44af996bd8c187da, 0x45fc229b11597634},
	}
	var in []byte
	for n := range 2 {
		a, b := sipHash128(0x0706050403020100, 0x0f0e0d0c0b0a0908, in)
		if w := want[n]; a != w[0] || b != w[1] {
			t.Errorf("%d bytes: %#x %#x, want %#x %#x", n, a, b, w[0], w[1])
		}
		in = append(in, byte(n))
	}
}

func TestAKeyMapKnowsTheLastOffsetOfEachKeyUntilItIsFull(t *testing.T) {
	m := newKeyMap(40*pageSlots*slotBytes, prng.New(1))
	twin := map[string]int64{}
	full := -1
	for i := range 300_000 {
		key := fmt.Sprintf("key %d", i*7919%200_000)
		if m.put([]byte(key), int64(i)) {
			twin[key] = int64(i)
			continue
		}
		if full < 0 {
			full = len(twin)
		}
		if _, known := twin[key]; known {
			t.Fatalf("a known key is refused")
		}
	}
	if full < 40*pageFull/2 || m.pages > 40 {
		t.Fatalf("full at %d keys in %d pages", full, m.pages)
	}
	for key, o := range twin {
		if got := m.get([]byte(key)); got != o {
			t.Fatalf("%s is at %d, want %d", key, got, o)
		}
	}
	if m.get([]byte("another")) != -1 {
		t.Fatal("a key that was never put is known")
	}
}
