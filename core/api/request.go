package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

// Client is who sent a request.
type Client struct {
	Host     string // address without port, as Kafka shows it: "/127.0.0.1"
	Listener string
	Software string // name and version of KIP-511, or empty
	Inner    bool   // it came by the controller listener
	Conn     network.Conn
}

// Request is one request from its frame to the end of its response. It is pooled: it goes back when its response has left, and nothing
// that it asked of partitions is outstanding.
//
//	begun ─▶ Done (the response is known) ─▶ drained (it was its turn on the connection) ─▶ released (remain == 0)
type Request struct {
	Key, Version int16
	Corr         int32
	ClientID     string // cold APIs only
	Conn         network.Conn
	Client       *Client
	Owner        any      // the connection, as the broker knows it
	Next         *Request // the connection's next in order
	Began        clock.Time
	NoReply      bool // acks=0
	CloseAfter   bool // the connection ends instead of a response

	s       *State
	lease   *buf.Lease // of the frame
	body    []byte
	done    bool
	drained bool
	remain  int            // parts outstanding
	finish  func(*Request) // called when remain falls to zero
	items   []Item
	calls   []*call
	resp    kmsg.Response
	resps   []kmsg.Response // parts of resp, by slot
	timer   timer.Timer
	asker   coordinator.Waiter // of a request of the broker's own: who gets the answer
	leak    bool               // bytes of the frame may still be read by another shard: never reuse the lease

	produce wire.ProduceRequest
	fetch   fetchState
}

// IsDone says that the response is known.
func (r *Request) IsDone() bool { return r.done }

// NewRequest takes a request from the pool for a frame whose lease it retains.
func (s *State) NewRequest(f network.Frame, h wire.Header, body []byte, owner any, c *Client) *Request {
	r := s.take()
	r.Key, r.Version, r.Corr, r.Conn, r.Owner, r.Client = h.Key, h.Version, h.Corr, f.Conn, owner, c
	if r.Key != keyProduce && r.Key != keyFetch {
		r.ClientID = string(h.ClientID)
	}
	r.Began, r.body, r.lease = s.Env.Now.Mono, body, f.Lease
	if f.Lease != nil {
		f.Lease.Retain()
	}
	s.requests++
	return r
}

func (s *State) take() *Request {
	if n := len(s.freeRequests); n > 0 {
		r := s.freeRequests[n-1]
		s.freeRequests = s.freeRequests[:n-1]
		return r
	}
	return &Request{s: s}
}

// Ask has the broker ask itself, as a client would: w is told the answer, nil if there is none, at once or later. Cold APIs only.
func (s *State) Ask(req kmsg.Request, w coordinator.Waiter) {
	e := byKey[req.Key()]
	assert.That(e != nil && e.cold != nil, "api: the broker asks itself what is not served")
	r := s.take()
	r.Key, r.Version, r.Client, r.asker, r.Began = req.Key(), req.GetVersion(), ownClient, w, s.Env.Now.Mono
	s.requests++
	e.cold(r, req)
}

// ownClient is who asks for the broker itself.
var ownClient = &Client{}

// Drained tells that r's turn came: its response is queued for sending, or nobody wants it. The request is no longer the connection's.
func (s *State) Drained(r *Request) {
	assert.That(r.done && !r.drained, "api: a request drained twice or too early")
	r.drained = true
	r.maybeRelease()
}

func (r *Request) maybeRelease() {
	if !r.drained || r.remain > 0 {
		return
	}
	s := r.s
	s.Env.Timers.Cancel(&r.timer)
	if r.lease != nil && !r.leak {
		r.lease.Release()
	}
	s.requests--
	items, calls, produce, fetch, resps := r.items, r.calls, r.produce, r.fetch, r.resps
	if cap(items) > itemsKept {
		items, calls, fetch.parts = nil, nil, nil
	}
	for _, c := range calls {
		if c != nil {
			c.idx, c.items = c.idx[:0], nil
		}
	}
	clear(items)
	clear(resps)
	fetch.reset()
	*r = Request{s: s, items: items[:0], calls: calls, produce: produce, fetch: fetch, resps: resps[:0]}
	s.freeRequests = append(s.freeRequests, r)
}

// itemsKept is how many items a request keeps room for between two uses: one huge request does not make the pool huge.
const itemsKept = 1 << 12

// Pending is the number of requests that are begun and not released: unanswered, or answered with bytes that have not left.
func (s *State) Pending() int { return s.requests }

// complete marks the response as known and lets the connection send what is in turn.
func (r *Request) complete() {
	if r.done {
		r.maybeRelease()
		return
	}
	r.done = true
	r.s.Env.Timers.Cancel(&r.timer)
	if r.asker != nil {
		r.drained = true
		r.asker.Reply(r.resp)
		r.maybeRelease()
		return
	}
	r.s.count(r)
	r.s.Replier.Done(r)
}

// answer completes a cold request.
func (r *Request) answer(resp kmsg.Response) {
	r.resp = resp
	r.complete()
}

// Close completes the request by closing its connection without an answer, as Kafka does for what it cannot parse.
func (r *Request) Close() {
	r.CloseAfter = true
	r.complete()
}

// part notes that one outstanding part came in.
func (r *Request) part() {
	r.remain--
	assert.That(r.remain >= 0, "api: a part came in twice")
	if r.remain == 0 {
		r.finish(r)
	}
}

// TimerFired is the shard's call: the request's own deadline passed.
func (r *Request) TimerFired(*timer.Timer) {
	switch r.Key {
	case keyProduce:
		r.produceTimedOut()
	case keyFetch:
		r.fetchTimedOut()
	}
}

// Replier is the connection's side: it sends what is done, in the order of the requests.
type Replier interface{ Done(r *Request) }

// Answer is a kerr.Code as responses carry it.
func code(c kerr.Code) int16 { return int16(c) }
