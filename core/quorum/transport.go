package quorum

import (
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

// transport is raft's own, which keeps heartbeats off the term (heartbeats.go), and tells followers at once what is committed. raft tells them with the next entry, or when it repeats itself
// after Config.CommitTimeout; that would have to be short, and each repetition wakes both nodes.
type transport struct {
	*raft.NetworkTransport
	stable   *stableStore
	requests chan raft.RPC // for raft's loop
	closed   chan struct{}
	once     sync.Once // closes it

	mu        sync.Mutex
	committed uint64
	accepted  map[raft.ServerAddress]raft.AppendEntriesRequest // the last that a follower took outside of a pipeline; lookups only
	pipelines []*pipeline
}

func newTransport(inner *raft.NetworkTransport, s *stableStore) *transport {
	t := &transport{NetworkTransport: inner, stable: s, requests: make(chan raft.RPC), closed: make(chan struct{}), accepted: map[raft.ServerAddress]raft.AppendEntriesRequest{}}
	go t.relay()
	return t
}

// committedIs notes how far this node knows the log to be committed. Only a leader has pipelines.
func (t *transport) committedIs(index uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if index <= t.committed {
		return
	}
	t.committed = index
	for _, p := range t.pipelines {
		p.wake()
	}
}

// AppendEntries implements raft.Transport.
func (t *transport) AppendEntries(id raft.ServerID, to raft.ServerAddress, q *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	q = covered(q)
	err := t.NetworkTransport.AppendEntries(id, to, q, resp)
	if next := behind(q); err == nil && resp.Success && next.PrevLogEntry > 0 { // a heartbeat says nothing of the log
		t.mu.Lock()
		t.accepted[to] = next
		t.mu.Unlock()
	}
	return err
}

// AppendEntriesPipeline implements raft.Transport.
func (t *transport) AppendEntriesPipeline(id raft.ServerID, to raft.ServerAddress) (raft.AppendPipeline, error) {
	inner, err := t.NetworkTransport.AppendEntriesPipeline(id, to)
	if err != nil {
		return nil, err
	}
	p := &pipeline{AppendPipeline: inner, t: t, gate: make(chan struct{}, 1), moved: make(chan struct{}, 1), closed: make(chan struct{})}
	t.mu.Lock()
	p.last = t.accepted[to] // of this term: raft begins a pipeline after a request that was taken
	t.pipelines = append(t.pipelines, p)
	t.mu.Unlock()
	p.wake()
	go p.run()
	return p, nil
}

// pipeline is a stream of AppendEntries to one follower.
type pipeline struct {
	raft.AppendPipeline
	t      *transport
	gate   chan struct{}             // one request at a time
	last   raft.AppendEntriesRequest // what an empty request after the last one says; guarded by gate. Term 0: none was sent
	moved  chan struct{}
	closed chan struct{}
}

// covered is q, saying no more of what is committed than the follower then holds for certain: up to the last entry
// that q sends or names. raft's follower takes LeaderCommitIndex up to the end of its own log, where entries of a deposed leader may stand that no
// request has replaced yet.
func covered(q *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
	if q.LeaderCommitIndex <= behind(q).PrevLogEntry {
		return q
	}
	c := *q
	c.LeaderCommitIndex = behind(q).PrevLogEntry
	return &c
}

// behind is the request without entries that may follow q.
func behind(q *raft.AppendEntriesRequest) raft.AppendEntriesRequest {
	next := *q
	if n := len(q.Entries); n > 0 {
		next.PrevLogEntry, next.PrevLogTerm = q.Entries[n-1].Index, q.Entries[n-1].Term
	}
	next.Entries = nil
	return next
}

// AppendEntries implements raft.AppendPipeline.
func (p *pipeline) AppendEntries(q *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	p.gate <- struct{}{}
	defer func() { <-p.gate }()
	q = covered(q)
	f, err := p.AppendPipeline.AppendEntries(q, resp)
	if err == nil {
		p.last = behind(q)
	}
	return f, err
}

// Close implements raft.AppendPipeline; raft calls it once.
func (p *pipeline) Close() error {
	p.t.mu.Lock()
	p.t.pipelines = slices.DeleteFunc(p.t.pipelines, func(x *pipeline) bool { return x == p })
	p.t.mu.Unlock()
	close(p.closed)
	return p.AppendPipeline.Close()
}

func (p *pipeline) wake() {
	select {
	case p.moved <- struct{}{}:
	default:
	}
}

func (p *pipeline) run() {
	for {
		select {
		case <-p.moved:
			p.tell()
		case <-p.closed:
			return
		}
	}
}

// tell sends what is committed, unless the last request has said it. To raft it is a request like its own: the answer comes to its consumer.
func (p *pipeline) tell() {
	p.gate <- struct{}{}
	defer func() { <-p.gate }()
	p.t.mu.Lock()
	committed := p.t.committed
	p.t.mu.Unlock()
	q := p.last
	q.LeaderCommitIndex = min(committed, q.PrevLogEntry)
	if q.Term == 0 || q.LeaderCommitIndex <= p.last.LeaderCommitIndex {
		return
	}
	if _, err := p.AppendPipeline.AppendEntries(&q, new(raft.AppendEntriesResponse)); err == nil { // raft's next request meets the error too
		p.last = q
	}
}
