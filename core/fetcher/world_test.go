package fetcher

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/peer"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/core/wire"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/network"
)

// fail is what a testing.T and a rapid.T have.
type fail interface {
	Helper()
	Fatalf(string, ...any)
}

// log is a partition's bytes, as a leader or a follower has them.
type log struct {
	start   int64
	batches [][]byte // whole, contiguous from start on
}

func (l *log) end() int64 {
	if n := len(l.batches); n > 0 {
		return records.View(l.batches[n-1]).NextOffset()
	}
	return l.start
}

func (l *log) lastEpoch() int32 {
	if n := len(l.batches); n > 0 {
		return records.View(l.batches[n-1]).LeaderEpoch()
	}
	return -1
}

// epochEnd gives the largest epoch not above the one asked for, and where it ends. An epoch before all ends where the log begins.
func (l *log) epochEnd(epoch int32) (int32, int64) {
	found, end := epoch, l.start
	for _, b := range l.batches {
		if v := records.View(b); v.LeaderEpoch() <= epoch {
			found, end = v.LeaderEpoch(), v.NextOffset()
		}
	}
	return found, end
}

func (l *log) cut(end int64) {
	for len(l.batches) > 0 && l.end() > end {
		l.batches = l.batches[:len(l.batches)-1]
	}
}

func (l *log) trim(start int64) {
	for len(l.batches) > 0 && records.View(l.batches[0]).BaseOffset() < start {
		l.batches = l.batches[1:]
	}
	l.start = start
}

func (l *log) bytesFrom(offset int64) (b []byte) {
	for _, x := range l.batches {
		if records.View(x).BaseOffset() >= offset {
			b = append(b, x...)
		}
	}
	return b
}

// leads is the leader's side of one partition.
type leads struct {
	log
	epoch   int32
	hw      int64
	compact bool    // looks at what is refused, and tells of its gaps
	refused []int64 // by the follower
	sparse  int64
}

// session is the leader's memory of one follower.
type session struct {
	id, epoch int32
	parts     []Key
	asked     map[Key]wire.FetchPart
	hw        map[Key]int64
}

// follows is a Follower on a disk whose syncs the test completes.
type follows struct {
	log
	w       *world
	key     Key
	synced  int64 // with flush
	flush   bool
	busy    bool // a truncation is under way
	listed  bool // its fetches are throttled
	inSync  bool
	sparse  bool // gaps may come
	hw      int64
	leases  []*buf.Lease
	refuse  kerr.Code
	ranges  int // OutOfRange calls
	cuts    int
	updates int // Received calls
}

func (p *follows) FetchPoint() (int64, int32, int64, bool) {
	return p.end(), p.lastEpoch(), p.start, !p.busy && (!p.flush || p.synced == p.end())
}

func (p *follows) Throttled() (bool, bool) { return p.listed, p.listed && !p.inSync }

func (p *follows) LeaderKnows(int64) {}

func (p *follows) Received(b []byte, lease *buf.Lease, hw, start int64, epoch int32) kerr.Code {
	if p.refuse != kerr.None {
		return p.refuse
	}
	p.updates++
	if p.busy {
		p.w.t.Fatalf("records came while a truncation was under way")
	}
	if (b == nil) != (lease == nil) {
		p.w.t.Fatalf("records %v, lease %v", b != nil, lease != nil)
	}
	for len(b) > 0 {
		v, rest, ok := records.Split(b)
		if !ok || v.BaseOffset() != p.end() && !p.sparse || v.LeaderEpoch() > epoch || v.ComputeCRC() != v.CRC() {
			p.w.t.Fatalf("a bad batch at %d of epoch %d for end %d in epoch %d", v.BaseOffset(), v.LeaderEpoch(), p.end(), epoch)
		}
		p.batches = append(p.batches, bytes.Clone(v))
		b = rest
	}
	if lease != nil {
		lease.Retain()
		p.leases = append(p.leases, lease)
	}
	if !p.flush {
		p.settle()
	}
	p.hw = min(max(p.hw, hw), p.end())
	if start > p.start && start <= p.end() {
		p.trim(start)
	}
	return kerr.None
}

func (p *follows) Truncate(epoch int32, end int64, _ int32) kerr.Code {
	p.cuts++
	_, own := p.epochEnd(epoch)
	p.cut(min(own, end))
	p.busy = true
	return kerr.None
}

func (p *follows) OutOfRange(start, end int64, _ int32) kerr.Code {
	p.ranges++
	if end < p.end() {
		p.cut(end)
		p.busy = true
	} else if start > p.end() {
		p.batches, p.start, p.busy = nil, start, true
	}
	return kerr.None
}

// settle completes what the follower's disk was asked for.
func (p *follows) settle() {
	for _, l := range p.leases {
		l.Release()
	}
	p.leases = p.leases[:0]
	p.busy, p.synced = false, p.end()
}

// world is a fetcher, the leader that it fetches from, and the network between them.
type world struct {
	t         fail
	e         *env.Env
	pool      *peer.Pool
	f         *Fetcher
	leaders   map[Key]*leads
	followers map[Key]*follows
	keys      []Key
	sessions  map[int32]*session
	noSession bool
	nextID    int32
	dials     []network.Dial
	conn      network.Conn // 0: none
	closing   bool
	conns     uint64
	in        []byte
	requests  [][]byte // arrived at the leader, not answered
	count     int      // requests in all
	answers   [][]byte // on their way
	last      wire.FetchRequest
	bytes     int // record bytes sent
}

func newWorld(t fail, parts int, flush bool) *world {
	w := &world{t: t, e: env.New(0, &buf.Pool{Mangle: true}, prng.New(3)), leaders: map[Key]*leads{}, followers: map[Key]*follows{}, sessions: map[int32]*session{}}
	w.e.Out = &step.Effects{}
	w.e.Now = clock.Now{Mono: 1e9}
	w.pool = peer.NewPool(w.e, peer.Config{})
	w.f = New(w.e, DefaultConfig(2), 1, w.pool.Get("leader:1"))
	for i := range parts {
		k := Key{[16]byte{byte(1 + i/3)}, int32(i % 3)}
		w.keys = append(w.keys, k)
		w.leaders[k] = &leads{epoch: 1}
		w.followers[k] = &follows{w: w, key: k, flush: flush}
	}
	return w
}

func (w *world) addAll() {
	for _, k := range w.keys {
		w.add(k)
	}
	w.round()
}

func (w *world) add(k Key) { w.f.Add(k, "t", w.leaders[k].epoch, w.followers[k]) }

func (w *world) append(k Key, n int) {
	l := w.leaders[k]
	b := records.NewBuilder(records.Options{ProducerID: -1, BaseSequence: -1})
	for i := range n {
		b.Add(nil, fmt.Appendf(nil, "%d in %d", i, l.epoch), 1)
	}
	v := records.View(bytes.Clone(b.Build()))
	v.SetBaseOffset(l.end())
	v.SetLeaderEpoch(l.epoch)
	l.batches = append(l.batches, v)
}

// round fires timers and executes what was asked.
func (w *world) round() {
	for t := w.e.Timers.Expired(w.e.Now.Mono); t != nil; t = w.e.Timers.Expired(w.e.Now.Mono) {
		t.Owner.TimerFired(t)
	}
	w.e.FlushDirty()
	out := w.e.Out
	for _, s := range out.Send {
		if s.Conn == w.conn && !w.closing {
			w.in = append(w.in, out.Arena[s.A:s.B]...)
		}
	}
	for len(w.in) >= 4 && len(w.in) >= 4+int(binary.BigEndian.Uint32(w.in)) {
		n := 4 + int(binary.BigEndian.Uint32(w.in))
		w.requests = append(w.requests, bytes.Clone(w.in[4:n]))
		w.in = w.in[n:]
		w.count++
	}
	for _, id := range out.Close {
		w.closing = w.closing || id == w.conn
	}
	w.dials = append(w.dials, out.Dial...)
	out.Reset()
}

func (w *world) pass(d clock.Duration) {
	w.e.Now.Mono = w.e.Now.Mono.Add(d)
	w.round()
}

// connect answers a dial.
func (w *world) connect(ok bool) {
	info := network.Info{Token: w.dials[0].Token, Dialled: true}
	w.dials = w.dials[1:]
	if !ok {
		w.pool.Closed(&info)
	} else {
		w.lose()
		w.conns++
		w.conn, w.closing = network.Conn(w.conns<<32), false
		info.Conn = w.conn
		w.pool.Opened(&info)
	}
	w.round()
}

// lose ends the connection.
func (w *world) lose() {
	if w.conn == 0 {
		return
	}
	id := w.conn
	w.conn, w.in, w.requests, w.answers = 0, nil, nil, nil
	w.pool.Closed(&network.Info{Conn: id})
	w.round()
}

// serve has the leader answer its first request. A long poll ends here at once: time is the test's.
func (w *world) serve() {
	h, body, ok := wire.ParseHeader(w.requests[0])
	w.requests = w.requests[1:]
	q := &w.last
	if !ok || h.Key != keyFetch || !q.Decode(h.Version, body) || q.ReplicaID != 2 {
		w.t.Fatalf("not a follower's fetch: %+v", h)
	}
	dst, start := wire.StartFrame(nil)
	dst = wire.AppendResponseHeader(dst, keyFetch, h.Version, h.Corr)
	dst = w.respond(dst, q)
	w.answers = append(w.answers, wire.FinishFrame(dst, start, 0)[4:])
}

func (w *world) respond(dst []byte, q *wire.FetchRequest) []byte {
	var s *session
	switch {
	case q.SessionEpoch == 0:
		delete(w.sessions, q.SessionID)
		s = &session{epoch: 1, asked: map[Key]wire.FetchPart{}, hw: map[Key]int64{}}
		if !w.noSession {
			w.nextID++
			s.id = w.nextID
			w.sessions[s.id] = s
		}
	case w.sessions[q.SessionID] == nil:
		return w.head(dst, kerr.FetchSessionIDNotFound, 0, 0)
	case w.sessions[q.SessionID].epoch != q.SessionEpoch:
		return w.head(dst, kerr.InvalidFetchSessionEpoch, 0, 0)
	default:
		s = w.sessions[q.SessionID]
		s.epoch++
	}
	for _, p := range q.Forgotten {
		s.forget(Key{p.TopicID, p.Partition})
	}
	for _, p := range q.Parts {
		k := Key{p.TopicID, p.Partition}
		if _, ok := s.asked[k]; !ok {
			s.parts = append(s.parts, k)
			s.hw[k] = -1
		}
		s.asked[k] = p
	}
	type answer struct {
		k Key
		r wire.FetchPartResult
		b []byte
	}
	var as []answer
	for _, k := range s.parts {
		r, b := w.read(k, s.asked[k])
		if q.SessionEpoch == 0 || len(b) > 0 || r.Code != kerr.None || r.Diverging || r.HighWatermark != s.hw[k] {
			as = append(as, answer{k, r, b})
			s.hw[k] = r.HighWatermark
		}
	}
	dst = w.head(dst, kerr.None, s.id, len(as))
	for _, a := range as {
		a.r.RecordsLen = int32(len(a.b))
		w.bytes += len(a.b)
		dst = wire.AppendFetchTopic(dst, version, "", a.k.ID, 1)
		dst = append(wire.AppendFetchPartition(dst, version, &a.r), a.b...)
		dst = wire.AppendFetchTopicEnd(wire.AppendFetchPartitionEnd(dst, version, &a.r), version)
	}
	return wire.AppendFetchEnd(dst, version, nil)
}

func (w *world) head(dst []byte, c kerr.Code, id int32, topics int) []byte {
	dst = wire.AppendFetchHead(dst, version, wire.FetchHead{Code: c, SessionID: id}, topics)
	if c != kerr.None {
		dst = wire.AppendFetchEnd(dst, version, nil)
	}
	return dst
}

func (s *session) forget(k Key) {
	if _, ok := s.asked[k]; !ok {
		return
	}
	delete(s.asked, k)
	for i, x := range s.parts {
		if x == k {
			s.parts = append(s.parts[:i:i], s.parts[i+1:]...)
			return
		}
	}
}

// read is a leader's answer for one partition.
func (w *world) read(k Key, q wire.FetchPart) (r wire.FetchPartResult, b []byte) {
	l := w.leaders[k]
	r = wire.FetchPartResult{Partition: k.Number, HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1, PreferredReadReplica: -1}
	switch {
	case q.CurrentLeaderEpoch < l.epoch:
		r.Code = kerr.FencedLeaderEpoch
		return r, nil
	case q.CurrentLeaderEpoch > l.epoch:
		r.Code = kerr.UnknownLeaderEpoch
		return r, nil
	}
	if q.LastFetchedEpoch >= 0 && q.FetchOffset >= l.start {
		if e, end := l.epochEnd(q.LastFetchedEpoch); e < q.LastFetchedEpoch || end < q.FetchOffset {
			r.Diverging, r.DivergingEpoch, r.DivergingEndOffset = true, e, end
			r.HighWatermark, r.LogStartOffset = l.hw, l.start
			return r, nil
		}
	}
	if q.FetchOffset < l.start || q.FetchOffset > l.end() {
		r.Code, r.LogStartOffset = kerr.OffsetOutOfRange, l.start
		r.HighWatermark = l.end()
		return r, nil
	}
	r.HighWatermark, r.LastStableOffset, r.LogStartOffset = l.hw, l.hw, l.start
	if q.Refused {
		l.refused = append(l.refused, q.FetchOffset)
		if l.compact {
			l.sparse = l.end()
		}
	}
	r.Sparse = l.sparse
	b = l.bytesFrom(q.FetchOffset)
	return r, b[:min(len(b), 400)] // the last batch may be cut off
}

// deliver hands the first answer over.
func (w *world) deliver(damage func([]byte)) {
	b := w.answers[0]
	w.answers = w.answers[1:]
	if damage != nil {
		damage(b)
	}
	lease := w.e.Pool.Get(len(b))
	copy(lease.Bytes, b)
	w.pool.Frame(&network.Frame{Conn: w.conn, Bytes: lease.Bytes[:len(b)], Lease: lease})
	lease.Release()
	w.round()
}

// settle completes the follower's disk.
func (w *world) settle(k Key) {
	p := w.followers[k]
	p.settle()
	w.f.Ready(k)
	w.round()
}

// trip is one request and its answer, and the disk.
func (w *world) trip() {
	for len(w.dials) > 0 {
		w.connect(true)
	}
	if len(w.requests) > 0 {
		w.serve()
	}
	for len(w.answers) > 0 {
		w.deliver(nil)
	}
	for _, k := range w.keys {
		if p := w.followers[k]; p.busy || p.flush && p.synced != p.end() {
			w.settle(k)
		}
	}
}

// same compares the logs.
func (w *world) same() bool {
	for _, k := range w.keys {
		l, p := w.leaders[k], w.followers[k]
		if from := max(l.start, p.start); p.end() != l.end() || p.start > l.start || !bytes.Equal(l.bytesFrom(from), p.bytesFrom(from)) {
			return false
		}
	}
	return true
}

var _ testing.TB
