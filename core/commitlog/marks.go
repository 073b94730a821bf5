package commitlog

// mark is a place where a batch begins, or where the last one ends.
type mark struct {
	offset int64
	pos    int32
	ord    int32 // ordinal of the segment
}

// marks is a ring of the newest marks, ascending by offset and by (segment, position). It grows to max, then forgets the oldest.
type marks struct {
	buf  []mark
	head int // index of the oldest
	n    int
	max  int
}

func (r *marks) at(i int) *mark {
	i += r.head
	if i >= len(r.buf) {
		i -= len(r.buf)
	}
	return &r.buf[i]
}

func (r *marks) push(m mark) {
	if r.n == len(r.buf) {
		if len(r.buf) < r.max {
			r.resize(min(max(8, 2*len(r.buf)), r.max))
		} else {
			r.head++
			if r.head == len(r.buf) {
				r.head = 0
			}
			r.n--
		}
	}
	r.n++
	*r.at(r.n - 1) = m
}

// resize keeps the newest marks that fit.
func (r *marks) resize(size int) {
	b := make([]mark, size)
	keep := min(r.n, size)
	for i := 0; i < keep; i++ {
		b[i] = *r.at(r.n - keep + i)
	}
	r.buf, r.head, r.n = b, 0, keep
}

// cut forgets the marks after offset, and those in segments after ord.
func (r *marks) cut(offset int64, ord int32) {
	for r.n > 0 {
		m := r.at(r.n - 1)
		if m.offset <= offset && m.ord <= ord {
			return
		}
		r.n--
	}
}

// forget drops the marks in segments up to ord.
func (r *marks) forget(ord int32) {
	for r.n > 0 && r.at(0).ord <= ord {
		if r.head++; r.head == len(r.buf) {
			r.head = 0
		}
		r.n--
	}
}

// find gives the mark at exactly this offset; of two (the end of a segment and the start of the next) the later.
func (r *marks) find(offset int64) (mark, bool) {
	i := r.after(offset)
	if i == 0 || r.at(i-1).offset != offset {
		return mark{}, false
	}
	return *r.at(i - 1), true
}

// after gives the index of the first mark with a greater offset.
func (r *marks) after(offset int64) int {
	lo, hi := 0, r.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if r.at(mid).offset <= offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// last gives the greatest mark in segment ord with offset <= limit and pos <= maxPos.
func (r *marks) last(ord int32, limit int64, maxPos int64) (mark, bool) {
	lo, hi := 0, r.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		m := r.at(mid)
		if m.offset <= limit && (m.ord < ord || m.ord == ord && int64(m.pos) <= maxPos) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 || r.at(lo-1).ord != ord {
		return mark{}, false
	}
	return *r.at(lo - 1), true
}

// next gives the first mark after offset, if it is in segment ord.
func (r *marks) next(offset int64, ord int32) (mark, bool) {
	i := r.after(offset)
	if i == r.n || r.at(i).ord != ord {
		return mark{}, false
	}
	return *r.at(i), true
}

// covers says whether every batch boundary from offset on is in the ring.
func (r *marks) covers(offset int64) bool { return r.n > 0 && r.at(0).offset <= offset }
