package engine

import "github.com/seedlog/seedlog/core/prng"

// Key is a family of streams: one class of draws of one seed. Its members are numbered, so that making one formats no string.
type Key uint64

// KeyOf gives the family of (seed, class).
func KeyOf(seed uint64, class string) Key { return Key(prng.Keyed(seed, class).Uint64()) }

// Key gives the family of (this run's seed, class).
func (e *Engine) Key(class string) Key { return KeyOf(e.Seed, class) }

// Sub gives the family of member n of a family.
func (k Key) Sub(n int64) Key { return Key(mix(uint64(k) + uint64(n)*0x9e3779b97f4a7c15)) }

// Source gives the stream of a key. Equal keys give equal streams.
func (k Key) Source() prng.Source { return *prng.New(uint64(k)) }

// Draw is the one draw that a key has where it serves as the key of a single event.
func (k Key) Draw() uint64 { return mix(uint64(k) ^ 0xd6e8feb86659fd93) }

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Exp draws from an exponential distribution of the given mean, cut at ten times the mean. It works on integers, since
// floating point may differ between architectures: -ln(u) by the binary logarithm of a 32-bit draw.
func Exp(s *prng.Source, mean int64) int64 {
	u := s.Uint64()>>32 | 1
	// log2 of u in 16.16 fixed point: the integer part by position, the fraction by repeated squaring.
	n := int64(0)
	for v := u; v > 1; v >>= 1 {
		n++
	}
	m := u << (31 - uint(n)) // in [2^31, 2^32)
	frac := int64(0)
	for i := 0; i < 12; i++ {
		m = m * m >> 31
		frac <<= 1
		if m >= 1<<32 {
			m >>= 1
			frac |= 1
		}
	}
	log2 := n<<12 | frac // 20.12
	neg := int64(32)<<12 - log2
	if neg > 14<<12 {
		neg = 14 << 12
	}
	return mean/1000*(neg*693>>12) + mean%1000*(neg*693>>12)/1000
}
