package realnet_test

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
	"github.com/seedlog/seedlog/realdisk"
	"github.com/seedlog/seedlog/realnet"
)

// toy is a Stepper that echoes, appends and fetches. The first byte of a frame says what it asks:
//
//	e  echo the frame                     E  echo it twice, as two Sends
//	a  append the rest to the shard's file, answer when written (8 bytes: position)
//	s  as a, and answer when synced
//	f  position, length (8 bytes each): answer with that extent of this shard's file, as a Send with a token
//	x  as f, but of the next shard's file
//	h  hold the connection, answer and resume 20 ms later
//	c  answer "bye" and close             C  send 64 MiB of extents, and close in the same step
//	q  close, saying nothing
type toy struct {
	id, shards int
	dir        string
	file       disk.File
	end        int64
	next       disk.Token
	ops        map[disk.Token]op
	queue      []queued // appends: one write is in flight
	writing    bool
	now        clock.Now
	out        *step.Effects
	until      []until
	stats      stats
	vec        [8][][]byte
	stopAt     bool
	onStart    func(*toy)
	onEvent    func(*toy, *step.Event) bool // sees each event first; true: handled
}

type op struct {
	kind  byte
	conn  network.Conn
	pos   int64
	lease *buf.Lease
}

type queued struct {
	op op
	b  []byte
}

type until struct {
	at   clock.Time
	conn network.Conn
}

// stats is what a test asks for.
type stats struct {
	Frames, Opened, Closed, SendDone, Tokens, Mails, Ticks int
	Events                                                 []string
	Dials                                                  []network.Info
	Out                                                    int64 // bytes leased
	pool                                                   *buf.Pool
}

const mailStats, mailExtent, mailExtentAnswer, mailResume, mailAccept = 1, 2, 3, 4, 5

func (t *toy) token(o op) disk.Token {
	t.next++
	t.ops[t.next] = o
	t.stats.Tokens++
	return t.next
}

func (t *toy) Step(now clock.Now, ev *step.Event, out *step.Effects) {
	t.now, t.out = now, out
	if t.onEvent != nil && t.onEvent(t, ev) {
		return
	}
	switch ev.Kind {
	case step.Start:
		t.ops = map[disk.Token]op{}
		t.file = disk.FileOf(t.id, 1)
		out.Disk = append(out.Disk, disk.Request{
			Kind: disk.Open, Flags: disk.Create, File: t.file, Token: t.token(op{kind: 'o'}),
			Path: filepath.Join(t.dir, "f"+string(rune('0'+t.id))),
		})
		if t.onStart != nil {
			t.onStart(t)
		}
	case step.FrameArrived:
		t.stats.Frames++
		t.onFrame(ev.Frame)
	case step.DiskDone:
		t.onDisk(&ev.Disk)
	case step.SendDone:
		t.stats.SendDone++
		delete(t.ops, ev.Sent)
	case step.ConnOpened:
		t.stats.Opened++
		if ev.Conn.Dialled {
			t.stats.Dials = append(t.stats.Dials, ev.Conn)
		}
	case step.ConnClosed:
		t.stats.Closed++
		if ev.Conn.Dialled {
			t.stats.Dials = append(t.stats.Dials, ev.Conn)
		}
	case step.MailArrived:
		t.onMail(&ev.Mail)
	case step.Tick:
		t.stats.Ticks++
	case step.Stop:
		out.Stopped = true
	case step.Flush:
		t.write()
	}
	t.wake()
}

func (t *toy) answer(c network.Conn, parts ...[]byte) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	a := len(t.out.Arena)
	t.out.Arena = binary.BigEndian.AppendUint32(t.out.Arena, uint32(n))
	for _, p := range parts {
		t.out.Arena = append(t.out.Arena, p...)
	}
	t.out.Send = append(t.out.Send, network.Send{Conn: c, A: int32(a), B: int32(len(t.out.Arena))})
}

func (t *toy) extent(c network.Conn, x disk.Extent) {
	a := len(t.out.Arena)
	t.out.Arena = binary.BigEndian.AppendUint32(t.out.Arena, uint32(x.Len))
	t.out.Send = append(t.out.Send, network.Send{Conn: c, A: int32(a), B: int32(len(t.out.Arena)), Ext: x, Token: t.token(op{kind: 'f'})})
}

func (t *toy) onFrame(f network.Frame) {
	switch f.Bytes[0] {
	case 'e':
		t.answer(f.Conn, f.Bytes)
	case 'E':
		t.answer(f.Conn, f.Bytes)
		t.answer(f.Conn, f.Bytes)
	case 'a', 's':
		f.Lease.Retain()
		t.queue = append(t.queue, queued{op{f.Bytes[0], f.Conn, 0, f.Lease}, f.Bytes[1:]})
	case 'f', 'x':
		x := disk.Extent{File: t.file, Off: int64(binary.BigEndian.Uint64(f.Bytes[1:])), Len: int32(binary.BigEndian.Uint64(f.Bytes[9:]))}
		if f.Bytes[0] == 'f' {
			t.extent(f.Conn, x)
			break
		}
		t.out.Mail = append(t.out.Mail, step.Mail{Kind: mailExtent, From: int32(t.id), To: int32((t.id + 1) % t.shards), Token: t.token(op{kind: 'x', conn: f.Conn}), Ext: x})
	case 'h':
		t.out.Hold = append(t.out.Hold, f.Conn)
		t.until = append(t.until, until{t.now.Mono.Add(20 * clock.Millisecond), f.Conn})
	case 'c':
		t.answer(f.Conn, []byte("bye"))
		t.out.Close = append(t.out.Close, f.Conn)
	case 'C':
		for range 64 {
			t.extent(f.Conn, disk.Extent{File: t.file, Len: 1 << 20})
		}
		t.out.Close = append(t.out.Close, f.Conn)
	case 'q':
		t.out.Close = append(t.out.Close, f.Conn)
	}
}

// write puts what is queued into one Write, as the commit log does.
func (t *toy) write() {
	if t.writing || len(t.queue) == 0 {
		return
	}
	t.writing = true
	vec, pos := t.vec[0][:0], t.end
	for i := range t.queue {
		q := &t.queue[i]
		q.op.pos = t.end
		vec = append(vec, q.b)
		t.end += int64(len(q.b))
	}
	t.vec[0] = vec
	t.next++ // The write's own token; its appends are t.queue[:n].
	t.ops[t.next] = op{kind: 'w', pos: int64(len(t.queue))}
	t.out.Disk = append(t.out.Disk, disk.Request{Kind: disk.Write, File: t.file, Token: t.next, Off: pos, Vec: vec})
}

func (t *toy) onDisk(c *disk.Completion) {
	o := t.ops[c.Token]
	delete(t.ops, c.Token)
	if c.Err != disk.OK {
		panic(c.Err.Error() + " " + c.Detail)
	}
	switch o.kind {
	case 'o':
		t.end = c.N
		t.out.Accept, t.out.Ready = true, true
	case 'w':
		t.writing = false
		for i := range t.queue[:o.pos] {
			q := &t.queue[i]
			q.op.lease.Release()
			if q.op.kind == 's' {
				t.out.Disk = append(t.out.Disk, disk.Request{Kind: disk.Sync, File: t.file, Token: t.token(q.op)})
				continue
			}
			t.position(q.op)
		}
		n := copy(t.queue, t.queue[o.pos:])
		clear(t.queue[n:])
		t.queue = t.queue[:n]
	case 's':
		t.position(o)
	}
}

func (t *toy) position(o op) {
	a := len(t.out.Arena)
	t.out.Arena = binary.BigEndian.AppendUint32(t.out.Arena, 8)
	t.out.Arena = binary.BigEndian.AppendUint64(t.out.Arena, uint64(o.pos))
	t.out.Send = append(t.out.Send, network.Send{Conn: o.conn, A: int32(a), B: int32(len(t.out.Arena))})
}

func (t *toy) onMail(m *step.Mail) {
	t.stats.Mails++
	switch m.Kind {
	case mailStats:
		s := t.stats
		s.Out = s.pool.Out
		s.Events = append([]string(nil), s.Events...)
		s.Dials = append([]network.Info(nil), s.Dials...)
		t.out.Mail = append(t.out.Mail, step.Mail{Kind: mailStats, From: int32(t.id), To: m.From, Token: m.Token, Body: s, Bytes: []byte("stats")})
	case mailExtent:
		x := m.Ext
		x.File = t.file
		t.out.Mail = append(t.out.Mail, step.Mail{Kind: mailExtentAnswer, From: int32(t.id), To: m.From, Token: m.Token, Ext: x})
	case mailExtentAnswer:
		o := t.ops[m.Token]
		delete(t.ops, m.Token)
		t.stats.Tokens--
		t.extent(o.conn, m.Ext)
	}
}

// wake answers those that held long enough, and sets the deadline.
func (t *toy) wake() {
	for len(t.until) > 0 && t.until[0].at <= t.now.Mono {
		t.answer(t.until[0].conn, []byte("held"))
		t.out.Resume = append(t.out.Resume, t.until[0].conn)
		t.until = t.until[1:]
	}
	t.out.Deadline = 0
	if len(t.until) > 0 {
		t.out.Deadline = t.until[0].at
	}
}

// cluster is a running node with toys.
type running struct {
	t    testing.TB
	node *realnet.Node
	toys []*toy
	addr string
	dir  string
	log  func() []step.LogLine
}

func start(t testing.TB, shards int, change func(*realnet.Config), changeToy ...func(*toy)) *running {
	t.Helper()
	procs := runtime.GOMAXPROCS(realnet.Threads(shards))
	dir := t.TempDir()
	d := realdisk.New(realdisk.Config{Shards: shards})
	var mu sync.Mutex
	var lines []step.LogLine
	cfg := realnet.Config{
		Listeners: []realnet.Listener{{Name: "PLAINTEXT", Addr: "127.0.0.1:0"}},
		Disk:      d,
		Log: func(l step.LogLine) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, l)
		},
	}
	r := &running{t: t, dir: dir}
	r.log = func() []step.LogLine {
		mu.Lock()
		defer mu.Unlock()
		return append([]step.LogLine(nil), lines...)
	}
	for i := range shards {
		y := &toy{id: i, shards: shards, dir: dir}
		for _, f := range changeToy {
			f(y)
		}
		pool := &buf.Pool{Mangle: true}
		y.stats.pool = pool
		cfg.Pools = append(cfg.Pools, pool)
		cfg.Shards = append(cfg.Shards, y)
		r.toys = append(r.toys, y)
	}
	ready := make(chan struct{})
	cfg.Ready = func() { close(ready) }
	if change != nil {
		change(&cfg)
	}
	node, err := realnet.New(cfg)
	noErr(t, err)
	r.node, r.addr = node, node.Addrs()[0]
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		node.Run()
	}()
	t.Cleanup(func() {
		node.Stop()
		<-ended
		d.Close()
		runtime.GOMAXPROCS(procs)
	})
	<-ready
	return r
}

func (r *running) stats(shard int) stats {
	m, ok := r.node.Ask(step.Mail{Kind: mailStats, To: int32(shard)}, 10*time.Second)
	yes(r.t, ok)
	equal(r.t, "stats", string(m.Bytes))
	return m.Body.(stats)
}

// total sums the shards' stats.
func (r *running) total() (s stats) {
	for i := range r.toys {
		x := r.stats(i)
		s.Frames += x.Frames
		s.Opened += x.Opened
		s.Closed += x.Closed
		s.SendDone += x.SendDone
		s.Tokens += x.Tokens
		s.Out += x.Out
	}
	return s
}

// settles asks for the sum until ok says so; the time only guards against a hang.
func (r *running) settles(what string, ok func(stats) bool) stats {
	r.t.Helper()
	var s stats
	for began := time.Now(); time.Since(began) < 30*time.Second; {
		if s = r.total(); ok(s) {
			return s
		}
		runtime.Gosched()
	}
	r.t.Fatalf("never settled: %s; last %+v", what, s)
	return s
}

// stalls waits until the number of frames has not changed during many rounds, and returns it.
func (r *running) stalls() int {
	last, same := -1, 0
	for same < 3000 {
		if n := r.total().Frames; n == last {
			same++
		} else {
			last, same = n, 0
		}
	}
	return last
}

type client struct {
	t testing.TB
	net.Conn
}

func (r *running) dial() *client {
	c, err := net.Dial("tcp", r.addr)
	noErr(r.t, err)
	noErr(r.t, c.SetDeadline(time.Now().Add(60*time.Second)))
	r.t.Cleanup(func() { c.Close() })
	return &client{r.t, c}
}

func frame(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func (c *client) send(parts ...[]byte) {
	_, err := c.Write(frame(parts...))
	noErr(c.t, err)
}

func (c *client) recv() []byte {
	var head [4]byte
	_, err := io.ReadFull(c, head[:])
	noErr(c.t, err)
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err = io.ReadFull(c, b)
	noErr(c.t, err)
	return b
}

func (c *client) call(parts ...[]byte) []byte {
	c.send(parts...)
	return c.recv()
}

func fetchFrame(kind byte, pos, n int) []byte {
	b := binary.BigEndian.AppendUint64([]byte{kind}, uint64(pos))
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, want, got T) {
	t.Helper()
	if want != got {
		t.Fatalf("want %v, got %v", want, got)
	}
}

func yes(t testing.TB, ok bool) {
	t.Helper()
	if !ok {
		t.Fatal("want true, got false")
	}
}

// holder makes a toy hold each connection at its first frame, until mailResume. Then it echoes.
type holder struct {
	first   []network.Frame
	resumed bool
}

func (h *holder) install(t *toy) {
	t.onEvent = func(t *toy, ev *step.Event) bool {
		switch {
		case ev.Kind == step.FrameArrived && !h.resumed:
			t.stats.Frames++
			ev.Frame.Lease.Retain()
			h.first = append(h.first, ev.Frame)
			t.out.Hold = append(t.out.Hold, ev.Frame.Conn)
			return true
		case ev.Kind == step.MailArrived && ev.Mail.Kind == mailResume:
			h.resumed = true
			for _, f := range h.first {
				t.answer(f.Conn, f.Bytes)
				f.Lease.Release()
				t.out.Resume = append(t.out.Resume, f.Conn)
			}
			return true
		}
		return false
	}
}

// coldDisk says that nothing is cached, and warms only once released.
type coldDisk struct {
	*realdisk.Disk
	mu    sync.Mutex
	open  bool
	n     int
	later []func()
}

func (d *coldDisk) Cached(int, disk.Extent) bool { return false }

func (d *coldDisk) Warm(shard int, x disk.Extent, key uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
	warm := func() { d.Disk.Warm(shard, x, key) }
	if d.open {
		warm()
		return
	}
	d.later = append(d.later, warm)
}

func (d *coldDisk) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = true
	for _, f := range d.later {
		f()
	}
}

func (d *coldDisk) warms() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}
