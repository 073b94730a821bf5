package quorum

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
)

const (
	maxSend    = 64 << 10 // of one frame
	sendWindow = 1 << 20  // bytes that have not left yet
	holdAbove  = 1 << 20  // received bytes that raft has not read: the peer is held
	resumeFrom = 256 << 10
	maxUnread  = 16 << 20 // a peer that goes on beyond it is cut off
)

// conn is a stream as a net.Conn: what is written leaves as mail, in frames, and what mail brings is read.
type conn struct {
	node   *Node
	id     int64
	local  address
	remote address
	read   deadline
	write  deadline

	mu      sync.Mutex
	in      [][]byte
	unread  int
	held    bool
	unsent  int
	gone    bool          // closed by either side
	changed chan struct{} // closed and made anew at each change
}

func newConn(n *Node, id int64, local, remote address) *conn {
	c := &conn{node: n, id: id, local: local, remote: remote, changed: make(chan struct{})}
	c.read.init()
	c.write.init()
	return c
}

// change wakes those who wait. c.mu is held.
func (c *conn) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	for {
		c.mu.Lock()
		if len(c.in) > 0 {
			n := c.take(b)
			c.mu.Unlock()
			return n, nil
		}
		gone, changed := c.gone, c.changed
		c.mu.Unlock()
		if gone {
			return 0, io.EOF
		}
		if err := c.await(changed, c.read.wait()); err != nil {
			return 0, err
		}
	}
}

func (c *conn) take(b []byte) int {
	n := copy(b, c.in[0])
	if c.in[0] = c.in[0][n:]; len(c.in[0]) == 0 {
		c.in[0] = nil
		c.in = c.in[1:]
	}
	if c.unread -= n; c.held && c.unread <= resumeFrom && !c.gone {
		c.held = false
		c.say(link.MailResume, nil)
	}
	return n
}

func (c *conn) await(changed, deadline chan struct{}) error {
	if isClosed(deadline) {
		return os.ErrDeadlineExceeded
	}
	select {
	case <-changed:
		return nil
	case <-deadline:
		return os.ErrDeadlineExceeded
	}
}

// Write implements net.Conn: it copies b, and waits while too much has not left.
func (c *conn) Write(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		c.mu.Lock()
		if c.gone {
			c.mu.Unlock()
			return n, net.ErrClosed
		}
		k := min(len(b)-n, maxSend, sendWindow-c.unsent)
		if k > 0 {
			c.unsent += k
			c.say(link.MailSend, append([]byte(nil), b[n:n+k]...))
			n += k
		}
		changed := c.changed
		c.mu.Unlock()
		if k == 0 {
			if err := c.await(changed, c.write.wait()); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// say puts mail about the stream. c.mu is held, which keeps sends in order.
func (c *conn) say(kind uint8, body []byte) {
	m := step.Mail{Kind: kind, A: c.id}
	if body != nil {
		m.Body = body
	}
	c.node.out.mail(classStream, key64(uint64(c.id)), m)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.end() {
		c.node.streams.forget(c.id)
	}
	return nil
}

// end closes our side; false if it was closed before.
func (c *conn) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.gone = true
	c.say(link.MailClose, nil)
	c.change()
	return true
}

// lost: the other side is gone. What it sent before can still be read.
func (c *conn) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gone {
		c.gone = true
		c.change()
	}
}

// arrived takes a frame; false if the peer ignores that it is held.
func (c *conn) arrived(b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || len(b) == 0 {
		return true
	}
	if c.unread+len(b) > maxUnread {
		return false
	}
	c.in = append(c.in, b)
	if c.unread += len(b); c.unread > holdAbove && !c.held {
		c.held = true
		c.say(link.MailHold, nil)
	}
	c.change()
	return true
}

// left gives credit for what has been sent.
func (c *conn) left(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsent = max(c.unsent-n, 0)
	c.change()
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.read.set(t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.write.set(t)
	return nil
}
