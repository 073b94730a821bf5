package quorum

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/metadata/memdisk"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

const (
	diskTime = 300 * time.Microsecond // of one request
	netTime  = 500 * time.Microsecond // one way
)

// world drives nodes in one bubble: each has a disk in memory, and a stand-in for shard 0 which carries streams to the others.
type world struct {
	t     *testing.T
	rand  *prng.Source
	hosts []*host
	wire  chan delivery
	quit  chan struct{}

	mu    sync.Mutex
	conn  int64
	ends  map[int64]*end
	cut   map[[2]int]bool // streams from one host to another carry nothing
	hello []link.Hello    // of all dials
}

// end is one end of a stream.
type end struct {
	host *host
	life int
	peer int64
	dead bool // bytes were lost: it carries nothing more
}

type delivery struct {
	at time.Time
	f  func()
}

// host is one node with its disk and its shard 0.
type host struct {
	w       *world
	n       int
	dir     [16]byte
	address string
	disk    *memdisk.Disk
	wait    time.Duration // of one request of the disk

	mu      sync.Mutex
	node    *Node
	life    int
	queue   []step.Event
	kick    chan struct{}
	trail   uint64 // 0: as it comes
	state   *link.State
	lead    link.Leadership
	claims  []int64         // the terms in which it claimed to lead
	claimed *metadata.Image // what it had been sent when it claimed last
	images  []*metadata.Image
	applied map[disk.Token]bool // answered by an image: whether it was applied
	refused map[disk.Token]bool
	changed map[disk.Token]string
	lines   []string
	failed  string
	moved   bool
	stopped bool
	token   disk.Token
}

// inWorld runs f with n hosts, none of which runs.
func inWorld(t *testing.T, n int, seed uint64, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, rand: prng.New(seed), wire: make(chan delivery, 1<<16), quit: make(chan struct{}), ends: map[int64]*end{}, cut: map[[2]int]bool{}}
		for range n {
			w.add()
		}
		go w.carry()
		f(w)
		for _, h := range w.hosts {
			h.crash(false)
		}
		time.Sleep(10 * time.Second) // raft's goroutines end
		close(w.quit)
		synctest.Wait()
	})
}

func (w *world) add() *host {
	n := len(w.hosts)
	h := &host{w: w, n: n, address: fmt.Sprintf("h%d:9093", n), disk: memdisk.New(w.rand.Uint64()), wait: diskTime}
	w.rand.Fill(h.dir[:])
	w.hosts = append(w.hosts, h)
	return h
}

// carry delivers in order.
func (w *world) carry() {
	for {
		select {
		case d := <-w.wire:
			time.Sleep(time.Until(d.at))
			d.f()
		case <-w.quit:
			return
		}
	}
}

func (w *world) send(f func()) { w.wire <- delivery{time.Now().Add(netTime), f} }

func (h *host) id() string { return link.RaftID(int32(h.n), h.dir) }

func (h *host) member(voter bool) link.Member {
	return link.Member{ID: h.id(), Address: h.address, Voter: voter}
}

// boot starts the host's process up to State.
func (h *host) boot() {
	h.mu.Lock()
	h.life++
	life := h.life
	kick := make(chan struct{}, 1)
	h.kick, h.queue = kick, nil
	h.state, h.lead, h.failed, h.moved, h.stopped = nil, link.Leadership{}, "", false, false
	h.images, h.applied, h.refused, h.changed = nil, map[disk.Token]bool{}, map[disk.Token]bool{}, map[disk.Token]string{}
	node := New(Options{Node: &config.Node{MetadataSnapshotBytes: 1 << 20}, Lane: 1, LogDir: "data", Rand: prng.New(h.w.rand.Uint64()),
		Wake: func() {
			h.post(life, step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: link.MailWake, From: step.Outside}})
		}})
	if h.trail > 0 {
		node.trail = h.trail
	}
	h.node = node
	h.mu.Unlock()
	go h.loop(node, life, kick)
	h.post(life, step.Event{Kind: step.Start})
	h.until(5*time.Second, "it opens", func() bool { return h.state != nil || h.failed != "" })
}

// launch boots and starts raft.
func (h *host) launch(s link.Start) {
	h.boot()
	s.ID, s.Address = h.id(), h.address
	h.mail(step.Mail{Kind: link.MailStart, Body: &s})
}

func (h *host) mail(m step.Mail) {
	h.mu.Lock()
	life := h.life
	h.mu.Unlock()
	h.post(life, step.Event{Kind: step.MailArrived, Mail: m})
}

func (h *host) post(life int, ev step.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if life != h.life || h.node == nil {
		return
	}
	h.queue = append(h.queue, ev)
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// loop is the lane's thread.
func (h *host) loop(node *Node, life int, kick chan struct{}) {
	var out step.Effects
	for range kick {
		for {
			h.mu.Lock()
			evs := h.queue
			h.queue = nil
			if h.life != life {
				evs = nil
			}
			h.mu.Unlock()
			if len(evs) == 0 {
				break
			}
			for i := range evs {
				node.Step(clock.Now{}, &evs[i], &out)
			}
			node.Step(clock.Now{}, &step.Event{Kind: step.Flush}, &out)
			h.execute(life, &out)
			out.Reset()
		}
	}
}

func (h *host) execute(life int, out *step.Effects) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life != life {
		return
	}
	for i := range out.Disk {
		r := out.Disk[i]
		time.AfterFunc(h.wait, func() { h.perform(life, r) })
	}
	for _, l := range out.Log {
		h.lines = append(h.lines, l.Text)
	}
	for _, m := range out.Mail {
		h.shard(life, m)
	}
	if out.Stopped {
		h.stopped = true
	}
}

func (h *host) perform(life int, r disk.Request) {
	h.mu.Lock()
	if h.life != life {
		h.mu.Unlock()
		return
	}
	c := h.disk.Do(&r)
	h.mu.Unlock()
	h.post(life, step.Event{Kind: step.DiskDone, Disk: c})
}

// shard is the stand-in for shard 0. h.mu is held.
func (h *host) shard(life int, m step.Mail) {
	switch m.Kind {
	case link.MailState:
		h.state = m.Body.(*link.State)
	case link.MailImage:
		c := m.Body.(*link.Committed)
		if k := len(h.images); k > 0 && c.Image.Index() <= h.images[k-1].Index() {
			h.w.t.Errorf("host %d: image %d after %d", h.n, c.Image.Index(), h.images[k-1].Index())
		}
		h.images = append(h.images, c.Image)
		if c.Commit.Token != 0 {
			h.answer(c.Commit.Token)
			h.applied[c.Commit.Token] = c.Commit.Applied
		}
	case link.MailRefused:
		h.answer(m.Token)
		h.refused[m.Token] = true
	case link.MailLeadership:
		h.lead = *m.Body.(*link.Leadership)
		if h.lead.Leader {
			h.claims = append(h.claims, h.lead.Term)
			if k := len(h.images); k > 0 {
				h.claimed = h.images[k-1]
			}
		}
	case link.MailDial:
		d := m.Body.(*link.Dial)
		h.w.mu.Lock()
		h.w.hello = append(h.w.hello, d.Hello)
		h.w.mu.Unlock()
		h.w.send(func() { h.w.dial(h, life, m.Token, d) })
	case link.MailSend:
		if n := len(m.Body.([]byte)); n == 0 || n > 64<<10 {
			h.w.t.Errorf("a frame of %d bytes", n)
		}
		h.w.send(func() { h.w.frame(h, life, m.A, m.Body.([]byte)) })
	case link.MailClose:
		h.w.send(func() { h.w.hangUp(m.A) })
	case link.MailChanged:
		h.changed[m.Token] = m.Body.(string)
	case link.MailTransferred:
		h.moved = true
	case link.MailQuorumFailed:
		h.failed = m.Body.(string)
	}
}

func (h *host) answer(t disk.Token) {
	if _, ok := h.applied[t]; ok || h.refused[t] {
		h.w.t.Errorf("host %d: proposal %d answered twice", h.n, t)
	}
}

// dial connects a host to the one that has the address, if it is the one that the Hello wants.
func (w *world) dial(from *host, life int, t disk.Token, d *link.Dial) {
	i := slices.IndexFunc(w.hosts, func(h *host) bool { return h.address == d.Address })
	if i < 0 || !w.hosts[i].up() || w.hosts[i].id() != d.Hello.Want || w.blocked(from.n, i) || w.blocked(i, from.n) {
		from.post(life, step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: link.MailNoStream, Token: t}})
		return
	}
	to := w.hosts[i]
	w.mu.Lock()
	a, b := w.conn+1, w.conn+2
	w.conn += 2
	w.ends[a], w.ends[b] = &end{host: from, life: life, peer: b}, &end{host: to, life: to.living(), peer: a}
	toLife := w.ends[b].life
	w.mu.Unlock()
	from.post(life, step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: link.MailOpened, Body: &link.Opened{Conn: network.Conn(a), Token: t}}})
	to.post(toLife, step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: link.MailOpened,
		Body: &link.Opened{Conn: network.Conn(b), From: d.Hello.From, Address: d.Hello.Address}}})
}

func (w *world) frame(from *host, life int, id int64, b []byte) {
	w.mu.Lock()
	e := w.ends[id]
	var to *end
	if e != nil {
		to = w.ends[e.peer]
	}
	w.mu.Unlock()
	if e == nil || to == nil {
		return
	}
	from.post(life, step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: link.MailSent, A: id, B: int64(len(b))}})
	if w.blocked(from.n, to.host.n) {
		e.dead = true
	}
	if e.dead {
		if !w.blocked(from.n, to.host.n) {
			w.hangUp(id)
			from.post(life, step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: link.MailClosed, A: id}})
		}
		return
	}
	to.host.post(to.life, step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: link.MailBytes, A: e.peer, Body: b}})
}

// hangUp ends a stream from one end; the other is told.
func (w *world) hangUp(id int64) {
	w.mu.Lock()
	e := w.ends[id]
	var to *end
	if e != nil {
		to = w.ends[e.peer]
		delete(w.ends, id)
		delete(w.ends, e.peer)
	}
	w.mu.Unlock()
	if to != nil {
		to.host.post(to.life, step.Event{Kind: step.MailArrived, Mail: step.Mail{Kind: link.MailClosed, A: e.peer}})
	}
}

func (w *world) blocked(a, b int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut[[2]int{a, b}]
}

// isolate cuts a host off, or heals it.
func (w *world) isolate(n int, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.hosts {
		w.cut[[2]int{n, i}], w.cut[[2]int{i, n}] = on && i != n, on && i != n
	}
}

func (h *host) up() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.node != nil
}

func (h *host) living() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life
}

// crash kills the process; power says that what was not synced may be lost.
func (h *host) crash(power bool) {
	h.mu.Lock()
	node := h.node
	h.node = nil
	h.life++
	if node != nil {
		close(h.kick)
	}
	if power {
		h.disk.Crash()
	} else {
		h.disk.Kill()
	}
	h.mu.Unlock()
	if node == nil {
		return
	}
	node.Crash()
	h.w.mu.Lock()
	var mine []int64
	for id, e := range h.w.ends {
		if e.host == h {
			mine = append(mine, id)
		}
	}
	h.w.mu.Unlock()
	slices.Sort(mine)
	for _, id := range mine {
		h.w.hangUp(id)
	}
}

// until waits for a condition over the host, at most d of virtual time.
func (h *host) until(d time.Duration, what string, ok func() bool) {
	h.w.t.Helper()
	h.w.until(d, fmt.Sprintf("host %d: %s", h.n, what), func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return ok()
	})
}

func (w *world) until(d time.Duration, what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			for _, h := range w.hosts {
				w.t.Logf("host %d: up %v, %+v, %d images, failed %q, lines %q", h.n, h.node != nil, h.lead, len(h.images), h.failed, h.lines)
			}
			w.t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// found starts all hosts as a cluster of voters.
func (w *world) found() {
	var all []link.Member
	for _, h := range w.hosts {
		all = append(all, h.member(true))
	}
	for i, h := range w.hosts {
		var s link.Start
		if i == 0 {
			s.Bootstrap = all
		}
		h.launch(s)
	}
}

// leader waits for a host that claims to lead in the newest term.
func (w *world) leader(d time.Duration) *host {
	w.t.Helper()
	var found *host
	w.until(d, "somebody leads", func() bool {
		found = nil
		term := int64(0)
		for _, h := range w.hosts {
			h.mu.Lock()
			if h.node != nil && h.lead.Leader && h.lead.Term > term {
				found, term = h, h.lead.Term
			}
			h.mu.Unlock()
		}
		return found != nil
	})
	return found
}

// propose sends an entry in the term that the host believes in.
func (h *host) propose(records ...metadata.Record) disk.Token {
	h.mu.Lock()
	h.token++
	t, term := h.token, h.lead.Term
	h.mu.Unlock()
	h.proposeIn(t, term, term, records...)
	return t
}

func (h *host) proposeIn(t disk.Token, asked, decided int64, records ...metadata.Record) {
	e := metadata.Encode(metadata.Entry{Term: decided, Records: records})
	h.mail(step.Mail{Kind: link.MailPropose, Token: t, A: asked, Body: e})
}

func (h *host) answered(t disk.Token) bool {
	_, ok := h.applied[t]
	return ok || h.refused[t]
}

// commit proposes and waits; false if it was refused.
func (h *host) commit(records ...metadata.Record) bool {
	h.w.t.Helper()
	t := h.propose(records...)
	h.until(5*time.Second, "the proposal is answered", func() bool { return h.node == nil || h.answered(t) })
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.applied[t]
}

func (h *host) image() *metadata.Image {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k := len(h.images); k > 0 {
		return h.images[k-1]
	}
	if h.state == nil {
		return metadata.Empty()
	}
	return h.state.Image
}

// agree waits until all running hosts have equal images with topics topics.
func (w *world) agree(d time.Duration, topics int) {
	w.t.Helper()
	w.until(d, fmt.Sprintf("all agree on %d topics", topics), func() bool {
		var digests []uint64
		for _, h := range w.hosts {
			if h.up() {
				img := h.image()
				if len(img.Topics()) != topics {
					return false
				}
				digests = append(digests, img.Digest())
			}
		}
		return len(slices.Compact(digests)) == 1
	})
}

func topic(n int) metadata.Record {
	return &metadata.TopicRecord{Name: fmt.Sprintf("t%05d", n), ID: [16]byte{9, byte(n >> 16), byte(n >> 8), byte(n)}}
}

// knows is what it was last told of leadership.
func (h *host) knows() link.Leadership {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lead
}
