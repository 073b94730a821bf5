package realdisk

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/disk"
)

// file is an open file. The table holds one reference, each use on another thread one more; the last closes the descriptor.
type file struct {
	fd   int
	dir  string // the path of a directory, which is opened for each sync; else empty
	refs atomic.Int32

	// Of the owner's thread, or of the worker that has the file's one write: never both at once.
	pace pace
	size int64 // about: from the first open and the writes

	mu      sync.Mutex
	syncing bool     // the file is being synced, or queued for it
	noAIO   bool     // the file system has no asynchronous sync; of the owner's thread
	failed  *failure // of the first sync that failed
	waiting []waiter // Syncs asked since the last fdatasync started
	serving []waiter // of the fdatasync that runs; the syncer's own
}

type failure struct {
	err    disk.Err
	detail string
}

// hold takes a reference unless the file is closed already.
func (f *file) hold() bool {
	for {
		n := f.refs.Load()
		if n <= 0 {
			return false
		}
		if f.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (f *file) drop() syscall.Errno {
	if f.refs.Add(-1) > 0 || f.fd < 0 {
		return 0
	}
	if err := unix.Close(f.fd); err != nil {
		return err.(syscall.Errno)
	}
	return 0
}

const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
)

type chunk [chunkSize]atomic.Pointer[file]

// table maps a disk.File to its open file. Any thread may look up; an entry is changed by the worker that opens or closes it.
// Chunks of 4,096 entries (32 KiB) are made when first used.
type table []*[disk.MaxFilesPerShard / chunkSize]atomic.Pointer[chunk]

func newTable(shards int) table {
	t := make(table, shards)
	for i := range t {
		t[i] = new([disk.MaxFilesPerShard / chunkSize]atomic.Pointer[chunk])
	}
	return t
}

// slot gives the entry of id, made if need be; nil if no shard has such a number.
func (t table) slot(id disk.File, create bool) *atomic.Pointer[file] {
	if id.Shard() >= len(t) || id.Index() == 0 {
		return nil
	}
	p := &t[id.Shard()][id.Index()>>chunkBits]
	c := p.Load()
	if c == nil {
		if !create {
			return nil
		}
		p.CompareAndSwap(nil, new(chunk))
		c = p.Load()
	}
	return &c[id.Index()&(chunkSize-1)]
}

// find gives a held file, or nil if it is not open.
func (t table) find(id disk.File) *file {
	s := t.slot(id, false)
	if s == nil {
		return nil
	}
	f := s.Load()
	if f == nil || !f.hold() {
		return nil
	}
	return f
}

// hold is find for requests of the core, which knows what it has opened.
func (t table) hold(id disk.File) *file {
	f := t.find(id)
	if f == nil {
		panic(fmt.Sprintf("realdisk: request on file %#x, which is not open", uint32(id)))
	}
	return f
}

func (t table) put(id disk.File, f *file) {
	s := t.slot(id, true)
	if s == nil || !s.CompareAndSwap(nil, f) {
		panic(fmt.Sprintf("realdisk: file %#x opened twice, or of no shard", uint32(id)))
	}
}

// peek gives what is open under a number, to its owner.
func (t table) peek(id disk.File) *file {
	if s := t.slot(id, false); s != nil {
		return s.Load()
	}
	return nil
}

// take removes the entry and hands its reference to the caller.
func (t table) take(id disk.File) *file {
	var f *file
	if s := t.slot(id, false); s != nil {
		f = s.Swap(nil)
	}
	if f == nil {
		panic(fmt.Sprintf("realdisk: close of file %#x, which is not open", uint32(id)))
	}
	return f
}

func (t table) closeAll() {
	for _, chunks := range t {
		for i := range chunks {
			c := chunks[i].Load()
			if c == nil {
				continue
			}
			for k := range c {
				if f := c[k].Swap(nil); f != nil {
					f.drop()
				}
			}
		}
	}
}
