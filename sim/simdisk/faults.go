package simdisk

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/fault"
)

// Faults is what is wrong with a disk now. The zero value is a sound disk without end.
type Faults struct {
	Slow       int64      // D6: latencies times this
	StallUntil clock.Time // D6: nothing completes before
	ReadEIO    int        // D3: ‰ of reads, and of extents that leave
	WriteEIO   int        // D3: ‰ of writes, which then are short
	Capacity   int64      // D3: bytes; 0: no end
	Broken     string     // D3: a directory of the root below which no write ends well; "" none
	Dead       bool       // D3: nor does anything else there
	Fills      string     // D3: the next write that a file with this in its path would grow by finds the disk full; "" none
	FillsAt    int64      // D3: after so many ‰ of that write
	FailSyncs  int        // D2: so many syncs fail, once each, and drop what they covered
	Lying      bool       // D2: a sync says ok and does nothing
	Misdirect  int        // D5: so many writes go elsewhere in their file
	Forgets    bool       // a loss of power takes all that no sync has covered, instead of what is drawn
}

const boundless = 1 << 50

func (f *Faults) capacity() int64 {
	if f.Capacity == 0 {
		return boundless
	}
	return f.Capacity
}

func (f *Faults) hit(d *Disk, permille int) bool {
	if permille == 0 || !d.d3.Permille(permille) {
		return false
	}
	d.ledger.Note(d.eng.Now(), fault.D3, d.node, "EIO")
	return true
}

func (f *Faults) breaks(d *Disk, path string) bool {
	if f.Broken == "" || !below(path, f.Broken) {
		return false
	}
	d.ledger.Note(d.eng.Now(), fault.D3, d.node, "a directory's EIO")
	return true
}

// dead says whether a request meets a directory that the disk does not give any more.
func (f *Faults) dead(d *Disk, q *request) bool {
	if !f.Dead || f.Broken == "" || q.Kind == disk.Close || q.Kind == disk.Free {
		return false
	}
	path := q.Path
	if h := d.handle(q.File); h != nil {
		path = h.path
	}
	if !below(path, f.Broken) {
		return false
	}
	d.ledger.Note(d.eng.Now(), fault.D3, d.node, "EIO")
	return true
}

// below says whether a path is that of a directory or of something in it.
func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// fill ends the room of the disk within a write that would grow a file by so many bytes, if that is what is asked for.
func (f *Faults) fill(d *Disk, path string, grow int64) {
	if f.Fills == "" || grow <= 0 || !strings.Contains(path, f.Fills) {
		return
	}
	f.Capacity, f.Fills = d.used+grow*f.FillsAt/1000, ""
}

func (f *Faults) full(d *Disk) { d.ledger.Note(d.eng.Now(), fault.D3, d.node, "ENOSPC") }

func (f *Faults) failSync(d *Disk) bool {
	if f.FailSyncs == 0 {
		return false
	}
	f.FailSyncs--
	d.ledger.Note(d.eng.Now(), fault.D2, d.node, "failed sync")
	return true
}

func (f *Faults) lies(d *Disk) bool {
	if f.Lying {
		d.ledger.Note(d.eng.Now(), fault.D2, d.node, "lying sync")
	}
	return f.Lying
}

// slowest bounds what one request takes on a slow disk: what takes longer is a stall, and healing waits for those.
const slowest = 3 * clock.Second

func (f *Faults) slow(d *Disk, t clock.Duration) clock.Duration {
	if f.Slow > 1 {
		d.ledger.Hit(fault.D6, "slow")
		return min(t*clock.Duration(f.Slow), slowest)
	}
	return t
}

// astray is how far from its place a misdirected write lands, in bytes.
const astray = 4096

// land gives where a write of n bytes of q goes. One that is misdirected (D5) changes other blocks of the file than its own, not what the file
// system knows of it: the file is as long as if the write had gone well, and its own place has what a hole has.
func (d *Disk) land(q *request, n int64) int64 {
	if d.Faults.Misdirect == 0 || q.Off < astray || q.f.spared {
		return q.Off
	}
	d.Faults.Misdirect--
	d.ledger.Note(d.eng.Now(), fault.D5, d.node, "misdirected write of "+d.handle(q.File).path)
	if end := q.Off + n; end > q.f.img.size {
		q.f.truncate(d.seq, end)
	}
	return q.Off - astray
}

// Used is the number of bytes that files hold: a plan that fills the disk sets Capacity near it.
func (d *Disk) Used() int64 { return d.used }

// Rot flips one bit of a file whose path match accepts (fault D4), and says which; "" if there is none. place may move it: it gets the file's
// bytes and the position that was drawn.
func (d *Disk) Rot(n uint64, match func(path string) bool, place func(read func(p []byte, off int64) int, pos int64) int64) string {
	var paths []string
	var files []*inode
	d.visit(d.root, "", func(path string, f *inode) {
		if f.img.size > 0 && match(path) {
			paths, files = append(paths, path), append(files, f)
		}
	})
	if len(paths) == 0 {
		return ""
	}
	i := int(n % uint64(len(paths)))
	f := files[i]
	pos := place(f.img.readAt, int64(n>>8%uint64(f.img.size)))
	var b [1]byte
	f.img.readAt(b[:], pos)
	b[0] ^= 1 << (n % 8)
	f.img.writeAt(b[:], pos)
	what := fmt.Sprintf("bit %d of byte %d of %s", n%8, pos, paths[i])
	d.ledger.Note(d.eng.Now(), fault.D4, d.node, what)
	return what
}

// visit calls f for each file below dir, in order of names.
func (d *Disk) visit(dir *inode, at string, f func(path string, file *inode)) {
	names := make([]string, 0, len(dir.entries))
	for name := range dir.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e := dir.entries[name]
		path := name
		if at != "" {
			path = at + "/" + name
		}
		if e.isDir {
			d.visit(e, path, f)
			continue
		}
		f(path, e)
	}
}

// Snapshot is an old image of a disk (fault D8).
type Snapshot struct{ root *inode }

// Blank is a new disk: but for what D8 spares, nothing of the present one stays.
func Blank() *Snapshot { return &Snapshot{&inode{isDir: true}} }

// Snapshot copies what is visible now.
func (d *Disk) Snapshot() *Snapshot { return &Snapshot{d.copyTree(d.root, "/")} }

// Restore puts an image back, or, with nil, an empty disk (fault D7). No process may be attached. The metadata directory of the present
// disk stays where an image comes back: a voter that forgets what it promised is outside the model, but under a new directory id.
func (d *Disk) Restore(s *Snapshot) {
	was := d.root
	d.root = d.newInode("/", true)
	class := fault.D7
	if s != nil {
		d.root, class = d.copyTree(s.root, "/"), fault.D8
		d.keepSpared(d.root, was, "/")
	}
	d.root.names = 1
	d.ops = nil
	d.recount()
	d.ledger.Note(d.eng.Now(), class, d.node, "disk replaced")
}

// RestoreDir puts what an image has of one directory of the root in its place, or, with nil, an empty directory: that one stood on a disk of its own. No process may be attached.
func (d *Disk) RestoreDir(s *Snapshot, dir string) {
	class, now := fault.D7, d.newInode("/"+dir, true)
	if s != nil {
		class = fault.D8
		if was := s.root.entries[dir]; was != nil {
			now = d.copyTree(was, "/"+dir)
		}
	}
	gone := map[*inode]bool{}
	var collect func(f *inode)
	collect = func(f *inode) {
		gone[f] = true
		for _, child := range f.entries {
			collect(child)
		}
	}
	if was := d.root.entries[dir]; was != nil {
		collect(was)
	}
	now.names = 1
	d.root.entries[dir] = now
	// What was under way in the old one is gone with it; the name of the new one is durable.
	d.ops = slices.DeleteFunc(d.ops, func(o nameOp) bool {
		return slices.ContainsFunc(o.parts[:o.n], func(p part) bool { return gone[p.dir] || p.dir == d.root && p.name == dir })
	})
	d.recount()
	d.ledger.Note(d.eng.Now(), class, d.node, "disk of "+dir+" replaced")
}

// keepSpared puts what D2 and D8 leave alone from one tree into another, whose directories may be older than that.
func (d *Disk) keepSpared(to, from *inode, path string) {
	for _, name := range slices.Sorted(maps.Keys(from.entries)) {
		f := from.entries[name]
		switch t := to.entries[name]; {
		case spared(name):
			to.entries[name] = f
		case f.isDir && t != nil && t.isDir:
			d.keepSpared(t, f, path+"/"+name)
		case f.isDir && t == nil && slices.ContainsFunc(slices.Sorted(maps.Keys(f.entries)), spared):
			t = d.newInode(path+"/"+name, true)
			t.names = 1
			to.entries[name] = t
			d.keepSpared(t, f, path+"/"+name)
		}
	}
}

func (d *Disk) copyTree(f *inode, path string) *inode {
	c := d.newInode(path, f.isDir)
	c.img = f.img.clone()
	names := make([]string, 0, len(f.entries))
	for name := range f.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		child := d.copyTree(f.entries[name], path+"/"+name)
		child.names = 1
		c.entries[name] = child
	}
	return c
}

func (d *Disk) recount() {
	d.used = 0
	d.visit(d.root, "", func(_ string, f *inode) { d.used += f.img.size })
}
