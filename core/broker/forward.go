package broker

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
)

// Requests of clients that the controller decides go to the active one in an Envelope (KIP-590), as Kafka's brokers send them. Its answer
// carries, in a tagged field of ours, the index of the image that it speaks of: it leaves this broker when every shard here follows that.

// retryEach is how often a request is tried again while no controller takes it.
const retryEach = 100 * clock.Millisecond

// maxForwards bounds the requests that wait for the controller; a further one is refused.
const maxForwards = 4096

// forwarded is one request on its way.
type forwarded struct {
	m     *member
	req   kmsg.Request
	w     coordinator.Waiter
	until clock.Time
	away  bool // sent, not answered
	timer timer.Timer
}

// forward sends a request to the active controller until it is decided or its time is over.
func (m *member) forward(req kmsg.Request, w coordinator.Waiter) {
	if len(m.s.control.forwards) >= maxForwards {
		w.Reply(controller.Refuse(req, kerr.ThrottlingQuotaExceeded))
		return
	}
	f := &forwarded{m: m, req: req, w: w, until: m.s.env.Now.Mono.Add(timeoutOf(req, m.s.node.RequestTimeoutMS))}
	f.timer.Owner = f
	m.s.control.forwards = append(m.s.control.forwards, f)
	f.try()
}

// timeoutOf is how long a client waits for the controller.
func timeoutOf(req kmsg.Request, def int32) clock.Duration {
	ms := def
	if t, ok := req.(kmsg.TimeoutRequest); ok {
		ms = t.Timeout()
	}
	return clock.MS(int64(min(max(ms, 1), 600_000)))
}

func (f *forwarded) try() {
	m := f.m
	m.s.env.Timers.Cancel(&f.timer) // a new leader may have brought this try before its time
	now := m.s.env.Now.Mono
	left := f.until.Sub(now)
	switch {
	case left <= 0:
		f.end(controller.Refuse(f.req, kerr.RequestTimedOut))
		return
	case m.leads():
		f.away = true
		m.s.control.decide(f.req, decidedAt(func(resp kmsg.Response, img *metadata.Image) {
			if refusedWith(resp, kerr.NotController) {
				f.later()
				return
			}
			f.end(nil)
			m.s.control.hold(img.Index(), resp, f.w)
		}))
		return
	case !m.controllerKnown():
		f.later()
		return
	}
	f.away = true
	version := f.req.GetVersion()
	head := wire.AppendRequestHeader(nil, f.req.Key(), version, 0, "")
	env := kmsg.NewPtrEnvelopeRequest()
	env.RequestData = f.req.AppendTo(head)
	m.s.peers.Get(m.remote.lead.Address).Call(peer.Cold(env, 0, left, f))
}

// later tries again after a while.
func (f *forwarded) later() {
	f.away = false
	f.m.s.env.After(&f.timer, min(retryEach, max(0, f.until.Sub(f.m.s.env.Now.Mono))))
}

// TimerFired is the heap's call.
func (f *forwarded) TimerFired(*timer.Timer) { f.try() }

// Answered is peer.Waiter. A lost connection leaves open whether the request was done: it is sent again, as Kafka's brokers do.
func (f *forwarded) Answered(body []byte, _ *buf.Lease, ok bool, _ peer.Reason) {
	env, resp := enveloped(f.req, body, ok)
	if resp == nil || refusedWith(resp, kerr.NotController) {
		f.later()
		return
	}
	index := int64(-1)
	env.UnknownTags.Each(func(key uint32, val []byte) {
		if key == controller.TagIndex && len(val) == 8 {
			index = int64(binary.BigEndian.Uint64(val))
		}
	})
	f.end(nil)
	f.m.s.control.hold(index, resp, f.w)
}

// enveloped takes an answer out of its envelope; nil if there is none.
func enveloped(req kmsg.Request, body []byte, ok bool) (*kmsg.EnvelopeResponse, kmsg.Response) {
	outer := answerOf(kmsg.NewPtrEnvelopeRequest(), 0, body, ok)
	if outer == nil {
		return nil, nil
	}
	env := outer.(*kmsg.EnvelopeResponse)
	if env.ErrorCode != 0 {
		return nil, nil
	}
	_, inner, ok := wire.ParseResponseHeader(env.ResponseData, req.Key(), req.GetVersion())
	return env, answerOf(req, req.GetVersion(), inner, ok)
}

// answerOf decodes another broker's answer; nil if there is none.
func answerOf(req kmsg.Request, version int16, body []byte, ok bool) kmsg.Response {
	if ok {
		if resp, ok := wire.ColdAnswer(req.Key(), version, body); ok {
			return resp
		}
	}
	return nil
}

// end takes the request off the list, and answers it unless resp is nil.
func (f *forwarded) end(resp kmsg.Response) {
	c := f.m.s.control
	f.m.s.env.Timers.Cancel(&f.timer)
	for i, x := range c.forwards {
		if x == f {
			c.forwards = append(c.forwards[:i], c.forwards[i+1:]...)
			break
		}
	}
	if resp != nil {
		f.w.Reply(resp)
	}
}

// retryForwards tries at once what waits for a controller.
func (m *member) retryForwards() {
	for _, f := range append([]*forwarded(nil), m.s.control.forwards...) {
		if !f.away {
			f.try()
		}
	}
}

// decidedAt is controller.Waiter.
type decidedAt func(kmsg.Response, *metadata.Image)

// Decided is controller.Waiter.
func (f decidedAt) Decided(resp kmsg.Response, img *metadata.Image) { f(resp, img) }

// call sends a request of this broker's own to the active controller. done gets the answer, nil if there is none.
func (m *member) call(req kmsg.Request, version int16, done func(resp kmsg.Response)) {
	if !m.controllerKnown() {
		done(nil)
		return
	}
	m.s.peers.Get(m.remote.lead.Address).Call(peer.Cold(req, version, callTime, &ownCall{req, version, done}))
}

// callTime bounds one try of a request of the broker's own; a controller answers in milliseconds, or is gone.
const callTime = 3 * clock.Second

type ownCall struct {
	req     kmsg.Request
	version int16
	done    func(kmsg.Response)
}

// Answered is peer.Waiter.
func (w *ownCall) Answered(body []byte, _ *buf.Lease, ok bool, _ peer.Reason) {
	w.done(answerOf(w.req, w.version, body, ok))
}

// envelope decides what another broker forwards.
func (c *control) envelope(req *kmsg.EnvelopeRequest, w coordinator.Waiter) {
	resp := kmsg.NewPtrEnvelopeResponse()
	h, body, ok := wire.ParseHeader(req.RequestData)
	var inner kmsg.Request
	if ok {
		inner, ok = wire.Cold(h.Key, h.Version, body)
	}
	switch {
	case !ok || !decides(inner):
		resp.ErrorCode = int16(kerr.InvalidRequest)
	case !c.s.member.leads():
		resp.ErrorCode = int16(kerr.NotController)
	default:
		c.decide(inner, decidedAt(func(r kmsg.Response, img *metadata.Image) {
			r.SetVersion(h.Version)
			resp.ResponseData = r.AppendTo(wire.AppendResponseHeader(nil, h.Key, h.Version, h.Corr))
			resp.UnknownTags.Set(controller.TagIndex, binary.BigEndian.AppendUint64(nil, uint64(img.Index())))
			w.Reply(resp)
		}))
		return
	}
	w.Reply(resp)
}

// leftBehind is the controller before the present one. What is asked of it and not answered after a while is asked of the present one: the
// machine may have gone without a word.
type leftBehind struct {
	m     *member
	now   string // where the present controller is
	old   []string
	timer timer.Timer
}

// answerTime is how long a controller that was deposed may still answer: it knows soon what became of its last entry.
const answerTime = clock.Second

func (x *leftBehind) changed(m *member) {
	x.m, x.timer.Owner = m, x
	addr := m.remote.lead.Address
	if addr == "" || addr == x.now {
		return
	}
	if x.now != "" && len(x.old) < maxVoters {
		x.old = append(x.old, x.now)
		if !x.timer.IsSet() {
			m.s.env.After(&x.timer, answerTime)
		}
	}
	x.now = addr
}

// maxVoters bounds the controllers that are remembered.
const maxVoters = 5

// TimerFired is the heap's call.
func (x *leftBehind) TimerFired(*timer.Timer) {
	for _, addr := range x.old {
		if addr != x.now {
			x.m.s.peers.Get(addr).Close()
		}
	}
	x.old = x.old[:0]
}
