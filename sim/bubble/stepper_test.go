package bubble

import (
	"sync"
	"testing"
	"time"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
)

// choir is an actor whose goroutines all speak at once, each second.
type choir struct {
	mu  sync.Mutex
	out []step.Mail
	ops []disk.Request
	own clock.Time
}

func (c *choir) Step(now clock.Now, ev *step.Event, out *step.Effects) {
	if ev.Kind == step.MailArrived {
		panic("mail")
	}
	if ev.Kind != step.Start {
		return
	}
	out.Mail = append(out.Mail, step.Mail{Kind: 1, A: 99})
	out.Deadline = c.own
	for i := range 8 {
		go func() {
			for n := 0; ; n++ {
				c.mu.Lock()
				c.out = append(c.out, step.Mail{Kind: link.MailSend, A: int64(8 - i), Body: []byte{byte(n), 1}}, step.Mail{Kind: link.MailSend, A: int64(8 - i), Body: []byte{byte(n), 2}})
				c.ops = append(c.ops, disk.Request{Kind: disk.Sync, File: disk.FileOf(1, 8-i)})
				c.mu.Unlock()
				time.Sleep(time.Second)
			}
		}()
	}
}

func (c *choir) Drain(out *step.Effects) {
	out.Mail = append(out.Mail, c.out...)
	out.Disk = append(out.Disk, c.ops...)
	c.out, c.ops = nil, nil
}

func at(ms int64) clock.Now { return clock.Now{Mono: clock.Time(clock.MS(ms)), Wall: 1} }

func TestWhatGoroutinesSayComesInOneOrderWithTheNextTimerAsDeadline(t *testing.T) {
	s := NewStepper(1, true, func() Actor { return &choir{} })
	var out step.Effects
	s.Step(at(1), &step.Event{Kind: step.Start}, &out)
	if len(out.Mail) != 17 || len(out.Disk) != 8 || out.Mail[0].A != 99 {
		t.Fatalf("%d mails, %d requests", len(out.Mail), len(out.Disk))
	}
	for i, m := range out.Mail[1:] {
		if m.A != int64(i/2+1) || m.Body.([]byte)[1] != byte(i%2+1) {
			t.Fatalf("mail %d is frame %v of stream %d", i, m.Body, m.A)
		}
	}
	for i, r := range out.Disk {
		if r.File.Index() != i+1 {
			t.Fatalf("request %d is for file %d", i, r.File.Index())
		}
	}
	if Exact && out.Deadline != at(1001).Mono {
		t.Fatalf("deadline %d, want 1001 ms", out.Deadline)
	}
	before := s.Digest()
	out.Reset()
	s.Step(at(1001), &step.Event{Kind: step.Tick}, &out)
	if len(out.Mail) != 16 || s.Digest() == before {
		t.Fatalf("%d mails; the digest is %x, was %x", len(out.Mail), s.Digest(), before)
	}
}

func TestAnActorsOwnDeadlineCountsIfItIsEarlier(t *testing.T) {
	s := NewStepper(1, false, func() Actor { return &choir{own: at(3).Mono} })
	var out step.Effects
	for _, k := range []step.Kind{step.Start, step.Flush, step.Flush} { // the last step's word counts: nothing changes it
		s.Step(at(1), &step.Event{Kind: k}, &out)
		if out.Deadline != at(3).Mono {
			t.Fatalf("deadline %d after event %d, want 3 ms", out.Deadline, k)
		}
	}
}

func TestAnActorsPanicIsTheDriversAndACrashLetsItGo(t *testing.T) {
	s := NewStepper(1, false, func() Actor { return &choir{} })
	var out step.Effects
	s.Step(at(1), &step.Event{Kind: step.Start}, &out)
	func() {
		defer func() {
			if recover() != "mail" {
				t.Error("no panic")
			}
		}()
		s.Step(at(2), &step.Event{Kind: step.MailArrived}, &out)
	}()
	s.Crash()
	if s.Inspect() != nil {
		t.Error("the actor is still there")
	}
}
