package realnet

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
)

const (
	maxEvents = 256 // taken from epoll at once
	// maxPasses bounds how often a round goes on with the completions that it caused itself; the rest is the next round's.
	maxPasses  = 8
	sweepEvery = clock.Second
	// keepArena is the arena that survives a round, in bytes; a larger one was for a rare answer.
	keepArena = 1 << 20
)

// loop drives one shard. All of it belongs to its thread, but box and accepting.
type loop struct {
	id        int
	node      *Node
	shard     step.Stepper
	pool      *buf.Pool
	disk      Disk
	box       *mailbox
	accepting atomic.Bool
	ep        int
	parked    *os.File        // a duplicate of ep, for Go's poller; nil while the loop does not park
	waiting   syscall.RawConn // of parked
	now       clock.Now
	fx        step.Effects
	ev        step.Event
	maxFrame  int
	maxUnsent int64

	slots    []slot
	free     []uint32
	parting  []uint32 // numbers that are free once the ConnClosed of their connections were stepped
	open     int      // connections, dialling ones too
	dialling int      // 0 <= dialling <= open
	ready    []*conn  // to be read
	dirty    []*conn  // to be sent to
	turn     int      // the shard that got the last connection

	lingering []*conn // by until; those that have ended meanwhile leave with the ones before them

	// What has happened and was not stepped yet.
	done    []disk.Completion
	sent    []disk.Token
	closed  []network.Info
	resumed []network.Conn
	own     []step.Mail

	stepped bool // since the last Flush
	swept   bool // nothing was read since the last sweep
	said    struct{ accept, ready, stopped bool }
	failed  bool
	vain    vain

	acceptAt, dialAt, sweepAt, lingerAt clock.Time // 0: nothing due

	// Scratch.
	evs      []unix.EpollEvent
	in       letters
	warmKeys []uint64
	spare    []*conn
	spareOwn []step.Mail
	spareTok []disk.Token
	iov      []unix.Iovec
	msg      unix.Msghdr
	outs     [][]item
	waste    []byte        // what lingering connections sent
	outgoing [][]step.Mail // by shard
}

func newLoop(n *Node, id int) (*loop, error) {
	box, err := newMailbox()
	if err != nil {
		return nil, err
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		box.close()
		return nil, err
	}
	l := &loop{
		id: id, node: n, shard: n.cfg.Shards[id], pool: n.cfg.Pools[id], disk: n.cfg.Disk, box: box, ep: ep,
		maxFrame: n.cfg.MaxFrame, maxUnsent: n.cfg.MaxUnsent, swept: true,
		evs: make([]unix.EpollEvent, maxEvents), iov: make([]unix.Iovec, 0, maxGather),
		outgoing: make([][]step.Mail, len(n.cfg.Shards)),
	}
	// Generation 0 belongs to no connection: number 0 is the mailbox, i+1 is listener i.
	err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, box.efd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&0xffffffff})
	if err != nil {
		l.closeAll()
		return nil, err
	}
	return l, nil
}

// run is the loop's thread. Locking comes before the first step: a core's tasks are coroutines, which stay with the locking they were made under.
// A lane is not locked: it hands what it gets to goroutines and back, and each such hand-over to or from a locked thread costs a switch of
// threads (a quarter of what an idle member of a cluster costs).
func (l *loop) run() {
	if l.id < l.node.shards() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	l.now = l.node.now()
	l.watchListeners(true)
	l.step(&step.Event{Kind: step.Start})
	l.settle()
	for !l.node.quit.Load() {
		l.round(l.wait())
	}
	if !l.node.hasFailed() {
		l.lingerLast()
	}
}

// round handles n epoll events and whatever else is at hand.
func (l *loop) round(n int) {
	l.now = l.node.now()
	for i := range n {
		l.onEpoll(&l.evs[i])
	}
	l.readReady()
	if l.box.full.Load() {
		l.openMail()
	}
	l.onTime()
	if l.pending() {
		l.stepPending()
	}
	if l.stepped || len(l.dirty) > 0 {
		l.settle()
	}
}

// readReady gives each connection that may have bytes its turn.
func (l *loop) readReady() {
	l.ready, l.spare = l.spare[:0], l.ready
	for i, c := range l.spare {
		c.reading = false
		switch {
		case !c.gone:
			l.read(c)
		case c.fd >= 0:
			l.part(c)
		}
		l.spare[i] = nil
	}
}

func (l *loop) onEpoll(ev *unix.EpollEvent) {
	switch {
	case ev.Pad != 0:
		l.onEvent(ev)
	case ev.Fd > 0:
		l.accept(int(ev.Fd - 1))
	default: // The disk may have written it, without a word in the box.
		l.box.full.Store(true)
	}
}

// openMail steps what other threads have left.
func (l *loop) openMail() {
	l.box.take(&l.in)
	for i := range l.in.adopted {
		l.adopt(&l.in.adopted[i])
	}
	for i := range l.in.mails {
		l.ev = step.Event{Kind: step.MailArrived, Mail: l.in.mails[i]}
		l.step(&l.ev)
	}
	for _, r := range l.in.resolved {
		l.dialAll(r.token, r.addrs)
	}
	l.done, l.warmKeys = l.disk.Completed(l.id, l.done, l.warmKeys[:0])
	for _, k := range l.warmKeys {
		l.warmed(network.Conn(k))
	}
	if l.in.stop {
		l.stopAccepting()
		l.step(&step.Event{Kind: step.Stop})
	}
}

// onTime does what is due.
func (l *loop) onTime() {
	due := func(t clock.Time) bool { return t != 0 && t <= l.now.Mono }
	if due(l.fx.Deadline) {
		l.ev = step.Event{Kind: step.Tick}
		l.step(&l.ev)
	}
	if due(l.acceptAt) {
		l.acceptAt = 0
		l.watchListeners(true)
		if l.said.accept {
			l.startAccepting()
		}
	}
	if due(l.dialAt) {
		l.expireDials()
	}
	if due(l.lingerAt) {
		l.expireLingering()
	}
	if due(l.sweepAt) {
		l.sweep()
	}
	if l.sweepAt == 0 && !l.swept {
		l.sweepAt = l.now.Mono.Add(sweepEvery)
	}
}

// sweep takes memory back from connections that have grown quiet. It goes on, once a second, until nothing was read in between.
func (l *loop) sweep() {
	l.sweepAt = 0
	if l.swept {
		return
	}
	l.swept = true
	for i := range l.slots {
		c := l.slots[i].c
		if c == nil {
			continue
		}
		if c.in.got > 0 {
			l.swept = false
		}
		c.in.sweep(l.pool)
	}
}

// step gives the shard one event, and applies at once what must hold for the next: Hold, Resume, and that a closed connection delivers no more.
func (l *loop) step(ev *step.Event) {
	fx := &l.fx
	closes := len(fx.Close)
	l.shard.Step(l.now, ev, fx)
	l.stepped = true
	for _, id := range fx.Hold {
		if c := l.conn(id); c != nil {
			c.held = true
		}
	}
	for _, id := range fx.Resume {
		if c := l.conn(id); c != nil && c.held {
			c.held = false
			l.resumed = append(l.resumed, id)
		}
	}
	fx.Hold, fx.Resume = fx.Hold[:0], fx.Resume[:0]
	for _, id := range fx.Close[closes:] {
		if c := l.conn(id); c != nil {
			c.closing = true
		}
	}
}

// settle executes effects until none are left, or for maxPasses. Disk requests come first: what was done inline is stepped before anything is
// sent, so that all answers of a round to one connection leave in one call.
func (l *loop) settle() {
	for pass := 1; ; pass++ {
		l.now = l.node.now()
		l.ev = step.Event{Kind: step.Flush}
		l.step(&l.ev)
		l.stepped = false
		l.postMail()
		if len(l.fx.Disk) > 0 {
			l.done = l.disk.Execute(l.id, l.fx.Disk, l.done)
			clear(l.fx.Disk)
			l.fx.Disk = l.fx.Disk[:0]
		}
		if len(l.done) > 0 && pass < maxPasses {
			l.now = l.node.now()
			l.stepDone()
			continue
		}
		l.execute()
		if l.said.stopped || l.failed || pass >= maxPasses || !l.pending() {
			return
		}
		l.stepPending()
	}
}

// execute does what concerns connections and people, and empties the effects.
func (l *loop) execute() {
	fx := &l.fx
	for _, line := range fx.Log {
		l.node.log(line)
	}
	if fx.LogLevel != nil {
		l.node.level.Store(int32(*fx.LogLevel))
	}
	for i := range fx.Send {
		l.queue(&fx.Send[i])
	}
	l.dirty, l.spare = l.spare[:0], l.dirty
	for i, c := range l.spare {
		c.sending = false
		if !c.gone {
			l.send(c)
		}
		l.spare[i] = nil
	}
	for i := range fx.Dial {
		l.startDial(&fx.Dial[i])
	}
	for _, id := range fx.Close {
		if c := l.conn(id); c != nil {
			l.linger(c)
		}
	}
	fx.Reset()
	if cap(fx.Arena) > keepArena {
		fx.Arena = nil
	}
	l.listen()
}

// listen hears what the shard has said for good.
func (l *loop) listen() {
	fx := &l.fx
	if fx.Fatal != "" && !l.failed {
		l.fail(fx.Fatal, fx.FatalCode)
	}
	if fx.Accept && !l.said.accept {
		l.said.accept = true
		l.startAccepting()
	}
	if fx.Ready && !l.said.ready {
		l.said.ready = true
		if l.id < l.node.shards() {
			l.node.shardReady()
		}
	}
	if fx.Stopped && !l.said.stopped {
		l.said.stopped = true
		l.node.shardStopped()
	}
}

func (l *loop) fail(text string, code int) {
	l.failed = true
	l.node.fail(text, code)
}

// postMail hands mail to its shards, one lock a shard.
func (l *loop) postMail() {
	if len(l.fx.Mail) == 0 {
		return
	}
	for i := range l.fx.Mail {
		m := &l.fx.Mail[i]
		switch {
		case m.To == step.Outside:
			l.node.answer(m)
		case int(m.To) == l.id:
			l.own = append(l.own, *m)
		default:
			l.outgoing[m.To] = append(l.outgoing[m.To], *m)
		}
	}
	clear(l.fx.Mail)
	l.fx.Mail = l.fx.Mail[:0]
	for to, mails := range l.outgoing {
		if len(mails) > 0 {
			l.node.loops[to].box.post(mails...)
			clear(mails)
			l.outgoing[to] = mails[:0]
		}
	}
}

// pending says whether something has happened that the shard was not told.
func (l *loop) pending() bool {
	return len(l.done)+len(l.sent)+len(l.closed)+len(l.resumed)+len(l.own) > 0
}

// busy says whether there is work that no descriptor will report.
func (l *loop) busy() bool { return l.pending() || len(l.ready)+len(l.dirty) > 0 }

func (l *loop) stepDone() {
	for i := range l.done {
		l.ev = step.Event{Kind: step.DiskDone, Disk: l.done[i]}
		l.step(&l.ev)
	}
	clear(l.done)
	l.done = l.done[:0]
}

// stepPending tells the shard what has happened. Steps add to these lists only by resuming, whose frames are delivered here.
func (l *loop) stepPending() {
	l.stepDone()
	for i := 0; i < len(l.resumed); i++ {
		if c := l.conn(l.resumed[i]); c != nil {
			l.deliver(c)
			if !c.gone && c.readable {
				l.markRead(c)
			}
		}
	}
	l.resumed = l.resumed[:0]
	for _, t := range l.sent {
		l.ev = step.Event{Kind: step.SendDone, Sent: t}
		l.step(&l.ev)
	}
	l.sent = l.sent[:0]
	for i := range l.closed {
		l.ev = step.Event{Kind: step.ConnClosed, Conn: l.closed[i]}
		l.step(&l.ev)
	}
	clear(l.closed)
	l.closed = l.closed[:0]
	l.free = append(l.free, l.parting...)
	l.parting = l.parting[:0]
	own := l.own
	l.own = l.spareOwn[:0]
	for i := range own {
		l.ev = step.Event{Kind: step.MailArrived, Mail: own[i]}
		l.step(&l.ev)
	}
	clear(own)
	l.spareOwn = own[:0]
}

func (l *loop) log(level step.Level, text string) {
	l.node.log(step.LogLine{Level: level, Text: text})
}

// closeAll is for when the loop does not run.
func (l *loop) closeAll() {
	for i := range l.slots {
		if c := l.slots[i].c; c != nil {
			unix.Close(c.fd)
			l.slots[i].c = nil
		}
	}
	l.unpark()
	unix.Close(l.ep)
	l.box.close()
}
