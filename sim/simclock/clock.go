// Package simclock is the clock of one simulated node: a monotonic time that drifts and may stand still, and a wall clock that lies.
//
// Both are straight lines over virtual time, in pieces. Rates are whole 1024ths, so that no float decides an order. The monotonic
// time never runs backward; the wall clock does, when Jump says so (fault C1).
//
//	local(g) = l0 + (g-g0)·rate/1024        wall(g) = w0 + (g-g0)·wrate/1024 + jumps
package simclock

import (
	"math/bits"

	"github.com/seedlog/seedlog/io/clock"
)

// Epoch is the wall time at which every run begins: 2026-01-01T00:00:00Z, in milliseconds. A run must not depend on the day.
const Epoch clock.Wall = 1767225600000

// Unit is the rate of a clock that keeps time.
const Unit = 1024

// line is y0 + (g-g0)·rate/1024, in nanoseconds.
type line struct {
	g0   clock.Time
	y0   int64
	rate int64
}

func (l line) at(g clock.Time) int64 { return l.y0 + scale(int64(g-l.g0), l.rate, Unit) }

// scale is d·n/m without overflow; d may be negative.
func scale(d, n, m int64) int64 {
	if d < 0 {
		return -scale(-d, n, m)
	}
	hi, lo := bits.Mul64(uint64(d), uint64(n))
	q, _ := bits.Div64(hi, lo, uint64(m))
	return int64(q)
}

// Clock is one node's. Make it with New.
type Clock struct {
	mono   line
	wall   line
	frozen bool
	rate   int64
}

// New starts a clock at virtual time g, with the given monotonic origin.
func New(g clock.Time, origin clock.Time) *Clock {
	return &Clock{
		mono: line{g, int64(origin), Unit},
		wall: line{g, int64(Epoch)*1e6 + int64(g), Unit},
		rate: Unit,
	}
}

// Mono is the node's monotonic time at virtual time g.
func (c *Clock) Mono(g clock.Time) clock.Time { return clock.Time(c.mono.at(g)) }

// Wall is the node's wall time at virtual time g. It never goes below 1 ms after the Unix epoch.
func (c *Clock) Wall(g clock.Time) clock.Wall { return max(1, clock.Wall(c.wall.at(g)/1e6)) }

// Now is both.
func (c *Clock) Now(g clock.Time) clock.Now { return clock.Now{Mono: c.Mono(g), Wall: c.Wall(g)} }

// Global gives the first virtual time, not before g, at which Mono has reached t. A frozen clock never gets there: false.
func (c *Clock) Global(g clock.Time, t clock.Time) (clock.Time, bool) {
	d := int64(t) - c.mono.at(g)
	if d <= 0 {
		return g, true
	}
	if c.frozen {
		return 0, false
	}
	x := g + clock.Time(scale(d-1, Unit, c.mono.rate))
	for c.Mono(x) < t {
		x++
	}
	return x, true
}

// SetRate changes the drift from g on: monotonic and wall time pass at rate/1024, 512..2048.
func (c *Clock) SetRate(g clock.Time, rate int64) {
	c.rate = max(1, rate)
	c.wall = line{g, c.wall.at(g), c.rate}
	if !c.frozen {
		c.mono = line{g, c.mono.at(g), c.rate}
	}
}

// Skew moves the wall clock by d, either way.
func (c *Clock) Skew(g clock.Time, d clock.Duration) {
	c.wall = line{g, c.wall.at(g) + int64(d), c.rate}
}

// Correct sets the wall clock right, as NTP does once it is reachable: healing ends with it.
func (c *Clock) Correct(g clock.Time) { c.wall = line{g, int64(Epoch)*1e6 + int64(g), c.rate} }

// Freeze stops the monotonic time, as the suspension of a virtual machine does; the wall clock goes on.
func (c *Clock) Freeze(g clock.Time) {
	c.mono, c.frozen = line{g, c.mono.at(g), 0}, true
}

// Thaw lets it go on from where it stood.
func (c *Clock) Thaw(g clock.Time) {
	c.mono, c.frozen = line{g, c.mono.at(g), c.rate}, false
}

// True says whether the clock passes time at its rate.
func (c *Clock) True() bool { return !c.frozen && c.rate == Unit }

// Frozen says whether the monotonic time stands.
func (c *Clock) Frozen() bool { return c.frozen }
