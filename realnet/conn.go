package realnet

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// conn is one connection of a loop. An idle one holds neither lease nor queue: some 200 bytes.
//
//	dialling ──connected──▶ open ──eof──▶ open, delivering what arrived ──▶ gone
//	    └──refused, timeout──▶ gone    ├──reset───────────────────────────▶ gone
//	                                   └──Close, bad length──▶ lingering ──▶ gone
type conn struct {
	id    network.Conn
	fd    int
	in    framer
	out   []item     // unsent, in order; taken from the loop's store while not empty
	bytes int64      // unsent, extents included
	dial  *dial      // while the connection is made
	until clock.Time // lingering: when it is cut off

	readable bool // the kernel may have bytes, or an end
	ended    bool // the peer sent its end: read until it is found
	eof      bool // it was found; nothing is read any more
	reset    bool // both directions are gone: nothing is waited for
	held     bool // the core takes no frame
	closing  bool // the close comes with this round's sends
	gone     bool // for the core; it may linger (linger.go)
	answered bool // something was queued for it
	shut     bool // lingering: all was sent, and that it was
	blocked  bool // the kernel takes no more until EPOLLOUT
	warming  bool // the disk reads ahead for out[0]
	reading  bool // in loop.ready
	sending  bool // in loop.dirty
}

// item is one Send on its way: bytes, then an extent.
type item struct {
	b      []byte
	owned  bool // b is the item's own memory; otherwise it lies in the arena and is gone after the round
	ext    disk.Extent
	end    int32 // of b in the arena, unless owned
	warmTo int64 // offset in the file below which the disk has read ahead for this item
	token  disk.Token
}

// slot holds a connection, or remembers the generation of the last.
type slot struct {
	gen uint32
	c   *conn
}

// newConn gives fd a number. The generation keeps late effects and events from meeting a successor.
func (l *loop) newConn(fd int) *conn {
	var i uint32
	if k := len(l.free); k > 0 {
		i = l.free[k-1]
		l.free = l.free[:k-1]
	} else {
		i = uint32(len(l.slots))
		l.slots = append(l.slots, slot{})
	}
	s := &l.slots[i]
	s.gen++
	if s.gen == 0 {
		s.gen = 1
	}
	s.c = &conn{id: network.Conn(uint64(s.gen)<<32 | uint64(i)), fd: fd}
	l.open++
	return s.c
}

// conn gives the connection with this number, or nil if it is gone.
func (l *loop) conn(id network.Conn) *conn {
	if c := l.any(id); c != nil && !c.gone {
		return c
	}
	return nil
}

// any gives the connection with this number, lingering ones too.
func (l *loop) any(id network.Conn) *conn {
	i := uint32(id)
	if int(i) >= len(l.slots) || l.slots[i].gen != uint32(id>>32) {
		return nil
	}
	return l.slots[i].c
}

// register adds the connection to epoll, once and for all: edge-triggered in both directions.
func (l *loop) register(c *conn) error {
	return unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff,
		Fd:     int32(uint32(c.id)),
		Pad:    int32(uint32(c.id >> 32)),
	})
}

// onEvent notes what epoll says of a connection.
func (l *loop) onEvent(ev *unix.EpollEvent) {
	c := l.any(network.Conn(uint64(uint32(ev.Pad))<<32 | uint64(uint32(ev.Fd))))
	if c == nil {
		return
	}
	if c.gone {
		c.blocked = c.blocked && ev.Events&unix.EPOLLOUT == 0
		l.part(c)
		return
	}
	if c.dial != nil {
		l.dialled(c)
		return
	}
	if ev.Events&unix.EPOLLOUT != 0 && c.blocked {
		c.blocked = false
		l.markSend(c)
	}
	if ev.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.readable = true
		c.ended = c.ended || ev.Events&unix.EPOLLRDHUP != 0
		c.reset = c.reset || ev.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0
		l.markRead(c)
	}
}

// markRead lets the connection be read in the next round's turn.
func (l *loop) markRead(c *conn) {
	if !c.reading && !c.gone {
		c.reading = true
		l.ready = append(l.ready, c)
	}
}

func (l *loop) markSend(c *conn) {
	if !c.sending && !c.gone {
		c.sending = true
		l.dirty = append(l.dirty, c)
	}
}

// read takes one read's worth from the connection and delivers the frames that it completed.
func (l *loop) read(c *conn) {
	l.deliver(c)
	if c.gone || c.closing || c.eof || !c.readable {
		return
	}
	var sp []byte
	if c.bytes <= l.maxUnsent {
		sp = c.in.space(l.pool, !c.held)
	}
	if len(sp) == 0 {
		if c.reset {
			l.close(c)
		}
		return // Read again after Resume, or when the unsent bytes have fallen.
	}
	n, errno := sysRead(c.fd, sp)
	switch {
	case errno == syscall.EAGAIN:
		c.readable = false
		c.in.idle()
		if c.reset {
			l.close(c)
		}
		return
	case errno == syscall.EINTR:
		l.markRead(c)
		return
	case errno != 0:
		l.close(c)
		return
	case n == 0:
		c.eof = true
		c.in.idle()
		l.finish(c)
		return
	}
	l.swept = false
	full := n == len(sp)
	c.in.arrived(n, full)
	if full || c.ended || c.reset {
		l.markRead(c)
	} else {
		c.readable = false
	}
	l.deliver(c)
}

// deliver steps the frames that are here, until the core holds the connection.
func (l *loop) deliver(c *conn) {
	for !c.held && !c.closing && !c.gone {
		frame, bad := c.in.next(l.maxFrame)
		if bad { // What was answered before it is sent first.
			c.closing = true
			l.fx.Close = append(l.fx.Close, c.id)
			l.stepped = true
			return
		}
		if frame == nil {
			break
		}
		ev := &l.ev
		*ev = step.Event{Kind: step.FrameArrived, Frame: network.Frame{Conn: c.id, Bytes: frame, Lease: c.in.lease}}
		l.step(ev)
	}
	if c.gone {
		return
	}
	c.in.idle()
	if c.eof {
		l.finish(c)
	}
}

// finish closes a connection whose peer has ended it, once no whole frame waits for the core. Apache Kafka, too, handles what it had received.
func (l *loop) finish(c *conn) {
	if !c.in.whole(l.maxFrame) || c.reset {
		l.close(c)
	}
}

// forget drops a connection that the core was never told of.
func (l *loop) forget(c *conn) {
	l.close(c)
	l.closed = l.closed[:len(l.closed)-1]
}

// close ends the connection now, a lingering one too.
func (l *loop) close(c *conn) {
	if !c.gone {
		l.tell(c)
		l.putOut(c)
	}
	l.drop(c)
}

// tell ends the connection for the core. Its tokens and its ConnClosed are stepped soon after, in this order.
func (l *loop) tell(c *conn) {
	c.gone = true
	if c.in.lease != nil {
		c.in.drop()
	}
	for i := range c.out {
		if t := c.out[i].token; t != 0 {
			l.sent = append(l.sent, t)
		}
	}
	c.bytes = 0
	l.open--
	info := network.Info{Conn: c.id}
	if d := c.dial; d != nil {
		l.dialling--
		c.dial = nil
		if d.handed {
			return
		}
		info = d.info()
	}
	l.closed = append(l.closed, info)
}
