package list

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type thing struct {
	n  int
	in Elem[thing]
}

func TestAListIsWhatASliceWouldBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l List[thing]
		var twin []*thing
		next := 0
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			if len(twin) == 0 || rapid.Bool().Draw(t, "push") {
				x := &thing{n: next}
				next++
				l.Push(x, &x.in)
				twin = append(twin, x)
			} else {
				i := rapid.IntRange(0, len(twin)-1).Draw(t, "which")
				x := twin[i]
				l.Remove(&x.in)
				twin = slices.Delete(twin, i, i+1)
				if x.in.In(&l) {
					t.Fatal("it is still there")
				}
			}
			var got []*thing
			for x := l.First(); x != nil; x = x.in.Next() {
				got = append(got, x)
			}
			if !slices.Equal(got, twin) || l.Len() != len(twin) || len(twin) > 0 && l.Last() != twin[len(twin)-1] {
				t.Fatalf("%d in the list, want %d", len(got), len(twin))
			}
		}
	})
}

func TestAnElementIsInOneListAtATime(t *testing.T) {
	var a, b List[thing]
	x := &thing{}
	a.Push(x, &x.in)
	for _, f := range []func(){func() { b.Push(x, &x.in) }, func() { b.Remove(&x.in) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("nobody noticed")
				}
			}()
			f()
		}()
	}
}
