package quorum

import (
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// address is what raft takes for a server's address: id@host:port, so that a dial knows whom it wants.
type address string

// Network implements net.Addr.
func (address) Network() string { return "quorum" }

// String implements net.Addr.
func (a address) String() string { return string(a) }

func addressOf(id, hostPort string) address { return address(id + "@" + hostPort) }

// parts gives the raft id and host:port.
func (a address) parts() (id, hostPort string) {
	id, hostPort, _ = strings.Cut(string(a), "@")
	return id, hostPort
}

// maxAccept bounds streams that peers opened and raft has not taken.
const maxAccept = 64

// streams is raft.StreamLayer over shard 0's connections.
type streams struct {
	node   *Node
	accept chan *conn
	ended  chan struct{}

	mu      sync.Mutex
	local   address
	closing bool
	conns   map[int64]*conn
	dials   map[disk.Token]*dial
}

// dial waits for its answer.
type dial struct {
	remote address
	done   chan *conn // nil comes: it failed
	late   bool       // nobody waits any more: what comes is closed
}

func newStreams(n *Node) *streams {
	return &streams{node: n, accept: make(chan *conn, maxAccept), ended: make(chan struct{}),
		conns: map[int64]*conn{}, dials: map[disk.Token]*dial{}}
}

// Accept implements net.Listener.
func (s *streams) Accept() (net.Conn, error) {
	select {
	case c := <-s.accept:
		return c, nil
	case <-s.ended:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (s *streams) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local
}

// Close implements net.Listener. Streams stay open until raft, or Node.close, ends them.
func (s *streams) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.closing = true
		close(s.ended)
	}
	return nil
}

var errNoStream = errors.New("not reached")

// Dial implements raft.StreamLayer.
func (s *streams) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	d := &dial{remote: address(to), done: make(chan *conn, 1)}
	s.ask(d)
	t := time.NewTimer(timeout)
	defer t.Stop()
	var c *conn
	select {
	case c = <-d.done:
	case <-t.C:
		c = s.giveUp(d)
	case <-s.node.dead:
	}
	if c == nil {
		return nil, errNoStream
	}
	return c, nil
}

// ask mails the Dial. Its token is known when the outbox is drained.
func (s *streams) ask(d *dial) {
	want, hostPort := d.remote.parts()
	from, own := s.Addr().(address).parts()
	hello := link.Hello{Want: want, From: from, Address: own, Cluster: s.node.machine.current().ClusterID()}
	s.node.out.put(item{class: classDial, key: string(d.remote),
		mail: step.Mail{Kind: link.MailDial, Body: &link.Dial{Address: hostPort, Hello: hello}},
		dial: func(t disk.Token) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.dials[t] = d
		}})
}

// giveUp stops waiting, unless the answer has just come.
func (s *streams) giveUp(d *dial) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case c := <-d.done:
		return c
	default:
		d.late = true
		return nil
	}
}

// add makes the stream known, so that bytes find it.
func (s *streams) add(o *link.Opened, remote address) *conn {
	c := newConn(s.node, int64(o.Conn), s.local, remote)
	s.conns[c.id] = c
	return c
}

// opened takes a stream that is open: one that we dialled, or a peer's.
func (s *streams) opened(o *link.Opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Token == 0 {
		s.accepted(o)
		return
	}
	d := s.dials[o.Token]
	delete(s.dials, o.Token)
	if d == nil || d.late || s.closing {
		s.refuse(o)
		return
	}
	d.done <- s.add(o, d.remote)
}

// accepted takes a peer's stream. s.mu is held.
func (s *streams) accepted(o *link.Opened) {
	if s.closing || s.local == "" || len(s.accept) == cap(s.accept) {
		s.refuse(o)
		return
	}
	s.accept <- s.add(o, addressOf(o.From, o.Address))
}

func (s *streams) refuse(o *link.Opened) {
	s.node.out.mail(classStream, key64(uint64(o.Conn)), step.Mail{Kind: link.MailClose, A: int64(o.Conn)})
}

func (s *streams) noStream(t disk.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.dials[t]
	delete(s.dials, t)
	if d != nil && !d.late {
		d.done <- nil
	}
}

func (s *streams) find(id int64) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[id]
}

func (s *streams) bytes(id int64, b []byte) {
	if c := s.find(id); c != nil && !c.arrived(b) {
		_ = c.Close()
	}
}

func (s *streams) sent(id, n int64) {
	if c := s.find(id); c != nil {
		c.left(int(n))
	}
}

func (s *streams) closed(id int64) {
	if c := s.find(id); c != nil {
		c.lost()
		s.forget(id)
	}
}

func (s *streams) forget(id int64) {
	s.mu.Lock()
	delete(s.conns, id)
	s.mu.Unlock()
}

// killAll ends every stream, in the order of their numbers.
func (s *streams) killAll() {
	_ = s.Close()
	s.mu.Lock()
	all := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *conn) int { return int(a.id - b.id) })
	for _, c := range all {
		_ = c.Close()
	}
}
