package replica

import "github.com/seedlog/seedlog/core/kerr"

// waiting is one append that is not answered yet.
type waiting struct {
	last int64 // offset of the batch's last record
	slot int32
	w    Waiter
	r    Result
}

// queue holds waiting appends in the order of their last offsets, except that a duplicate may stand behind later ones: it is then
// answered with them, which is later than needed and never wrong. Its length is bounded by the requests in flight.
type queue struct {
	items []waiting
	head  int
}

func (q *queue) n() int { return len(q.items) - q.head }

func (q *queue) push(x waiting) {
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head > 64 && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, x)
}

// release answers all at the head whose last record is below end.
func (q *queue) release(end int64) {
	for q.head < len(q.items) && q.items[q.head].last < end {
		x := q.items[q.head]
		q.items[q.head] = waiting{}
		q.head++
		x.w.Appended(x.slot, x.r)
	}
}

// take moves everything whose last record is at or above from to lost, and keeps the rest. Nobody is told yet: whoever is told may append.
func (q *queue) take(lost []waiting, from int64) []waiting {
	kept := 0
	for i := q.head; i < len(q.items); i++ {
		if x := q.items[i]; x.last < from {
			q.items[kept] = x
			kept++
		} else {
			lost = append(lost, x)
		}
	}
	clear(q.items[kept:])
	q.items, q.head = q.items[:kept], 0
	return lost
}

// refuse answers all of lost with code.
func refuse(lost []waiting, code kerr.Code) {
	for _, x := range lost {
		x.w.Appended(x.slot, Result{Code: code, Base: -1, Time: -1})
	}
}

// sizes remembers the batches above the high watermark: last offset and bytes.
type sizes struct {
	items []batchSize
	head  int
}

type batchSize struct{ last, bytes int64 }

func (s *sizes) push(last, bytes int64) {
	if s.head == len(s.items) {
		s.items, s.head = s.items[:0], 0
	} else if s.head > 64 && s.head > len(s.items)/2 {
		s.items, s.head = s.items[:copy(s.items, s.items[s.head:])], 0
	}
	s.items = append(s.items, batchSize{last, bytes})
}

// pop removes the batches below end and gives the sum of their bytes.
func (s *sizes) pop(end int64) (sum int64) {
	for s.head < len(s.items) && s.items[s.head].last < end {
		sum += s.items[s.head].bytes
		s.head++
	}
	return sum
}

// drop forgets the batches that end at or above from and gives the sum of their bytes.
func (s *sizes) drop(from int64) (sum int64) {
	for len(s.items) > s.head && s.items[len(s.items)-1].last >= from {
		sum += s.items[len(s.items)-1].bytes
		s.items = s.items[:len(s.items)-1]
	}
	return sum
}
