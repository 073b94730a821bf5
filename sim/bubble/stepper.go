package bubble

import (
	"cmp"
	"slices"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// Actor is what runs in a bubble: core/quorum.Node, or a test's. Its goroutines leave what they have to say where Drain finds it.
type Actor interface {
	step.Stepper
	Drain(out *step.Effects)
}

// Stepper makes an actor with goroutines a shard like any other to its driver: Step returns once all of them are blocked, with all effects
// that they came to, in one order, and the bubble's next timer as the deadline.
type Stepper struct {
	make    func() Actor
	bubble  *Bubble
	actor   Actor
	inside  func() bool // s.work, made once
	now     clock.Now
	ev      *step.Event
	out     *step.Effects
	stepped bool
	own     clock.Time // the actor's own deadline
	from    int        // of out.Mail: what the actor's own step left, in its own order
	fromOp  int        // of out.Disk
	digest  digest
	watch   func(Actor)
}

// Watch has f called at the end of each step, in the bubble: what an actor shows may need its channels. f changes nothing.
func (s *Stepper) Watch(f func(Actor)) { s.watch = f }

// NewStepper makes a bubble. The actor is made in it, by the first step.
func NewStepper(seed uint64, order bool, make func() Actor) *Stepper {
	s := &Stepper{make: make, bubble: New(seed, order)}
	s.inside = s.work
	s.digest.start()
	return s
}

// Step implements step.Stepper.
func (s *Stepper) Step(now clock.Now, ev *step.Event, out *step.Effects) {
	s.now, s.ev, s.out, s.stepped = now, ev, out, false
	mail, ops := len(out.Mail), len(out.Disk)
	out.Deadline = s.own
	next := s.bubble.Do(now.Mono, s.inside)
	s.own = out.Deadline
	if next != 0 && (out.Deadline == 0 || next < out.Deadline) {
		out.Deadline = next
	}
	arrange(out.Mail[s.from:], out.Disk[s.fromOp:])
	s.digest.add(out.Mail[mail:], out.Disk[ops:], out.Deadline)
	s.ev, s.out = nil, nil
}

// work is called in the bubble: the step, then drains until there is nothing more to say.
func (s *Stepper) work() bool {
	if s.actor == nil {
		s.actor = s.make()
	}
	if !s.stepped {
		s.stepped = true
		s.actor.Step(s.now, s.ev, s.out)
		s.from, s.fromOp = len(s.out.Mail), len(s.out.Disk)
		return true
	}
	before := effects(s.out)
	s.actor.Drain(s.out)
	if effects(s.out) > before {
		return true
	}
	if s.watch != nil {
		s.watch(s.actor)
	}
	return false
}

func effects(o *step.Effects) int { return len(o.Mail) + len(o.Disk) + len(o.Log) }

// Digest is of all effects until now, for the trace.
func (s *Stepper) Digest() uint64 { return s.digest.sum }

// Inspect shows the actor to oracles, if it lets itself be shown. Between steps its goroutines are blocked.
func (s *Stepper) Inspect() any {
	if i, ok := s.actor.(interface{ Inspect() any }); ok {
		return i.Inspect()
	}
	return nil
}

// Crash lets the bubble go. It is never entered again.
func (s *Stepper) Crash() { s.bubble, s.actor = nil, nil }

// arrange puts what goroutines left side by side into one order. What depends on order keeps it: the frames and the end of one stream,
// the requests for one file, and all else among itself.
func arrange(mail []step.Mail, ops []disk.Request) {
	slices.SortStableFunc(mail, func(a, b step.Mail) int { return cmp.Compare(stream(&a), stream(&b)) })
	slices.SortStableFunc(ops, func(a, b disk.Request) int { return cmp.Compare(a.File, b.File) })
}

// stream gives the number of the connection that a mail is for, after all that is for none.
func stream(m *step.Mail) uint64 {
	switch m.Kind {
	case link.MailSend, link.MailHold, link.MailResume, link.MailClose:
		return uint64(m.A) + 1
	}
	return 0
}
