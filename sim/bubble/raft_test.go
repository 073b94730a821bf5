package bubble

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Kinds of mail of a raft node in this test: A is the peer, Token the call, C what is called.
const (
	mailCall = iota + 1
	mailReturn
	mailPropose
	mailApplied
)

// What a call asks.
const (
	rpcAppend = iota
	rpcVote
	rpcPreVote
	rpcTimeoutNow
	rpcCount
)

// raftNode is hashicorp/raft with stores in memory and a transport of mail. Its stores outlive it.
type raftNode struct {
	id    int
	nodes int
	store *raft.InmemStore
	raft  *raft.Raft
	in    chan raft.RPC
	mu    sync.Mutex
	out   []step.Mail
	calls map[uint64]chan []byte
	token uint64
	beat  func(raft.RPC)
}

func address(i int) raft.ServerAddress { return raft.ServerAddress(fmt.Sprint(i)) }

func (r *raftNode) Drain(out *step.Effects) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out.Mail = append(out.Mail, r.out...)
	r.out = nil
}

func (r *raftNode) say(m step.Mail) {
	r.mu.Lock()
	r.out = append(r.out, m)
	r.mu.Unlock()
}

func (r *raftNode) Step(_ clock.Now, ev *step.Event, _ *step.Effects) {
	m := &ev.Mail
	switch {
	case ev.Kind == step.Start:
		r.start()
	case ev.Kind != step.MailArrived:
	case m.Kind == mailCall:
		go r.serve(*m)
	case m.Kind == mailReturn:
		r.mu.Lock()
		c := r.calls[uint64(m.Token)]
		r.mu.Unlock()
		if c != nil {
			c <- m.Body.([]byte)
		}
	case m.Kind == mailPropose:
		go r.raft.Apply(m.Body.([]byte), time.Second)
	}
}

func (r *raftNode) start() {
	r.in, r.calls = make(chan raft.RPC), map[uint64]chan []byte{}
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.NoLegacyTelemetry = raft.ServerID(address(r.id)), hclog.NewNullLogger(), true
	snaps := raft.NewDiscardSnapshotStore()
	var all raft.Configuration
	for i := range r.nodes {
		all.Servers = append(all.Servers, raft.Server{ID: raft.ServerID(address(i)), Address: address(i)})
	}
	if has, _ := raft.HasExistingState(r.store, r.store, snaps); !has {
		if err := raft.BootstrapCluster(c, r.store, r.store, snaps, r, all); err != nil {
			panic(err)
		}
	}
	x, err := raft.NewRaft(c, r, r.store, r.store, snaps, r)
	if err != nil {
		panic(err)
	}
	r.raft = x
}

// Apply, Snapshot and Restore are raft.FSM.
func (r *raftNode) Apply(l *raft.Log) any {
	r.say(step.Mail{Kind: mailApplied, A: int64(l.Index), Body: l.Data})
	return nil
}
func (r *raftNode) Snapshot() (raft.FSMSnapshot, error) { return nil, io.EOF }
func (r *raftNode) Restore(io.ReadCloser) error         { return nil }

func (r *raftNode) call(to raft.ServerAddress, kind int, q, p any) error {
	b, err := json.Marshal(q)
	if err != nil {
		return err
	}
	c := make(chan []byte, 1)
	r.mu.Lock()
	r.token++
	tok := r.token
	r.calls[tok] = c
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.calls, tok)
		r.mu.Unlock()
	}()
	var peer int64
	fmt.Sscan(string(to), &peer)
	r.say(step.Mail{Kind: mailCall, A: peer, B: int64(tok), C: int64(kind), Body: b})
	select {
	case b := <-c:
		return json.Unmarshal(b, p)
	case <-time.After(time.Second):
		return raft.ErrEnqueueTimeout
	}
}

func (r *raftNode) serve(m step.Mail) {
	q := [rpcCount]any{&raft.AppendEntriesRequest{}, &raft.RequestVoteRequest{}, &raft.RequestPreVoteRequest{}, &raft.TimeoutNowRequest{}}[m.C]
	if err := json.Unmarshal(m.Body.([]byte), q); err != nil {
		panic(err)
	}
	c := make(chan raft.RPCResponse, 1)
	rpc := raft.RPC{Command: q, RespChan: c}
	if a, ok := q.(*raft.AppendEntriesRequest); ok && a.PrevLogEntry == 0 && len(a.Entries) == 0 && a.LeaderCommitIndex == 0 && r.beat != nil {
		r.beat(rpc)
	} else {
		r.in <- rpc
	}
	p := <-c
	b, err := json.Marshal(p.Response)
	if err != nil {
		panic(err)
	}
	r.say(step.Mail{Kind: mailReturn, A: m.A, B: m.B, Body: b})
}

// Consumer and the rest are raft.Transport.
func (r *raftNode) Consumer() <-chan raft.RPC                               { return r.in }
func (r *raftNode) LocalAddr() raft.ServerAddress                           { return address(r.id) }
func (r *raftNode) EncodePeer(_ raft.ServerID, a raft.ServerAddress) []byte { return []byte(a) }
func (r *raftNode) DecodePeer(b []byte) raft.ServerAddress                  { return raft.ServerAddress(b) }
func (r *raftNode) SetHeartbeatHandler(f func(raft.RPC))                    { r.beat = f }
func (r *raftNode) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}
func (r *raftNode) AppendEntries(_ raft.ServerID, a raft.ServerAddress, q *raft.AppendEntriesRequest, p *raft.AppendEntriesResponse) error {
	return r.call(a, rpcAppend, q, p)
}
func (r *raftNode) RequestVote(_ raft.ServerID, a raft.ServerAddress, q *raft.RequestVoteRequest, p *raft.RequestVoteResponse) error {
	return r.call(a, rpcVote, q, p)
}
func (r *raftNode) RequestPreVote(_ raft.ServerID, a raft.ServerAddress, q *raft.RequestPreVoteRequest, p *raft.RequestPreVoteResponse) error {
	return r.call(a, rpcPreVote, q, p)
}
func (r *raftNode) TimeoutNow(_ raft.ServerID, a raft.ServerAddress, q *raft.TimeoutNowRequest, p *raft.TimeoutNowResponse) error {
	return r.call(a, rpcTimeoutNow, q, p)
}
func (r *raftNode) InstallSnapshot(raft.ServerID, raft.ServerAddress, *raft.InstallSnapshotRequest, *raft.InstallSnapshotResponse, io.Reader) error {
	return io.ErrUnexpectedEOF
}

// raftRun is a small world of raft nodes: mail with delays and losses, crashes, freezes, proposals.
type raftRun struct {
	rnd   *prng.Source
	now   clock.Time
	nodes []*raftWorld
	due   []raftEvent
	hash  interface {
		io.Writer
		Sum64() uint64
	}
	applied int
	out     step.Effects
}

type raftWorld struct {
	st       *Stepper
	store    *raft.InmemStore
	life     int
	deadline clock.Time
	frozen   clock.Time // until
}

type raftEvent struct {
	at   clock.Time
	to   int
	life int
	mail step.Mail
}

func (w *raftRun) start(i int) {
	n := w.nodes[i]
	n.life++
	r := &raftNode{id: i, nodes: len(w.nodes), store: n.store}
	n.st = NewStepper(w.rnd.Uint64(), w.rnd.Permille(500), func() Actor { return r })
	w.step(i, &step.Event{Kind: step.Start})
}

func (w *raftRun) step(i int, ev *step.Event) {
	n := w.nodes[i]
	w.out.Reset()
	n.st.Step(clock.Now{Mono: w.now, Wall: 1}, ev, &w.out)
	n.deadline = w.out.Deadline
	fmt.Fprintln(w.hash, w.now, i, ev.Kind, n.st.Digest())
	for _, m := range w.out.Mail {
		if m.Kind == mailApplied {
			w.applied++
			continue
		}
		if w.rnd.Permille(10) {
			continue
		}
		to := int(m.A)
		m.A, m.Token = int64(i), 0
		if m.Kind == mailReturn {
			m.Token = disk.Token(m.B)
		}
		w.due = append(w.due, raftEvent{w.now.Add(clock.Duration(w.rnd.Between(500, 20000)) * clock.Microsecond), to, w.nodes[to].life, m})
	}
}

// pop gives the earliest event; a linear search, since there are few.
func (w *raftRun) pop(before clock.Time) (raftEvent, bool) {
	k := -1
	for i := range w.due {
		if w.due[i].at <= before && (k < 0 || w.due[i].at < w.due[k].at) {
			k = i
		}
	}
	if k < 0 {
		return raftEvent{}, false
	}
	e := w.due[k]
	w.due = append(w.due[:k], w.due[k+1:]...)
	return e, true
}

// fault does something to a node each 100 ms.
func (w *raftRun) fault(ms int64) {
	i := w.rnd.Intn(len(w.nodes))
	switch n := w.nodes[i]; {
	case w.rnd.Permille(30):
		n.st.Crash()
		w.start(i)
	case w.rnd.Permille(30):
		n.frozen = w.now.Add(clock.MS(w.rnd.Between(100, 4000)))
	}
	for i, n := range w.nodes {
		if n.frozen <= w.now {
			w.step(i, &step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: mailPropose, Body: fmt.Append(nil, ms)}})
		}
	}
}

// raftHistory runs a seed for some virtual seconds, and gives the hash of everything that any node did.
func raftHistory(seed uint64, nodes int, seconds int64) (hash uint64, applied int) {
	w := &raftRun{rnd: prng.New(seed), now: 1, hash: fnv.New64a()}
	for range nodes {
		w.nodes = append(w.nodes, &raftWorld{store: raft.NewInmemStore()})
	}
	for i := range nodes {
		w.start(i)
	}
	for ms := int64(100); ms < seconds*1000; ms += 100 {
		until := clock.Time(clock.MS(ms))
		for {
			at, who := until, -1
			for i, n := range w.nodes {
				if d := max(n.deadline, n.frozen); n.deadline != 0 && d < at {
					at, who = d, i
				}
			}
			if e, ok := w.pop(at); ok {
				n := w.nodes[e.to]
				if e.at < n.frozen {
					e.at = n.frozen
					w.due = append(w.due, e)
				} else if w.now = max(w.now, e.at); e.life == n.life {
					w.step(e.to, &step.Event{Kind: step.MailArrived, Mail: e.mail})
				}
				continue
			}
			if who < 0 {
				break
			}
			w.now = max(w.now, at)
			w.step(who, &step.Event{Kind: step.Tick})
		}
		w.now = until
		w.fault(ms)
	}
	return w.hash.Sum64(), w.applied
}

// raftChild is the variable that makes this test program print one history's hash: nodes, seconds and seed.
const raftChild = "SEEDLOG_RAFT_CHILD"

func TestRaftInAFreshProcess(t *testing.T) {
	var nodes int
	var seconds int64
	var seed uint64
	if _, err := fmt.Sscan(os.Getenv(raftChild), &nodes, &seconds, &seed); err != nil {
		t.Skip("the process of another test")
	}
	began := time.Now()
	hash, applied := raftHistory(seed, nodes, seconds)
	fmt.Printf("raft %x %d\n", hash, applied)
	fmt.Fprintf(os.Stderr, "%d virtual s in %v\n", seconds, time.Since(began))
}

func raftProcess(t *testing.T, seed uint64, nodes int, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestRaftInAFreshProcess$", "-test.v")
	cmd.Env = append(append(os.Environ(), fmt.Sprintf("%s=%d %d %d", raftChild, nodes, 20, seed)), env...)
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for _, l := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(l, "raft ") {
			return l
		}
	}
	t.Fatalf("no hash in %s", b)
	return ""
}

func TestRaftRepeatsToTheByteInFreshProcesses(t *testing.T) {
	if !Exact {
		t.Skip("this build has no overlay")
	}
	for seed := range uint64(6) {
		nodes := 3 + 2*int(seed%2)
		a, b := raftProcess(t, seed, nodes), raftProcess(t, seed, nodes, "GC_EVERY=97")
		if a != b || strings.HasSuffix(a, " 0") {
			t.Errorf("seed %d: %q and %q", seed, a, b)
		}
	}
}

func TestWithoutTheOverlayRaftRunsAllTheSameAndDoesNotRepeat(t *testing.T) {
	if Exact {
		t.Skip("this build has the overlay")
	}
	a, b := raftProcess(t, 1, 3), raftProcess(t, 1, 3)
	if a == b || strings.HasSuffix(a, " 0") {
		t.Errorf("%q and %q", a, b)
	}
}
