package realnet

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/clock"
)

// A socket that is closed while its peer's bytes lie unread sends a reset, and a peer that meets a reset may lose answers that it was sent
// before: a client that pipelines fails in its next write, gives up its connection, and sends again what was answered. So a close on our side
// lingers, out of the core's sight:
//
//	Close ─▶ ConnClosed, tokens ─▶ send what is queued ─▶ shutdown(SHUT_WR) ─┐
//	                               read and discard ◀────────────────────────┴─▶ end of stream, reset, lingerTime ─▶ close(fd)
//
// The connection keeps its number until then, and effects that name it do nothing. One that was sent nothing has nothing to lose and is closed at
// once: some clients take an end of stream in place of their first answer for a mistake of their own, and try again after a reset.
const (
	lingerTime   = clock.Second
	maxLingering = 4096      // of a loop, in a lingerTime; further ones are closed at once
	discardSize  = 64 << 10  // of the loop's one buffer for all that is discarded
	maxDiscard   = 256 << 10 // what is discarded of a connection in a round, in bytes
)

// linger ends a connection for the core now and for its peer gently. Its sends of this round have been tried.
func (l *loop) linger(c *conn) {
	if c.gone {
		return
	}
	if !c.answered || c.reset || len(l.lingering) >= maxLingering {
		l.close(c)
		return
	}
	out := c.out
	l.tell(c)
	c.out = out[:plain(out)]
	clear(out[len(c.out):])
	c.until = l.now.Mono.Add(lingerTime)
	l.lingering = append(l.lingering, c)
	l.lingerAt = l.lingering[0].until
	l.part(c)
}

// plain counts the items before the first extent. What an extent names may change once its token was answered; an answer that lacks it is none.
func plain(out []item) int {
	for i := range out {
		if out[i].ext.Len > 0 {
			return i
		}
	}
	return len(out)
}

// part goes on with a lingering connection: there may be room to send, or something to discard.
func (l *loop) part(c *conn) {
	for len(c.out) > 0 && !c.blocked && c.fd >= 0 {
		l.sendBytes(c, c.out)
		for len(c.out) > 0 && len(c.out[0].b) == 0 {
			c.out[0] = item{}
			c.out = c.out[1:]
		}
	}
	if c.fd >= 0 && len(c.out) == 0 && !c.shut {
		c.shut = true
		_ = unix.Shutdown(c.fd, unix.SHUT_WR) // It fails only if the connection is gone, which the read finds.
	}
	if c.fd >= 0 && !c.eof {
		l.discard(c)
	}
	if c.eof && c.shut {
		l.drop(c)
	}
}

// discard reads what nobody wants.
func (l *loop) discard(c *conn) {
	if l.waste == nil {
		l.waste = make([]byte, discardSize)
	}
	for left := maxDiscard; left > 0; {
		n, errno := sysRead(c.fd, l.waste)
		switch {
		case errno == syscall.EAGAIN:
			return
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			l.drop(c)
			return
		case n == 0:
			c.eof = true
			return
		}
		left -= n
	}
	if !c.reading {
		c.reading = true
		l.ready = append(l.ready, c)
	}
}

// drop gives the descriptor and the number of a connection back, of which the core was told that it is closed.
func (l *loop) drop(c *conn) {
	if c.fd < 0 {
		return
	}
	// The kernel takes the descriptor out of epoll. An error of close tells nothing that concerns a socket.
	_ = unix.Close(c.fd)
	c.fd, c.out = -1, nil
	i := uint32(c.id)
	l.slots[i].c = nil
	l.parting = append(l.parting, i)
	if l.lingerAt != 0 {
		l.expireLingering()
	}
}

// expireLingering drops the connections whose time is over; they stand in the order of their ends.
func (l *loop) expireLingering() {
	l.lingerAt = 0
	for len(l.lingering) > 0 {
		c := l.lingering[0]
		if c.fd >= 0 && c.until > l.now.Mono {
			l.lingerAt = c.until
			return
		}
		l.lingering[0] = nil
		l.lingering = l.lingering[1:]
		l.drop(c)
	}
	l.lingering = nil
}

// lingerLast parts from all connections after the last step.
func (l *loop) lingerLast() {
	l.now = l.node.now()
	for i := range l.slots {
		if c := l.slots[i].c; c != nil {
			l.linger(c)
		}
	}
	for l.lingerAt != 0 {
		ms := 0
		if len(l.ready) == 0 {
			ms = millis(l.lingerAt.Sub(l.node.now().Mono))
		}
		n, _ := epollWait(l.ep, l.evs, ms)
		l.now = l.node.now()
		for i := range n {
			if ev := &l.evs[i]; ev.Pad != 0 {
				l.onEvent(ev)
			}
		}
		l.readReady()
		l.expireLingering()
	}
}
