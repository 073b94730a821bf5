// Package flight matches completions to what waits for them: a table of tokens instead of callbacks.
// A token's high half is its slot's generation, so a stale one is noticed; only a driver's bug makes one, hence the panic.
package flight

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/io/disk"
)

// Table holds one T for each token in flight. The zero value is empty.
type Table[T any] struct {
	slots []slot[T]
	free  []uint32
	n     int
}

type slot[T any] struct {
	gen  uint32
	used bool
	v    T
}

// Put stores v and returns the token that takes it out.
func (t *Table[T]) Put(v T) disk.Token {
	var i uint32
	if k := len(t.free); k > 0 {
		i = t.free[k-1]
		t.free = t.free[:k-1]
	} else {
		i = uint32(len(t.slots))
		t.slots = append(t.slots, slot[T]{})
	}
	s := &t.slots[i]
	s.gen++
	s.used, s.v = true, v
	t.n++
	return disk.Token(uint64(s.gen)<<32 | uint64(i))
}

// Peek gives what waits for tok without taking it, or false if it was taken.
func (t *Table[T]) Peek(tok disk.Token) (*T, bool) {
	i := uint32(tok)
	if int(i) >= len(t.slots) || !t.slots[i].used || t.slots[i].gen != uint32(tok>>32) {
		return nil, false
	}
	return &t.slots[i].v, true
}

// Take removes and returns what waits for tok. It panics on a stale token.
func (t *Table[T]) Take(tok disk.Token) T {
	p, ok := t.Peek(tok)
	assert.That(ok, "flight: stale token")
	v := *p
	s := &t.slots[uint32(tok)]
	var zero T
	s.used, s.v = false, zero
	t.free = append(t.free, uint32(tok))
	t.n--
	return v
}

// Len is the number of tokens in flight.
func (t *Table[T]) Len() int { return t.n }
