package task

import (
	"testing"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
)

// A shard fires, in each step, all timers that are due, also those that were set meanwhile. A task that sleeps to let other events come first must not
// be one of them.
func TestASleepOfNothingIsNotOverInTheStepInWhichItBegan(t *testing.T) {
	e := env.New(0, &buf.Pool{}, prng.Keyed(1, "shard"))
	e.Out, e.Now = new(step.Effects), clock.Now{Mono: 5}
	ran := 0
	tk := Go(e, func(t *Task) {
		for ran = 1; ran < 3; ran++ {
			t.Sleep(0)
		}
	})
	for now := clock.Time(5); now < 8; now++ {
		e.Now.Mono = now
		for x := e.Timers.Expired(now); x != nil; x = e.Timers.Expired(now) {
			x.Owner.TimerFired(x)
		}
		if want := int(now) - 4; ran != want || tk.Ended() != (want == 3) {
			t.Fatalf("at %d it has run %d times, want %d", now, ran, want)
		}
	}
}
