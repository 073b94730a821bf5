package client

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// What a request may end with instead of an answer.
var (
	errClosed  = errors.New("connection closed")
	errTimeout = errors.New("no answer in time")
	errVersion = errors.New("no common version")
)

// link is one connection to a node, which dials again when it is lost. Answers come in the order of the requests.
//
//	closed ──dial──▶ dialling ──Opened──▶ asking (ApiVersions) ──answer──▶ open ──Closed, timeout──▶ closed
type link struct {
	b        *base
	node     int
	conn     uint64
	state    linkState
	corr     int32
	pending  []pending
	versions map[int16][2]int16
	chosen   map[int16]int16
	retryAt  clock.Time
	backoff  clock.Duration
	dialled  clock.Time
	onOpen   func() // the link can be used
	onClose  func() // it cannot; the pending requests have been failed before
	buf      []byte
	format   *kmsg.RequestFormatter
	answered int64
}

type linkState uint8

const (
	linkClosed linkState = iota
	linkDialling
	linkAsking
	linkOpen
)

type pending struct {
	corr     int32
	api      int16
	sent     clock.Time
	deadline clock.Time
	timeout  clock.Duration
	resp     kmsg.Response
	done     func(kmsg.Response, error)
}

const (
	minBackoff  = 50 * clock.Millisecond
	maxBackoff  = 1 * clock.Second
	dialTimeout = 5 * clock.Second
)

func (b *base) newLink(node int, onOpen, onClose func()) *link {
	l := &link{b: b, node: node, chosen: map[int16]int16{}, onOpen: onOpen, onClose: onClose, backoff: minBackoff,
		format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(b.name))}
	b.links = append(b.links, l)
	l.dial()
	return l
}

func (l *link) dial() {
	l.state, l.dialled = linkDialling, l.b.n.Now()
	l.conn = l.b.n.Dial(l.node)
}

// redirect makes the link dial another node from now on.
func (l *link) redirect(node int) {
	if node == l.node || node < 0 {
		return
	}
	l.node = node
	l.drop(errClosed)
}

func (l *link) opened() {
	l.backoff = minBackoff
	if l.versions != nil && !l.b.rnd.Permille(300) {
		l.ready()
		return
	}
	l.state = linkAsking
	req := kmsg.NewPtrApiVersionsRequest()
	req.SetVersion(int16(l.b.rnd.Intn(5)))
	req.ClientSoftwareName, req.ClientSoftwareVersion = "seedlog-sim", "1"
	l.push(req, l.bound(5*clock.Second), l.onVersions)
}

func (l *link) onVersions(r kmsg.Response, err error) {
	if err != nil {
		return
	}
	resp := r.(*kmsg.ApiVersionsResponse)
	if resp.ErrorCode != 0 {
		l.b.caught(0, "", "ApiVersions answers an error", fmt.Sprint(resp.ErrorCode))
		l.drop(errClosed)
		return
	}
	l.versions = map[int16][2]int16{}
	for _, k := range resp.ApiKeys {
		l.versions[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	l.ready()
}

func (l *link) ready() {
	l.state = linkOpen
	l.onOpen()
}

func (l *link) open() bool { return l.state == linkOpen }

// version picks a version for an API, the same for the life of the link: the newest, or any where the client is an old one. cap bounds it.
func (l *link) version(req kmsg.Request, low, cap int16) bool {
	key := req.Key()
	v, ok := l.chosen[key]
	if !ok || v < low { // two uses of one API may need different versions
		r, known := l.versions[key]
		lo, hi := max(low, r[0]), min(req.MaxVersion(), r[1])
		if !known || lo > hi {
			return false
		}
		v = hi
		if l.b.oldVersions {
			v = lo + int16(l.b.rnd.Intn(int(hi-lo)+1))
		}
		l.chosen[key] = v
	}
	req.SetVersion(min(v, cap))
	return true
}

// anyVersion is the cap of requests without topic ids.
const anyVersion = 1<<15 - 1

// bound is the time that a request may take: what the client planned for, and never so little after healing that slowness looks like silence.
func (l *link) bound(d clock.Duration) clock.Duration {
	if l.b.healed {
		return max(d, healedBound)
	}
	return d
}

// ask sends a request at a version that both sides know; done hears of its answer or its end, exactly once. It says whether the network will send it
// once more.
func (l *link) ask(req kmsg.Request, low, cap int16, timeout clock.Duration, done func(kmsg.Response, error)) (repeated bool) {
	if l.state != linkOpen {
		done(nil, errClosed)
		return false
	}
	if !l.version(req, low, cap) {
		done(nil, errVersion)
		return false
	}
	return l.push(req, l.bound(timeout), done)
}

// push sends at the version that the request has. done nil: no answer will come.
func (l *link) push(req kmsg.Request, timeout clock.Duration, done func(kmsg.Response, error)) (repeated bool) {
	l.corr++
	l.buf = l.format.AppendRequest(l.buf[:0], req, l.corr)
	l.b.sh.asked(req)
	now := l.b.n.Now()
	if done != nil {
		l.pending = append(l.pending, pending{l.corr, req.Key(), now, now.Add(timeout), timeout, req.ResponseKind(), done})
	}
	l.b.sending, l.b.repeated = req, false
	l.b.n.Send(l.conn, l.buf[4:])
	l.b.sending = nil
	return l.b.repeated
}

func (l *link) frame(f []byte) {
	if len(l.pending) == 0 {
		l.b.caught(0, "", "an answer that nobody asked for", fmt.Sprintf("%d bytes", len(f)))
		l.drop(errClosed)
		return
	}
	p := l.pending[0]
	copy(l.pending, l.pending[1:])
	l.pending[len(l.pending)-1] = pending{}
	l.pending = l.pending[:len(l.pending)-1]
	if why := decode(p, f); why != "" {
		l.b.caught(0, "", "an answer that does not decode", fmt.Sprintf("%s v%d: %s", kmsg.NameForKey(p.api), p.resp.GetVersion(), why))
		p.done(nil, errClosed)
		l.drop(errClosed)
		return
	}
	l.answered++
	l.b.sh.told(p.resp)
	if len(l.pending) > 0 { // it had to wait for the one before it, which may have been a long fetch
		l.pending[0].deadline = l.b.n.Now().Add(l.pending[0].timeout)
	}
	p.done(p.resp, nil)
}

// decode reads an answer: correlation id, tags of a flexible header (ApiVersions never has them, KIP-511), body.
func decode(p pending, f []byte) string {
	if len(f) < 4 {
		return "no correlation id"
	}
	if c := int32(binary.BigEndian.Uint32(f)); c != p.corr {
		return fmt.Sprintf("correlation id %d where %d is next", c, p.corr)
	}
	f = f[4:]
	if p.resp.IsFlexible() && p.api != 18 {
		var ok bool
		if f, ok = skipTags(f); !ok {
			return "bad tags in the header"
		}
	}
	if p.api == 18 && len(f) >= 2 && int16(binary.BigEndian.Uint16(f)) == 35 {
		p.resp.SetVersion(0) // UNSUPPORTED_VERSION comes in the oldest form
	}
	if err := p.resp.ReadFrom(f); err != nil {
		return err.Error()
	}
	return ""
}

func skipTags(b []byte) ([]byte, bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)) {
		return nil, false
	}
	b = b[k:]
	for ; n > 0; n-- {
		if _, k = binary.Uvarint(b); k <= 0 {
			return nil, false
		}
		b = b[k:]
		size, k := binary.Uvarint(b)
		if k <= 0 || size > uint64(len(b)-k) {
			return nil, false
		}
		b = b[k+int(size):]
	}
	return b, true
}

// drop closes the connection from this side.
func (l *link) drop(why error) {
	if l.state == linkClosed {
		return
	}
	l.b.n.Close(l.conn)
	l.gone(why)
}

func (l *link) closed() { l.gone(errClosed) }

// gone fails what was asked, in order, and plans the next dial.
func (l *link) gone(why error) {
	l.state, l.conn = linkClosed, 0
	l.retryAt = l.b.n.Now().Add(l.b.jitter(l.backoff))
	l.backoff = min(2*l.backoff, maxBackoff)
	if l.b.sh.Nodes > 1 && l == l.b.links[0] && l.backoff > 2*minBackoff {
		l.node, l.versions = l.b.rnd.Intn(l.b.sh.Nodes), nil // another broker may know more
	}
	lost := l.pending
	l.pending = nil
	for _, p := range lost {
		p.done(nil, why)
	}
	l.onClose()
}

// tick looks at deadlines and dials again.
func (l *link) tick() {
	now := l.b.n.Now()
	switch {
	case l.state == linkClosed && now >= l.retryAt:
		l.dial()
	case l.state == linkDialling && now >= l.dialled.Add(dialTimeout):
		l.drop(errTimeout)
	case len(l.pending) > 0 && now >= l.pending[0].deadline:
		p := l.pending[0]
		l.b.note(0, history.Op{Kind: history.Unheard, Meta: kmsg.NameForKey(p.api), Offset: int64(p.sent), Timestamp: int64(now), Generation: int32(len(l.pending))})
		l.drop(errTimeout)
	}
}
