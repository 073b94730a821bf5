// Package clock names the two kinds of time that the core is told. It never reads a clock: time comes in with each step.
package clock

// Time is monotonic, in nanoseconds from an origin that means nothing. 0 is "no time" where a field is optional.
type Time int64

// Wall is what users call the time: milliseconds since the Unix epoch, UTC. It may jump in either direction.
// Only record timestamps, retention and expiry by date may use it; no time-out may.
type Wall int64

// Duration is a distance between two Times, in nanoseconds.
type Duration int64

// Units of Duration.
const (
	Microsecond Duration = 1000
	Millisecond          = 1000 * Microsecond
	Second               = 1000 * Millisecond
	Minute               = 60 * Second
)

// Add gives the time d after t.
func (t Time) Add(d Duration) Time { return t + Time(d) }

// Sub gives the distance from u to t.
func (t Time) Sub(u Time) Duration { return Duration(t - u) }

// MS gives n milliseconds as a Duration.
func MS(n int64) Duration { return Duration(n) * Millisecond }

// Now is the time of one step, in both kinds.
type Now struct {
	Mono Time
	Wall Wall
}
