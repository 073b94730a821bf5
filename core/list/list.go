package list

import "github.com/seedlog/seedlog/core/assert"

// List links values by an Elem that lies in each. The zero value is empty.
type List[T any] struct {
	first, last *Elem[T]
	n           int
}

// Elem is a value's place in one list at a time. The zero value is in none.
type Elem[T any] struct {
	of         *List[T]
	value      *T
	prev, next *Elem[T]
}

// Len is the number of values.
func (l *List[T]) Len() int { return l.n }

// First gives the first value, nil if there is none.
func (l *List[T]) First() *T { return l.first.get() }

// Last gives the last value, nil if there is none.
func (l *List[T]) Last() *T { return l.last.get() }

// Next gives the value behind the one that e lies in, nil if that is the last.
func (e *Elem[T]) Next() *T { return e.next.get() }

// In says whether the value is in l.
func (e *Elem[T]) In(l *List[T]) bool { return e.of == l }

func (e *Elem[T]) get() *T {
	if e == nil {
		return nil
	}
	return e.value
}

// Push puts v, by its element e, at the end.
func (l *List[T]) Push(v *T, e *Elem[T]) {
	assert.That(e.of == nil, "list: an element that is in a list")
	*e = Elem[T]{of: l, value: v, prev: l.last}
	if l.last == nil {
		l.first = e
	} else {
		l.last.next = e
	}
	l.last = e
	l.n++
}

// Remove takes e out, which is in l.
func (l *List[T]) Remove(e *Elem[T]) {
	assert.That(e.of == l, "list: an element of another list")
	if e.prev == nil {
		l.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	*e = Elem[T]{}
	l.n--
}
