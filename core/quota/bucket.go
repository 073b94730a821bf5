package quota

import (
	"math"
	"math/bits"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/io/clock"
)

// Unlimited is the rate of what is not slowed.
const Unlimited = math.MaxInt64

// fastest is the rate, in bytes a second, above which nothing is slowed: no disk or network comes near, and products with a second's
// nanoseconds fit into 63 bits below it.
const fastest = 1 << 33

// Bucket is a token bucket in virtual time. The zero value slows nothing.
type Bucket struct {
	limited bool
	rate    int64      // bytes a second, 0 <= rate < fastest
	level   int64      // bytes that may go at once, level <= rate; negative: debt
	at      clock.Time // up to which the level has grown
}

// SetRate changes the rate. What was owed at another rate is forgotten, so that a rate which was set too low does no harm once it is raised.
func (b *Bucket) SetRate(now clock.Time, rate int64) {
	assert.That(rate >= 0, "quota: a negative rate")
	if rate >= fastest {
		*b = Bucket{}
		return
	}
	if !b.limited || b.rate != rate {
		*b = Bucket{limited: true, rate: rate, level: rate, at: now}
	}
}

// Take notes that n bytes go. Whoever is not slowed goes on while there is debt, and must not bring the others to a stop for ever: beyond what
// ten seconds bring, as in Kafka's window, and what one call takes, debt is forgotten.
func (b *Bucket) Take(now clock.Time, n int64) {
	if b.limited {
		b.fill(now)
		b.level = max(b.level-n, min(-n, -window*b.rate))
	}
}

// window is for how many seconds debt is remembered (replication.quota.window.num).
const window = 10

// Wait is how long nothing may go: 0 if something may now.
func (b *Bucket) Wait(now clock.Time) clock.Duration {
	if !b.limited {
		return 0
	}
	b.fill(now)
	switch {
	case b.level > 0:
		return 0
	case b.rate == 0:
		return clock.Duration(math.MaxInt64)
	}
	return clock.Duration(scale(1-b.level, int64(clock.Second), b.rate, true)) - now.Sub(b.at)
}

// fill adds what the time since the last call brings, in whole bytes; the rest of that time counts next time.
func (b *Bucket) fill(now clock.Time) {
	n := scale(b.rate, int64(max(now.Sub(b.at), 0)), int64(clock.Second), false)
	if n >= b.rate-b.level {
		b.level, b.at = b.rate, max(b.at, now)
		return
	}
	b.level += n
	if n > 0 {
		b.at = b.at.Add(clock.Duration(scale(n, int64(clock.Second), b.rate, true)))
	}
}

// scale gives a*x/y for numbers that are not negative, y not 0, rounded down or up; the largest number if it does not fit.
func scale(a, x, y int64, up bool) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(x))
	if hi >= uint64(y) {
		return math.MaxInt64
	}
	q, r := bits.Div64(hi, lo, uint64(y))
	if up && r > 0 {
		q++
	}
	return int64(min(q, math.MaxInt64))
}
