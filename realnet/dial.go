package realnet

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// dial is a connection that we asked for and that is not made yet. Its addresses are tried one after another, each for its share of the time.
type dial struct {
	token disk.Token
	rest  []netip.AddrPort // not tried yet
	peer  string           // which is tried
	until clock.Time       // and until when
	end   clock.Time       // of the last

	refused bool // an address was refused: a machine lives there, and nobody listens
	silent  bool // an address failed otherwise
	handed  bool // the next address is tried: this connection's end is not the dial's
}

// failed notes how an address failed.
func (d *dial) failed(refused bool) {
	d.refused = d.refused || refused
	d.silent = d.silent || !refused
}

// info tells of a dial that has failed. It was refused if every address refused it.
func (d *dial) info() network.Info {
	return network.Info{Token: d.token, Dialled: true, Refused: d.refused && !d.silent}
}

// maxAddrs bounds the addresses of a name that are tried.
const maxAddrs = 8

// startDial begins to connect. A name is looked up on a goroutine, and comes back by mail; the core bounds how many it asks for.
func (l *loop) startDial(d *network.Dial) {
	if ap, err := netip.ParseAddrPort(d.Addr); err == nil {
		l.dialAll(d.Token, []netip.AddrPort{ap})
		return
	}
	token, addr, box, cfg := d.Token, d.Addr, l.box, &l.node.cfg
	go func() {
		r := resolved{token: token, addrs: resolve(cfg, addr)}
		box.mu.Lock()
		box.resolved = append(box.resolved, r)
		box.mu.Unlock()
		box.posted()
	}()
}

// resolve gives the addresses of a name in the order of preference; none if there are none.
func resolve(cfg *Config, addr string) (out []netip.AddrPort) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.DialTimeout)
	defer cancel()
	addrs, err := cfg.Lookup(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for _, a := range addrs[:min(len(addrs), maxAddrs)] {
		out = append(out, netip.AddrPortFrom(a.Unmap(), uint16(port)))
	}
	return out
}

func (l *loop) dialAll(token disk.Token, addrs []netip.AddrPort) {
	l.connect(&dial{token: token, rest: addrs, end: l.now.Mono.Add(clock.Duration(l.node.cfg.DialTimeout))})
}

// connect makes a socket for the next address. The outcome comes as an event, immediate refusals too.
func (l *loop) connect(d *dial) {
	for len(d.rest) > 0 {
		to := d.rest[0]
		d.rest = d.rest[1:]
		fd, err := l.connecting(to)
		if err != nil {
			d.failed(err == unix.ECONNREFUSED)
			continue
		}
		c := l.newConn(fd)
		d.peer, d.handed = to.String(), false
		d.until = l.now.Mono.Add(max(0, d.end.Sub(l.now.Mono)) / clock.Duration(len(d.rest)+1))
		c.dial = d
		l.dialling++
		if l.dialAt == 0 || d.until < l.dialAt {
			l.dialAt = d.until
		}
		if err := l.register(c); err != nil {
			l.close(c)
		}
		return
	}
	l.closed = append(l.closed, d.info())
}

// notConnected ends a connection whose address failed, and tries the next.
func (l *loop) notConnected(c *conn, refused bool) {
	d := c.dial
	d.failed(refused)
	d.handed = len(d.rest) > 0
	l.close(c)
	if d.handed {
		l.connect(d)
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
		l.notConnected(c, errno == int(unix.ECONNREFUSED))
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
			l.notConnected(c, false)
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
