package replica

import "testing"

// again watches anew whenever it is told, as a fetch does whose min_bytes are not met.
type again struct {
	w     Watch
	p     *Partition
	need  int64
	times int
}

func (a *again) Fired(*Watch) {
	a.times++
	if a.times > 10 {
		panic("told without end")
	}
	a.w.Owner, a.w.Need = a, a.need
	a.w.Add(a.p)
}

func TestAWatchThatIsSetAgainWhenItFiresIsToldOfLaterGrowthOnly(t *testing.T) {
	p := &Partition{}
	a := &again{p: p, need: 10}
	a.w.Owner, a.w.Need = a, 10
	a.w.Add(p)
	p.fire(100, 0)
	if a.times != 1 || len(p.watches) != 1 {
		t.Fatalf("told %d times with %d watches, want once and one watch", a.times, len(p.watches))
	}
	p.fireAll()
	if a.times != 2 || len(p.watches) != 1 {
		t.Fatalf("told %d times with %d watches after the log start moved, want twice and one watch", a.times, len(p.watches))
	}
	p.fire(9, 0)
	if a.times != 2 {
		t.Fatalf("told of 9 bytes where 10 were missing")
	}
}
