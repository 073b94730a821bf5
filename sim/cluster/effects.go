package cluster

import (
	"encoding/binary"
	"fmt"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/simnet"
)

// conn is a connection of a shard, as its driver sees it.
type conn struct {
	h        *simnet.Half
	gen      uint32
	held     bool
	choked   bool // too much unsent: not read
	closing  bool
	queued   bool // an input says that it is readable
	dialling disk.Token
}

// conn gives the slot of a connection's number, or nil if that is gone.
func (s *shard) conn(id network.Conn) *conn {
	i := uint32(id)
	if int(i) >= len(s.conns) || s.conns[i].gen != uint32(id>>32) || s.conns[i].h == nil {
		return nil
	}
	return &s.conns[i]
}

func (s *shard) newConn(h *simnet.Half) (network.Conn, *conn) {
	var i uint32
	if k := len(s.freeConn); k > 0 {
		i = s.freeConn[k-1]
		s.freeConn = s.freeConn[:k-1]
	} else {
		i = uint32(len(s.conns))
		s.conns = append(s.conns, conn{})
	}
	c := &s.conns[i]
	*c = conn{h: h, gen: c.gen + 1}
	id := network.Conn(uint64(c.gen)<<32 | uint64(i))
	h.Tag = uint64(id)
	return id, c
}

// opened tells the shard of a connection, accepted or dialled.
func (s *shard) opened(h *simnet.Half) {
	info := network.Info{Listener: listeners[h.Port], Peer: s.n.c.name(h.Peer())}
	if h.Dial {
		c := s.conn(network.Conn(h.Tag))
		info.Conn, info.Dialled, info.Token = network.Conn(h.Tag), true, c.dialling
		c.dialling = 0
	} else {
		info.Conn, _ = s.newConn(h)
	}
	s.push(input{kind: step.ConnOpened, info: info})
}

// readable queues a look at the connection, once.
func (s *shard) readable(h *simnet.Half) {
	id := network.Conn(h.Tag)
	c := s.conn(id)
	if c == nil || c.queued {
		return
	}
	if c.choked && h.Unsent() <= maxUnsent {
		c.choked = false
		s.n.c.net.Read(h, !c.held)
	}
	if h.More() {
		c.queued = true
		s.push(input{kind: step.FrameArrived, conn: id})
	}
}

// takeFrame steps one frame of a connection, or its end. A held or choked connection is left alone until it is let go.
func (s *shard) takeFrame(now clock.Now, id network.Conn) int64 {
	c := s.conn(id)
	if c == nil {
		return 0
	}
	c.queued = false
	net := s.n.c.net
	if c.closing {
		return 0
	}
	if c.dialling != 0 || c.h.Over() && !c.held {
		return s.connEnds(now, id, c)
	}
	if c.held {
		return 0
	}
	if n := c.h.Unsent(); n > maxUnsent || n > 0 && s.n.c.on(unsentSmall) {
		c.choked = true
		net.Read(c.h, false)
		net.Wants(c.h, min(n-1, maxUnsent))
		return 0
	}
	b, ok, bad := c.h.Next()
	if bad {
		net.Drop(c.h)
		return s.connEnds(now, id, c)
	}
	if !ok {
		return 0
	}
	s.n.c.observeTaken(c.h, b)
	lease := s.pool.Get(len(b))
	copy(lease.Bytes, b)
	s.ev = step.Event{Kind: step.FrameArrived, Frame: network.Frame{Conn: id, Bytes: lease.Bytes[:len(b)], Lease: lease}}
	s.step(now)
	lease.Release()
	if c = s.conn(id); c != nil && !c.closing && !c.held {
		s.readable(c.h)
	}
	return 1
}

// connEnds lets a connection go and steps its end: that of a dial that failed has only the token.
func (s *shard) connEnds(now clock.Now, id network.Conn, c *conn) int64 {
	info := network.Info{Conn: id}
	if c.dialling != 0 {
		info = network.Info{Token: c.dialling, Dialled: true, Refused: c.h.Refused()}
	}
	s.forget(id, c)
	s.drainSent(now)
	s.ev = step.Event{Kind: step.ConnClosed, Conn: info}
	s.step(now)
	return 1
}

// forget frees the slot and closes our end. Tokens of what had not left are answered before ConnClosed.
func (s *shard) forget(id network.Conn, c *conn) {
	h := c.h
	c.h = nil
	s.freeConn = append(s.freeConn, uint32(id))
	s.n.c.net.Drop(h)
	s.n.c.net.Told(h)
}

// drainSent steps the answers to sends that stand in the inbox: a connection's come before its end.
func (s *shard) drainSent(now clock.Now) {
	for i := s.head; i < len(s.inbox) && s.alive(); i++ {
		in := &s.inbox[i]
		if in.kind == step.SendDone {
			s.ev = step.Event{Kind: step.SendDone, Sent: in.tok}
			*in = input{}
			s.step(now)
		}
	}
}

func (s *shard) hold(id network.Conn, on bool) {
	c := s.conn(id)
	if c == nil {
		return
	}
	c.held = on
	s.n.c.net.Read(c.h, !on && !c.choked)
	if !on {
		s.readable(c.h)
	}
}

// execute carries the effects of a round out. A crash may be due in their midst.
func (s *shard) execute() {
	o := &s.out
	for i := range o.Mail {
		if s.dies() {
			return
		}
		s.send(&o.Mail[i])
	}
	for i := range o.Disk {
		if s.dies() {
			return
		}
		s.n.disk.Submit(s.id, &o.Disk[i])
	}
	for i := range o.Send {
		if s.dies() {
			return
		}
		s.sendOut(&o.Send[i])
	}
	for _, id := range o.Close {
		if c := s.conn(id); c != nil {
			s.forget(id, c)
			s.push(input{kind: step.ConnClosed, info: network.Info{Conn: id}})
		}
	}
	for i := range o.Dial {
		s.dial(&o.Dial[i])
	}
	for i := range o.Log {
		s.n.c.log(s.n, &o.Log[i])
	}
	fatal, code := o.Fatal, o.FatalCode
	o.Reset()
	o.Fatal = ""
	switch {
	case fatal != "":
		s.n.fatal(fatal, code)
	case o.Stopped && !s.stopSeen:
		s.stopSeen = true
		s.n.stopped()
	}
}

// dies counts down to a crash between two effects.
func (s *shard) dies() bool {
	n := s.n
	if n.crashIn == 0 {
		return s.dead
	}
	n.crashIn--
	if n.crashIn == 0 {
		class := fault.P1
		if n.power {
			class = fault.D1
		}
		n.crash(n.power, class, n.downFor)
	}
	return s.dead
}

func (s *shard) sendOut(x *network.Send) {
	if x.A < 0 || x.B < x.A || int(x.B) > len(s.out.Arena) || x.Ext.Len < 0 {
		s.n.c.eng.Fail("contract", "a Send within the arena", fmt.Sprintf("[%d, %d) of %d, extent of %d", x.A, x.B, len(s.out.Arena), x.Ext.Len))
		return
	}
	c := s.conn(x.Conn)
	if c == nil {
		if x.Token != 0 {
			s.push(input{kind: step.SendDone, tok: x.Token})
		}
		return
	}
	ext := x.Ext
	if ext.Len == 0 {
		ext = disk.Extent{}
	} else if !s.n.disk.Pin(ext.File) {
		return
	}
	s.n.c.observeSent(c.h, s.out.Arena[x.A:x.B], int64(ext.Len))
	b := s.out.Arena[x.A:x.B]
	if c.h.Dial && ext.Len == 0 && len(b) > 4 && int(binary.BigEndian.Uint32(b)) == len(b)-4 {
		s.n.c.net.SendRequest(c.h, b, x.Token)
		return
	}
	s.n.c.net.SendBytes(c.h, b, ext, x.Token)
}

func (s *shard) dial(d *network.Dial) {
	to, port, ok := s.n.c.find(d.Addr)
	if !ok {
		s.push(input{kind: step.ConnClosed, info: network.Info{Token: d.Token, Dialled: true}})
		return
	}
	h := s.n.c.net.Connect(s.n.end, to, s.id, 0)
	h.Aim(port)
	_, c := s.newConn(h)
	c.dialling = d.Token
}
