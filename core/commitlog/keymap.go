package commitlog

import (
	"encoding/binary"
	"math/bits"

	"github.com/seedlog/seedlog/core/prng"
)

// keyMap says for each key of a log's dirty section at which offset its last record stands. Keys are known by a hash of 128 bits under a key of
// this one clean, so nobody can make two keys that are taken for one. Its memory grows with what is put in, page by page, up to a bound (extendible
// hashing: a full page is split by the next bit of the hash), so no step is longer than the split of a page.
type keyMap struct {
	k0, k1 uint64
	dir    []*keyPage // by the first bits of the hash; a page stands in one place or in a run of them
	depth  uint
	pages  int
	most   int   // pages, at most
	n      int64 // keys
	limit  int64 // keys, at most
	last   int64 // the offset up to which it speaks, -1 none
}

const (
	pageSlots = 4096
	pageFull  = pageSlots * 9 / 10
	slotBytes = 24
)

// keySlot is a key and its offset. No offset: the slot is free.
type keySlot struct {
	a, b uint64
	next int64 // offset + 1
}

type keyPage struct {
	depth uint // bits of the hash that its keys have in common
	n     int
	slots [pageSlots]keySlot
}

// newKeyMap makes a map of at most so many bytes, but of two pages at least.
func newKeyMap(bytes int64, rnd *prng.Source) *keyMap {
	most := int(min(bytes, 1<<40) / (pageSlots * slotBytes))
	return &keyMap{k0: rnd.Uint64(), k1: rnd.Uint64(), dir: []*keyPage{{}}, pages: 1, most: max(most, 2), limit: bytes / slotBytes, last: -1}
}

func (m *keyMap) page(a uint64) *keyPage { return m.dir[a>>(64-m.depth)] }

// find gives the slot of a hash: its own, or the free one where it would stand.
func (p *keyPage) find(a, b uint64) *keySlot {
	for i := b; ; i++ {
		s := &p.slots[i%pageSlots]
		if s.next == 0 || s.a == a && s.b == b {
			return s
		}
	}
}

// used is how much of what it may hold it holds, in millionths.
func (m *keyMap) used() int64 { return m.n * 1_000_000 / max(m.limit, 1) }

// get gives the offset of a key's last record, -1 if it is not in the map.
func (m *keyMap) get(key []byte) int64 {
	a, b := sipHash128(m.k0, m.k1, key)
	return m.page(a).find(a, b).next - 1
}

// put notes a key's record, which stands above those before it. False: there is no room for another key.
func (m *keyMap) put(key []byte, offset int64) bool {
	a, b := sipHash128(m.k0, m.k1, key)
	for {
		p := m.page(a)
		s := p.find(a, b)
		if s.next == 0 {
			if m.n >= m.limit {
				return false
			}
			if p.n >= pageFull {
				if !m.split(p, a) {
					return false
				}
				continue
			}
			p.n++
			m.n++
		}
		*s = keySlot{a, b, offset + 1}
		return true
	}
}

// split makes two pages of the one that holds hash a.
func (m *keyMap) split(p *keyPage, a uint64) bool {
	if m.pages >= m.most || p.depth >= 48 {
		return false
	}
	if p.depth == m.depth {
		dir := make([]*keyPage, 2*len(m.dir))
		for i, x := range m.dir {
			dir[2*i], dir[2*i+1] = x, x
		}
		m.dir, m.depth = dir, m.depth+1
	}
	m.pages++
	half := [2]*keyPage{{depth: p.depth + 1}, {depth: p.depth + 1}}
	for i := range p.slots {
		if s := &p.slots[i]; s.next != 0 {
			h := half[s.a>>(63-p.depth)&1]
			*h.find(s.a, s.b) = *s
			h.n++
		}
	}
	run := 1 << (m.depth - p.depth)
	from := int(a>>(64-m.depth)) &^ (run - 1)
	for i := range run {
		m.dir[from+i] = half[i*2/run]
	}
	return true
}

// sipHash128 is SipHash-2-4 with 128 bits of output (Aumasson and Bernstein).
func sipHash128(k0, k1 uint64, p []byte) (uint64, uint64) {
	v0, v1, v2, v3 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d^0xee, k0^0x6c7967656e657261, k1^0x7465646279746573
	last := uint64(len(p)) << 56
	for ; len(p) >= 8; p = p[8:] {
		w := binary.LittleEndian.Uint64(p)
		v3 ^= w
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= w
	}
	for i, c := range p {
		last |= uint64(c) << (8 * i)
	}
	v3 ^= last
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= last
	v2 ^= 0xee
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	a := v0 ^ v1 ^ v2 ^ v3
	v1 ^= 0xdd
	for range 4 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	}
	return a, v0 ^ v1 ^ v2 ^ v3
}

func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v3
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 += v3
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v2 = bits.RotateLeft64(v2, 32)
	return v0, v1, v2, v3
}
