package quota

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/io/clock"
)

func TestWhatHasNoRateIsNeverHeldBack(t *testing.T) {
	var b Bucket
	b.Take(5, 1<<40)
	if d := b.Wait(5); d != 0 {
		t.Fatalf("want 0, got %v", d)
	}
	b.SetRate(5, Unlimited)
	b.Take(5, 1<<40)
	if d := b.Wait(5); d != 0 {
		t.Fatalf("want 0, got %v", d)
	}
}

func TestARateOfZeroLetsASecondsWorthOfNothingPass(t *testing.T) {
	var b Bucket
	b.SetRate(0, 0)
	if d := b.Wait(clock.Time(clock.Second)); d != math.MaxInt64 {
		t.Fatalf("want for ever, got %v", d)
	}
}

func TestAnotherRateForgetsTheDebt(t *testing.T) {
	var b Bucket
	b.SetRate(0, 10)
	b.Take(0, 1<<20)
	b.SetRate(1, 10)
	if d := b.Wait(1); d < clock.Second {
		t.Fatalf("the same rate forgot: %v", d)
	}
	b.SetRate(1, 20)
	if d := b.Wait(1); d != 0 {
		t.Fatalf("want 0, got %v", d)
	}
}

// Whoever takes only when Wait says 0 gets the rate, up to what one second and one take bring, over any time; and never much less while it waits.
func TestTheRateHoldsOverAnyTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b Bucket
		rate := rapid.Int64Range(1, 1<<32).Draw(t, "rate")
		now := clock.Time(rapid.Int64Range(0, 1<<40).Draw(t, "start"))
		b.SetRate(now, rate)
		began, taken, largest := now, int64(0), int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(clock.Duration(rapid.Int64Range(0, 3e9).Draw(t, "pass")))
			if rapid.Bool().Draw(t, "patient") {
				d := b.Wait(now)
				if d > 0 && b.Wait(now.Add(d-1)) == 0 {
					t.Fatalf("it waits longer than it must")
				}
				now = now.Add(d)
			}
			if b.Wait(now) > 0 {
				continue
			}
			n := rapid.Int64Range(1, 8<<20).Draw(t, "bytes")
			b.Take(now, n)
			taken, largest = taken+n, max(largest, n)
		}
		most := rate + largest + scale(rate, int64(now.Sub(began)), int64(clock.Second), true)
		if taken > most {
			t.Fatalf("%d bytes in %d ns at %d a second: at most %d", taken, now.Sub(began), rate, most)
		}
	})
}

func TestDebtOfThoseThatDoNotWaitIsForgottenBeyondTheWindow(t *testing.T) {
	var b Bucket
	b.SetRate(0, 1000)
	for range 1000 {
		b.Take(0, 1000)
	}
	if d := b.Wait(0); d > 11*clock.Second || d < 9*clock.Second {
		t.Fatalf("want about 10 s, got %v", d)
	}
	b.SetRate(0, 1001)
	b.Take(0, 50_000)
	if d := b.Wait(0); d < 48*clock.Second {
		t.Fatalf("one take is waited for whole: %v", d)
	}
}
