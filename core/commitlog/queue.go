package commitlog

import (
	"github.com/seedlog/seedlog/core/commitlog/producers"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/io/buf"
)

// pending is a batch that has its place and is not written, with what takes it back.
type pending struct {
	seg                       *segment
	view                      records.View
	lease                     *buf.Lease
	undo                      producers.Undo
	maxTimestamp, maxTSOffset int64 // of the segment, before
	newEpoch                  bool
}

// queue is FIFO; the first inflight of its items are being written. Its length is bounded by the memory that holds its batches.
type queue struct {
	items    []pending
	head     int
	inflight int
}

func (q *queue) len() int { return len(q.items) - q.head }

func (q *queue) at(i int) *pending { return &q.items[q.head+i] }

func (q *queue) push(p pending) {
	if q.head > 64 && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, p)
}

// pop drops the first n items and releases their leases.
func (q *queue) pop(n int) {
	for i := 0; i < n; i++ {
		p := q.at(i)
		p.lease.Release()
		*p = pending{}
	}
	q.head += n
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
}
