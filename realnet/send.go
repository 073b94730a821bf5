package realnet

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/network"
)

const (
	maxGather = 64 // pieces of one sendmsg
	// maxSendfile bounds one call: while its peer drains, a call goes on (8 MiB: 8 ms). 256 KiB is also the cheapest per byte.
	maxSendfile = 256 << 10
	// maxSendRound is what one connection sends in a round, so that others have their turn.
	maxSendRound = 1 << 20
	// maxWarm is what the disk reads ahead for a connection at a time.
	maxWarm    = 1 << 20
	keepOut    = 256 // queues kept for reuse
	keepOutCap = 64  // items of a queue that is kept
)

// queue adds a Send to its connection. Bytes stay in the arena until the end of the round, and are copied only if they are then unsent.
func (l *loop) queue(s *network.Send) {
	c := l.conn(s.Conn)
	if c == nil || c.dial != nil {
		if s.Token != 0 {
			l.sent = append(l.sent, s.Token)
		}
		return
	}
	b := l.fx.Arena[s.A:s.B:s.B]
	c.answered = true
	c.bytes += int64(len(b)) + int64(s.Ext.Len)
	l.markSend(c)
	stuck := c.blocked || c.warming
	if k := len(c.out) - 1; k >= 0 && c.out[k].open() {
		last := &c.out[k]
		switch {
		case last.owned:
			last.b = append(last.b, b...)
			last.ext, last.token = s.Ext, s.Token
			return
		case last.end == s.A:
			last.b, last.end = l.fx.Arena[int(s.A)-len(last.b):s.B:s.B], s.B
			last.ext, last.token = s.Ext, s.Token
			return
		}
	}
	if c.out == nil {
		c.out = l.takeOut()
	}
	it := item{b: b, end: s.B, ext: s.Ext, token: s.Token}
	if stuck {
		it.b, it.owned = append([]byte(nil), b...), true
	}
	c.out = append(c.out, it)
}

// open says that further bytes may be added to the item.
func (it *item) open() bool { return it.ext.Len == 0 && it.token == 0 }

// send writes what the connection has queued, as far as the kernel takes it and its turn allows.
func (l *loop) send(c *conn) {
	i := 0 // The items before it have left.
	for budget := maxSendRound; !c.gone && !c.blocked && !c.warming && budget > 0; {
		i = l.itemsDone(c, i)
		if i == len(c.out) {
			break
		}
		if len(c.out[i].b) > 0 {
			budget -= l.sendBytes(c, c.out[i:])
		} else {
			budget -= l.sendExtent(c, &c.out[i])
		}
	}
	if c.gone {
		return
	}
	i = l.itemsDone(c, i)
	if i == len(c.out) {
		l.putOut(c)
	} else {
		n := copy(c.out, c.out[i:])
		clear(c.out[n:])
		c.out = c.out[:n]
		c.keep()
		if !c.blocked && !c.warming {
			l.markSend(c)
		}
	}
	if c.readable && c.bytes <= l.maxUnsent {
		l.markRead(c)
	}
}

// itemsDone answers the tokens of the items from i on that have left entirely, and returns the first that has not.
func (l *loop) itemsDone(c *conn, i int) int {
	for ; i < len(c.out) && len(c.out[i].b) == 0 && c.out[i].ext.Len == 0; i++ {
		if t := c.out[i].token; t != 0 {
			l.sent = append(l.sent, t)
			c.out[i].token = 0
		}
	}
	return i
}

// sendBytes writes the bytes of items up to the first extent in one call, and returns how many the kernel took.
func (l *loop) sendBytes(c *conn, items []item) int {
	iov, want, more := l.iov[:0], 0, false
	for i := 0; i < len(items) && len(iov) < maxGather && !more; i++ {
		if b := items[i].b; len(b) > 0 {
			iov = append(iov, unix.Iovec{Base: &b[0], Len: uint64(len(b))})
			want += len(b)
		}
		more = items[i].ext.Len > 0
	}
	n, errno := sysSend(c.fd, &l.msg, iov, more)
	clear(iov)
	l.msg.Iov = nil
	switch {
	case errno == syscall.EAGAIN:
		c.blocked = true
		return 0
	case errno == syscall.EINTR:
		return 0
	case errno != 0:
		l.close(c)
		return 0
	}
	c.blocked = n < want // The kernel's buffer is full; epoll tells when it is not.
	c.bytes -= int64(n)
	left := n
	for i := 0; left > 0; i++ {
		m := min(left, len(items[i].b))
		items[i].b = items[i].b[m:]
		left -= m
	}
	return n
}

// sendExtent sends a piece of the item's extent, or lets the disk read it ahead.
func (l *loop) sendExtent(c *conn, it *item) int {
	x := it.ext
	x.Len = min(x.Len, maxSendfile)
	if x.Off+int64(x.Len) > it.warmTo && !l.disk.Cached(l.id, x) {
		x.Len = min(it.ext.Len, maxWarm)
		it.warmTo = x.Off + int64(x.Len)
		c.warming = true
		l.disk.Warm(l.id, x, uint64(c.id))
		return 0
	}
	n, errno := l.disk.SendFile(c.fd, x)
	switch {
	case errno == syscall.EAGAIN:
		c.blocked = true
		push(c.fd)
		return 0
	case errno == syscall.EINTR:
		return 0
	case errno == syscall.EPIPE || errno == syscall.ECONNRESET || errno == syscall.ETIMEDOUT:
		l.close(c)
		return 0
	case errno != 0:
		l.log(step.Error, "fetch: cannot send file "+strconv.FormatUint(uint64(x.File), 16)+": "+errno.Error()+"; the connection is closed, check the disk")
		l.close(c)
		return 0
	case n == 0:
		l.log(step.Error, "fetch: file "+strconv.FormatUint(uint64(x.File), 16)+" ends before the bytes that are being sent; the connection is closed")
		l.close(c)
		return 0
	}
	c.bytes -= int64(n)
	it.ext.Off += int64(n)
	it.ext.Len -= int32(n)
	return n
}

// push makes the kernel send what it keeps back for more to follow. Where the send buffer holds little more than one segment (64 KiB on
// loopback), that alone can fill it; then nothing is acknowledged, and nothing else would ever make room. TCP_NODELAY does it each time it is set.
func push(fd int) { _ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) }

// warmed goes on with a connection whose extent the disk has read ahead.
func (l *loop) warmed(id network.Conn) {
	if c := l.conn(id); c != nil {
		c.warming = false
		l.markSend(c)
	}
}

// keep copies what lies in the arena, which is about to be reused.
func (c *conn) keep() {
	n := 0
	for i := range c.out {
		if !c.out[i].owned {
			n += len(c.out[i].b)
		}
	}
	own := make([]byte, 0, n)
	for i := range c.out {
		it := &c.out[i]
		if !it.owned {
			from := len(own)
			own = append(own, it.b...)
			it.b, it.owned = own[from:len(own):len(own)], true
		}
	}
}

func (l *loop) takeOut() []item {
	k := len(l.outs)
	if k == 0 {
		return nil
	}
	out := l.outs[k-1]
	l.outs = l.outs[:k-1]
	return out
}

func (l *loop) putOut(c *conn) {
	clear(c.out)
	if c.out != nil && cap(c.out) <= keepOutCap && len(l.outs) < keepOut {
		l.outs = append(l.outs, c.out[:0])
	}
	c.out = nil
}
