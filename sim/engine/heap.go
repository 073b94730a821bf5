package engine

import "github.com/seedlog/seedlog/io/clock"

// event is one entry of the heap: plain values, so that scheduling allocates nothing once the heap has grown.
type event struct {
	at   clock.Time
	seq  uint64
	tie  uint32
	who  Entity
	h    Handler
	a, b int64
	kind Kind
}

func (x *event) before(y *event) bool {
	if x.at != y.at {
		return x.at < y.at
	}
	if x.tie != y.tie {
		return x.tie < y.tie
	}
	return x.seq < y.seq
}

// heap has four children a place: fewer levels, and children that share cache lines.
type heap []event

func (q *heap) push(ev event) {
	h := append(*q, ev)
	i := len(h) - 1
	for i > 0 {
		p := (i - 1) / 4
		if !ev.before(&h[p]) {
			break
		}
		h[i] = h[p]
		i = p
	}
	h[i] = ev
	*q = h
}

func (q *heap) pop() event {
	h := *q
	top := h[0]
	n := len(h) - 1
	last := h[n]
	h[n] = event{}
	h = h[:n]
	if n > 0 {
		h.sink(last)
	}
	*q = h
	return top
}

// sink puts ev where the root was.
func (h heap) sink(ev event) {
	i := 0
	for {
		c := 4*i + 1
		if c >= len(h) {
			break
		}
		m := c
		for k := c + 1; k < c+4 && k < len(h); k++ {
			if h[k].before(&h[m]) {
				m = k
			}
		}
		if !h[m].before(&ev) {
			break
		}
		h[i] = h[m]
		i = m
	}
	h[i] = ev
}
