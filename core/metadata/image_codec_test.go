package metadata

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAnImageComesBackAsItWasEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Empty()
		for i := range rapid.IntRange(0, 20).Draw(t, "entries") {
			e := Entry{Term: 3}
			for range rapid.IntRange(0, 5).Draw(t, "records") {
				e.Records = append(e.Records, drawRecord(t))
			}
			m, _ = m.Apply(int64(i), 3, e)
		}
		b := EncodeImage(m)
		got, err := DecodeImage(b)
		if err != nil || got.Digest() != m.Digest() || got.Index() != m.Index() || got.Term() != m.Term() || got.PartitionCount() != m.PartitionCount() {
			t.Fatalf("%v: %d@%d %x, want %d@%d %x", err, got.Index(), got.Term(), got.Digest(), m.Index(), m.Term(), m.Digest())
		}
		if _, err := DecodeImage(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]); err == nil {
			t.Fatal("an image that was cut short was taken")
		}
		if _, err := DecodeImage(append(b, 0)); err == nil {
			t.Fatal("an image with more behind it was taken")
		}
	})
}

func FuzzDecodeImage(f *testing.F) {
	m, _ := Empty().Apply(1, 2, Entry{Term: 2, Records: every()})
	f.Add(EncodeImage(m))
	f.Add(EncodeImage(Empty()))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeImage(b)
		if err != nil {
			return
		}
		again, err := DecodeImage(EncodeImage(m))
		if err != nil || again.Digest() != m.Digest() {
			t.Fatal("it does not come back", err)
		}
	})
}
