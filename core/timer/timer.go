// Package timer is an intrusive heap of deadlines inside one shard. Equal deadlines fire in the order in which they were set.
package timer

import "github.com/seedlog/seedlog/io/clock"

// Owner is told when its timer fires.
type Owner interface{ TimerFired(t *Timer) }

// Timer is embedded in what it belongs to; Kind and A tell one owner's timers apart. The zero value is not set.
type Timer struct {
	Owner Owner
	Kind  uint8
	A     int64
	at    clock.Time
	seq   uint64
	pos   int // index in the heap plus 1; 0: not set
}

// At gives the deadline of a timer that IsSet.
func (t *Timer) At() clock.Time { return t.at }

// IsSet says whether the timer waits.
func (t *Timer) IsSet() bool { return t.pos > 0 }

// Heap holds the timers that are set. The zero value is empty.
type Heap struct {
	ts  []*Timer
	seq uint64
	// Permute, if set, replaces the tie-breaking sequence number: the simulator permutes equal deadlines with it (fault C2).
	Permute func(seq uint64) uint64
}

// Set arms t for at, or moves it there.
func (h *Heap) Set(t *Timer, at clock.Time) {
	h.seq++
	t.at, t.seq = at, h.seq
	if h.Permute != nil {
		t.seq = h.Permute(h.seq)
	}
	if t.pos == 0 {
		h.ts = append(h.ts, t)
		t.pos = len(h.ts)
	}
	h.fix(t.pos - 1)
}

// Cancel disarms t; a timer that is not set stays so.
func (h *Heap) Cancel(t *Timer) {
	if t.pos == 0 {
		return
	}
	i, n := t.pos-1, len(h.ts)-1
	h.swap(i, n)
	h.ts[n] = nil
	h.ts = h.ts[:n]
	t.pos = 0
	if i < n {
		h.fix(i)
	}
}

// Expired takes out and returns the first timer whose deadline is not after now, or nil.
func (h *Heap) Expired(now clock.Time) *Timer {
	if len(h.ts) == 0 || h.ts[0].at > now {
		return nil
	}
	t := h.ts[0]
	h.Cancel(t)
	return t
}

// Next gives the earliest deadline, or 0.
func (h *Heap) Next() clock.Time {
	if len(h.ts) == 0 {
		return 0
	}
	return h.ts[0].at
}

// Len is the number of timers set.
func (h *Heap) Len() int { return len(h.ts) }

func (h *Heap) less(i, j int) bool {
	a, b := h.ts[i], h.ts[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (h *Heap) swap(i, j int) {
	h.ts[i], h.ts[j] = h.ts[j], h.ts[i]
	h.ts[i].pos, h.ts[j].pos = i+1, j+1
}

func (h *Heap) fix(i int) {
	for i > 0 && h.less(i, (i-1)/2) {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		k := 2*i + 1
		if k >= len(h.ts) {
			return
		}
		if k+1 < len(h.ts) && h.less(k+1, k) {
			k++
		}
		if !h.less(k, i) {
			return
		}
		h.swap(i, k)
		i = k
	}
}
