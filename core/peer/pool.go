package peer

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

// Config of a pool. A zero field takes its default.
type Config struct {
	ClientID   string         // in the header of each request
	BackoffMin clock.Duration // before the second dial in a row; 50 ms (reconnect.backoff.ms)
	BackoffMax clock.Duration // 1 s (reconnect.backoff.max.ms)
	Idle       clock.Duration // a connection unused for so long is closed; 9 min (connections.max.idle.ms of Kafka's clients)
	InFlight   int            // requests of one connection that are sent and not answered; 64
	Waiting    int            // calls of one peer that are not sent; 1024. One more is answered with Closed
}

func (c *Config) fill() {
	orDefault(&c.BackoffMin, 50*clock.Millisecond)
	orDefault(&c.BackoffMax, clock.Second)
	orDefault(&c.Idle, 9*clock.Minute)
	if c.InFlight <= 0 {
		c.InFlight = 64
	}
	if c.Waiting <= 0 {
		c.Waiting = 1024
	}
}

func orDefault(d *clock.Duration, def clock.Duration) {
	if *d <= 0 {
		*d = def
	}
}

// Pool holds the peers of one shard.
type Pool struct {
	env     *env.Env
	cfg     Config
	peers   map[string]*Peer
	list    []*Peer              // all of peers, in the order in which they came
	dialled map[disk.Token]*link // dials that are not answered
	links   []*link              // open connections of ours, by the low half of their number; nil: another's
	free    []*call
	failing []*call // to be answered at Flush
	calls   int     // not answered
	marked  bool
	closed  bool
}

// link is one connection, from its dial to its end. A peer that gave it up leaves it nil.
type link struct {
	peer *Peer
	id   network.Conn // 0 while dialling
}

// NewPool makes the pool of a shard.
func NewPool(e *env.Env, cfg Config) *Pool {
	cfg.fill()
	return &Pool{env: e, cfg: cfg, peers: map[string]*Peer{}, dialled: map[disk.Token]*link{}}
}

// Get gives the peer at "host:port". It connects at the first call.
func (p *Pool) Get(addr string) *Peer {
	x := p.peers[addr]
	if x == nil {
		x = &Peer{pool: p, addr: addr}
		x.redial.Owner, x.redial.Kind = x, timerRedial
		x.idle.Owner, x.idle.Kind = x, timerIdle
		p.add(x)
	}
	return x
}

// add lets Get find x, which was made now, or is used again after it was idle.
func (p *Pool) add(x *Peer) {
	if x.pooled || p.peers[x.addr] != nil {
		return
	}
	x.pooled = true
	p.peers[x.addr] = x
	p.list = append(p.list, x)
}

// remove forgets a peer without calls, so that addresses of brokers that went away do not pile up.
func (p *Pool) remove(x *Peer) {
	if !x.pooled {
		return
	}
	x.pooled = false
	delete(p.peers, x.addr)
	for i, y := range p.list {
		if y == x {
			p.list = append(p.list[:i], p.list[i+1:]...)
			return
		}
	}
}

// Opened takes a connection that one of our dials made; false: it is another's.
func (p *Pool) Opened(info *network.Info) bool {
	l := p.takeDial(info)
	if l == nil {
		return false
	}
	i := int(uint32(info.Conn))
	for i >= len(p.links) {
		p.links = append(p.links, nil)
	}
	l.id, p.links[i] = info.Conn, l
	if l.peer == nil { // given up meanwhile
		p.env.Out.Close = append(p.env.Out.Close, l.id)
		return true
	}
	l.peer.opened()
	return true
}

// Frame takes a frame of one of our connections; false: it is another's.
func (p *Pool) Frame(f *network.Frame) bool {
	l := p.link(f.Conn)
	if l == nil {
		return false
	}
	if l.peer != nil {
		l.peer.frame(f)
	}
	return true
}

// Closed takes the end of one of our connections, or of one of our dials; false: it is another's.
func (p *Pool) Closed(info *network.Info) bool {
	if info.Conn == 0 {
		l := p.takeDial(info)
		if l != nil && l.peer != nil {
			l.peer.dialFailed(info.Refused)
		}
		return l != nil
	}
	l := p.link(info.Conn)
	if l == nil {
		return false
	}
	p.links[uint32(info.Conn)] = nil
	if l.peer != nil {
		l.peer.lost()
	}
	return true
}

// Close answers everything with Closed at the next Flush and lets go of all connections; later calls are answered so too.
func (p *Pool) Close() {
	p.closed = true
	for _, l := range p.links {
		if l != nil && l.peer != nil {
			l.peer.Close()
		}
	}
	for _, x := range p.list {
		x.Close()
	}
}

// InFlight is the number of calls that are not answered.
func (p *Pool) InFlight() int { return p.calls }

func (p *Pool) takeDial(info *network.Info) *link {
	if !info.Dialled {
		return nil
	}
	l := p.dialled[info.Token]
	delete(p.dialled, info.Token)
	return l
}

func (p *Pool) link(id network.Conn) *link {
	i := int(uint32(id))
	if i >= len(p.links) || p.links[i] == nil || p.links[i].id != id {
		return nil
	}
	return p.links[i]
}

// fail has a call answered at the next Flush, so that no waiter is told within its own call.
func (p *Pool) fail(c *call, why Reason) {
	p.env.Timers.Cancel(&c.timer)
	c.why, c.state = why, failed
	p.failing = append(p.failing, c)
	if !p.marked {
		p.marked = true
		p.env.Mark(p)
	}
}

// Flush is env.Flusher: it answers what failed. What fails meanwhile is marked anew.
func (p *Pool) Flush() {
	failed := p.failing
	p.marked, p.failing = false, nil
	for i, c := range failed {
		failed[i] = nil
		w, why := c.w, c.why
		p.put(c)
		w.Answered(nil, nil, false, why)
	}
	if p.failing == nil {
		p.failing = failed[:0]
	}
}

func (p *Pool) take() *call {
	p.calls++
	if k := len(p.free); k > 0 {
		c := p.free[k-1]
		p.free[k-1] = nil
		p.free = p.free[:k-1]
		return c
	}
	c := &call{}
	c.timer.Owner = c
	return c
}

// keepCalls is how many calls are kept for reuse.
const keepCalls = 64

func (p *Pool) put(c *call) {
	p.calls--
	assert.That(!c.timer.IsSet(), "peer: an answered call has a timer")
	if len(p.free) < keepCalls {
		*c = call{timer: c.timer}
		p.free = append(p.free, c)
	}
}
