package simdisk

import "github.com/seedlog/seedlog/core/prng"

// fate is what is known of a change's way to the platter.
type fate uint8

const (
	pending fate = iota // may or may not be there after a power loss
	durable             // a Sync covered it
	lost                // a failed Sync dropped it (fsyncgate): a later Sync says ok and does not write it
)

// change is one write or truncation since the last point that is wholly durable, with what undoes it.
type change struct {
	seq     uint64
	off     int64
	n       int64 // bytes written; of a truncation: the new size
	oldSize int64
	old     []byte // what the change took away, from off on
	trunc   bool
	fate    fate
}

// inode is a file or a directory. It lives as long as a name or a handle leads to it.
type inode struct {
	id      int64
	isDir   bool
	img     image
	journal []change
	entries map[string]*inode // directories; never ranged over without sorting
	writing bool              // a Write or Truncate is in flight
	handles int
	names   int
	locked  bool
	lat     prng.Source // latencies of this file's requests
	spared  bool        // D2 leaves it alone
	synced  int64       // the size that the last honest Sync covered
}

// write applies a write to the visible bytes and journals what undoes it.
func (f *inode) write(seq uint64, off int64, vec [][]byte, n int64) {
	c := change{seq: seq, off: off, n: n, oldSize: f.img.size}
	if off < f.img.size {
		c.old = f.img.bytes(off, n)
	}
	f.journal = append(f.journal, c)
	for _, b := range vec {
		if n < int64(len(b)) {
			b = b[:n]
		}
		f.img.writeAt(b, off)
		off, n = off+int64(len(b)), n-int64(len(b))
	}
}

// truncate likewise.
func (f *inode) truncate(seq uint64, size int64) {
	c := change{seq: seq, off: size, n: size, oldSize: f.img.size, trunc: true}
	if size < f.img.size {
		c.old = f.img.bytes(size, f.img.size-size)
	}
	f.journal = append(f.journal, c)
	f.img.resize(size)
}

// undo takes the last change back, and gives the bytes that it had written.
func (f *inode) undo(c *change) []byte {
	var wrote []byte
	if !c.trunc {
		wrote = f.img.bytes(c.off, c.n)
	}
	f.img.resize(c.oldSize)
	f.img.writeAt(c.old, c.off)
	return wrote
}

// mark gives all changes up to seq a fate, and forgets the durable ones at the front.
func (f *inode) mark(seq uint64, to fate) {
	for i := range f.journal {
		c := &f.journal[i]
		if c.seq <= seq && c.fate == pending {
			c.fate = to
		}
	}
	k := 0
	for k < len(f.journal) && f.journal[k].fate == durable {
		k++
	}
	n := copy(f.journal, f.journal[k:])
	clear(f.journal[n:])
	f.journal = f.journal[:n]
	if n == 0 {
		f.synced = f.img.size
	}
}
