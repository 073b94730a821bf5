package jepsen

import (
	"context"
	"encoding/binary"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire reads along what a client writes and is answered. The client's own interface tells of results; what was asked for, how often, and
// in which order of answers, the checkers must know.
type wire struct {
	dial func(ctx context.Context, network, host string) (net.Conn, error)
	hear map[kmsg.Key]hearer
	mu   sync.Mutex
	open map[*tapped]struct{}
	cut  bool
}

// hearer hears a request before anybody can answer it. What it returns, if not nil, is called once: with the answer before the client has it,
// or with nil when the connection ended before.
type hearer func(req kmsg.Request) (answered func(kmsg.Response))

func newWire(dial func(ctx context.Context, network, host string) (net.Conn, error), hear map[kmsg.Key]hearer) *wire {
	return &wire{dial: dial, hear: hear, open: map[*tapped]struct{}{}}
}

// Dial makes a connection that is read along.
func (w *wire) Dial(ctx context.Context, network, host string) (net.Conn, error) {
	w.mu.Lock()
	cut := w.cut
	w.mu.Unlock()
	if cut {
		return nil, net.ErrClosed
	}
	c, err := w.dial(ctx, network, host)
	if err != nil {
		return nil, err
	}
	t := &tapped{Conn: c, w: w, asked: map[int32]asked{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		c.Close()
		return nil, net.ErrClosed
	}
	w.open[t] = struct{}{}
	return t, nil
}

// Cut ends all connections and permits no more, as a client has it whose process dies.
func (w *wire) Cut() {
	w.mu.Lock()
	w.cut = true
	var all []*tapped
	for t := range w.open {
		all = append(all, t)
	}
	w.mu.Unlock()
	for _, t := range all {
		t.Close()
	}
}

// tapped is a connection that is read along.
type tapped struct {
	net.Conn
	w       *wire
	out, in frames
	mu      sync.Mutex
	asked   map[int32]asked // by correlation id
}

// asked is a request of which somebody wants the answer.
type asked struct {
	req  kmsg.Request
	done func(kmsg.Response)
}

func (t *tapped) Write(b []byte) (int, error) {
	t.out.along(b, 6, func(head []byte) bool { return t.w.hear[kmsg.Key(binary.BigEndian.Uint16(head[4:]))] != nil }, t.request)
	return t.Conn.Write(b)
}

func (t *tapped) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.in.along(b[:n], 8, func(head []byte) bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		_, ok := t.asked[int32(binary.BigEndian.Uint32(head[4:]))]
		return ok
	}, t.response)
	if err != nil {
		t.end()
	}
	return n, err
}

// Close ends it: what was asked for and not answered will not be.
func (t *tapped) Close() error {
	err := t.Conn.Close()
	t.end()
	return err
}

func (t *tapped) end() {
	t.mu.Lock()
	left := t.asked
	t.asked = map[int32]asked{}
	t.mu.Unlock()
	for _, a := range left {
		a.done(nil)
	}
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	delete(t.w.open, t)
}

// request reads one request: header (key, version, correlation id, client id), body. What cannot be read is the client's own affair.
func (t *tapped) request(b []byte) {
	if len(b) < 10 {
		return
	}
	key := kmsg.Key(binary.BigEndian.Uint16(b))
	req := key.Request()
	if req == nil {
		return
	}
	skip := 10 + max(0, int(int16(binary.BigEndian.Uint16(b[8:]))))
	if req.SetVersion(int16(binary.BigEndian.Uint16(b[2:]))); req.IsFlexible() {
		skip++ // no tagged fields
	}
	if skip > len(b) || req.ReadFrom(b[skip:]) != nil {
		return
	}
	done := t.w.hear[key](req)
	if done == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked[int32(binary.BigEndian.Uint32(b[4:]))] = asked{req, done}
}

// response reads one answer: correlation id, tagged fields, body. One that cannot be read is none.
func (t *tapped) response(b []byte) {
	id := int32(binary.BigEndian.Uint32(b))
	t.mu.Lock()
	a, ok := t.asked[id]
	delete(t.asked, id)
	t.mu.Unlock()
	if !ok {
		return
	}
	resp, skip := a.req.ResponseKind(), 4
	if resp.SetVersion(a.req.GetVersion()); resp.IsFlexible() {
		skip++
	}
	if skip > len(b) || resp.ReadFrom(b[skip:]) != nil {
		resp = nil
	}
	a.done(resp)
}

// frames takes frames out of a stream, in whatever pieces that comes: a size of four bytes, and as much.
type frames struct {
	left int    // bytes of a frame that is of no interest
	buf  []byte // of a frame that is
}

// maxFrame bounds what is kept of one frame, in bytes.
const maxFrame = 16 << 20

// along goes on in the stream. Of the first bytes of each frame, its size among them, wants says whether the rest is wanted by frame.
func (f *frames) along(b []byte, head int, wants func([]byte) bool, frame func([]byte)) {
	for len(b) > 0 {
		if f.left > 0 {
			n := min(f.left, len(b))
			f.left, b = f.left-n, b[n:]
			continue
		}
		need := head
		if len(f.buf) >= head {
			need = 4 + int(binary.BigEndian.Uint32(f.buf))
		}
		n := min(need-len(f.buf), len(b))
		f.buf, b = append(f.buf, b[:n]...), b[n:]
		if len(f.buf) < need {
			return
		}
		size := int(binary.BigEndian.Uint32(f.buf))
		switch {
		case size < head-4 || size > maxFrame || !wants(f.buf):
			f.left, f.buf = max(0, size-(head-4)), f.buf[:0]
		case len(f.buf) == 4+size:
			frame(f.buf[4:])
			f.buf = f.buf[:0]
		}
	}
}
