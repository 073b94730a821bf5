package simdisk

import (
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
)

// Sector is the unit in which a write is torn.
const Sector = 512

// Crash ends the process: what is in flight happens in part or not at all, and no completion comes. With power the machine goes dark too,
// and of what was not synced an arbitrary part is lost (fault D1). The draws are keyed by this disk and the number of its crash.
func (d *Disk) Crash(power bool) {
	d.crashes++
	key := d.keyCrash.Sub(d.crashes)
	d.interrupt(key.Sub(1))
	d.life++
	d.open, d.flight, d.free, d.inFlight = nil, nil, nil, 0
	d.eng.Trace(d.who, kindCrash, b2i(power), int64(d.unsynced()), int64(len(d.ops)))
	d.each(func(f *inode) { f.handles, f.locked, f.writing = 0, false, false })
	if power {
		d.powerLoss(key)
		d.ledger.Note(d.eng.Now(), fault.D1, d.node, "power loss")
	}
	d.recount()
}

// interrupt lets each request in flight take effect, or not, or in part.
func (d *Disk) interrupt(key engine.Key) {
	src := key.Source()
	for i := range d.flight {
		q := &d.flight[i]
		if !q.used || src.Permille(500) {
			continue
		}
		switch q.Kind {
		case disk.Write:
			d.seq++
			q.f.write(d.seq, q.Off, q.Vec, src.Between(0, size(q.Vec)))
		case disk.Truncate:
			d.seq++
			q.f.truncate(d.seq, q.Size)
		case disk.Rename:
			d.rename(q.Path, q.NewPath)
		case disk.Remove:
			d.remove(q.Path)
		case disk.Mkdir:
			d.mkdir(q.Path)
		case disk.Open:
			var c disk.Completion
			d.performOpen(q, &c)
		case disk.Sync:
			if src.Permille(500) && !d.Faults.Lying {
				q.f.mark(q.seq, durable)
			}
		}
	}
}

// each calls f for every inode that a name leads to now, or did in an operation that is not durable yet.
func (d *Disk) each(f func(*inode)) {
	d.visit(d.root, "", func(_ string, i *inode) { f(i) })
	for i := range d.ops {
		for k := 0; k < d.ops[i].n; k++ {
			p := &d.ops[i].parts[k]
			for _, x := range [...]*inode{p.old, p.now} {
				if x != nil && x.names == 0 && !x.isDir {
					f(x)
				}
			}
		}
	}
}

func (d *Disk) unsynced() (n int) {
	d.each(func(f *inode) { n += len(f.journal) })
	return n
}

// temper is how a power loss treats what was not synced: a run sees everything from "all kept" to "all gone".
type temper struct {
	keep, torn int // ‰; the rest is dropped
	names      int // ‰ of name operations that are kept
}

func drawTemper(s *prng.Source) temper {
	switch s.Intn(5) {
	case 0:
		return temper{0, 0, 0}
	case 1:
		return temper{1000, 0, 1000}
	case 2:
		return temper{1000, 0, 0}
	case 3:
		return temper{0, 0, 1000}
	}
	return temper{keep: 300, torn: 500, names: 500}
}

func (d *Disk) powerLoss(key engine.Key) {
	src := key.Source()
	t := drawTemper(&src)
	if d.Faults.Forgets {
		t = temper{}
	}
	seed := src.Uint64()
	d.each(func(f *inode) {
		own := *prng.New(seed ^ uint64(f.id)*0x9e3779b97f4a7c15)
		f.powerLoss(&own, t)
	})
	d.loseNames(*prng.New(seed), t)
}

// powerLoss undoes what no Sync covered and redoes what is drawn.
func (f *inode) powerLoss(src *prng.Source, t temper) {
	wrote := make([][]byte, len(f.journal))
	for i := len(f.journal) - 1; i >= 0; i-- {
		wrote[i] = f.undo(&f.journal[i])
	}
	for i := range f.journal {
		c := &f.journal[i]
		kept := c.fate == durable
		torn := false
		if c.fate == pending {
			n := src.Intn(1000)
			kept, torn = n < t.keep, n >= t.keep && n < t.keep+t.torn
		}
		switch {
		case c.trunc && (kept || torn && src.Permille(500)):
			f.img.resize(c.n)
		case c.trunc:
		case kept:
			f.img.writeAt(wrote[i], c.off)
		case torn:
			f.tear(src, c.off, wrote[i])
		}
	}
	f.journal = nil
	f.synced = f.img.size
}

// tear keeps part of a write: a prefix, whole sectors of it, or only the length that it gave the file.
func (f *inode) tear(src *prng.Source, off int64, b []byte) {
	if len(b) == 0 {
		return
	}
	switch src.Intn(4) {
	case 0:
		f.img.writeAt(b[:src.Intn(len(b))], off)
	case 1:
		f.img.size = max(f.img.size, off+src.Between(0, int64(len(b))))
	case 2: // a prefix of whole sectors
		end := (off + src.Int63n(int64(len(b)))) / Sector * Sector
		if end > off {
			f.img.writeAt(b[:end-off], off)
		}
	default:
		for at := off; at < off+int64(len(b)); {
			next := min((at/Sector+1)*Sector, off+int64(len(b)))
			if src.Permille(500) {
				f.img.writeAt(b[at-off:next-off], at)
			}
			at = next
		}
	}
}

type entry struct {
	dir  *inode
	name string
}

// loseNames undoes the name operations that no SyncDir covered and redoes what is drawn. What builds on a lost name is lost with it.
func (d *Disk) loseNames(src prng.Source, t temper) {
	for i := len(d.ops) - 1; i >= 0; i-- {
		op := &d.ops[i]
		for k := op.n - 1; k >= 0; k-- {
			link(&op.parts[k], op.parts[k].old)
		}
	}
	var gone []entry
	for i := range d.ops {
		op := &d.ops[i]
		keep := op.durable() || src.Permille(t.names) && !op.touches(gone)
		for k := 0; k < op.n; k++ {
			p := &op.parts[k]
			if keep {
				link(p, p.now)
			} else {
				gone = append(gone, entry{p.dir, p.name})
			}
		}
	}
	d.ops = nil
}

func (o *nameOp) touches(gone []entry) bool {
	for _, e := range gone {
		for k := 0; k < o.n; k++ {
			if o.parts[k].dir == e.dir && o.parts[k].name == e.name {
				return true
			}
		}
	}
	return false
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
