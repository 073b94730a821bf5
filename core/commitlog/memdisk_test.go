package commitlog

import (
	"fmt"
	"sort"
	"strings"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// inode is a file: what is visible, what is durable, and the changes in between.
type inode struct {
	data, durable []byte
	changes       []change
	dir           bool
}

type change struct {
	off   int64
	bytes []byte // nil: truncation to off
}

func (c change) apply(b []byte) []byte {
	if c.bytes == nil {
		if c.off <= int64(len(b)) {
			return b[:c.off:c.off]
		}
		return append(b, make([]byte, c.off-int64(len(b)))...)
	}
	if grow := c.off + int64(len(c.bytes)) - int64(len(b)); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	copy(b[c.off:], c.bytes)
	return b
}

type nameOp struct {
	dir, from, to string // to "": removed; from "": made
	node          *inode
}

func applyName(m map[string]*inode, o nameOp) {
	if o.from == "" {
		m[o.to] = o.node
		return
	}
	for p, n := range m {
		if p == o.from || strings.HasPrefix(p, o.from+"/") {
			delete(m, p)
			if o.to != "" {
				m[o.to+p[len(o.from):]] = n
			}
		}
	}
}

type request struct {
	disk.Request
	covers int // Sync: changes that it makes durable
	names  int // SyncDir: name changes that it makes durable
}

// memDisk keeps the contract of package disk and no more: what is unsynced at a crash is kept, lost or torn at random.
type memDisk struct {
	rnd     *prng.Source
	names   map[string]*inode
	durable map[string]*inode
	ops     []nameOp
	open    map[disk.File]*inode
	pending []request
	space   int64                                  // bytes left; -1: no limit
	fault   func(r *disk.Request) (disk.Err, bool) // an injected error
	count   [32]int
	fifo    bool
	bare    bool // nothing is kept for a crash: for benchmarks
}

func newMemDisk(rnd *prng.Source) *memDisk {
	d := &memDisk{rnd: rnd, names: map[string]*inode{}, durable: map[string]*inode{}, open: map[disk.File]*inode{}, space: -1}
	root := &inode{dir: true}
	d.names["data"], d.durable["data"] = root, root
	return d
}

func (d *memDisk) submit(r disk.Request) {
	q := request{Request: r, names: len(d.ops)}
	if n := d.open[r.File]; n != nil {
		q.covers = len(n.changes)
	}
	for _, p := range d.pending {
		both := func(k disk.Kind) bool { return k == disk.Write || k == disk.Truncate }
		if p.File == r.File && both(p.Kind) && both(r.Kind) {
			panic(fmt.Sprintf("two writes of one file in flight: %d", r.File))
		}
		if r.Kind == disk.Close && p.File == r.File {
			panic(fmt.Sprintf("file %d is closed with a request of kind %d in flight", r.File, p.Kind))
		}
	}
	d.pending = append(d.pending, q)
}

// complete executes one pending request, of any that may come next.
func (d *memDisk) complete() disk.Completion {
	i := 0
	if !d.fifo {
		i = d.rnd.Intn(len(d.pending))
	}
	q := d.pending[i]
	d.pending = append(d.pending[:i], d.pending[i+1:]...)
	d.count[q.Kind]++
	c := disk.Completion{Token: q.Token}
	if d.fault != nil {
		if err, hit := d.fault(&q.Request); hit {
			c.Err, c.Detail = err, "injected"
			return c
		}
	}
	d.exec(&q, &c)
	return c
}

func (d *memDisk) exec(q *request, c *disk.Completion) {
	n := d.open[q.File]
	switch q.Kind {
	case disk.Open:
		d.execOpen(q, c)
	case disk.Close:
		delete(d.open, q.File)
	case disk.Write:
		d.execWrite(q, c, n)
	case disk.Sync:
		for _, ch := range n.changes[:q.covers] {
			n.durable = ch.apply(n.durable)
		}
		n.changes = n.changes[q.covers:]
		for i := range d.pending {
			if d.open[d.pending[i].File] == n {
				d.pending[i].covers = max(0, d.pending[i].covers-q.covers)
			}
		}
	case disk.Read:
		if q.Off < int64(len(n.data)) {
			c.N = int64(copy(q.Bytes, n.data[q.Off:]))
		}
	case disk.Truncate:
		ch := change{off: q.Size}
		n.data = ch.apply(n.data)
		n.changes = append(n.changes, ch)
	default:
		d.execName(q, c)
	}
}

func (d *memDisk) execOpen(q *request, c *disk.Completion) {
	n := d.names[q.Path]
	if n == nil {
		if q.Flags&disk.Create == 0 {
			c.Err = disk.ErrNotExist
			return
		}
		n = &inode{}
		d.rename(nameOp{to: q.Path, node: n})
	}
	d.open[q.File] = n
	c.N = int64(len(n.data))
}

func (d *memDisk) execWrite(q *request, c *disk.Completion, n *inode) {
	if d.bare {
		n.data = n.data[:q.Off]
		for _, v := range q.Vec {
			n.data = append(n.data, v...)
			c.N += int64(len(v))
		}
		return
	}
	var b []byte
	for _, v := range q.Vec {
		b = append(b, v...)
	}
	if d.space >= 0 && int64(len(b)) > d.space {
		b = b[:d.space]
		c.Err = disk.ErrNoSpace
	}
	if d.space >= 0 {
		d.space -= int64(len(b))
	}
	c.N = int64(len(b))
	if len(b) > 0 {
		ch := change{q.Off, b}
		n.data = ch.apply(n.data)
		n.changes = append(n.changes, ch)
	}
}

func (d *memDisk) rename(o nameOp) {
	o.dir = parent(o.to)
	if o.to == "" {
		o.dir = parent(o.from)
	}
	applyName(d.names, o)
	d.ops = append(d.ops, o)
}

func (d *memDisk) execName(q *request, c *disk.Completion) {
	switch q.Kind {
	case disk.Rename:
		if d.names[q.Path] == nil {
			c.Err = disk.ErrNotExist
			return
		}
		d.rename(nameOp{from: q.Path, to: q.NewPath})
	case disk.Remove:
		if d.names[q.Path] == nil {
			c.Err = disk.ErrNotExist
			return
		}
		if len(d.list(q.Path)) > 0 {
			c.Err = disk.ErrNotEmpty
			return
		}
		d.rename(nameOp{from: q.Path})
	case disk.List:
		if d.names[q.Path] == nil {
			c.Err = disk.ErrNotExist
			return
		}
		c.Names = d.list(q.Path)
	case disk.Mkdir:
		if d.names[q.Path] == nil {
			d.rename(nameOp{to: q.Path, node: &inode{dir: true}})
		}
	case disk.SyncDir:
		rest := d.ops[:0:0]
		before := make([]int, len(d.pending))
		for i, o := range d.ops {
			if i >= q.names || o.dir != q.Path {
				rest = append(rest, o)
				continue
			}
			applyName(d.durable, o)
			for k := range d.pending {
				if i < d.pending[k].names {
					before[k]++
				}
			}
		}
		for k := range d.pending {
			d.pending[k].names -= before[k]
		}
		d.ops = rest
	default:
		c.Err = disk.ErrUnsupported
	}
}

func (d *memDisk) list(dir string) []string {
	var names []string
	for p, n := range d.names {
		if parent(p) == dir && p != dir {
			name := p[len(dir)+1:]
			if n.dir {
				name += "/"
			}
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// crash gives the disk as the next process finds it. power: unsynced changes are kept, lost or torn; else all are kept.
func (d *memDisk) crash(power bool) *memDisk {
	next := newMemDisk(d.rnd)
	for _, q := range d.pending { // a write in flight may have happened in part
		if n := d.open[q.File]; q.Kind == disk.Write && n != nil && d.rnd.Permille(500) {
			var c disk.Completion
			d.execWrite(&q, &c, n)
		}
	}
	if !power {
		for p, n := range d.names {
			next.names[p] = n
		}
		next.durable, next.ops = d.durable, d.ops
		return next
	}
	// A journal keeps the first of them; the contract allows any, but for what builds on a lost name.
	journal := d.rnd.Permille(500)
	stop, lost := map[string]bool{}, map[string]bool{}
	for _, o := range d.ops {
		if journal && stop[o.dir] || lost[o.from] || lost[o.to] || d.rnd.Permille(400) {
			stop[o.dir] = true
			lost[o.from], lost[o.to] = o.from != "", o.to != ""
			continue
		}
		applyName(d.durable, o)
	}
	paths := make([]string, 0, len(d.durable))
	for p := range d.durable {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	seen := map[*inode]*inode{}
	for _, p := range paths {
		n := d.durable[p]
		if p != "data" && d.durable[parent(p)] == nil {
			continue
		}
		if seen[n] == nil {
			b := d.tear(n)
			seen[n] = &inode{dir: n.dir, data: b, durable: append([]byte(nil), b...)}
		}
		next.names[p], next.durable[p] = seen[n], seen[n]
	}
	return next
}

func (d *memDisk) tear(n *inode) []byte {
	b := append([]byte(nil), n.durable...)
	for _, ch := range n.changes {
		switch {
		case d.rnd.Permille(500):
			b = ch.apply(b)
		case ch.bytes != nil && d.rnd.Permille(500):
			b = change{ch.off, ch.bytes[:d.rnd.Intn(len(ch.bytes)+1)]}.apply(b)
		case ch.bytes != nil && d.rnd.Permille(300): // the size is there, the bytes are not
			if end := ch.off + int64(len(ch.bytes)); end > int64(len(b)) { // what stood there before stays
				b = append(b, make([]byte, end-int64(len(b)))...)
			}
		}
	}
	return b
}

// world drives one shard's logs on a memDisk.
type world struct {
	disk *memDisk
	env  *env.Env
	out  step.Effects
}

func newWorld(d *memDisk) *world {
	w := &world{disk: d}
	w.env = env.New(0, &buf.Pool{Mangle: true}, prng.Keyed(1, "shard"))
	w.env.Out = &w.out
	w.env.Now = clock.Now{Mono: 1, Wall: 1_000_000}
	return w
}

// flush ends a round: the effects reach the disk.
func (w *world) flush() {
	w.env.FlushDirty()
	for _, r := range w.out.Disk {
		w.disk.submit(r)
	}
	w.out.Reset()
}

// step completes one request, or lets time pass; false: nothing is left to happen.
func (w *world) step() bool {
	w.flush()
	if len(w.disk.pending) > 0 {
		c := w.disk.complete()
		w.env.Done(&c)
		w.flush()
		return true
	}
	at := w.env.Timers.Next()
	if at == 0 {
		return false
	}
	w.env.Now.Mono = max(w.env.Now.Mono, at)
	for t := w.env.Timers.Expired(w.env.Now.Mono); t != nil; t = w.env.Timers.Expired(w.env.Now.Mono) {
		t.Owner.TimerFired(t)
	}
	return true
}

// settle runs until nothing is left to happen.
func (w *world) settle() {
	for i := 0; w.step(); i++ {
		if i > 1_000_000 {
			panic("the log does not settle")
		}
	}
}

// do runs f as a task to its end.
func (w *world) do(f func(t *task.Task)) {
	tk := task.Go(w.env, f)
	for i := 0; !tk.Ended(); i++ {
		if !w.step() || i > 1_000_000 {
			panic("the task does not end")
		}
	}
}

// kill ends the process: its tasks return without effects.
func (w *world) kill() {
	before, lines := len(w.out.Disk), len(w.disk.pending)
	w.env.StopTasks()
	if len(w.out.Disk) != before || len(w.disk.pending) != lines {
		panic("a stopped task had effects")
	}
}
