package peer

import (
	"github.com/seedlog/seedlog/core/list"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

// Reason says why a call has no answer.
type Reason uint8

// The reasons.
const (
	None     Reason = iota // it has
	TimedOut               // the call's time is over
	Closed                 // the connection ended, or could not be made, or was closed here
	Refused                // the peer's machine answered the dial: nobody listens there. Its process is gone
)

func (r Reason) String() string {
	return [...]string{"answered", "timed out", "connection closed", "connection refused"}[r]
}

// Waiter is told once what became of a call. ok says that there is an answer: body is what follows the response header, and is valid until
// Answered returns, or for as long as lease is retained.
type Waiter interface {
	Answered(body []byte, lease *buf.Lease, ok bool, why Reason)
}

// Body is a request's body; each kmsg.Request is one. AppendTo is called when the request leaves, which may be later than Call.
type Body interface{ AppendTo(dst []byte) []byte }

// Call is one request.
type Call struct {
	Key, Version int16
	Body         Body
	Timeout      clock.Duration // from Call to the answer; 0: DefaultTimeout
	Waiter       Waiter
}

// DefaultTimeout is request.timeout.ms's default.
const DefaultTimeout = 30 * clock.Second

// Request is a whole request that knows its API: each kmsg.Request is one.
type Request interface {
	Body
	Key() int16
	SetVersion(int16)
}

// Cold is the call of a kmsg request at a version. The answer is read with kmsg at the same version.
func Cold(req Request, version int16, timeout clock.Duration, w Waiter) Call {
	req.SetVersion(version)
	return Call{Key: req.Key(), Version: version, Body: req, Timeout: timeout, Waiter: w}
}

// state of a call.
type state uint8

const (
	waiting state = iota
	sent
	failed // it is in Pool.failing
)

// call is a Call under way.
type call struct {
	Call
	peer  *Peer
	w     Waiter
	corr  int32
	state state
	why   Reason
	timer timer.Timer
	in    list.Elem[call]
}

// Kinds of a peer's timers.
const (
	timerRedial = iota
	timerIdle
)

// Peer is one broker's address and the connection to it, if there is one.
//
//	idle ──Call──▶ dialling ──opened──▶ open ──lost──▶ idle; what waits dials again
//	                   └──failed──▶ backing off ──timer, if something waits──▶ dialling
type Peer struct {
	pool     *Pool
	addr     string
	link     *link           // nil: no connection and no dial
	waiting  list.List[call] // not sent; any may leave it
	sent     list.List[call] // in the order of the answers
	corr     int32
	failures int // dials and connections in a row that brought no answer
	redial   timer.Timer
	idle     timer.Timer
	used     clock.Time // when the last request left or the last answer came
	pooled   bool       // Get finds it
}

// Addr is the peer's address, "host:port".
func (x *Peer) Addr() string { return x.addr }

// Call sends a request as soon as it may leave. The waiter is told once, later.
func (x *Peer) Call(q Call) {
	p := x.pool
	c := p.take()
	c.Call, c.w, c.peer, c.state = q, q.Waiter, x, waiting
	if p.closed || x.waiting.Len() >= p.cfg.Waiting {
		p.fail(c, Closed)
		return
	}
	if q.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	p.env.After(&c.timer, c.Timeout)
	p.add(x)
	x.waiting.Push(c, &c.in)
	x.send()
}

// send lets what may leave leave, or sees to a connection.
func (x *Peer) send() {
	if x.waiting.Len() == 0 {
		return
	}
	if x.link == nil || x.link.id == 0 {
		x.connect()
		return
	}
	for x.waiting.Len() > 0 && x.sent.Len() < x.pool.cfg.InFlight {
		c := x.waiting.First()
		x.waiting.Remove(&c.in)
		x.transmit(c)
	}
}

func (x *Peer) transmit(c *call) {
	e := x.pool.env
	x.corr++
	c.corr, c.state = x.corr, sent
	x.sent.Push(c, &c.in)
	x.used = e.Now.Mono
	out := e.Out
	dst, start := wire.StartFrame(out.Arena)
	dst = wire.AppendRequestHeader(dst, c.Key, c.Version, c.corr, x.pool.cfg.ClientID)
	out.Arena = wire.FinishFrame(c.Body.AppendTo(dst), start, 0)
	out.Send = append(out.Send, network.Send{Conn: x.link.id, A: int32(start), B: int32(len(out.Arena))})
	c.Body = nil
}

// connect dials, unless it is done or waits for the back-off.
func (x *Peer) connect() {
	p := x.pool
	if x.link != nil || x.redial.IsSet() || p.closed {
		return
	}
	x.link = &link{peer: x}
	token := p.env.DialToken()
	p.dialled[token] = x.link
	p.env.Out.Dial = append(p.env.Out.Dial, network.Dial{Token: token, Addr: x.addr})
}

func (x *Peer) opened() {
	x.used = x.pool.env.Now.Mono
	x.pool.env.After(&x.idle, x.pool.cfg.Idle)
	x.send()
}

// dialFailed answers all that wait, since nobody can say when the peer is there again; calls that come meanwhile wait for the next dial.
func (x *Peer) dialFailed(refused bool) {
	x.link = nil
	why := Closed
	if refused {
		why = Refused
	}
	x.failAll(&x.waiting, why)
	x.backOff()
}

// backOff keeps the peer from being dialled for a time that doubles with each failure, up to a limit, and lies within a fifth of that.
func (x *Peer) backOff() {
	p := x.pool
	d := p.cfg.BackoffMin << min(x.failures, 16)
	d = min(d, p.cfg.BackoffMax)
	x.failures++
	p.env.After(&x.redial, clock.Duration(p.env.Rand.Between(int64(d)*4/5, int64(d)*6/5)))
}

// lost says that the connection ended by the other side.
func (x *Peer) lost() {
	x.link = nil
	x.ended()
}

// drop ends the connection by our side: the peer is late, or answers what was not asked.
func (x *Peer) drop() {
	x.letGo()
	x.ended()
}

// ended answers what was sent, and dials again for what waits: at once if the connection had brought an answer.
func (x *Peer) ended() {
	x.pool.env.Timers.Cancel(&x.idle)
	x.failAll(&x.sent, Closed)
	if x.failures++; x.failures > 1 {
		x.failures--
		x.backOff()
	}
	x.send()
}

// letGo leaves the connection or the dial to the pool, which closes it.
func (x *Peer) letGo() {
	if x.link == nil {
		return
	}
	x.link.peer = nil
	if x.link.id != 0 {
		x.pool.env.Out.Close = append(x.pool.env.Out.Close, x.link.id)
	}
	x.link = nil
}

func (x *Peer) failAll(l *list.List[call], why Reason) {
	for l.Len() > 0 {
		c := l.First()
		l.Remove(&c.in)
		x.pool.fail(c, why)
	}
}

// Close ends the connection; what is not answered is answered with Closed at the next Flush. The peer can be called again.
func (x *Peer) Close() {
	x.letGo()
	x.pool.env.Timers.Cancel(&x.redial)
	x.pool.env.Timers.Cancel(&x.idle)
	x.failAll(&x.sent, Closed)
	x.failAll(&x.waiting, Closed)
	x.failures = 0
}

// frame is one answer.
func (x *Peer) frame(f *network.Frame) {
	c := x.sent.First()
	if c == nil {
		x.wrong("sent what nobody asked for")
		return
	}
	corr, body, ok := wire.ParseResponseHeader(f.Bytes, c.Key, c.Version)
	if !ok || corr != c.corr {
		x.wrong("answered out of order")
		return
	}
	x.sent.Remove(&c.in)
	p := x.pool
	p.env.Timers.Cancel(&c.timer)
	x.used, x.failures = p.env.Now.Mono, 0
	w := c.w
	p.put(c)
	w.Answered(body, f.Lease, true, None)
	x.send()
}

func (x *Peer) wrong(what string) {
	x.pool.env.Warnf("peer %s %s: the connection is closed", x.addr, what)
	x.drop()
}

// TimerFired is the heap's call: the call's time is over. Later answers could not be told from the next one's, as in Kafka: the
// connection goes.
func (c *call) TimerFired(*timer.Timer) {
	x := c.peer
	if c.state == waiting {
		x.waiting.Remove(&c.in)
		x.pool.fail(c, TimedOut)
		return
	}
	x.sent.Remove(&c.in)
	x.pool.fail(c, TimedOut)
	x.drop()
}

// TimerFired is the heap's call.
func (x *Peer) TimerFired(t *timer.Timer) {
	e := x.pool.env
	if t.Kind == timerRedial {
		x.send()
		return
	}
	if since := e.Now.Mono.Sub(x.used); since < x.pool.cfg.Idle || x.sent.Len() > 0 || x.waiting.Len() > 0 {
		e.After(&x.idle, max(x.pool.cfg.Idle-since, clock.Second))
		return
	}
	x.letGo()
	x.pool.remove(x)
}
