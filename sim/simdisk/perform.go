package simdisk

import (
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// perform carries a request out at the end of its time.
func (d *Disk) perform(q *request, c *disk.Completion) {
	if d.Faults.dead(d, q) {
		d.performDead(q, c)
	} else {
		d.performSound(q, c)
	}
	if c.Err != disk.OK && c.Detail == "" {
		c.Detail = "simulated: " + c.Err.Error()
	}
}

// performDead ends a request at a directory that the disk does not give any more.
func (d *Disk) performDead(q *request, c *disk.Completion) {
	c.Err = disk.ErrIO
	h := d.handle(q.File)
	switch {
	case h == nil:
	case q.Kind == disk.Open:
		*h = handle{}
	default:
		h.flight--
		if q.Kind == disk.Write || q.Kind == disk.Truncate {
			q.f.writing = false
		}
	}
}

func (d *Disk) performSound(q *request, c *disk.Completion) {
	switch q.Kind {
	case disk.Open:
		d.performOpen(q, c)
	case disk.Rename:
		c.Err = d.rename(q.Path, q.NewPath)
	case disk.Remove:
		c.Err = d.remove(q.Path)
	case disk.List:
		c.Names, c.Err = d.list(q.Path)
	case disk.Mkdir:
		c.Err = d.mkdir(q.Path)
	case disk.SyncDir:
		d.performSyncDir(q, c)
	case disk.Free:
		c.N, c.Total = max(0, d.Faults.capacity()-d.used), d.Faults.capacity()
	default:
		h := d.handle(q.File)
		h.flight--
		d.performOpened(q, h, c)
	}
}

func (d *Disk) performOpened(q *request, h *handle, c *disk.Completion) {
	switch q.Kind {
	case disk.Close:
		d.drop(h)
	case disk.Lock:
		if q.f.locked && !h.locks {
			c.Err = disk.ErrLocked
			return
		}
		q.f.locked, h.locks = true, true
	case disk.Write:
		d.performWrite(q, c)
	case disk.Sync:
		d.performSync(q, c)
	case disk.Read:
		if d.Faults.hit(d, d.Faults.ReadEIO) {
			c.Err = disk.ErrIO
			return
		}
		c.N = int64(q.f.img.readAt(q.Bytes, q.Off))
	case disk.Truncate:
		d.performTruncate(q, c)
	case disk.Allocate:
		c.Err = disk.ErrUnsupported
	}
}

func (d *Disk) drop(h *handle) {
	if h.locks {
		h.f.locked = false
	}
	h.f.handles--
	d.reap(h.f)
	*h = handle{}
}

func (d *Disk) performOpen(q *request, c *disk.Completion) {
	h := d.handle(q.File)
	dir, name := d.split(q.Path)
	if dir == nil || name == "" {
		c.Err, *h = disk.ErrNotExist, handle{}
		return
	}
	f := dir.entries[name]
	defer func() {
		if h.f != nil {
			h.f.spared = spared(q.Path)
		}
	}()
	switch {
	case f == nil && q.Flags&disk.Create == 0:
		c.Err = disk.ErrNotExist
	case f != nil && q.Flags&disk.Exclusive != 0:
		c.Err = disk.ErrExist
	case f != nil && f.isDir:
		c.Err = disk.ErrPermission
	case f == nil:
		f = d.newInode(q.Path, false)
		d.change(part{dir: dir, name: name, now: f})
	}
	if c.Err != disk.OK {
		*h = handle{}
		return
	}
	f.handles++
	h.f, h.state = f, opened
	c.N = f.img.size
}

func (d *Disk) performWrite(q *request, c *disk.Completion) {
	q.f.writing = false
	if sum(q.Vec) != q.sum {
		d.broken(q, "bytes changed while they were being written")
		return
	}
	h := d.handle(q.File)
	if h.flags&disk.ReadOnly != 0 {
		c.Err = disk.ErrPermission
		return
	}
	if d.Faults.breaks(d, h.path) {
		c.Err = disk.ErrIO
		return
	}
	n := size(q.Vec)
	if d.Faults.hit(d, d.Faults.WriteEIO) {
		c.Err, n = disk.ErrIO, d.d3.Int63n(n+1)
	}
	if over := q.Off + n - max(q.f.img.size, q.Off); over > 0 && n > 0 {
		grow := q.Off + n - q.f.img.size
		d.Faults.fill(d, h.path, grow)
		if room := d.Faults.capacity() - d.used; grow > room {
			d.Faults.full(d)
			c.Err, n = disk.ErrNoSpace, max(0, n-(grow-max(0, room)))
		}
	}
	c.N = n
	if n == 0 {
		return
	}
	before := q.f.img.size
	d.seq++
	q.f.write(d.seq, d.land(q, n), q.Vec, n)
	d.used += q.f.img.size - before
}

func (d *Disk) performTruncate(q *request, c *disk.Completion) {
	q.f.writing = false
	if d.Faults.hit(d, d.Faults.WriteEIO) {
		c.Err = disk.ErrIO
		return
	}
	before := q.f.img.size
	d.seq++
	q.f.truncate(d.seq, q.Size)
	d.used += q.f.img.size - before
}

// spared says that D2 and D5 leave a file alone: on a voter's metadata directory they are outside the model, since no copy is left to go on from.
func spared(path string) bool {
	return strings.Contains(path, "__cluster_metadata") || strings.HasSuffix(path, "meta.properties") || strings.HasSuffix(path, "meta.properties.tmp")
}

func (d *Disk) performSync(q *request, c *disk.Completion) {
	switch {
	case q.f.spared:
		q.f.mark(q.seq, durable)
	case d.Faults.failSync(d):
		c.Err = disk.ErrIO
		q.f.mark(q.seq, lost)
	case d.Faults.lies(d):
	default:
		q.f.mark(q.seq, durable)
	}
}

func (d *Disk) performSyncDir(q *request, c *disk.Completion) {
	dir := d.walk(q.Path)
	switch {
	case dir == nil || !dir.isDir:
		c.Err = disk.ErrNotExist
	case spared(q.Path):
		d.syncDir(dir, q.seq)
	case d.Faults.failSync(d):
		c.Err = disk.ErrIO
	case d.Faults.lies(d):
	default:
		d.syncDir(dir, q.seq)
	}
}

// latency draws how long a request takes: each file has its own stream, so that one file's traffic moves no other's times.
func (d *Disk) latency(q *request) clock.Duration {
	src := &d.meta
	if q.f != nil {
		src = &q.f.lat
	}
	var t clock.Duration
	us := func(lo, hi int64) clock.Duration { return clock.Duration(src.Between(lo, hi)) * clock.Microsecond }
	switch q.Kind {
	case disk.Write:
		t = us(8, 120)
	case disk.Sync, disk.SyncDir:
		t = us(200, 3000)
		if src.Permille(10) {
			t = us(10000, 40000)
		}
	case disk.Read:
		t = us(5, 100)
		if src.Permille(20) {
			t = us(1000, 10000)
		}
	default:
		t = us(10, 200)
	}
	return d.Faults.slow(d, t)
}
