package toy

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
	"github.com/seedlog/seedlog/sim/cluster"
)

// Bugs are what can be planted.
const (
	EarlyAck  = "early-ack"  // acknowledged before the write is done
	NoSync    = "no-sync"    // acknowledged when written, not synced
	NoSyncDir = "no-syncdir" // the new file's name is never made durable
	NoCut     = "no-cut"     // recovery keeps a torn tail
	FreeEarly = "free-early" // a lease is released while its bytes are being written
	TwoWrites = "two-writes" // a write is issued while another is in flight
	Deaf      = "deaf"       // after a hundred answers a shard lets connections hang
	Panic     = "panic"      // an assertion of the node fails now and then
)

// Bugs are all of them.
var Bugs = []string{EarlyAck, NoSync, NoSyncDir, NoCut, FreeEarly, Deaf, TwoWrites, Panic}

const (
	mailAppend = iota + 1
	mailRead
	mailEnd
	mailAnswer
	mailUnpin
)

const (
	opWrite = iota + 1
	opSync
)

const headerSize = 8 // length, CRC

// Shard is a step.Stepper.
type Shard struct {
	cfg  cluster.NodeConfig
	bug  string
	id   int
	env  *env.Env
	file disk.File

	ready   bool
	end     int64 // positions: next to assign, written, synced
	written int64
	synced  int64
	writing bool
	syncing bool
	queue   []entry // not written
	flight  []entry // being written
	parked  []entry // written, not synced
	pins    int
	early   []*step.Mail
	calls   []call // requests of our connections, by slot
	free    []int32
	stop    bool
	n       int
}

type entry struct {
	mail  step.Mail
	pos   int64
	head  [headerSize]byte
	lease *buf.Lease
}

type call struct {
	conn  network.Conn
	op    byte
	id    uint64
	lease *buf.Lease
}

// Factory makes nodes with a bug ("": none).
func Factory(bug string) cluster.NodeFactory {
	return func(cfg cluster.NodeConfig) []step.Stepper {
		var out []step.Stepper
		for i := range cfg.Shards {
			s := &Shard{cfg: cfg, bug: bug, id: i, env: env.New(i, cfg.Pools[i], cfg.Rands[i])}
			s.env.Timers.Permute = cfg.Permute
			out = append(out, s)
		}
		return out
	}
}

// Step is the one way in.
func (s *Shard) Step(now clock.Now, ev *step.Event, out *step.Effects) {
	s.env.Now, s.env.Out = now, out
	switch ev.Kind {
	case step.Start:
		task.Go(s.env, s.recover)
	case step.FrameArrived:
		s.frame(ev)
	case step.MailArrived:
		s.mail(ev.Mail)
	case step.DiskDone:
		s.env.Done(&ev.Disk)
	case step.SendDone:
		s.env.Sent(ev.Sent)
	case step.Stop:
		s.stop = true
	}
	for t := s.env.Timers.Expired(now.Mono); t != nil; t = s.env.Timers.Expired(now.Mono) {
		t.Owner.TimerFired(t)
	}
	if ev.Kind == step.Flush && s.ready {
		s.flush()
	}
	out.Deadline = s.env.Timers.Next()
}

// Digest is of the positions.
func (s *Shard) Digest() uint64 {
	return uint64(s.end)<<40 ^ uint64(s.written)<<20 ^ uint64(s.synced) ^ uint64(len(s.queue))<<60
}

// Crash stops the tasks that run.
func (s *Shard) Crash() { s.env.StopTasks() }

func (s *Shard) path() string { return fmt.Sprintf("%s/shard-%d.log", s.cfg.DataDir, s.id) }

// recover opens the file and cuts what was torn.
func (s *Shard) recover(t *task.Task) {
	must := func(c disk.Completion) disk.Completion {
		if c.Err != disk.OK && !t.Stopped() {
			s.env.Out.Fatal, s.env.Out.FatalCode = "recovery: "+c.Err.Error(), 2
		}
		return c
	}
	must(t.Disk(disk.Request{Kind: disk.Mkdir, Path: s.cfg.DataDir}))
	s.file = s.env.File()
	c := must(t.Disk(disk.Request{Kind: disk.Open, File: s.file, Path: s.path(), Flags: disk.Create}))
	b := make([]byte, c.N)
	must(t.Disk(disk.Request{Kind: disk.Read, File: s.file, Bytes: b}))
	at := int64(0)
	for s.whole(b[at:]) {
		at += headerSize + int64(binary.BigEndian.Uint32(b[at:]))
	}
	if s.bug == NoCut && s.cfg.Incarnation%2 == 0 { // the next recovery finds the torn record in the middle
		at = int64(len(b))
	}
	if at < int64(len(b)) {
		must(t.Disk(disk.Request{Kind: disk.Truncate, File: s.file, Size: at}))
	}
	must(t.Disk(disk.Request{Kind: disk.Sync, File: s.file}))
	if s.bug != NoSyncDir {
		must(t.Disk(disk.Request{Kind: disk.SyncDir, Path: s.cfg.DataDir}))
		must(t.Disk(disk.Request{Kind: disk.SyncDir, Path: ""}))
	}
	if t.Stopped() {
		return
	}
	s.end, s.written, s.synced, s.ready = at, at, at, true
	s.env.Out.Accept, s.env.Out.Ready = true, true
	for _, m := range s.early {
		s.mail(*m)
	}
	s.early = nil
}

func (s *Shard) whole(b []byte) bool {
	if len(b) < headerSize {
		return false
	}
	n := int(binary.BigEndian.Uint32(b))
	return n > 0 && n <= len(b)-headerSize && crc32.ChecksumIEEE(b[headerSize:headerSize+n]) == binary.BigEndian.Uint32(b[4:])
}

// frame sends a request to the shard that owns it. The connection is held until the answer has left.
func (s *Shard) frame(ev *step.Event) {
	b := ev.Frame.Bytes
	if len(b) < 9 {
		s.env.Out.Close = append(s.env.Out.Close, ev.Frame.Conn)
		return
	}
	c := call{conn: ev.Frame.Conn, op: b[0], id: binary.BigEndian.Uint64(b[1:]), lease: ev.Frame.Lease}
	c.lease.Retain()
	slot := int32(len(s.calls))
	if k := len(s.free); k > 0 {
		slot = s.free[k-1]
		s.free = s.free[:k-1]
		s.calls[slot] = c
	} else {
		s.calls = append(s.calls, c)
	}
	m := step.Mail{From: int32(s.id), To: int32(c.id % uint64(s.cfg.Shards)), Slot: slot, Bytes: b[9:]}
	switch c.op {
	case 'A':
		m.Kind = mailAppend
	case 'R':
		m.Kind = mailRead
		if len(m.Bytes) == 8 {
			m.A = int64(binary.BigEndian.Uint64(m.Bytes))
		}
	default:
		m.Kind = mailEnd
	}
	s.env.Out.Hold = append(s.env.Out.Hold, c.conn)
	s.env.Out.Mail = append(s.env.Out.Mail, m)
	if s.bug == FreeEarly {
		c.lease.Release()
		s.calls[slot].lease = nil
	}
}

func (s *Shard) mail(m step.Mail) {
	if !s.ready {
		s.early = append(s.early, &m)
		return
	}
	switch m.Kind {
	case mailAppend:
		e := entry{mail: m, pos: s.end}
		binary.BigEndian.PutUint32(e.head[:], uint32(len(m.Bytes)))
		binary.BigEndian.PutUint32(e.head[4:], crc32.ChecksumIEEE(m.Bytes))
		s.end += headerSize + int64(len(m.Bytes))
		s.queue = append(s.queue, e)
		if s.bug == EarlyAck {
			s.answer(&m, e.pos, disk.Extent{})
		}
	case mailRead:
		s.read(&m)
	case mailEnd:
		s.answer(&m, s.synced, disk.Extent{})
	case mailAnswer:
		s.reply(&m)
	case mailUnpin:
		s.pins--
	}
}

// read answers with the record as an extent. The toy reads its length from the file first.
func (s *Shard) read(m *step.Mail) {
	if m.A < 0 || m.A >= s.synced {
		s.answer(m, -1, disk.Extent{})
		return
	}
	mail := *m
	task.Go(s.env, func(t *task.Task) {
		h := make([]byte, headerSize)
		c := t.Disk(disk.Request{Kind: disk.Read, File: s.file, Off: mail.A, Bytes: h})
		if t.Stopped() {
			return
		}
		if c.Err != disk.OK || c.N != headerSize {
			s.answer(&mail, -1, disk.Extent{})
			return
		}
		n := int64(binary.BigEndian.Uint32(h))
		if mail.A+headerSize+n > s.synced { // a torn tail that recovery kept
			s.answer(&mail, -1, disk.Extent{})
			return
		}
		s.pins++
		s.answer(&mail, mail.A, disk.Extent{File: s.file, Off: mail.A, Len: int32(headerSize + n)})
	})
}

func (s *Shard) answer(m *step.Mail, pos int64, x disk.Extent) {
	s.env.Out.Mail = append(s.env.Out.Mail, step.Mail{Kind: mailAnswer, To: m.From, Slot: m.Slot, A: pos, B: s.end, Ext: x})
}

// reply sends the answer and lets the connection go on.
func (s *Shard) reply(m *step.Mail) {
	c := &s.calls[m.Slot]
	o := s.env.Out
	a := len(o.Arena)
	o.Arena = binary.BigEndian.AppendUint32(o.Arena, uint32(17+m.Ext.Len))
	o.Arena = append(o.Arena, c.op)
	o.Arena = binary.BigEndian.AppendUint64(o.Arena, c.id)
	o.Arena = binary.BigEndian.AppendUint64(o.Arena, uint64(m.A))
	var tok disk.Token
	if m.Ext.Len > 0 {
		tok = s.env.SendToken(env.Op{Send: s, A: int64(m.From)})
	}
	o.Send = append(o.Send, network.Send{Conn: c.conn, A: int32(a), B: int32(len(o.Arena)), Ext: m.Ext, Token: tok})
	s.n++
	if s.bug == Deaf && s.n > 100 {
		return
	}
	o.Resume = append(o.Resume, c.conn)
	if s.bug == Panic && s.n%300 == 299 {
		panic("planted")
	}
	c.lease.Release()
	*c = call{}
	s.free = append(s.free, m.Slot)
}

// SendDone gives the extent back to its owner.
func (s *Shard) SendDone(op env.Op) {
	s.env.Out.Mail = append(s.env.Out.Mail, step.Mail{Kind: mailUnpin, To: int32(op.A)})
}

// flush turns what was gathered into one write.
func (s *Shard) flush() {
	if len(s.queue) > 0 && (!s.writing || s.bug == TwoWrites) {
		s.writing = true
		s.flight, s.queue = s.queue, nil
		var vec [][]byte
		for i := range s.flight {
			vec = append(vec, s.flight[i].head[:], s.flight[i].mail.Bytes)
		}
		s.env.Disk(disk.Request{Kind: disk.Write, File: s.file, Off: s.flight[0].pos, Vec: vec}, env.Op{Owner: s, Kind: opWrite, A: s.end})
	}
	if len(s.parked) > 0 && !s.syncing {
		s.syncing = true
		s.env.Disk(disk.Request{Kind: disk.Sync, File: s.file}, env.Op{Owner: s, Kind: opSync, A: s.written, B: int64(len(s.parked))})
	}
	if s.stop && len(s.queue)+len(s.parked) == 0 && !s.writing && !s.syncing && s.env.InFlight() == 0 {
		s.env.Out.Stopped = true
	}
}

// DiskDone goes on after a write or a sync.
func (s *Shard) DiskDone(op env.Op, c *disk.Completion) {
	if c.Err != disk.OK {
		s.env.Out.Fatal, s.env.Out.FatalCode = "the log cannot be written: "+c.Err.Error(), 2
		return
	}
	if op.Kind == opWrite {
		s.writing, s.written = false, op.A
		if s.bug == NoSync {
			s.synced = s.written
			s.release(s.flight)
		} else if s.bug == EarlyAck {
			s.synced = s.written
		} else {
			s.parked = append(s.parked, s.flight...)
		}
		s.flight = nil
		s.env.Mark(nop{})
		return
	}
	s.syncing, s.synced = false, op.A
	s.release(s.parked[:op.B])
	s.parked = append(s.parked[:0:0], s.parked[op.B:]...)
}

func (s *Shard) release(es []entry) {
	for i := range es {
		s.answer(&es[i].mail, es[i].pos, disk.Extent{})
	}
}

type nop struct{}

func (nop) Flush() {}
