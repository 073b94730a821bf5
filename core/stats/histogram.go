package stats

// Bounds are the upper ends of a histogram's buckets, in nanoseconds, inclusive and ascending: 100 µs to 30 s, since a produce is answered in
// parts of a millisecond and a fetch may wait for half a minute.
var Bounds = [...]int64{
	100_000, 250_000, 500_000,
	1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000,
	1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000, 30_000_000_000,
}

// Histogram counts times. The zero value is empty.
type Histogram struct {
	Buckets [len(Bounds) + 1]int64 // not cumulative; the last takes what is above all bounds
	Count   int64                  // the sum of Buckets
	SumNS   int64
}

// Observe counts one time, in nanoseconds. A negative one, of a clock that was set back, counts as 0.
func (h *Histogram) Observe(ns int64) {
	ns = max(ns, 0)
	i := 0
	for i < len(Bounds) && ns > Bounds[i] {
		i++
	}
	h.Buckets[i]++
	h.Count++
	h.SumNS += ns
}

func (h *Histogram) add(o *Histogram) {
	for i := range h.Buckets {
		h.Buckets[i] += o.Buckets[i]
	}
	h.Count += o.Count
	h.SumNS += o.SumNS
}
