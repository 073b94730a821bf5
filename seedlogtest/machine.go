package seedlogtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"

	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/simnet"
)

// Machine is where clients run: an endpoint of the cluster's network, which can be cut off. A cluster has one from the start, whose dialer is
// Cluster.Dialer; Cluster.Machine makes others.
type Machine struct {
	c       *Cluster
	w       *world
	address string
	end     simnet.End
	conns   map[uint64]*conn // by tag; guarded by the world
	last    uint64
	cuts    cuts
}

// Machine makes a machine for clients. The name is for logs, of brokers too; make each once.
func (c *Cluster) Machine(name string) *Machine {
	m := &Machine{c: c, w: c.w, conns: map[uint64]*conn{}, cuts: cuts{c.w, map[wire]bool{}}}
	c.w.enter()
	defer c.w.leave()
	m.address = fmt.Sprintf("%s:%d", name, 50000+len(c.machines))
	m.end = c.w.sim.Attach(host{m}, m.address)
	c.machines = append(c.machines, m)
	return m
}

// Dialer gives the function by which a client on this machine connects, as kgo.Dialer and others take it. The address is one that the
// cluster has told: Cluster.Addrs, or what the brokers advertise.
func (m *Machine) Dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	return m.dial
}

func (m *Machine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c := newConn(m, address)
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: c.remote, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if err := m.connect(c, address); err != nil {
		return fail(err)
	}
	select {
	case <-c.opened:
	case <-ctx.Done():
		_ = c.Close() // it has no error
		return fail(ctx.Err())
	}
	if c.refused != nil {
		return fail(c.refused)
	}
	return c, nil
}

// connect begins a dial.
func (m *Machine) connect(c *conn, address string) error {
	m.w.enter()
	defer m.w.leave()
	if m.w.over {
		return net.ErrClosed
	}
	m.last++
	m.conns[m.last] = c
	if slices.Contains(m.w.sim.Addrs(), address) {
		c.half = m.w.sim.Dial(m.end, address, m.last)
	} else {
		delete(m.conns, m.last)
		return &net.DNSError{Err: "no such host; the cluster's are " + fmt.Sprint(m.w.sim.Addrs()), Name: address, IsNotFound: true}
	}
	return nil
}

// drop closes our end of a connection.
func (m *Machine) drop(c *conn) {
	m.w.enter()
	defer m.w.leave()
	if _, ok := m.conns[c.half.Tag]; !ok {
		return
	}
	delete(m.conns, c.half.Tag)
	if !m.w.over {
		m.w.sim.Net().Close(c.half)
	}
}

// fail ends all connections. The world is entered.
func (m *Machine) fail(err error) {
	for tag, c := range m.conns {
		delete(m.conns, tag)
		c.fail(err)
		c.settle(err)
	}
}

// settle says that the dial has come to an end, well or not. The world is entered.
func (c *conn) settle(err error) {
	if !c.isOpen() {
		c.refused = err
		close(c.opened)
	}
}

func (c *conn) isOpen() bool {
	select {
	case <-c.opened:
		return true
	default:
		return false
	}
}

// host is the machine as the network sees it. The world is entered in all its methods.
type host struct{ m *Machine }

var _ simnet.Host = host{}

// Incoming refuses: nobody dials a client.
func (h host) Incoming(uint8, uint64) (int, bool) { return 0, false }

// Opened tells who dialled.
func (h host) Opened(x *simnet.Half) {
	if c := h.m.conns[x.Tag]; c != nil {
		c.settle(nil)
	}
}

// Readable hands over what has come, then the end.
func (h host) Readable(x *simnet.Half) {
	c := h.m.conns[x.Tag]
	if c == nil {
		return
	}
	switch {
	case c.isOpen():
		c.arrive()
	case x.Refused():
		c.settle(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	default:
		c.settle(os.NewSyscallError("connect", syscall.ETIMEDOUT))
	}
	signal(c.room)
	if x.Broken() {
		delete(h.m.conns, x.Tag)
		h.m.w.sim.Net().Told(x)
	}
}

// Sent, ReadExtent and Unpin do not concern clients.
func (h host) Sent(*simnet.Half, disk.Token)                  {}
func (h host) ReadExtent(disk.Extent, []byte, int64) disk.Err { return disk.ErrIO }
func (h host) Unpin(disk.Extent)                              {}
