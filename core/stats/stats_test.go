package stats

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestATimeFallsIntoTheFirstBucketThatHoldsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Histogram
		var sum int64
		times := rapid.SliceOf(rapid.OneOf(rapid.Int64Range(-5, 40e9), rapid.SampledFrom(Bounds[:]))).Draw(t, "times")
		for _, ns := range times {
			h.Observe(ns)
			sum += max(ns, 0)
		}
		for i, bound := range Bounds {
			want, got := 0, int64(0)
			for _, ns := range times {
				if ns <= bound {
					want++
				}
			}
			for _, n := range h.Buckets[:i+1] {
				got += n
			}
			if got != int64(want) {
				t.Fatalf("up to %d ns: got %d, want %d", bound, got, want)
			}
		}
		if h.Count != int64(len(times)) || h.SumNS != sum {
			t.Fatalf("count %d, sum %d; want %d, %d", h.Count, h.SumNS, len(times), sum)
		}
	})
}

func TestBoundsAscend(t *testing.T) {
	if !slices.IsSorted(Bounds[:]) {
		t.Error(Bounds)
	}
}

func TestShardsAddUpInAnyOrder(t *testing.T) {
	shard := func(node int32, keys ...int16) *Snapshot {
		s := &Snapshot{NodeID: node, UptimeNS: int64(node), Connections: 2, ConnectionsAccepted: 3, UnderReplicated: 1, UnderMinISR: 1, Brokers: 3}
		s.Cleaner = Cleaner{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}
		for _, k := range keys {
			s.API(k, "name").Observe(int64(k)*1e6, k == 1)
		}
		return s
	}
	var a, b Snapshot
	shards := []*Snapshot{shard(1, 0, 1, 18), shard(1, 1, 3), shard(1)}
	for i := range shards {
		a.Merge(shards[i])
		b.Merge(shards[len(shards)-1-i])
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\n%+v", a, b)
	}
	if a.Connections != 6 || a.ConnectionsAccepted != 9 || a.UnderReplicated != 3 || a.UnderMinISR != 3 || a.Brokers != 3 || len(a.APIs) != 4 {
		t.Errorf("%+v", a)
	}
	if c := a.Cleaner; c != (Cleaner{3, 6, 9, 12, 15, 18, 7, 8, 9, 10, 11, 36, 39}) {
		t.Errorf("%+v", c)
	}
	if f := a.API(1, ""); f.Requests != 2 || f.Errors != 2 || f.Latency.SumNS != 2e6 || f.Name != "name" {
		t.Errorf("%+v", f)
	}
}

func TestObservingARequestDoesNotAllocate(t *testing.T) {
	var s Snapshot
	s.API(0, "Produce")
	if n := testing.AllocsPerRun(100, func() { s.API(0, "Produce").Observe(5e6, false) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
