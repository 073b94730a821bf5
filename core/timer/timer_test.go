package timer

import (
	"sort"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/io/clock"
)

// twin keeps the timers that are set in a plain slice, in the order in which they were set.
type twin []*Timer

func (w twin) without(t *Timer) twin {
	out := twin{}
	for _, x := range w {
		if x != t {
			out = append(out, x)
		}
	}
	return out
}

// first gives the timer that is due first: the earliest deadline, and of equal ones the one that was set first.
func (w twin) first() *Timer {
	if len(w) == 0 {
		return nil
	}
	s := append(twin(nil), w...)
	sort.SliceStable(s, func(i, j int) bool { return s[i].at < s[j].at })
	return s[0]
}

func TestTheHeapFiresAsAPlainListWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Heap
		var w twin
		all := make([]Timer, 8)
		now := clock.Time(1)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				x := &all[rapid.IntRange(0, len(all)-1).Draw(t, "timer")]
				h.Set(x, now+clock.Time(rapid.IntRange(0, 5).Draw(t, "in")))
				w = append(w.without(x), x)
			},
			"cancel": func(t *rapid.T) {
				x := &all[rapid.IntRange(0, len(all)-1).Draw(t, "timer")]
				h.Cancel(x)
				w = w.without(x)
			},
			"pass": func(t *rapid.T) {
				now += clock.Time(rapid.IntRange(0, 4).Draw(t, "time"))
				for {
					want := w.first()
					if want != nil && want.at > now {
						want = nil
					}
					got := h.Expired(now)
					if got != want {
						t.Fatalf("at %d: %p fired, want %p", now, got, want)
					}
					if got == nil {
						return
					}
					if got.IsSet() {
						t.Fatal("a timer that fired is still set")
					}
					w = w.without(got)
				}
			},
			"": func(t *rapid.T) {
				next := clock.Time(0)
				if f := w.first(); f != nil {
					next = f.at
				}
				if h.Len() != len(w) || h.Next() != next {
					t.Fatalf("%d timers, next %d; want %d, %d", h.Len(), h.Next(), len(w), next)
				}
				for _, x := range w {
					if !x.IsSet() {
						t.Fatal("a timer that waits says that it is not set")
					}
				}
			},
		})
	})
}
