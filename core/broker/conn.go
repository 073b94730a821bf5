package broker

import (
	"strings"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

// maxProduceInFlight is how many Produce requests of one connection may be in progress together, as an idempotent producer sends them.
const maxProduceInFlight = 5

// keyProduce is the one API whose requests overlap on a connection.
const keyProduce = 0

// Those that a client asks first.
const (
	keyFetch       = 1
	keyMetadata    = 3
	keyApiVersions = 18
)

// conn is one connection's requests. They are answered in order; a later one begins before the earlier is answered only if both are
// Produce, at most maxProduceInFlight of them. What may not begin waits in queue, and the driver is told to hold the connection, so that
// queue never holds more than what one read brought.
type conn struct {
	id         network.Conn
	client     api.Client
	head, tail *api.Request // begun and not drained, in order
	n          int
	queue      []network.Frame // lent by the shard while it is not empty
	next       int             // queue[:next] has begun
	held       bool
	inner      bool       // it came in by the controller listener
	closing    bool       // Close was emitted
	gone       bool       // ConnClosed came
	deaf       bool       // a request came too late for an answer, so those behind it get none either: answers are in order
	busy       bool       // begin is on the stack
	used       clock.Time // when the last frame came or the last answer left
}

func (s *Shard) connOf(id network.Conn) *conn {
	i := int(uint32(id))
	if i >= len(s.conns) || s.conns[i] == nil || s.conns[i].id != id {
		return nil
	}
	return s.conns[i]
}

func (s *Shard) opened(info *network.Info) {
	if info.Dialled {
		s.dialled(info)
		return
	}
	inner := s.member != nil && s.static.IsControllerListener(info.Listener)
	i := int(uint32(info.Conn))
	for i >= len(s.conns) {
		s.conns = append(s.conns, nil)
	}
	assert.That(s.conns[i] == nil, "broker: connection number in use")
	if s.phase >= draining && !inner { // nobody would answer it
		s.env.Out.Close = append(s.env.Out.Close, info.Conn)
		return
	}
	if s.nConns >= s.share(s.node.MaxConnections) && !inner {
		s.env.Out.Close = append(s.env.Out.Close, info.Conn)
		s.refusedConn(info)
		return
	}
	host := info.Peer
	if k := strings.LastIndexByte(host, ':'); k >= 0 {
		host = host[:k]
	}
	client := api.Client{Host: "/" + strings.Trim(host, "[]"), Listener: info.Listener, Inner: inner, Conn: info.Conn}
	s.conns[i] = &conn{id: info.Conn, client: client, inner: inner, used: s.env.Now.Mono}
	s.nConns++
	s.accepted++
}

// refusalGap is the least time between two lines about refused connections: whoever is refused comes back at once.
const refusalGap = 10 * clock.Second

// refusedConn counts a connection above max.connections, and says so now and then.
func (s *Shard) refusedConn(info *network.Info) {
	s.refused++
	if s.refusalAt != 0 && s.env.Now.Mono < s.refusalAt {
		return
	}
	s.refusalAt = s.env.Now.Mono.Add(refusalGap)
	s.env.Warnf("a connection from %s is closed: %d are open, as many as max.connections allows (%d refused since the start); raise it or close idle ones", info.Peer, s.nConns, s.refused)
}

func (s *Shard) closed(info *network.Info) {
	if s.dialEnded(info) {
		return
	}
	if s.member != nil {
		s.member.streams.closed(info)
		s.member.watch.lost(info.Conn)
	}
	id := info.Conn
	c := s.connOf(id)
	if c == nil {
		return
	}
	s.conns[uint32(id)] = nil
	s.nConns--
	c.gone = true
	for i := c.next; i < len(c.queue); i++ {
		c.queue[i].Lease.Release()
	}
	s.putQueue(c)
	c.busy = true // nothing is drained, and so released, while the list is walked
	for r := c.head; r != nil; r = r.Next {
		if !r.IsDone() {
			s.state.Abandon(r)
		}
	}
	c.busy = false
	s.flushConn(c)
}

// frame takes in one request.
func (s *Shard) frame(f *network.Frame) {
	if s.dialFrame(f) {
		return
	}
	c := s.connOf(f.Conn)
	if c == nil || c.closing || c.deaf {
		return
	}
	if c.deaf = s.phase >= draining && !c.inner && !greeting(f.Bytes); c.deaf {
		return
	}
	c.used = s.env.Now.Mono
	if c.inner && s.innerFrame(c, f) {
		return
	}
	if len(c.queue) == 0 && apiKey(f.Bytes) == keyFetch && c.n > 0 {
		s.state.Overtake(c.tail)
	}
	if len(c.queue) > 0 || !s.mayBegin(c, f.Bytes) {
		f.Lease.Retain()
		if c.queue == nil {
			c.queue = s.takeQueue()
		}
		c.queue = append(c.queue, *f)
		s.hold(c)
		return
	}
	s.begin(c, f)
	s.flushConn(c)
}

// apiKey is a request's API key, -1 of a frame too short.
func apiKey(b []byte) int {
	if len(b) < 2 {
		return -1
	}
	return int(b[0])<<8 | int(b[1])
}

// greeting says whether a request is one that a new connection begins with: it is answered while the broker drains, since clients take an end
// before the first answer for something other than a stop.
func greeting(b []byte) bool {
	return len(b) >= 2 && b[0] == 0 && (b[1] == keyApiVersions || b[1] == keyMetadata)
}

func (s *Shard) mayBegin(c *conn, b []byte) bool {
	if c.n == 0 {
		return true
	}
	return c.n < maxProduceInFlight && c.tail.Key == keyProduce && len(b) >= 2 && b[0] == 0 && b[1] == keyProduce
}

func (s *Shard) hold(c *conn) {
	if !c.held {
		c.held = true
		s.env.Out.Hold = append(s.env.Out.Hold, c.id)
	}
}

// begin parses a frame's header and starts the request.
func (s *Shard) begin(c *conn, f *network.Frame) {
	h, body, ok := wire.ParseHeader(f.Bytes)
	if !ok {
		s.shut(c)
		return
	}
	r := s.state.NewRequest(*f, h, body, c, &c.client)
	if c.tail == nil {
		c.head = r
	} else {
		c.tail.Next = r
	}
	c.tail = r
	c.n++
	busy := c.busy
	c.busy = true
	s.state.Start(r)
	c.busy = busy
}

// shut closes a connection from our side, without an answer.
func (s *Shard) shut(c *conn) {
	if !c.closing && !c.gone {
		c.closing = true
		s.env.Out.Close = append(s.env.Out.Close, c.id)
	}
}

// Done is api.Replier: a request's response is known.
func (s *Shard) Done(r *api.Request) {
	if c := s.owner(r); c != nil && !c.busy {
		s.flushConn(c)
	}
}

// owner finds the connection of a request; one that is gone is kept alive by its requests alone.
func (s *Shard) owner(r *api.Request) *conn { return r.Owner.(*conn) }

// flushConn sends what is done, in order, and begins what may begin now.
func (s *Shard) flushConn(c *conn) {
	if c.busy {
		return
	}
	c.busy = true
	for {
		s.drainConn(c)
		if c.next == len(c.queue) || c.gone || c.closing || !s.mayBegin(c, c.queue[c.next].Bytes) {
			break
		}
		f := c.queue[c.next]
		c.queue[c.next] = network.Frame{}
		c.next++
		s.begin(c, &f)
		f.Lease.Release()
	}
	c.busy = false
	if c.next == len(c.queue) {
		s.putQueue(c)
		if c.held && !c.gone && !c.closing {
			c.held = false
			s.env.Out.Resume = append(s.env.Out.Resume, c.id)
		}
	}
}

// Queues that are kept for connections that need one, and the frames that such a queue may have room for.
const (
	keepQueues = 64
	keepFrames = 64
)

func (s *Shard) takeQueue() []network.Frame {
	k := len(s.queues)
	if k == 0 {
		return nil
	}
	q := s.queues[k-1]
	s.queues = s.queues[:k-1]
	return q
}

// putQueue takes back a connection's queue. An idle connection has none.
func (s *Shard) putQueue(c *conn) {
	if c.queue != nil && cap(c.queue) <= keepFrames && len(s.queues) < keepQueues {
		clear(c.queue)
		s.queues = append(s.queues, c.queue[:0])
	}
	c.queue, c.next = nil, 0
}

func (s *Shard) drainConn(c *conn) {
	for c.head != nil && c.head.IsDone() {
		r := c.head
		c.head = r.Next
		if c.head == nil {
			c.tail = nil
		}
		c.n--
		switch {
		case c.gone || c.closing:
			s.state.Discard(r)
		case r.CloseAfter:
			s.shut(c)
			s.state.Discard(r)
		case r.NoReply:
		default:
			s.state.Encode(r)
			c.used = s.env.Now.Mono
		}
		s.state.Drained(r)
	}
}

// share is this shard's part of a limit for the whole broker, at least 1. Connections are dealt to the shards in turn.
func (s *Shard) share(limit int32) int { return max(1, (int(limit)+s.shards-1)/s.shards) }

// sweepIdle closes the connections on which nothing happened for connections.max.idle.ms.
func (s *Shard) sweepIdle() {
	limit := s.node.ConnectionsMaxIdleMS
	if limit < 0 {
		return
	}
	for _, c := range s.conns {
		if c != nil && !c.inner && c.n == 0 && s.env.Now.Mono.Sub(c.used) >= clock.MS(limit) {
			s.shut(c)
		}
	}
	s.env.After(&s.timers[timerIdle], clock.MS(max(100, min(limit/4, 30_000))))
}

// inFlight counts the requests that are not answered.
func (s *Shard) inFlight() (n int) {
	for _, c := range s.conns {
		if c != nil && !c.inner {
			n += c.n
		}
	}
	return n
}
