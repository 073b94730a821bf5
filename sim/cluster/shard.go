package cluster

import (
	"fmt"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
	"github.com/seedlog/seedlog/sim/engine"
)

// shard is one Stepper with its inbox. Its driver's part is here: rounds, deadlines, mail; effects.go has what a round leads to.
type shard struct {
	n        *Node
	id       int
	st       step.Stepper
	who      engine.Entity
	pool     *buf.Pool
	rand     prng.Source // sizes and times of rounds
	mailRand prng.Source
	inbox    []input
	head     int
	ev       step.Event
	out      step.Effects
	conns    []conn
	freeConn []uint32
	due      bool       // a round is scheduled
	busy     clock.Time // no round before
	armed    clock.Time // virtual time of the deadline event that is on the heap, or 0
	paused   bool
	dead     bool
	stopSeen bool
	stopping bool          // a lane was told to stop
	mailAt   []clock.Time  // by receiver: when the last item arrives
	mailOut  [][]step.Mail // by receiver: under way, FIFO
}

// input is one event that waits for its round. Frames wait in their connection: the input only says that it is readable.
type input struct {
	kind step.Kind
	tok  disk.Token
	conn network.Conn
	info network.Info
	disk disk.Completion
	mail step.Mail
}

func (s *shard) push(in input) {
	if s.dead {
		return
	}
	if s.head > 64 && s.head*2 > len(s.inbox) {
		k := copy(s.inbox, s.inbox[s.head:])
		clear(s.inbox[k:])
		s.inbox, s.head = s.inbox[:k], 0
	}
	s.inbox = append(s.inbox, in)
	s.kick()
}

// kick schedules a round if there is something to do and none is scheduled.
func (s *shard) kick() {
	if s.due || s.paused || s.n.paused || s.dead || s.head == len(s.inbox) {
		return
	}
	s.due = true
	at := max(s.busy, s.n.c.eng.Now().Add(clock.Duration(s.rand.Int63n(20))*clock.Microsecond))
	at = at.Add(s.n.c.late(roundLate, 20*clock.Millisecond))
	s.n.c.eng.At(at, s.who, s.n, kindRound, int64(s.id), int64(s.n.life))
}

// round steps 1..MaxRound inputs, then flushes and executes.
func (s *shard) round() {
	s.due = false
	if s.paused || s.n.paused {
		return
	}
	c := s.n.c
	now := s.n.clock.Now(c.eng.Now())
	steps := int64(0)
	k := 1 + s.rand.Intn(c.plan.MaxRound)
	if c.on(roundOfOne) {
		k = 1
	}
	for ; k > 0 && s.head < len(s.inbox) && s.alive(); k-- {
		in := &s.inbox[s.head]
		s.head++
		steps += s.take(now, in)
		*in = input{}
	}
	if s.alive() && s.out.Deadline != 0 && s.out.Deadline <= now.Mono {
		s.ev = step.Event{Kind: step.Tick}
		s.step(now)
		steps++
	}
	if !s.alive() {
		return
	}
	s.ev = step.Event{Kind: step.Flush}
	s.step(now)
	s.busy = c.eng.Now().Add(clock.Duration(1+steps)*clock.Microsecond + clock.Duration(s.rand.Int63n(3000)))
	if d, ok := s.st.(Digester); ok {
		c.eng.Trace(s.who, kindDigest, int64(d.Digest()), steps, int64(s.out.Deadline))
	}
	s.execute()
	if s.alive() {
		c.judge(s.n.index, s.id)
		s.kick()
		s.arm()
		if !s.due && c.on(roundEmpty) {
			s.due = true
			c.eng.At(s.busy, s.who, s.n, kindRound, int64(s.id), int64(s.n.life))
		}
	}
}

func (s *shard) alive() bool { return !s.dead && s.n.c.eng.Failed() == nil }

// take steps one input, and says how many steps it was.
func (s *shard) take(now clock.Now, in *input) int64 {
	switch in.kind {
	case 0: // an answer that was stepped out of turn: drainSent
		return 0
	case step.FrameArrived:
		if s.later(frameLater, in) {
			return 0
		}
		return s.takeFrame(now, in.conn)
	case step.DiskDone:
		if s.later(completionLate, in) {
			return 0
		}
		s.ev = step.Event{Kind: in.kind, Disk: in.disk}
	case step.MailArrived:
		s.ev = step.Event{Kind: in.kind, Mail: in.mail}
	case step.SendDone:
		s.ev = step.Event{Kind: in.kind, Sent: in.tok}
	case step.ConnOpened, step.ConnClosed:
		s.ev = step.Event{Kind: in.kind, Conn: in.info}
	default:
		s.ev = step.Event{Kind: in.kind}
	}
	s.step(now)
	return 1
}

// step calls the Stepper, then applies what must hold before the next event: Hold and Resume.
func (s *shard) step(now clock.Now) {
	s.n.c.Steps++
	s.n.c.eng.Trace(s.who, kindStep, int64(s.ev.Kind), int64(now.Mono), int64(now.Wall))
	s.call(now)
	if s.n.c.eng.Failed() != nil {
		return
	}
	for _, id := range s.out.Hold {
		s.hold(id, true)
	}
	for _, id := range s.out.Resume {
		s.hold(id, false)
	}
	s.out.Hold, s.out.Resume = s.out.Hold[:0], s.out.Resume[:0]
	for _, id := range s.out.Close {
		if c := s.conn(id); c != nil {
			c.closing = true
		}
	}
}

func (s *shard) call(now clock.Now) {
	defer func() {
		if r := recover(); r != nil {
			s.n.c.panicked(s.n, r)
		}
	}()
	s.st.Step(now, &s.ev, &s.out)
}

// arm puts the deadline on the heap, unless an event that comes no later is there already.
func (s *shard) arm() {
	if s.out.Deadline == 0 || s.dead || s.paused || s.n.paused {
		return
	}
	c := s.n.c
	at, ok := s.n.clock.Global(c.eng.Now(), s.out.Deadline)
	if !ok {
		return
	}
	at = max(at, s.busy).Add(c.late(deadlineLate, 20*clock.Millisecond))
	if s.armed != 0 && s.armed <= at {
		return
	}
	s.armed = at
	c.eng.At(at, s.who, s.n, kindDeadline, int64(s.id), int64(s.n.life))
}

// deadline is the deadline's event: a round if it has come, else another look later.
func (s *shard) deadline() {
	now := s.n.c.eng.Now()
	if s.armed > now {
		return
	}
	s.armed = 0
	if s.paused || s.n.paused || s.out.Deadline == 0 {
		return
	}
	if s.n.clock.Mono(now) < s.out.Deadline {
		s.arm()
		return
	}
	if !s.due {
		s.due = true
		s.n.c.eng.At(max(s.busy, now), s.who, s.n, kindRound, int64(s.id), int64(s.n.life))
	}
}

// send puts mail on its way: FIFO for each pair, with a delay of its own.
func (s *shard) send(m *step.Mail) {
	to := int(m.To)
	if to == step.Outside {
		return
	}
	if to < 0 || to >= len(s.n.shards) {
		s.n.c.eng.Fail("contract", "mail to a shard of the node", fmt.Sprintf("mail to shard %d", to))
		return
	}
	m.From = int32(s.id)
	d := clock.Duration(s.mailRand.Between(200, 5000))
	if s.mailRand.Permille(100) {
		d = clock.Duration(s.mailRand.Between(5, 500)) * clock.Microsecond
	}
	if s.mailRand.Permille(3) {
		d = clock.Duration(s.mailRand.Between(500, 20000)) * clock.Microsecond
	}
	d += s.n.c.late(mailLate, 20*clock.Millisecond)
	at := max(s.mailAt[to], s.n.c.eng.Now().Add(d))
	s.mailAt[to] = at
	s.mailOut[to] = append(s.mailOut[to], *m)
	s.n.c.eng.At(at, s.who, s.n, kindMail, int64(s.id)<<8|int64(to), int64(s.n.life))
}

// mailArrives hands the oldest item for a receiver over.
func (s *shard) mailArrives(to int) {
	m := s.mailOut[to][0]
	s.mailOut[to][0] = step.Mail{}
	s.mailOut[to] = s.mailOut[to][1:]
	s.n.shards[to].push(input{kind: step.MailArrived, mail: m})
}

// later puts an input behind all others that wait, where a site says so.
func (s *shard) later(at site, in *input) bool {
	if s.head == len(s.inbox) || !s.n.c.on(at) {
		return false
	}
	s.inbox = append(s.inbox, *in)
	return true
}
