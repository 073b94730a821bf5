// Package memdisk is a disk in memory for the tests of core/metadata: it executes the requests of one shard, fails on demand, and
// crashes. At a crash each write and truncation that was not synced is kept, lost, cut short or torn by sectors, and each name that was
// not made durable by SyncDir is as before or as after. It promises no more than io/disk does.
package memdisk

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/disk"
)

// Disk outlives crashes; the machines that use it do not.
type Disk struct {
	rand  *prng.Source
	names []string          // every name that there ever was, sorted
	now   map[string]*inode // what reads see
	safe  map[string]*inode // what a crash leaves at least
	open  map[disk.File]*inode
	Ops   int                            // executed so far
	Limit int                            // executes no more than this, 0: no limit
	Fail  func(r *disk.Request) disk.Err // asked before each request
}

type inode struct {
	data   []byte
	safe   []byte
	ops    []op
	locked bool
}

// op is a write (cut < 0) or a truncation that was not synced.
type op struct {
	off  int64
	data []byte
	cut  int64
}

// New makes an empty disk.
func New(seed uint64) *Disk {
	return &Disk{rand: prng.New(seed), now: map[string]*inode{}, safe: map[string]*inode{}, open: map[disk.File]*inode{}}
}

// Env makes the environment of a shard on this disk.
func (d *Disk) Env(seed uint64) *env.Env {
	e := env.New(0, &buf.Pool{Mangle: true}, prng.New(seed))
	e.Out = &step.Effects{}
	return e
}

// Run executes what the shard asked, one request after another, until it asks nothing more or Limit is reached.
func (d *Disk) Run(e *env.Env) {
	for len(e.Out.Disk) > 0 {
		rs := e.Out.Disk
		e.Out.Disk = nil
		for i := range rs {
			if d.Limit > 0 && d.Ops >= d.Limit {
				d.half(&rs[i])
				return
			}
			d.Ops++
			c := d.Do(&rs[i])
			e.Done(&c)
		}
	}
}

// half executes or drops a request that a crash interrupts.
func (d *Disk) half(r *disk.Request) {
	if d.rand.Permille(500) && r.Kind != disk.Sync && r.Kind != disk.SyncDir {
		d.do(r)
	}
}

// Do executes one request now, for drivers that keep an order of their own.
func (d *Disk) Do(r *disk.Request) disk.Completion {
	c := d.do(r)
	c.Token = r.Token
	return c
}

func (d *Disk) do(r *disk.Request) disk.Completion {
	if d.Fail != nil {
		if err := d.Fail(r); err != disk.OK {
			return disk.Completion{Err: err, Detail: "injected"}
		}
	}
	f := d.open[r.File]
	switch r.Kind {
	case disk.Open:
		f = d.now[r.Path]
		if f == nil {
			if r.Flags&disk.Create == 0 {
				return disk.Completion{Err: disk.ErrNotExist}
			}
			f = &inode{}
			d.name(r.Path, f)
		}
		d.open[r.File] = f
		return disk.Completion{N: int64(len(f.data))}
	case disk.Close:
		f.locked = false
		delete(d.open, r.File)
	case disk.Lock:
		if f.locked {
			return disk.Completion{Err: disk.ErrLocked}
		}
		f.locked = true
	case disk.Write:
		return disk.Completion{N: f.write(r.Off, slices.Concat(r.Vec...))}
	case disk.Truncate:
		f.data = resize(f.data, r.Size)
		f.ops = append(f.ops, op{cut: r.Size})
	case disk.Sync:
		f.safe, f.ops = slices.Clone(f.data), nil
	case disk.Read:
		n := 0
		if r.Off < int64(len(f.data)) {
			n = copy(r.Bytes, f.data[r.Off:])
		}
		return disk.Completion{N: int64(n)}
	case disk.Rename:
		d.name(r.NewPath, d.now[r.Path])
		delete(d.now, r.Path)
	case disk.Remove:
		if d.now[r.Path] == nil {
			return disk.Completion{Err: disk.ErrNotExist}
		}
		delete(d.now, r.Path)
	case disk.List:
		return disk.Completion{Names: d.Names(r.Path)}
	case disk.SyncDir:
		d.syncDir(r.Path)
	}
	return disk.Completion{}
}

func (f *inode) write(off int64, b []byte) int64 {
	f.data = put(f.data, off, b)
	f.ops = append(f.ops, op{off: off, data: b, cut: -1})
	return int64(len(b))
}

func put(data []byte, off int64, b []byte) []byte {
	if end := off + int64(len(b)); end > int64(len(data)) {
		data = resize(data, end)
	}
	copy(data[off:], b)
	return data
}

func resize(b []byte, n int64) []byte {
	out := make([]byte, n)
	copy(out, b)
	return out
}

// Names are the files of a directory, sorted.
func (d *Disk) Names(dir string) []string {
	var out []string
	for _, p := range d.paths() {
		if rest, ok := strings.CutPrefix(p, dir+"/"); ok && d.now[p] != nil && !strings.Contains(rest, "/") {
			out = append(out, rest)
		}
	}
	return out
}

// Bytes gives a file's content, which the caller may change in place.
func (d *Disk) Bytes(path string) []byte {
	if f := d.now[path]; f != nil {
		return f.data
	}
	return nil
}

// Put makes a file that is durable.
func (d *Disk) Put(path string, b []byte) {
	d.name(path, &inode{data: b, safe: slices.Clone(b)})
	d.safe[path] = d.now[path]
}

func (d *Disk) syncDir(dir string) {
	for _, p := range d.paths() {
		if strings.HasPrefix(p, dir+"/") && !strings.Contains(p[len(dir)+1:], "/") {
			if d.now[p] == nil {
				delete(d.safe, p)
			} else {
				d.safe[p] = d.now[p]
			}
		}
	}
}

// paths are the names that are seen or durable, sorted.
func (d *Disk) paths() []string {
	var out []string
	for _, p := range d.names {
		if d.now[p] != nil || d.safe[p] != nil {
			out = append(out, p)
		}
	}
	return out
}

// name makes path a name of f.
func (d *Disk) name(path string, f *inode) {
	d.now[path] = f
	if i, ok := slices.BinarySearch(d.names, path); !ok {
		d.names = slices.Insert(d.names, i, path)
	}
}

// Kill ends the process: open files are closed, and everything stays as it was seen, though not durable.
func (d *Disk) Kill() {
	for _, p := range d.paths() {
		if f := d.now[p]; f != nil {
			f.locked = false
		}
	}
	d.open = map[disk.File]*inode{}
}

// Crash takes the power away: open files are gone, and what was not durable becomes what chance says.
func (d *Disk) Crash() {
	d.open = map[disk.File]*inode{}
	names := map[string]*inode{}
	for _, p := range d.paths() {
		f := d.safe[p]
		if d.rand.Permille(500) {
			f = d.now[p]
		}
		if f != nil {
			names[p] = f
		}
	}
	done := map[*inode]bool{}
	for _, p := range d.paths() {
		if f := names[p]; f != nil && !done[f] {
			done[f] = true
			f.crash(d.rand)
		}
	}
	d.now, d.safe = names, map[string]*inode{}
	for _, p := range d.paths() {
		d.safe[p] = d.now[p]
	}
}

func (f *inode) crash(r *prng.Source) {
	data := slices.Clone(f.safe)
	for _, o := range f.ops {
		if o.cut >= 0 {
			if r.Permille(500) {
				data = resize(data, o.cut)
			}
			continue
		}
		switch r.Intn(4) {
		case 0: // all of it
			data = put(data, o.off, o.data)
		case 1: // a beginning
			data = put(data, o.off, o.data[:r.Intn(len(o.data)+1)])
		case 2: // the length, and some sectors
			data = put(data, o.off, make([]byte, len(o.data)))
			for i := 0; i < len(o.data); i += 512 {
				if r.Permille(500) {
					copy(data[o.off+int64(i):], o.data[i:min(i+512, len(o.data))])
				}
			}
		}
	}
	f.data, f.safe, f.ops, f.locked = data, slices.Clone(data), nil, false
}
