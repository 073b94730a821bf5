package realnet

import (
	"encoding/binary"

	"github.com/seedlog/seedlog/io/buf"
)

const (
	// smallLease is what a connection reads into until it has filled one, and again after a quiet second.
	smallLease = 16 << 10
	// largeLease holds several frames: one read and one pwritev serve them all. Frames up to it are read beyond their end ("over-read");
	// larger ones are read exactly, since what lies behind them would have to be copied into the next lease.
	largeLease = 256 << 10
	lengthSize = 4
)

// framer cuts the byte stream of a connection into frames that lie in leases. The zero value is an idle one and holds no memory.
type framer struct {
	lease   *buf.Lease
	r, w    int  // lease.Bytes[r:w] has arrived and was not delivered; 0 <= r <= w <= len
	large   bool // reads into largeLease at once: a small lease was filled
	largest int  // longest frame that arrived lately, with its length bytes: so much is leased without proof the next time
	got     int  // bytes since the last sweep
}

// base is the size of a lease that nothing is known to need.
func (f *framer) base() int {
	if f.large {
		return largeLease
	}
	return smallLease
}

// need is the size of the first frame with its length bytes, as announced; 0 if that has not arrived.
func (f *framer) need() int {
	if f.w-f.r < lengthSize {
		return 0
	}
	return lengthSize + int(binary.BigEndian.Uint32(f.lease.Bytes[f.r:]))
}

// space gives where the next read goes. It is never empty, but if grow is false and the lease is full, or holds largeLease: then the frames in
// it must be taken first. If grow is true, no whole frame waits and the announced length is valid (next has said so). An announced length leases no more
// than base, than twice what has arrived, and than what this connection has filled lately, whichever is largest.
func (f *framer) space(p *buf.Pool, grow bool) []byte {
	if f.lease == nil {
		f.lease, f.r, f.w = p.Get(f.base()), 0, 0
		return f.lease.Bytes
	}
	size, need, have := len(f.lease.Bytes), f.need(), f.w-f.r
	if !grow {
		return f.lease.Bytes[f.w:max(f.w, min(size, largeLease))]
	}
	if f.w == size || f.r+need > size {
		want := max(f.base(), min(need, max(2*have, f.largest)))
		if f.w == size || f.r > 0 && want > size-f.r {
			f.move(p, want)
			size = len(f.lease.Bytes)
		}
	}
	if need > largeLease {
		size = min(size, f.r+need)
	}
	return f.lease.Bytes[f.w:size]
}

// arrived counts n bytes that were read into space; full says that they filled it.
func (f *framer) arrived(n int, full bool) {
	f.w += n
	f.got += n
	f.large = f.large || full
}

// next takes the first frame, without its length, if all of it is here. Its bytes alias lease, of which the framer keeps its own hold. bad
// says that the stream is no sequence of frames of 1 to limit bytes.
func (f *framer) next(limit int) (frame []byte, bad bool) {
	if f.lease == nil {
		return nil, false
	}
	need := f.need()
	if need == 0 {
		return nil, false
	}
	if need <= lengthSize || need > lengthSize+limit {
		return nil, true
	}
	if f.w-f.r < need {
		return nil, false
	}
	frame = f.lease.Bytes[f.r+lengthSize : f.r+need : f.r+need]
	f.r += need
	f.largest = max(f.largest, need)
	return frame, false
}

// whole says whether next would give a frame, or find the stream bad.
func (f *framer) whole(limit int) bool {
	if f.lease == nil {
		return false
	}
	need := f.need()
	return need != 0 && (need <= lengthSize || need > lengthSize+limit || f.w-f.r >= need)
}

// idle gives the lease back if nothing is in it.
func (f *framer) idle() {
	if f.lease != nil && f.r == f.w {
		f.drop()
	}
}

func (f *framer) drop() {
	f.lease.Release()
	f.lease, f.r, f.w = nil, 0, 0
}

// sweep is called about once a second. It takes the trust, and a large lease that little lies in, from a connection that sent little
// since the last time.
func (f *framer) sweep(p *buf.Pool) {
	if f.got < smallLease {
		f.large = false
	}
	if f.got < f.largest {
		f.largest = 0
	}
	if f.lease != nil && f.got < len(f.lease.Bytes)/4 && f.w-f.r <= len(f.lease.Bytes)/4 {
		f.move(p, f.w-f.r)
	}
	f.got = 0
}

// move takes what has arrived to a lease of at least n bytes.
func (f *framer) move(p *buf.Pool, n int) {
	l := p.Get(n)
	f.w = copy(l.Bytes, f.lease.Bytes[f.r:f.w])
	f.r = 0
	f.lease.Release()
	f.lease = l
}
