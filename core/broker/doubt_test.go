package broker

import (
	"testing"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
)

// doubting gives a shard of a cluster's broker whose pulse has begun, and a way to let time pass in which it is or is not let run.
func doubting(t *testing.T) (s *Shard, pass func(d clock.Duration) *step.Effects) {
	n := newMemberNode(t)
	s = n.shards[0].s
	now := n.now
	out := &step.Effects{}
	s.env.Now, s.env.Out = now, out
	s.applied, _ = metadata.Empty().Apply(1, 1, metadata.Entry{Term: 1})
	s.phase = serving
	s.pulse()
	s.phase = booting // else its other timers want what is not there
	return s, func(d clock.Duration) *step.Effects {
		out := &step.Effects{}
		now.Mono = now.Mono.Add(d)
		s.Step(now, &step.Event{Kind: step.Tick}, out)
		return out
	}
}

func TestABrokerThatWasNotLetRunDoubtsUntilItHasTheControllersImage(t *testing.T) {
	s, pass := doubting(t)
	for range 20 {
		if pass(pulseEach); s.doubts() {
			t.Fatal("it was let run all the time")
		}
	}
	if pass(pulseEach + lateAfter); s.doubts() {
		t.Fatal("it was late, as threads are")
	}
	if pass(pulseEach + lateAfter + 1); !s.doubts() {
		t.Fatal("it was not let run, and has no doubt")
	}
	since := s.doubt.since
	if s.member.lease.doubt != since {
		t.Fatal("shard 0 was not told")
	}
	s.sure(5, since-1)
	if s.doubts(); s.doubt.index >= 0 {
		t.Fatal("an answer to what was asked before the pause ends it")
	}
	s.sure(5, since)
	if !s.doubts() {
		t.Fatal("it does not follow that image yet")
	}
	s.applied, _ = s.applied.Apply(5, 1, metadata.Entry{Term: 1})
	if s.doubts() {
		t.Fatal("it follows the controller's image, and doubts")
	}
	if pass(pulseEach); s.doubts() {
		t.Fatal("it doubts again")
	}
}

func TestOnesOwnControllerIsBelievedOnlyWhenRaftsLeaseWouldBeOver(t *testing.T) {
	s, pass := doubting(t)
	pass(10 * clock.Second)
	l := &s.member.lease
	l.m = s.member
	if l.asks() != s.doubt.since {
		t.Fatal("another's controller is asked at once")
	}
	s.member.remote.lead = link.Leadership{Leader: true}
	if l.asks() != 0 {
		t.Fatal("its own may have been deposed meanwhile")
	}
	pass(verifyAfter / 2)
	pass(verifyAfter / 2)
	if l.asks() != s.doubt.since {
		t.Fatal("it leads still")
	}
}

func TestWithoutAControllerADoubtEndsAfterASession(t *testing.T) {
	s, pass := doubting(t)
	pass(10 * clock.Second)
	l := &s.member.lease
	l.m = s.member
	session := clock.MS(int64(s.node.BrokerSessionTimeoutMS))
	for range session / pulseEach {
		pass(pulseEach)
		if l.settlesAlone(); !s.doubts() {
			t.Fatal("a controller may be found still")
		}
	}
	pass(pulseEach)
	if l.settlesAlone(); s.doubts() || l.doubt != 0 {
		t.Fatal("nobody is elected without a controller")
	}
}
