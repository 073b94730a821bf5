package simdisk

import (
	"slices"
	"strings"

	"github.com/seedlog/seedlog/io/disk"
)

// part is one name that an operation changed: dir/name led to old and leads to now. nil: to nothing.
type part struct {
	dir     *inode
	name    string
	old     *inode
	now     *inode
	durable bool
}

// nameOp is one creation, removal or rename since the last point that is wholly durable. It reaches the platter as a whole or not at all.
type nameOp struct {
	seq   uint64
	parts [2]part
	n     int
}

func (o *nameOp) durable() bool { return o.parts[0].durable && (o.n < 2 || o.parts[1].durable) }

// walk gives the inode of a path, or nil.
func (d *Disk) walk(path string) *inode {
	at := d.root
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		if name == "" || name == "." {
			continue
		}
		if !at.isDir {
			return nil
		}
		if at = at.entries[name]; at == nil {
			return nil
		}
	}
	return at
}

// split gives the directory and the last name of a path.
func (d *Disk) split(path string) (*inode, string) {
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return d.root, path
	}
	dir := d.walk(path[:i])
	if dir == nil || !dir.isDir {
		return nil, ""
	}
	return dir, path[i+1:]
}

// link makes the change of one part visible.
func link(p *part, to *inode) {
	if from := p.dir.entries[p.name]; from != nil {
		from.names--
	}
	if to == nil {
		delete(p.dir.entries, p.name)
		return
	}
	to.names++
	p.dir.entries[p.name] = to
}

// change makes an operation visible and journals it.
func (d *Disk) change(parts ...part) {
	d.seq++
	op := nameOp{seq: d.seq, n: len(parts)}
	for i := range parts {
		parts[i].old = parts[i].dir.entries[parts[i].name]
		link(&parts[i], parts[i].now)
		op.parts[i] = parts[i]
	}
	for i := range parts {
		d.reap(parts[i].old)
	}
	d.ops = append(d.ops, op)
}

// reap gives the space of a file back once nothing leads to it.
func (d *Disk) reap(f *inode) {
	if f != nil && f.names == 0 && f.handles == 0 && !f.isDir {
		d.used -= f.img.size
	}
}

// syncDir makes what changed in dir until seq durable, and forgets the durable operations at the front.
func (d *Disk) syncDir(dir *inode, seq uint64) {
	for i := range d.ops {
		op := &d.ops[i]
		for k := 0; k < op.n && op.seq <= seq; k++ {
			if op.parts[k].dir == dir {
				op.parts[k].durable = true
			}
		}
	}
	k := 0
	for k < len(d.ops) && d.ops[k].durable() {
		k++
	}
	n := copy(d.ops, d.ops[k:])
	clear(d.ops[n:])
	d.ops = d.ops[:n]
}

func (d *Disk) newInode(path string, isDir bool) *inode {
	d.inodes++
	f := &inode{id: d.inodes, isDir: isDir, lat: d.keyLatency.Sub(hashPath(path)).Source()}
	if isDir {
		f.entries = map[string]*inode{}
	}
	return f
}

func hashPath(s string) int64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return int64(h)
}

func (d *Disk) mkdir(path string) disk.Err {
	at, done := d.root, ""
	for _, name := range strings.Split(path, "/") {
		if name == "" || name == "." {
			continue
		}
		done += "/" + name
		next := at.entries[name]
		if next == nil {
			next = d.newInode(done, true)
			d.change(part{dir: at, name: name, now: next})
		}
		if !next.isDir {
			return disk.ErrExist
		}
		at = next
	}
	return disk.OK
}

func (d *Disk) rename(from, to string) disk.Err {
	src, a := d.split(from)
	dst, b := d.split(to)
	if src == nil || dst == nil || src.entries[a] == nil {
		return disk.ErrNotExist
	}
	f, over := src.entries[a], dst.entries[b]
	switch {
	case f == over:
		return disk.OK
	case over != nil && over.isDir && len(over.entries) > 0:
		return disk.ErrNotEmpty
	case over != nil && over.isDir != f.isDir:
		return disk.ErrExist
	}
	d.change(part{dir: src, name: a}, part{dir: dst, name: b, now: f})
	return disk.OK
}

func (d *Disk) remove(path string) disk.Err {
	dir, name := d.split(path)
	if dir == nil || dir.entries[name] == nil {
		return disk.ErrNotExist
	}
	if len(dir.entries[name].entries) > 0 {
		return disk.ErrNotEmpty
	}
	d.change(part{dir: dir, name: name})
	return disk.OK
}

func (d *Disk) list(path string) ([]string, disk.Err) {
	dir := d.walk(path)
	if dir == nil || !dir.isDir {
		return nil, disk.ErrNotExist
	}
	names := make([]string, 0, len(dir.entries))
	for name, f := range dir.entries {
		if f.isDir {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, disk.OK
}
