// Package buf holds leased buffers: the memory that a frame is read into and that its records are written from.
//
// A Lease and its Pool belong to one shard's thread, hence plain counters. Whoever keeps a slice of a leased slab past
// the step that handed it over retains the lease, and releases it when the last use has completed. It is the one
// package under io/ with behaviour: the count is the contract.
package buf

// Classes are the slab sizes, in bytes. 256 KiB is what a socket is read into (several frames a read, one pwritev);
// smaller ones serve heads and index reads, larger ones a single large frame.
var Classes = [...]int{4 << 10, 16 << 10, 64 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20, 32 << 20, 64 << 20, 128 << 20}

// DefaultKeep is how many bytes of each class a pool keeps for reuse; the rest goes to the collector.
const DefaultKeep = 8 << 20

// Lease is one leased slab. Bytes has the length of its class. The zero number of holders returns it to its pool.
type Lease struct {
	Bytes []byte
	refs  int32
	class int8
	pool  *Pool
}

// Retain adds a holder.
func (l *Lease) Retain() {
	if l.refs <= 0 {
		panic("buf: retained after release")
	}
	l.refs++
}

// Release drops a holder; the last one returns the slab. A nil lease is nobody's memory and may be released freely.
func (l *Lease) Release() {
	if l == nil {
		return
	}
	l.refs--
	if l.refs > 0 {
		return
	}
	if l.refs < 0 {
		panic("buf: released twice")
	}
	l.pool.put(l)
}

// Pool hands out slabs. It is not safe for use by two threads.
type Pool struct {
	Mangle bool  // overwrite released slabs: checked builds and the simulator set it
	Keep   int   // bytes a class keeps; 0 means DefaultKeep
	Out    int64 // bytes leased and not returned
	free   [len(Classes)][]*Lease
}

// Get leases a slab of at least n bytes, 0 <= n <= the largest class. Its content is arbitrary.
func (p *Pool) Get(n int) *Lease {
	c := 0
	for Classes[c] < n {
		c++
	}
	p.Out += int64(Classes[c])
	if k := len(p.free[c]); k > 0 {
		l := p.free[c][k-1]
		p.free[c][k-1] = nil
		p.free[c] = p.free[c][:k-1]
		l.refs = 1
		return l
	}
	return &Lease{Bytes: make([]byte, Classes[c]), refs: 1, class: int8(c), pool: p}
}

func (p *Pool) put(l *Lease) {
	p.Out -= int64(len(l.Bytes))
	if p.Mangle {
		// By doubling, since the compiler makes a loop over bytes of it, and that took a quarter of the simulator's time.
		l.Bytes[0] = 0xdb
		for n := 1; n < len(l.Bytes); n *= 2 {
			copy(l.Bytes[n:], l.Bytes[:n])
		}
	}
	keep := p.Keep
	if keep == 0 {
		keep = DefaultKeep
	}
	if len(p.free[l.class])*Classes[l.class] < keep {
		p.free[l.class] = append(p.free[l.class], l)
	}
}
