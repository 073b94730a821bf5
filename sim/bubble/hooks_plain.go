//go:build !overlay

package bubble

import (
	"testing"
	"testing/synctest"
	"time"
)

// Exact says whether this build repeats to the byte.
const Exact = false

// pollNS is how often a bubble whose next timer is not known is looked at, in its own time.
const pollNS = 5_000_000

// enter runs f in a bubble. f does not return, so that the testing.T has nothing to report.
func enter(f func()) { synctest.Test(new(testing.T), func(*testing.T) { f() }) }

func begin() {}

func seed(uint64, bool) {}

func wait() { synctest.Wait() }

// setNow sleeps until then: timers on the way fire at their own times.
func setNow(t int64) {
	if d := t - time.Now().UnixNano(); d > 0 {
		time.Sleep(time.Duration(d))
	}
}

func nextTimer() int64 { return time.Now().UnixNano() + pollNS }
