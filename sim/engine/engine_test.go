package engine

import (
	"sort"
	"testing"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
	"pgregory.net/rapid"
)

type record struct{ got []int64 }

func (r *record) Fire(_ Kind, a, _ int64) { r.got = append(r.got, a) }

func TestEventsFireByTimeAndThenInTheOrderInWhichTheyWereScheduled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, r := New(1), &record{}
		who := e.Entity("x")
		type twin struct {
			at clock.Time
			i  int64
		}
		var twins []twin
		for i, n := 0, rapid.IntRange(0, 200).Draw(t, "n"); i < n; i++ {
			at := clock.Time(rapid.Int64Range(1, 20).Draw(t, "at"))
			e.At(at, who, r, 1, int64(i), 0)
			twins = append(twins, twin{at, int64(i)})
		}
		sort.SliceStable(twins, func(i, j int) bool { return twins[i].at < twins[j].at })
		for e.Step() {
		}
		for i := range twins {
			if r.got[i] != twins[i].i {
				t.Fatalf("event %d was %d, want %d", i, r.got[i], twins[i].i)
			}
		}
	})
}

func TestPermutingChangesTheOrderOfEntitiesButNotThatWithinOne(t *testing.T) {
	e, r := New(7), &record{}
	e.Permute(true)
	for i := int64(0); i < 40; i++ {
		e.At(5, Entity(i%4), r, 1, i, 0)
	}
	for e.Step() {
	}
	last := map[int64]int64{}
	moved := false
	for i, a := range r.got {
		if a < last[a%4] {
			t.Fatalf("entity %d: %d after %d", a%4, a, last[a%4])
		}
		last[a%4] = a
		moved = moved || int64(i) != a
	}
	if !moved {
		t.Fatal("nothing was permuted")
	}
}

func TestExpHasItsMeanAndNeverDependsOnFloats(t *testing.T) {
	s := prng.New(3)
	sum := int64(0)
	const n = 200000
	for i := 0; i < n; i++ {
		sum += Exp(s, 1000000)
	}
	if mean := sum / n; mean < 980000 || mean > 1020000 {
		t.Fatalf("mean is %d, want about 1000000", mean)
	}
}

type again struct {
	e *Engine
	n int
}

func (a *again) Fire(k Kind, x, y int64) {
	if a.n > 0 {
		a.n--
		a.e.After(clock.Duration(1+x%7), Entity(x), a, k, x, y)
	}
}

func TestALightEventAllocatesNothing(t *testing.T) {
	e := New(1)
	a := &again{e, 1 << 30}
	for i := int64(0); i < 100; i++ {
		e.At(1, Entity(i), a, 1, i, 0)
	}
	for i := 0; i < 10000; i++ {
		e.Step()
	}
	if n := testing.AllocsPerRun(10000, func() { e.Step() }); n != 0 {
		t.Fatalf("an event allocates %v times, want 0", n)
	}
}

func BenchmarkEvent(b *testing.B) {
	e := New(1)
	a := &again{e, 1 << 60}
	for i := int64(0); i < 1000; i++ {
		e.At(1, Entity(i), a, 1, i, 0)
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		e.Step()
	}
}
