package seedlogtest

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/simnet"
)

const (
	maxUnsent = 256 << 10 // bytes that a Write may leave behind before the next one waits
	maxUnread = 1 << 20   // bytes that wait for a Read before the connection's window closes
	pieceSize = 64 << 10  // of what a Write hands over at once
)

// conn is a client's end of a connection. Bytes go as they are written; they come a frame at a time, since that is what a half of the
// simulated network gives.
type conn struct {
	m             *Machine
	half          *simnet.Half // its state belongs to the world
	local, remote addr
	reading       *deadline
	writing       *deadline
	opened        chan struct{} // closed once the dial has come to an end
	refused       error         // why it failed; written before that
	closed        chan struct{}
	once          sync.Once
	more          chan struct{} // of 1: in or err has changed
	room          chan struct{} // of 1: bytes have left, or never will
	gate          chan struct{} // of 1: one Write at a time; a channel, since who has it waits

	mu   sync.Mutex // guards what follows; taken within the world's lock, never around it
	in   []byte
	err  error // what a Read says once in is empty
	shut bool  // the window is closed
}

// addr is a host and a port.
type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

func newConn(m *Machine, remote string) *conn {
	return &conn{m: m, local: addr(m.address), remote: addr(remote), reading: newDeadline(), writing: newDeadline(), opened: make(chan struct{}),
		closed: make(chan struct{}), more: make(chan struct{}, 1), room: make(chan struct{}, 1), gate: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	for {
		if err := c.usable(c.reading); err != nil {
			return 0, c.wrap("read", err)
		}
		n, wide, err := c.take(p)
		if wide {
			c.widen()
		}
		if n > 0 || len(p) == 0 || err == io.EOF {
			return n, err
		}
		if err != nil {
			return 0, c.wrap("read", err)
		}
		select {
		case <-c.more:
		case <-c.closed:
		case <-c.reading.wait():
		}
	}
}

// take moves bytes that have come; wide says that the window is to be opened.
func (c *conn) take(p []byte) (n int, wide bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = copy(p, c.in)
	c.in = c.in[n:]
	if len(c.in) > 0 || c.err != nil {
		signal(c.more) // another Read may wait
	}
	if n == 0 {
		err = c.err
	}
	wide = c.shut && len(c.in) < maxUnread/2
	c.shut = c.shut && !wide
	return n, wide, err
}

// widen opens the window again.
func (c *conn) widen() {
	w := c.m.w
	w.enter()
	defer w.leave()
	if !w.over {
		w.sim.Net().Read(c.half, true)
		c.arrive()
	}
}

// arrive takes what has come. The world is entered.
func (c *conn) arrive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && len(c.in) < maxUnread {
		b, ok, bad := c.half.Next()
		if bad {
			c.err = io.ErrUnexpectedEOF
		}
		if !ok {
			break
		}
		c.in = append(binary.BigEndian.AppendUint32(c.in, uint32(len(b))), b...)
	}
	switch {
	case len(c.in) >= maxUnread:
		c.shut = true
		c.m.w.sim.Net().Read(c.half, false)
	case c.err == nil && c.half.Over():
		c.err = io.EOF
		if c.half.Broken() {
			c.err = syscall.ECONNRESET
		}
	}
	signal(c.more)
}

// Write implements net.Conn. It returns when the bytes are queued; who is far ahead of the network waits.
func (c *conn) Write(p []byte) (n int, err error) {
	if err := c.enter(); err != nil {
		return 0, c.wrap("write", err)
	}
	defer func() { <-c.gate }()
	for n < len(p) {
		if err := c.usable(c.writing); err != nil {
			return n, c.wrap("write", err)
		}
		k, err := c.offer(p[n:min(len(p), n+pieceSize)])
		n += k
		if err != nil {
			return n, c.wrap("write", err)
		}
		if k > 0 {
			continue
		}
		select {
		case <-c.room:
		case <-c.closed:
		case <-c.writing.wait():
		}
	}
	return n, nil
}

// enter waits until no other Write is under way.
func (c *conn) enter() error {
	for {
		select {
		case c.gate <- struct{}{}:
			return nil
		case <-c.closed:
		case <-c.writing.wait():
		}
		if err := c.usable(c.writing); err != nil {
			return err
		}
	}
}

// offer queues p whole, or nothing while there is no room.
func (c *conn) offer(p []byte) (int, error) {
	w := c.m.w
	w.enter()
	defer w.leave()
	switch net := w.sim.Net(); {
	case w.over || c.half.Over():
		return 0, syscall.EPIPE
	case c.half.Unsent() > maxUnsent:
		net.Wants(c.half, maxUnsent/2)
		return 0, nil
	default:
		net.SendBytes(c.half, p, disk.Extent{}, 0)
		return len(p), nil
	}
}

// usable says why the connection cannot be used in one direction.
func (c *conn) usable(d *deadline) error {
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	if d.isPast() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// fail is for the end of all: what has come can still be read.
func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	signal(c.more)
	signal(c.room)
}

// Close implements net.Conn. What was written before still leaves.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.reading.set(time.Time{})
		c.writing.set(time.Time{})
		c.m.drop(c)
	})
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.reading.set(t)
	c.writing.set(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.reading.set(t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writing.set(t)
	return nil
}

func (c *conn) wrap(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}
