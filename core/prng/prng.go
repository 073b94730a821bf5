// Package prng is the only randomness of the core and the simulator: splitmix64 streams, keyed by seed and entity, so that
// taking one entity's draws away moves nothing else. Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators".
package prng

// Source is one stream. The zero value is the stream of seed 0.
type Source struct{ state uint64 }

// New starts the stream of a seed.
func New(seed uint64) *Source { return &Source{mix(seed ^ 0x9e3779b97f4a7c15)} }

// Keyed starts the stream of (seed, entity): the same pair gives the same stream whatever else was drawn.
func Keyed(seed uint64, entity string) *Source {
	h := uint64(14695981039346656037)
	for i := 0; i < len(entity); i++ {
		h = (h ^ uint64(entity[i])) * 1099511628211
	}
	return &Source{mix(seed) ^ mix(h)}
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Uint64 draws 64 bits.
func (s *Source) Uint64() uint64 {
	s.state += 0x9e3779b97f4a7c15
	return mix(s.state)
}

// Int63n draws from [0, n), n > 0.
func (s *Source) Int63n(n int64) int64 {
	if n <= 0 {
		panic("prng: n must be positive")
	}
	return int64(s.Uint64() % uint64(n))
}

// Intn draws from [0, n), n > 0.
func (s *Source) Intn(n int) int { return int(s.Int63n(int64(n))) }

// Between draws from [lo, hi], both included.
func (s *Source) Between(lo, hi int64) int64 { return lo + s.Int63n(hi-lo+1) }

// Permille is true n times in 1000.
func (s *Source) Permille(n int) bool { return s.Int63n(1000) < int64(n) }

// Fill fills b.
func (s *Source) Fill(b []byte) {
	for i := 0; i < len(b); i += 8 {
		v := s.Uint64()
		for j := i; j < i+8 && j < len(b); j++ {
			b[j] = byte(v)
			v >>= 8
		}
	}
}
