package realnet

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

const (
	maxAccepts  = 64                      // connections accepted in a round
	acceptPause = 100 * clock.Millisecond // after the process ran out of descriptors
)

type listener struct {
	name  string
	addr  string // bound
	fd    int
	inner bool
}

// bind opens a listening socket. Errors say what to do.
func bind(c Listener, backlog int) (*listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", c.Addr)
	if err != nil {
		return nil, fmt.Errorf("listener %s: address %q: %w; use host:port", c.Name, c.Addr, err)
	}
	fd, err := listen(addr, backlog)
	if err != nil {
		return nil, fmt.Errorf("listener %s: cannot bind %s: %w; stop what holds it, or set another port in listeners", c.Name, c.Addr, err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listener %s: %w", c.Name, err)
	}
	return &listener{name: c.Name, addr: addrPort(sa).String(), fd: fd, inner: c.Inner}, nil
}

// listen binds to every address, of both families, if addr has no host and the machine knows IPv6.
func listen(addr *net.TCPAddr, backlog int) (int, error) {
	if addr.IP != nil {
		ip, _ := netip.AddrFromSlice(addr.IP)
		sa, family := sockaddr(netip.AddrPortFrom(ip.Unmap().WithZone(addr.Zone), uint16(addr.Port)))
		return listenOn(family, sa, backlog)
	}
	fd, err := listenOn(unix.AF_INET6, &unix.SockaddrInet6{Port: addr.Port}, backlog)
	if err == unix.EAFNOSUPPORT || err == unix.EADDRNOTAVAIL {
		return listenOn(unix.AF_INET, &unix.SockaddrInet4{Port: addr.Port}, backlog)
	}
	return fd, err
}

func listenOn(family int, sa unix.Sockaddr, backlog int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (ln *listener) close() {
	if ln.fd >= 0 {
		unix.Close(ln.fd)
		ln.fd = -1
	}
}

// startAccepting is called when the shard first says Accept. Shard 0's loop has the listeners, level-triggered.
func (l *loop) startAccepting() {
	l.accepting.Store(true)
	l.watchListeners(false)
}

// watchListeners adds the listeners of one sort to shard 0's epoll: the inner ones at its start, the others when it accepts.
func (l *loop) watchListeners(inner bool) {
	if l.id != 0 {
		return
	}
	for i, ln := range l.node.listeners {
		if ln.inner != inner || ln.fd < 0 {
			continue
		}
		ev := &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i + 1)}
		if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, ln.fd, ev); err != nil {
			l.fail("listener "+ln.name+": epoll: "+err.Error()+"; raise the limit of open files", 1)
		}
	}
}

// stopAccepting closes the listeners before the shards drain: a client that comes now is refused, which it retries elsewhere or later,
// instead of being cut off in its first request, which some take for a mistake of their own. Inner listeners stay.
func (l *loop) stopAccepting() {
	if l.id != 0 {
		return
	}
	for _, ln := range l.node.listeners {
		if ln.inner {
			continue
		}
		_ = unix.EpollCtl(l.ep, unix.EPOLL_CTL_DEL, ln.fd, nil) // It may not be there yet, or be closed.
		ln.close()
	}
}

// accept takes waiting connections of a listener and deals them out in turn over the shards that accept, or keeps them if it is an inner one.
func (l *loop) accept(i int) {
	ln := l.node.listeners[i]
	if ln.fd < 0 {
		return
	}
	for range maxAccepts {
		fd, sa, err := unix.Accept4(ln.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
		case unix.EAGAIN:
			return
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			l.pauseAccept(err)
			return
		default:
			continue // The connection ended before it was taken: ECONNABORTED and network errors, see accept(2).
		}
		l.tune(fd)
		a := adopted{fd: fd, listener: i, peer: addrPort(sa)}
		to := l
		if !ln.inner {
			to = l.nextShard()
		}
		if to != l {
			to.box.adopt(a)
		} else {
			l.adopt(&a)
		}
	}
}

// nextShard gives the loops that accept in turn; l itself does.
func (l *loop) nextShard() *loop {
	loops := l.node.loops[:l.node.shards()]
	for range loops {
		l.turn = (l.turn + 1) % len(loops)
		if loops[l.turn].accepting.Load() {
			return loops[l.turn]
		}
	}
	return l
}

// pauseAccept takes the listeners out of epoll for a while: they would report what cannot be taken over and over.
func (l *loop) pauseAccept(err error) {
	l.log(step.Warn, "accept: "+err.Error()+"; connections wait, raise the limit of open files")
	l.acceptAt = l.now.Mono.Add(acceptPause)
	for _, ln := range l.node.listeners {
		_ = unix.EpollCtl(l.ep, unix.EPOLL_CTL_DEL, ln.fd, nil) // Not being there is as good.
	}
}

// adopt opens a connection on this shard.
func (l *loop) adopt(a *adopted) {
	c := l.newConn(a.fd)
	if err := l.register(c); err != nil {
		l.log(step.Warn, "accept: epoll: "+err.Error()+"; the connection is closed")
		l.forget(c)
		return
	}
	info := network.Info{Conn: c.id, Listener: l.node.listeners[a.listener].name, Peer: a.peer.String()}
	l.step(&step.Event{Kind: step.ConnOpened, Conn: info})
}

// tune sets a connection up as Apache Kafka does. A socket that refuses an option works without it.
func (l *loop) tune(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	if n := l.node.cfg.SendBuf; n > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, n)
	}
	if n := l.node.cfg.RecvBuf; n > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, n)
	}
}
