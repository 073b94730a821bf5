package broker

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/io/disk"
)

// memDisk is the disk of the tests: files in memory, executed request by request, with faults on demand. It outlives nodes.
// Durability is not its subject: what was written is there (sim/simdisk loses it).
type memDisk struct {
	files map[string]*memFile
	dirs  map[string]bool
	open  map[disk.File]*memFile
	free  int64
	fail  func(r *disk.Request) disk.Err // asked before each request; nil: never
}

type memFile struct {
	data   []byte
	locked bool
}

func newMemDisk() *memDisk {
	return &memDisk{files: map[string]*memFile{}, dirs: map[string]bool{}, open: map[disk.File]*memFile{}, free: 1 << 40}
}

func (d *memDisk) do(r *disk.Request) (c disk.Completion) {
	c.Token = r.Token
	if d.fail != nil {
		if err := d.fail(r); err != disk.OK {
			c.Err, c.Detail = err, "injected"
			return c
		}
	}
	f := d.open[r.File]
	switch r.Kind {
	case disk.Open:
		f = d.files[r.Path]
		if f == nil {
			if r.Flags&disk.Create == 0 || !d.dirs[dirOf(r.Path)] {
				c.Err = disk.ErrNotExist
				return c
			}
			f = &memFile{}
			d.files[r.Path] = f
		}
		d.open[r.File] = f
		c.N = int64(len(f.data))
	case disk.Close:
		f.locked = false
		delete(d.open, r.File)
	case disk.Lock:
		if f.locked {
			c.Err = disk.ErrLocked
		}
		f.locked = true
	case disk.Write:
		off := r.Off
		for _, b := range r.Vec {
			if end := off + int64(len(b)); end > int64(len(f.data)) {
				f.data = append(f.data, make([]byte, end-int64(len(f.data)))...)
			}
			copy(f.data[off:], b)
			off += int64(len(b))
		}
		c.N = off - r.Off
	case disk.Truncate:
		data := make([]byte, r.Size)
		copy(data, f.data)
		f.data = data
	case disk.Read:
		if r.Off < int64(len(f.data)) {
			c.N = int64(copy(r.Bytes, f.data[r.Off:]))
		}
	case disk.Mkdir:
		for p := r.Path; p != ""; p = dirOf(p) {
			d.dirs[p] = true
		}
	case disk.Rename:
		c.Err = d.rename(r.Path, r.NewPath)
	case disk.Remove:
		c.Err = d.remove(r.Path)
	case disk.List:
		if !d.dirs[r.Path] {
			c.Err = disk.ErrNotExist
		}
		c.Names = d.names(r.Path)
	case disk.Free:
		c.N, c.Total = d.free, d.free+1000
	}
	return c
}

func dirOf(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return ""
	}
	return p[:i]
}

func (d *memDisk) rename(from, to string) disk.Err {
	if f := d.files[from]; f != nil {
		d.files[to] = f
		delete(d.files, from)
		return disk.OK
	}
	if !d.dirs[from] {
		return disk.ErrNotExist
	}
	if len(to)-len(dirOf(to))-1 > 255 {
		return disk.ErrIO // ENAMETOOLONG
	}
	d.dirs[to] = true
	delete(d.dirs, from)
	for p, f := range d.files {
		if rest, ok := strings.CutPrefix(p, from+"/"); ok {
			delete(d.files, p)
			d.files[to+"/"+rest] = f
		}
	}
	return disk.OK
}

func (d *memDisk) remove(p string) disk.Err {
	if d.files[p] != nil {
		delete(d.files, p)
		return disk.OK
	}
	if !d.dirs[p] {
		return disk.ErrNotExist
	}
	if len(d.names(p)) > 0 {
		return disk.ErrNotEmpty
	}
	delete(d.dirs, p)
	return disk.OK
}

func (d *memDisk) names(dir string) (out []string) {
	for p := range d.files {
		if rest, ok := strings.CutPrefix(p, dir+"/"); ok && !strings.Contains(rest, "/") {
			out = append(out, rest)
		}
	}
	for p := range d.dirs {
		if rest, ok := strings.CutPrefix(p, dir+"/"); ok && !strings.Contains(rest, "/") {
			out = append(out, rest+"/")
		}
	}
	slices.Sort(out)
	return out
}

// kill ends the process: files stay, locks and numbers go.
func (d *memDisk) kill() {
	for _, f := range d.open {
		f.locked = false
	}
	d.open, d.fail = map[disk.File]*memFile{}, nil
}

func (d *memDisk) clone() *memDisk {
	out := newMemDisk()
	for p, f := range d.files {
		out.files[p] = &memFile{data: slices.Clone(f.data)}
	}
	for p := range d.dirs {
		out.dirs[p] = true
	}
	return out
}
