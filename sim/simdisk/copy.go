package simdisk

import (
	"maps"
	"slices"
)

// Copy makes this disk, which is new, what another one is: visible bytes and names, and what of them no Sync has covered. The other
// is not touched, and nothing of its faults comes along.
func (d *Disk) Copy(of *Disk) {
	twins := map[*inode]*inode{}
	d.seq, d.inodes = of.seq, of.inodes
	d.root = d.twin(of.root, twins)
	d.ops = slices.Clone(of.ops)
	for i := range d.ops {
		for k := range d.ops[i].n {
			p := &d.ops[i].parts[k]
			p.dir, p.old, p.now = d.twin(p.dir, twins), d.twin(p.old, twins), d.twin(p.now, twins)
		}
	}
	d.recount()
}

// twin gives the copy of an inode with all below it; each has one, by whatever name it is met.
func (d *Disk) twin(f *inode, twins map[*inode]*inode) *inode {
	if f == nil || twins[f] != nil {
		return twins[f]
	}
	c := *f
	twins[f] = &c
	c.img, c.journal = f.img.clone(), slices.Clone(f.journal) // what a change took away is never written to
	c.handles, c.locked, c.writing = 0, false, false
	if f.isDir {
		c.entries = make(map[string]*inode, len(f.entries))
		for _, name := range slices.Sorted(maps.Keys(f.entries)) {
			c.entries[name] = d.twin(f.entries[name], twins)
		}
	}
	return &c
}

// Clean says that a loss of power would take nothing: all bytes and names are synced.
func (d *Disk) Clean() bool { return len(d.ops) == 0 && d.unsynced() == 0 }
