package simdisk

import (
	"fmt"

	"github.com/seedlog/seedlog/io/disk"
)

// FileState is what a file is, and what of it a loss of power may take.
type FileState struct {
	Path    string
	Size    int64
	Synced  int64 // bytes from the begin that no change has touched since the last sync that was honest about them; at most Size
	Handles int
	Changes []Change // of its bytes, since the last point that is wholly durable
}

// Change is a write of N bytes at Off or, with Cut, a truncation to Off.
type Change struct {
	Off, N  int64
	Cut     bool
	Durable bool // a sync covered it; one before it is not durable
	Lost    bool // a sync failed over it: it reads well, and no later sync writes it
}

// Asked is a request in flight. Slot is its number in the trace.
type Asked struct {
	Slot, Shard int
	Kind        string
	Path        string
	Off, Size   int64
}

// Show gives the files below the root, by path. It changes nothing.
func (d *Disk) Show() (all []FileState) {
	d.visit(d.root, "", func(path string, f *inode) {
		s := FileState{Path: path, Size: f.img.size, Synced: f.img.size, Handles: f.handles}
		for i := range f.journal {
			c := &f.journal[i]
			s.Changes = append(s.Changes, Change{Off: c.off, N: c.n, Cut: c.trunc, Durable: c.fate == durable, Lost: c.fate == lost})
			if c.fate != durable {
				s.Synced = min(s.Synced, c.off)
			}
		}
		all = append(all, s)
	})
	return all
}

// Requests gives what is in flight, by slot. It changes nothing.
func (d *Disk) Requests() (all []Asked) {
	for i := range d.flight {
		q := &d.flight[i]
		if !q.used {
			continue
		}
		a := Asked{Slot: i, Shard: q.shard, Kind: kindName[q.Kind], Path: q.Path, Off: q.Off, Size: q.Size}
		if h := d.handle(q.File); h != nil && a.Path == "" {
			a.Path = h.path
		}
		switch q.Kind {
		case disk.Write:
			a.Size = size(q.Vec)
		case disk.Read:
			a.Size = int64(len(q.Bytes))
		case disk.Rename:
			a.Path += " to " + q.NewPath
		}
		all = append(all, a)
	}
	return all
}

// Names gives the changes of names that a loss of power may undo, oldest first. It changes nothing.
func (d *Disk) Names() (all []string) {
	dirs := map[*inode]string{}
	d.folders(d.root, "", dirs)
	for i := range d.ops { // those that were removed
		for _, p := range d.ops[i].parts[:d.ops[i].n] {
			if p.old != nil && p.old.isDir && dirs[p.old] == "" {
				dirs[p.old] = dirs[p.dir] + p.name + "/"
			}
		}
	}
	for i := range d.ops {
		op := &d.ops[i]
		if op.durable() {
			continue
		}
		first := dirs[op.parts[0].dir] + op.parts[0].name
		switch {
		case op.n == 2:
			all = append(all, fmt.Sprintf("rename %s to %s", first, dirs[op.parts[1].dir]+op.parts[1].name))
		case op.parts[0].now == nil:
			all = append(all, "remove "+first)
		default:
			all = append(all, "create "+first)
		}
	}
	return all
}

// folders names each directory, with a slash at the end.
func (d *Disk) folders(dir *inode, at string, names map[*inode]string) {
	names[dir] = at
	for name, e := range dir.entries {
		if e.isDir {
			d.folders(e, at+name+"/", names)
		}
	}
}
