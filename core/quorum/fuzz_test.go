package quorum

import (
	"bytes"
	"hash/crc32"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/metadata"
)

func emptyImage() *metadata.Image { return metadata.Empty() }

func sampleFrame() []byte {
	b := beginFrame(nil, 7)
	b = appendEntry(b, &raft.Log{Index: 3, Term: 2, Type: raft.LogConfiguration, Data: []byte("data"), Extensions: []byte("e")})
	b = appendMark(b, changeCut, 3)
	b = appendMark(b, changeDrop, 2)
	endFrame(b)
	return b
}

func sampleSnapshot() []byte {
	m := &raft.SnapshotMeta{Index: 5, Term: 2, ConfigurationIndex: 1, Configuration: raft.Configuration{Servers: []raft.Server{{ID: "1-a", Address: "1-a@h:1"}}}}
	b := append(encodeSnapshotHead(m), "state"...)
	return append(b, encodeSnapshotTrailer(5, crc32.Checksum(b, castagnoli))...)
}

// The bytes of the three formats never change but with their magic number.
func TestFormatsAreAsTheyWere(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		crc  uint32
	}{
		{"frame", sampleFrame(), 0x5e6f9b4a},
		{"vote", encodeVote(&vote{sequence: 3, term: 2, voteTerm: 1, candidate: []byte("1-a@h:1")}), 0xa9f4e659},
		{"snapshot", sampleSnapshot(), 0x8de3234b},
	} {
		if got := crc32.ChecksumIEEE(c.b); got != c.crc {
			t.Errorf("%s: %d bytes %#x, want %#x", c.name, len(c.b), got, c.crc)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(sampleFrame())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, fix := range []bool{false, true} {
			b := bytes.Clone(b)
			if fix && len(b) >= frameHead { // most inputs end at the checksum
				copy(b, sampleFrame()[:4])
				endFrame(b)
			}
			changes, _, size, ok := frameAt(b)
			if !ok {
				continue
			}
			if size > len(b) || len(changes) != size-frameHead {
				t.Fatal("beyond its bytes")
			}
			var e entries
			for len(changes) > 0 {
				c, rest, ok := nextChange(changes)
				if !ok || len(rest) >= len(changes) {
					break
				}
				if c.kind == changeEntry && !bytes.Equal(appendEntry(nil, c.entry), changes[:len(changes)-len(rest)]) {
					t.Fatal("not the only form")
				}
				if e.change(c, 1) {
					checkEntries(t, &e)
				}
				changes = rest
			}
		}
	})
}

func checkEntries(t *testing.T, e *entries) {
	var sum int64
	for i, l := range e.logs {
		if l.Index != e.first+uint64(i) {
			t.Fatal("not dense")
		}
		sum += sizeOf(l)
	}
	if len(e.files) != len(e.logs) || sum != e.bytes {
		t.Fatal("miscounted")
	}
}

func FuzzVote(f *testing.F) {
	f.Add(encodeVote(&vote{sequence: 3, term: 2, voteTerm: 1, candidate: []byte("1-a@h:1")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, ok := decodeVote(b); ok && len(v.candidate) <= maxVote {
			if w, ok := decodeVote(encodeVote(&v)); !ok || w.term != v.term || w.voteTerm != v.voteTerm || w.sequence != v.sequence || !bytes.Equal(w.candidate, v.candidate) {
				t.Fatal("it does not come back")
			}
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	f.Add(sampleSnapshot())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, fix := range []bool{false, true} {
			b := bytes.Clone(b)
			if n := len(b) - 4; fix && n > 0 {
				copy(b, sampleSnapshot()[:8])
				b = append(b[:n], encodeSnapshotTrailer(0, 0)[:4]...)
				crc := crc32.Checksum(b[:n], castagnoli)
				b[n], b[n+1], b[n+2], b[n+3] = byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc)
			}
			if m, data, err := decodeSnapshot(b); err == nil && !bytes.HasPrefix(b, encodeSnapshotHead(m)) || err == nil && int64(len(data)) != m.Size {
				t.Fatal("not the only form")
			}
		}
	})
}

func FuzzProposal(f *testing.F) {
	f.Add(encodeProposal([8]byte{1}, 2, metadata.Encode(metadata.Entry{Term: 1})))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _, _ = decodeProposal(b, [8]byte{1}) })
}
