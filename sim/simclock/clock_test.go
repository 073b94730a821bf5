package simclock

import (
	"testing"

	"github.com/seedlog/seedlog/io/clock"
	"pgregory.net/rapid"
)

func TestMonotonicTimeNeverRunsBackwardAndDeadlinesAreReachedExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New(1, 5)
		g, last := clock.Time(1), c.Mono(1)
		for i := 0; i < 50; i++ {
			g += clock.Time(rapid.Int64Range(0, 1e12).Draw(t, "dt"))
			if m := c.Mono(g); m < last {
				t.Fatalf("went back from %d to %d", last, m)
			} else {
				last = m
			}
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0:
				c.SetRate(g, rapid.Int64Range(512, 2048).Draw(t, "rate"))
			case 1:
				c.Skew(g, clock.Duration(rapid.Int64Range(-1e13, 1e13).Draw(t, "skew")))
			case 2:
				c.Freeze(g)
			case 3:
				c.Thaw(g)
			}
			if m := c.Mono(g); m != last {
				t.Fatalf("monotonic time jumped from %d to %d", last, m)
			}
			want := last + clock.Time(rapid.Int64Range(0, 1e11).Draw(t, "deadline"))
			at, ok := c.Global(g, want)
			if c.Frozen() && want > last {
				if ok {
					t.Fatal("a frozen clock reached a deadline")
				}
				continue
			}
			if c.Mono(at) < want || at > g && c.Mono(at-1) >= want {
				t.Fatalf("deadline %d is not first reached at %d", want, at)
			}
		}
	})
}

func TestTheWallClockJumpsBothWays(t *testing.T) {
	c := New(1, 1)
	if got := c.Wall(1); got != Epoch {
		t.Fatalf("begins at %d, want %d", got, Epoch)
	}
	c.Skew(1, -2*3600*clock.Second)
	if got, want := c.Wall(1e9+1), Epoch+1000-2*3600*1000; got != want {
		t.Fatalf("got %d, want %d", got, want)
	}
}
