package simdisk

import (
	"fmt"
	"hash/crc32"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
)

// Kinds of trace lines.
const (
	kindDone engine.Kind = 200 + iota
	kindData
	kindCrash
	kindFault
)

var _ = engine.Describe(kindDone, "disk done slot=%d life=%d") &&
	engine.DescribeFunc(kindData, func(a, n, c int64) string {
		f := disk.File(a)
		s := fmt.Sprintf("%s file=%d:%d n=%d sum=%#x", kindName[a>>32], f.Shard(), f.Index(), n, c>>8)
		if err := disk.Err(c & 255); err != disk.OK {
			s += ": " + err.Error()
		}
		return s
	}) &&
	engine.Describe(kindCrash, "disk crash power=%d unsynced=%d names=%d") &&
	engine.Describe(kindFault, "disk fault")

// Sink hears completions. It is the node.
type Sink interface {
	DiskDone(shard int, c *disk.Completion)
}

// Disk is one node's. It outlives the node's processes.
type Disk struct {
	Faults     Faults
	eng        *engine.Engine
	who        engine.Entity
	node       int
	ledger     *fault.Ledger
	sink       Sink
	keyLatency engine.Key
	keyCrash   engine.Key
	d3         prng.Source
	meta       prng.Source // latencies of requests that name a path
	root       *inode
	ops        []nameOp
	seq        uint64
	inodes     int64
	used       int64
	life       int64 // processes until now: what an old one asked is nobody's
	crashes    int64
	open       [][]handle // by shard, by index
	flight     []request
	free       []int32
	inFlight   int
}

// handle is an open file. pins counts the extents that wait in the network.
type handle struct {
	f      *inode
	state  handleState
	flags  disk.Flags
	pins   int
	flight int
	locks  bool
	path   string
}

type handleState uint8

const (
	closed handleState = iota
	opening
	opened
	closing
)

// request is one in flight.
type request struct {
	disk.Request
	shard int
	f     *inode
	seq   uint64 // Sync, SyncDir: what it covers
	sum   uint32 // of the bytes when they were handed over
	used  bool
}

// New makes an empty disk. The sink may be set later, by Attach.
func New(e *engine.Engine, node int, ledger *fault.Ledger) *Disk {
	name := fmt.Sprintf("d%d", node+1)
	d := &Disk{eng: e, who: e.Entity(name), node: node, ledger: ledger}
	d.keyLatency = e.Key("disk/" + name + "/latency")
	d.keyCrash = e.Key("disk/" + name + "/crash")
	d.d3 = e.Key("F:D3/" + name).Source()
	d.meta = d.keyLatency.Source()
	d.root = d.newInode("/", true)
	d.root.names = 1
	return d
}

// Attach gives the disk to a process with that many shards. Nothing may be in flight: Crash or Detach came before.
func (d *Disk) Attach(s Sink, shards int) {
	d.sink = s
	d.open = make([][]handle, shards)
	d.life++
}

// InFlight is the number of requests that have not completed.
func (d *Disk) InFlight() int { return d.inFlight }

// Submit takes one request of a shard. Requests are concurrent.
func (d *Disk) Submit(shard int, r *disk.Request) {
	q := request{Request: *r, shard: shard, used: true}
	if !d.admit(&q) {
		return
	}
	i := int32(len(d.flight))
	if k := len(d.free); k > 0 {
		i = d.free[k-1]
		d.free = d.free[:k-1]
		d.flight[i] = q
	} else {
		d.flight = append(d.flight, q)
	}
	d.inFlight++
	d.eng.At(d.eng.Now().Add(d.latency(&q)), d.who, d, kindDone, int64(i), d.life)
}

// Fire is the engine's call: a request has run its time.
func (d *Disk) Fire(_ engine.Kind, slot, life int64) {
	if life != d.life {
		return
	}
	q := &d.flight[slot]
	if until := d.Faults.StallUntil; until > d.eng.Now() {
		// In short steps, so that healing, which ends the stall, ends it for those too that wait.
		at := min(until, d.eng.Now().Add(100*clock.Millisecond))
		d.eng.At(at.Add(clock.Duration(slot)*clock.Microsecond), d.who, d, kindDone, slot, life)
		return
	}
	c := disk.Completion{Token: q.Token}
	d.perform(q, &c)
	d.eng.Trace(d.who, kindData, int64(q.Kind)<<32|int64(q.File), c.N, int64(q.sum)<<8|int64(c.Err))
	shard := q.shard
	*q = request{}
	d.free = append(d.free, int32(slot))
	d.inFlight--
	d.sink.DiskDone(shard, &c)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(vec [][]byte) (s uint32) {
	for _, b := range vec {
		s = crc32.Update(s, castagnoli, b)
	}
	return s
}

func size(vec [][]byte) (n int64) {
	for _, b := range vec {
		n += int64(len(b))
	}
	return n
}

// handle gives the slot of a file number, or nil if there can be none.
func (d *Disk) handle(f disk.File) *handle {
	s, i := f.Shard(), f.Index()
	if s >= len(d.open) || i == 0 || i >= 1<<20 {
		return nil
	}
	for len(d.open[s]) <= i {
		d.open[s] = append(d.open[s], handle{})
	}
	return &d.open[s][i]
}

func (d *Disk) broken(q *request, is string) bool {
	path := q.Path
	if h := d.handle(q.File); h != nil && path == "" {
		path = h.path
	}
	d.eng.Fail("contract", "io/disk kept by the core", fmt.Sprintf("%s: node %d shard %d %s file %d:%d %q", is, d.node+1, q.shard, kindName[q.Kind], q.File.Shard(), q.File.Index(), path))
	return false
}

var kindName = [...]string{"?", "Open", "Close", "Lock", "Write", "Sync", "Read", "Readahead", "Truncate", "Allocate", "Rename", "Remove", "List", "Mkdir", "SyncDir", "Free"}

// admit checks the core's side of the contract and notes what is in flight.
func (d *Disk) admit(q *request) bool {
	switch q.Kind {
	case disk.Rename, disk.Remove, disk.List, disk.Mkdir, disk.Free:
		return true
	case disk.SyncDir:
		q.seq = d.seq
		return true
	case disk.Open:
		h := d.handle(q.File)
		if h == nil || q.File.Shard() != q.shard {
			return d.broken(q, "a file number of another shard, or none")
		}
		if h.state != closed {
			return d.broken(q, "a file number opened twice")
		}
		*h = handle{state: opening, flags: q.Flags, path: q.Path}
		return true
	}
	h := d.handle(q.File)
	if h == nil || h.state != opened {
		return d.broken(q, "a file that is not open")
	}
	if q.shard != q.File.Shard() {
		return d.broken(q, "a file of another shard")
	}
	q.f = h.f
	if !d.admitOpen(q, h) {
		return false
	}
	h.flight++
	return true
}

func (d *Disk) admitOpen(q *request, h *handle) bool {
	switch q.Kind {
	case disk.Close:
		if h.flight > 0 {
			return d.broken(q, fmt.Sprintf("closed with %d requests in flight", h.flight))
		}
		if h.pins > 0 {
			return d.broken(q, "closed under an extent that has not left")
		}
		h.state = closing
	case disk.Write, disk.Truncate:
		if q.f.writing {
			return d.broken(q, "two writes in flight")
		}
		if q.Off < 0 || q.Size < 0 {
			return d.broken(q, "a negative position")
		}
		q.f.writing = true
		q.sum = sum(q.Vec)
	case disk.Sync:
		q.seq = d.seq
	case disk.Read, disk.Readahead, disk.Allocate:
		if q.Off < 0 {
			return d.broken(q, "a negative position")
		}
	}
	return true
}

// Pin and Unpin count the extents of a file that wait in the network; ReadExtent reads as they leave.
func (d *Disk) Pin(f disk.File) bool {
	h := d.handle(f)
	if h == nil || h.state != opened {
		d.eng.Fail("contract", "an extent of an open file", fmt.Sprintf("node %d sends from file %d:%d, which is not open", d.node+1, f.Shard(), f.Index()))
		return false
	}
	h.pins++
	return true
}

// Unpin undoes one Pin.
func (d *Disk) Unpin(f disk.File) {
	if h := d.handle(f); h != nil && h.pins > 0 {
		h.pins--
	}
}

// ReadExtent fills p from a pinned file as the network takes it. A short file breaks the contract; an injected error does not.
func (d *Disk) ReadExtent(f disk.File, p []byte, off int64) disk.Err {
	h := d.handle(f)
	if h == nil || h.f == nil {
		return disk.ErrIO
	}
	if d.Faults.hit(d, d.Faults.ReadEIO) || d.Faults.Dead && d.Faults.breaks(d, h.path) {
		return disk.ErrIO
	}
	if n := h.f.img.readAt(p, off); n < len(p) {
		d.eng.Fail("contract", "an extent pins its bytes until it has left", fmt.Sprintf("node %d: %q was cut to %d under an extent up to %d", d.node+1, h.path, h.f.img.size, off+int64(len(p))))
		return disk.ErrIO
	}
	return disk.OK
}

// ReadFile gives the visible bytes of a path.
func (d *Disk) ReadFile(path string) ([]byte, bool) {
	f := d.walk(path)
	if f == nil || f.isDir {
		return nil, false
	}
	return f.img.bytes(0, f.img.size), true
}

// ReadAt fills p with the visible bytes of a path from off, and says how many there were.
func (d *Disk) ReadAt(path string, p []byte, off int64) int {
	f := d.walk(path)
	if f == nil || f.isDir {
		return 0
	}
	return f.img.readAt(p, off)
}

// Files gives the paths of all files, sorted by directory and name.
func (d *Disk) Files() (paths []string) {
	d.visit(d.root, "", func(path string, _ *inode) { paths = append(paths, path) })
	return paths
}

// List gives the visible names of a directory, sorted; nil if there is none.
func (d *Disk) List(path string) []string {
	names, _ := d.list(path)
	return names
}
