package peer

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

// world is a pool and the peers that it dials: a driver whose every step the test decides.
type world struct {
	t     testing.TB
	e     *env.Env
	p     *Pool
	dials []network.Dial
	conns map[network.Conn]*conn // open, as the driver sees it
	last  uint64
	asked map[network.Conn]int
}

type conn struct {
	id       network.Conn
	in       []byte // sent by us
	requests [][]byte
	closed   bool // we closed it; the driver has not told yet
}

func newWorld(t testing.TB, cfg Config) *world {
	w := &world{t: t, e: env.New(0, &buf.Pool{Mangle: true}, prng.New(3)), conns: map[network.Conn]*conn{}}
	w.e.Out = &step.Effects{}
	w.e.Now = clock.Now{Mono: 1e9}
	w.p = NewPool(w.e, cfg)
	return w
}

// round executes what was asked.
func (w *world) round() {
	w.fire()
	w.e.FlushDirty()
	out := w.e.Out
	for _, s := range out.Send {
		c := w.conns[s.Conn]
		if c == nil || c.closed {
			continue
		}
		c.in = append(c.in, out.Arena[s.A:s.B]...)
		for len(c.in) >= 4 {
			n := 4 + int(binary.BigEndian.Uint32(c.in))
			if len(c.in) < n {
				break
			}
			c.requests = append(c.requests, c.in[4:n:n])
			c.in = c.in[n:]
		}
	}
	for _, id := range out.Close {
		if c := w.conns[id]; c != nil {
			if c.closed {
				w.t.Fatal("closed twice")
			}
			c.closed = true
		}
	}
	w.dials = append(w.dials, out.Dial...)
	out.Reset()
}

func (w *world) fire() {
	for t := w.e.Timers.Expired(w.e.Now.Mono); t != nil; t = w.e.Timers.Expired(w.e.Now.Mono) {
		t.Owner.TimerFired(t)
	}
}

// dial answers the first dial.
func (w *world) dial(ok, refused bool) *conn {
	w.t.Helper()
	if len(w.dials) == 0 {
		w.t.Fatal("no dial")
	}
	info := network.Info{Token: w.dials[0].Token, Dialled: true, Refused: refused}
	w.dials = w.dials[1:]
	if !ok {
		if !w.p.Closed(&info) {
			w.t.Fatal("the failed dial is not the pool's")
		}
		w.round()
		return nil
	}
	w.last++
	c := &conn{id: network.Conn(w.last<<32 | w.last%3)}
	for i := uint64(0); w.inUse(uint32(c.id)); i++ {
		c.id = network.Conn(w.last<<32 | i)
	}
	w.conns[c.id] = c
	info.Conn = c.id
	if !w.p.Opened(&info) {
		w.t.Fatal("the connection is not the pool's")
	}
	w.round()
	return c
}

func (w *world) inUse(slot uint32) bool {
	for id := range w.conns {
		if uint32(id) == slot {
			return true
		}
	}
	return false
}

// end tells that a connection is gone.
func (w *world) end(c *conn) {
	delete(w.conns, c.id)
	if !w.p.Closed(&network.Info{Conn: c.id}) {
		w.t.Fatal("the connection is not the pool's")
	}
	w.round()
}

// answer echoes the body of the connection's first request, with its correlation id.
func (w *world) answer(c *conn) {
	h, body, ok := wire.ParseHeader(c.requests[0])
	if !ok {
		w.t.Fatal("a request without header")
	}
	c.requests = c.requests[1:]
	w.frame(c, append(wire.AppendResponseHeader(nil, h.Key, h.Version, h.Corr), body...))
}

func (w *world) frame(c *conn, b []byte) {
	lease := w.e.Pool.Get(len(b))
	copy(lease.Bytes, b)
	if !w.p.Frame(&network.Frame{Conn: c.id, Bytes: lease.Bytes[:len(b)], Lease: lease}) {
		w.t.Fatal("the frame is not the pool's")
	}
	lease.Release()
	w.round()
}

func (w *world) pass(d clock.Duration) {
	w.e.Now.Mono = w.e.Now.Mono.Add(d)
	w.round()
}

// text is a request's body.
type text string

func (b text) AppendTo(dst []byte) []byte { return append(dst, b...) }

// note is a waiter that remembers.
type note struct {
	w    *world
	n    int
	got  string
	why  Reason
	then func()
}

func (n *note) Answered(body []byte, lease *buf.Lease, ok bool, why Reason) {
	n.n++
	n.got, n.why = string(body), why
	if ok != (why == None) || ok != (lease != nil) {
		n.w.t.Fatalf("ok %v with %v", ok, why)
	}
	if n.then != nil {
		n.then()
	}
}

func (w *world) call(x *Peer, body string, limit clock.Duration) *note {
	n := &note{w: w}
	x.Call(Call{Key: 1, Version: 17, Body: text(body), Timeout: limit, Waiter: n})
	if n.n != 0 {
		w.t.Fatal("answered within Call")
	}
	w.round()
	return n
}

func (n *note) want(t testing.TB, count int, got string, why Reason) {
	t.Helper()
	if n.n != count || n.got != got || n.why != why {
		t.Fatalf("answered %d times, %q, %s; want %d times, %q, %s", n.n, n.got, n.why, count, got, why)
	}
}

func TestCallsArePipelinedAndAnsweredInOrder(t *testing.T) {
	w := newWorld(t, Config{InFlight: 2})
	x := w.p.Get("a:1")
	if w.p.Get("a:1") != x || w.p.Get("a:2") == x {
		t.Fatal("Get goes by address")
	}
	var notes []*note
	for i := range 3 {
		notes = append(notes, w.call(x, fmt.Sprint(i), clock.Second))
	}
	if len(w.dials) != 1 || w.dials[0].Addr != "a:1" {
		t.Fatalf("dials: %v", w.dials)
	}
	c := w.dial(true, false)
	if len(c.requests) != 2 {
		t.Fatalf("%d requests left, want 2", len(c.requests))
	}
	for i, n := range notes {
		n.want(t, 0, "", None)
		w.answer(c)
		n.want(t, 1, fmt.Sprint(i), None)
	}
	if w.p.InFlight() != 0 {
		t.Fatalf("%d in flight", w.p.InFlight())
	}
}

func TestARefusedDialIsToldFromALostConnection(t *testing.T) {
	w := newWorld(t, Config{})
	x := w.p.Get("a:1")
	n := w.call(x, "q", clock.Minute)
	w.dial(false, true)
	n.want(t, 1, "", Refused)
	n = w.call(x, "q", clock.Minute)
	if len(w.dials) != 0 {
		t.Fatal("dialled again at once")
	}
	w.pass(60 * clock.Millisecond)
	c := w.dial(true, false)
	w.answer(c)
	n.want(t, 1, "q", None)
	n = w.call(x, "r", clock.Minute)
	w.end(c)
	n.want(t, 1, "", Closed)
	n = w.call(x, "s", clock.Minute) // the connection had answered: no back-off
	w.dial(false, false)
	n.want(t, 1, "", Closed)
}

func TestDialsInARowAreFurtherAndFurtherApart(t *testing.T) {
	w := newWorld(t, Config{})
	x := w.p.Get("a:1")
	var last clock.Time
	for i := range 10 {
		n := w.call(x, "q", clock.Minute)
		for len(w.dials) == 0 {
			w.pass(clock.Millisecond)
		}
		if gap := w.e.Now.Mono.Sub(last); i > 0 {
			want := min(50*clock.Millisecond<<(i-1), clock.Second)
			if gap < want*4/5 || gap > want*6/5+clock.Millisecond {
				t.Fatalf("dial %d after %v, want about %v", i, gap, want)
			}
		}
		last = w.e.Now.Mono
		w.dial(false, true)
		n.want(t, 1, "", Refused)
	}
}

func TestACallWithoutAnAnswerTimesOutAndTakesItsConnectionAlong(t *testing.T) {
	w := newWorld(t, Config{InFlight: 2})
	x := w.p.Get("a:1")
	a, b, c := w.call(x, "a", clock.Second), w.call(x, "b", clock.Minute), w.call(x, "c", clock.Minute)
	d := w.call(x, "d", clock.Second)
	k := w.dial(true, false)
	w.pass(clock.Second)
	a.want(t, 1, "", TimedOut)
	b.want(t, 1, "", Closed)
	d.want(t, 1, "", TimedOut)
	if !k.closed {
		t.Fatal("the connection stays")
	}
	w.answer(k) // too late: nobody is told
	b.want(t, 1, "", Closed)
	w.end(k)
	w.answer(w.dial(true, false)) // what was not sent goes by the next connection
	c.want(t, 1, "c", None)
}

func TestAnAnswerOutOfOrderEndsTheConnection(t *testing.T) {
	for _, bad := range [][]byte{{}, {0, 0, 0, 9, 0}, {0, 0, 0, 1}} {
		w := newWorld(t, Config{})
		n := w.call(w.p.Get("a:1"), "q", clock.Minute)
		c := w.dial(true, false)
		w.frame(c, bad)
		n.want(t, 1, "", Closed)
		if !c.closed {
			t.Fatalf("%x was taken", bad)
		}
	}
}

func TestAnIdleConnectionIsClosedAndTheNextCallDialsAgain(t *testing.T) {
	w := newWorld(t, Config{Idle: clock.Minute})
	x := w.p.Get("a:1")
	n := w.call(x, "q", clock.Second)
	c := w.dial(true, false)
	w.pass(clock.Second / 2)
	w.answer(c)
	w.pass(clock.Minute - clock.Second)
	w.pass(clock.Millisecond)
	if c.closed {
		t.Fatal("closed too early")
	}
	w.pass(clock.Minute)
	if !c.closed || len(w.p.list) != 0 {
		t.Fatal("an idle connection stays")
	}
	w.end(c)
	n = w.call(x, "q", clock.Second)
	w.answer(w.dial(true, false))
	n.want(t, 1, "q", None)
	if w.p.Get("a:1") != x {
		t.Fatal("the peer is not found")
	}
}

func TestAWaiterMayCallAgainAndAClosedPoolAnswersAll(t *testing.T) {
	w := newWorld(t, Config{Waiting: 2})
	x := w.p.Get("a:1")
	n := &note{w: w}
	again := &note{w: w}
	n.then = func() { x.Call(Call{Key: 1, Version: 17, Body: text("again"), Waiter: again}) }
	x.Call(Call{Key: 1, Version: 17, Body: text("q"), Waiter: n})
	w.round()
	c := w.dial(true, false)
	w.answer(c)
	n.want(t, 1, "q", None)
	again.then = func() { x.Call(Call{Key: 1, Version: 17, Body: text("q"), Waiter: &note{w: w}}) }
	w.p.Close()
	w.round()
	again.want(t, 1, "", Closed)
	w.call(x, "late", 0).want(t, 1, "", Closed)
	if w.p.InFlight() != 0 || !c.closed || w.e.Timers.Len() != 0 {
		t.Fatalf("%d in flight, closed %v, %d timers", w.p.InFlight(), c.closed, w.e.Timers.Len())
	}
}

func TestCallsBeyondTheBoundAreAnsweredWithClosed(t *testing.T) {
	w := newWorld(t, Config{Waiting: 2})
	x := w.p.Get("a:1")
	for range 2 {
		w.call(x, "q", clock.Second).want(t, 0, "", None)
	}
	w.call(x, "q", clock.Second).want(t, 1, "", Closed)
}

func TestKmsgRequestsAreCalledAsTheyAre(t *testing.T) {
	w := newWorld(t, Config{ClientID: "me"})
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID = 7
	n := &note{w: w}
	w.p.Get("a:1").Call(Cold(req, 1, clock.Second, n))
	w.round()
	c := w.dial(true, false)
	h, body, ok := wire.ParseHeader(c.requests[0])
	if !ok || h.Key != 63 || h.Version != 1 || string(h.ClientID) != "me" {
		t.Fatalf("header %+v", h)
	}
	got := kmsg.NewPtrBrokerHeartbeatRequest()
	got.SetVersion(1)
	if err := got.ReadFrom(body); err != nil || got.BrokerID != 7 {
		t.Fatal(err, got)
	}
}

func TestWhatIsAnothersIsNotTaken(t *testing.T) {
	w := newWorld(t, Config{})
	w.call(w.p.Get("a:1"), "q", clock.Second)
	other := w.e.DialToken()
	if w.p.Opened(&network.Info{Conn: 1 << 32, Dialled: true, Token: other}) || w.p.Opened(&network.Info{Conn: 1 << 32}) ||
		w.p.Closed(&network.Info{Dialled: true, Token: other}) || w.p.Closed(&network.Info{Conn: 1 << 32}) || w.p.Frame(&network.Frame{Conn: 1 << 32}) {
		t.Fatal("the pool took what is another's")
	}
	w.dial(true, false)
}

// Whatever happens to the connections, each call is told once: its own answer, or why there is none.
func TestEachCallIsToldOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, Config{InFlight: 3, Waiting: 8, Idle: 2 * clock.Second})
		var notes []*note
		open := func() (cs []*conn) {
			for id := uint64(0); id <= w.last; id++ { // in order
				for _, c := range w.conns {
					if uint64(c.id)>>32 == id {
						cs = append(cs, c)
					}
				}
			}
			return cs
		}
		for range rapid.IntRange(1, 100).Draw(rt, "steps") {
			switch what := rapid.IntRange(0, 9).Draw(rt, "what"); {
			case what < 4:
				x := w.p.Get([]string{"a:1", "b:1"}[rapid.IntRange(0, 1).Draw(rt, "peer")])
				notes = append(notes, w.call(x, fmt.Sprint(len(notes)), clock.MS(rapid.Int64Range(1, 3000).Draw(rt, "limit"))))
			case what == 4 && len(w.dials) > 0:
				ok := rapid.Bool().Draw(rt, "ok")
				w.dial(ok, !ok && rapid.Bool().Draw(rt, "refused"))
			case what < 8 && len(w.conns) > 0:
				c := rapid.SampledFrom(open()).Draw(rt, "conn")
				if len(c.requests) > 0 {
					w.answer(c)
				}
			case what == 8 && len(w.conns) > 0:
				w.end(rapid.SampledFrom(open()).Draw(rt, "conn"))
			case what == 9:
				w.pass(clock.MS(rapid.Int64Range(1, 1000).Draw(rt, "ms")))
			}
		}
		w.pass(4 * clock.Second)
		for i, n := range notes {
			if n.n != 1 || n.why == None && n.got != fmt.Sprint(i) {
				rt.Fatalf("call %d was told %d times: %q, %s", i, n.n, n.got, n.why)
			}
		}
		if w.p.InFlight() != 0 || w.e.Pool.Out != 0 {
			rt.Fatalf("%d in flight, %d bytes leased", w.p.InFlight(), w.e.Pool.Out)
		}
	})
}

func TestAWarmCallDoesNotAllocate(t *testing.T) {
	w := newWorld(t, Config{})
	x := w.p.Get("a:1")
	n := &note{w: w}
	call := Call{Key: 1, Version: 17, Body: text("q"), Waiter: quiet{}}
	x.Call(call)
	w.round()
	c := w.dial(true, false)
	w.answer(c)
	_ = n
	lease := w.e.Pool.Get(100)
	f := network.Frame{Conn: c.id, Lease: lease}
	if got := testing.AllocsPerRun(100, func() {
		x.Call(call)
		f.Bytes = append(wire.AppendResponseHeader(lease.Bytes[:0], 1, 17, x.corr), 'q')
		w.p.Frame(&f)
		w.e.Out.Reset()
	}); got > 0 {
		t.Fatalf("%v allocations", got)
	}
}

type quiet struct{}

func (quiet) Answered([]byte, *buf.Lease, bool, Reason) {}
