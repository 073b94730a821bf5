package realnet

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// dial is a connection that we asked for and that is not made yet.
type dial struct {
	token disk.Token
	peer  string
	until clock.Time

	refused bool // the peer's machine lives, and nobody listens
}

// startDial begins to connect. A name is looked up on a goroutine, and comes back by mail; the core bounds how many it asks for.
func (l *loop) startDial(d *network.Dial) {
	if ap, err := netip.ParseAddrPort(d.Addr); err == nil {
		l.connect(d.Token, ap)
		return
	}
	token, addr, box, limit := d.Token, d.Addr, l.box, l.node.cfg.DialTimeout
	go func() {
		r := resolved{token: token, addr: resolve(addr, limit)}
		box.mu.Lock()
		box.resolved = append(box.resolved, r)
		box.mu.Unlock()
		box.posted()
	}()
}

// resolve gives the first address of a name, or the zero one.
func resolve(addr string, limit time.Duration) netip.AddrPort {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return netip.AddrPort{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(port))
}

// connect makes the socket. The outcome comes as an event, immediate refusals too.
func (l *loop) connect(token disk.Token, to netip.AddrPort) {
	fd, err := l.connecting(to)
	if err != nil {
		l.closed = append(l.closed, network.Info{Token: token, Dialled: true, Refused: err == unix.ECONNREFUSED})
		return
	}
	c := l.newConn(fd)
	c.dial = &dial{token: token, peer: to.String(), until: l.now.Mono.Add(clock.Duration(l.node.cfg.DialTimeout))}
	l.dialling++
	if l.dialAt == 0 || c.dial.until < l.dialAt {
		l.dialAt = c.dial.until
	}
	if err := l.register(c); err != nil {
		l.close(c)
	}
}

func (l *loop) connecting(to netip.AddrPort) (int, error) {
	sa, family := sockaddr(to)
	if sa == nil {
		return -1, unix.EINVAL
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	l.tune(fd)
	if err = unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// dialled looks how a connect has ended. epoll also reports a socket that has not begun: then there is no error and no peer yet.
func (l *loop) dialled(c *conn) {
	errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || errno != 0 {
		c.dial.refused = errno == int(unix.ECONNREFUSED)
		l.close(c)
		return
	}
	if _, err := unix.Getpeername(c.fd); err != nil {
		return
	}
	info := network.Info{Conn: c.id, Peer: c.dial.peer, Dialled: true, Token: c.dial.token}
	c.dial = nil
	l.dialling--
	c.readable = true // Whatever epoll says of bytes may have come with this event.
	l.step(&step.Event{Kind: step.ConnOpened, Conn: info})
	l.markRead(c)
}

// expireDials closes what has not connected in time.
func (l *loop) expireDials() {
	l.dialAt = 0
	if l.dialling == 0 {
		return
	}
	for i := range l.slots {
		c := l.slots[i].c
		switch {
		case c == nil || c.dial == nil:
		case c.dial.until <= l.now.Mono:
			l.close(c)
		case l.dialAt == 0 || c.dial.until < l.dialAt:
			l.dialAt = c.dial.until
		}
	}
}

func sockaddr(a netip.AddrPort) (unix.Sockaddr, int) {
	switch ip := a.Addr(); {
	case ip.Is4() || ip.Is4In6():
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.Unmap().As4()}, unix.AF_INET
	case ip.Is6():
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: ip.As16(), ZoneId: zone(ip.Zone())}, unix.AF_INET6
	}
	return nil, 0
}

func zone(name string) uint32 {
	if name == "" {
		return 0
	}
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return 0
	}
	return uint32(ifi.Index)
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
