package quorum

import (
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

// transport is raft's own, which tells followers at once what is committed. raft tells them with the next entry, or when it repeats itself
// after Config.CommitTimeout; that would have to be short, and each repetition wakes both nodes.
type transport struct {
	*raft.NetworkTransport
	calls   chan raft.RPC          // to raft's main goroutine
	settled func(term uint64) bool // whether this node follows in that term
	dead    <-chan struct{}        // closed at the node's end

	mu        sync.Mutex
	committed uint64
	accepted  map[raft.ServerAddress]raft.AppendEntriesRequest // the last that a follower took outside of a pipeline; lookups only
	pipelines []*pipeline
}

func newTransport(n *Node, inner *raft.NetworkTransport) *transport {
	t := &transport{NetworkTransport: inner, calls: make(chan raft.RPC), settled: n.settled, dead: n.dead, accepted: map[raft.ServerAddress]raft.AppendEntriesRequest{}}
	go t.forward()
	return t
}

// Consumer implements raft.Transport.
func (t *transport) Consumer() <-chan raft.RPC { return t.calls }

func (t *transport) forward() {
	for {
		select {
		case rpc := <-t.NetworkTransport.Consumer():
			t.call(rpc)
		case <-t.dead:
			return
		}
	}
}

func (t *transport) call(rpc raft.RPC) {
	select {
	case t.calls <- rpc:
	case <-t.dead:
	}
}

// SetHeartbeatHandler implements raft.Transport. raft answers heartbeats beside its main goroutine, so that a follower with a slow disk is heard of.
// But one that makes it follow stores a term, while the main goroutine may be storing a later one: the term would go back, and the node could
// vote in it a second time. So those go to the main goroutine, as every other request does.
func (t *transport) SetHeartbeatHandler(beside func(raft.RPC)) {
	t.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) { t.heartbeat(rpc, beside) })
}

func (t *transport) heartbeat(rpc raft.RPC, beside func(raft.RPC)) {
	if q, ok := rpc.Command.(*raft.AppendEntriesRequest); ok && t.settled(q.Term) {
		beside(rpc)
		return
	}
	t.call(rpc)
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
