package quorum

import (
	"sync"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Options of a Node.
type Options struct {
	Node   *config.Node
	Lane   int          // its shard number: the number of the node's shards
	LogDir string       // link.Directory lies in it
	Held   bool         // begin at MailOpen, since the directory is not locked before; otherwise at Start
	Rand   *prng.Source // names this process in its proposals
	// Wake is called by raft's goroutines, outside of Step, when there is something to Drain. It may be called under the node's locks, so it
	// must neither wait nor call the node. nil: nobody needs to know.
	Wake func()
}

// Node is the quorum's actor of one node. Step and Drain are called by one thread; everything else happens in goroutines.
type Node struct {
	opt    Options
	dir    string
	out    outbox
	disk   door
	dead   chan struct{} // closed at the end: nothing leaves the node any more
	start  chan *link.Start
	stop   chan struct{}
	nonce  [8]byte
	began  bool
	asked  bool   // the Start mail came
	halted bool   // Stop came
	trail  uint64 // entries that stay before a snapshot

	stable    *stableStore
	logs      *logStore
	snapshots *snapshotStore
	streams   *streams
	machine   *fsm
	lead      leadership
	props     proposals
	changes   chan func()

	mu      sync.Mutex // guards what follows; never held while waiting
	raft    *raft.Raft // nil before Start
	trans   *transport // nil before Start
	failed  bool
	waiting int // goroutines that wait for one of raft's futures

	succeeding bool // a goroutine waits for its turn: gone.go
}

// maxQueued bounds proposals and changes that wait for raft. Shard 0 has one proposal in flight.
const maxQueued = 64

// New makes a node. It makes no goroutine, channel or timer: those belong to the bubble that the first Step runs in.
func New(o Options) *Node {
	assert.That(o.Node != nil && o.LogDir != "", "quorum: options missing")
	n := &Node{opt: o, dir: o.LogDir + "/" + link.Directory, trail: trailingEntries}
	n.out.wake = o.Wake
	if o.Rand != nil {
		o.Rand.Fill(n.nonce[:])
	}
	return n
}

// Step delivers one event to raft's side and drains what is there. It never waits: what raft does about the event is drained later.
func (n *Node) Step(_ clock.Now, ev *step.Event, out *step.Effects) {
	n.out.enter()
	switch ev.Kind {
	case step.Start:
		if !n.opt.Held {
			n.begin()
		}
	case step.MailArrived:
		n.mail(&ev.Mail)
	case step.DiskDone:
		n.out.diskDone(&ev.Disk)
	case step.Stop:
		n.halt()
	}
	n.out.leave()
	n.Drain(out)
}

// Drain moves what raft's goroutines have to say to out, in an order that does not depend on which of them ran first.
func (n *Node) Drain(out *step.Effects) { n.out.drain(int32(n.opt.Lane), out) }

func (n *Node) begin() {
	assert.That(!n.began, "quorum: started twice")
	n.began = true
	n.dead = make(chan struct{})
	n.start = make(chan *link.Start, 1)
	n.stop = make(chan struct{})
	n.changes = make(chan func(), maxQueued)
	n.disk = door{out: &n.out, dead: n.dead, lane: n.opt.Lane}
	n.streams = newStreams(n)
	n.machine = &fsm{node: n, image: metadata.Empty()}
	n.props.init(n)
	n.lead.node = n
	go n.run()
}

// mail takes what shard 0 sends. Mail that comes before the node is open, or after it has stopped, cannot be: shard 0 waits for State.
func (n *Node) mail(m *step.Mail) {
	switch m.Kind {
	case link.MailOpen:
		n.begin()
	case link.MailStart:
		assert.That(!n.asked, "quorum: MailStart twice")
		n.asked = true
		n.start <- m.Body.(*link.Start)
	case link.MailPropose:
		n.props.add(proposal{token: m.Token, term: m.A, entry: m.Body.([]byte)})
	case link.MailOpened:
		n.streams.opened(m.Body.(*link.Opened))
	case link.MailNoStream:
		n.streams.noStream(m.Token)
	case link.MailBytes:
		n.streams.bytes(m.A, m.Body.([]byte))
	case link.MailSent:
		n.streams.sent(m.A, m.B)
	case link.MailClosed:
		n.streams.closed(m.A)
	case link.MailChange:
		n.change(m.Token, m.Body.(*link.Change))
	case link.MailGone:
		n.gone(m.Body.(string))
	case link.MailTransfer:
		n.transfer()
	case link.MailFreeze:
		n.freeze(m.Token)
	case link.MailWake:
	default:
		assert.Never("quorum: unknown mail")
	}
}

// halt begins the end: see Node.close.
func (n *Node) halt() {
	if !n.halted {
		n.halted = true
		if !n.began {
			n.out.stopped()
			return
		}
		close(n.stop)
	}
}

// Crash gives the node up without a word, as a kill of the process would: nothing leaves it any more, and its goroutines end soon. The
// simulator with the overlay drops a node instead.
func (n *Node) Crash() {
	if !n.began || !n.out.kill() {
		return
	}
	close(n.dead)
	n.streams.killAll()
	go n.reap()
}

// fail says that the node cannot go on.
func (n *Node) fail(what string) {
	n.mu.Lock()
	first := !n.failed
	n.failed = true
	n.mu.Unlock()
	if first {
		n.out.mail(classFailed, "", step.Mail{Kind: link.MailQuorumFailed, Body: what})
	}
}

// ruin ends a node that cannot go on, and keeps the goroutine from going on until the node is dead.
func (n *Node) ruin(what string) {
	n.fail(what)
	<-n.dead
}

// unstored is ruin after a request of the disk failed. One that failed because the node is dead says nothing of the disk.
func (n *Node) unstored(err *diskError) {
	if !n.isDead() {
		n.ruin(err.advice())
	}
}

// current gives raft, or nil before Start.
func (n *Node) current() *raft.Raft {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.raft
}

// committedIs has followers told of what is committed, if this node leads.
func (n *Node) committedIs(index uint64) {
	n.mu.Lock()
	t := n.trans
	n.mu.Unlock()
	if t != nil {
		t.committedIs(index)
	}
}

// endTransport ends what raft would not have ended, had it never begun.
func (n *Node) endTransport() {
	n.mu.Lock()
	t := n.trans
	n.mu.Unlock()
	if t != nil {
		_ = t.Close() // it has no error
	}
}

// waits counts the goroutines that wait for raft.
func (n *Node) waits(by int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting += by
	return n.waiting
}

// isDead says whether the node was given up or has stopped.
func (n *Node) isDead() bool {
	select {
	case <-n.dead:
		return true
	default:
		return false
	}
}

func (n *Node) token(t disk.Token) string { return key64(uint64(t)) }
