package replica

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/io/clock"
)

type sleeper struct {
	asked        clock.Time
	stirred      int
	wakes        int
	whileStirred func()
}

func (s *sleeper) Asked() clock.Time { return s.asked }
func (s *sleeper) Stirred(wake bool) {
	s.stirred++
	if wake {
		s.wakes++
	}
	if s.whileStirred != nil {
		s.whileStirred()
	}
}

// idleLeader gives a leader with one record that both followers have.
func idleLeader(t *rapid.T) *world {
	w := inGroup(t, 0)
	w.append(AcksAll, 1, -1, -1, nil)
	w.drain()
	for _, id := range []int32{1, 2} {
		w.p.Fetched(id, 7, 1, 0, w.e.Now.Mono)
	}
	return w
}

func TestAReplicaRestsOnlyWhileItHasEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := idleLeader(t)
		s := &sleeper{}
		r := &Rest{Owner: s}
		if !w.p.Rest(r, 1, 7) {
			t.Fatal("an idle replica may not rest")
		}
		for _, x := range []struct {
			node  int32
			epoch int64
		}{{1, 8}, {5, 7}, {2, 6}} {
			if w.p.Rest(&Rest{Owner: s}, x.node, x.epoch) {
				t.Fatalf("%+v may rest", x)
			}
		}
		wakes := 1
		switch rapid.IntRange(0, 4).Draw(t, "what") {
		case 0:
			w.append(AcksAll, 1, -1, -1, nil)
			if s.stirred != 0 {
				t.Fatal("stirred before anything can be read")
			}
			w.drain()
		case 1:
			w.p.Log.DeleteRecords(1)
			w.round()
		case 2:
			w.apply(0, 2)
		case 3:
			wakes = 0
			w.p.propose([]int32{0, 1})
		case 4:
			w.p.Fail()
		}
		if s.stirred != 1 || s.wakes > wakes {
			t.Fatalf("stirred %d times, %d of them to wake", s.stirred, s.wakes)
		}
		w.drain()
		if s.stirred != 1 {
			t.Fatal("stirred once more")
		}
	})
}

// The time at which it asked last counts, as if it had been looked at then: a dead one leaves the ISR, a live one does not.
func TestWhatRestsHadEverythingWhenItAskedLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := idleLeader(t)
		begin := w.e.Now.Mono
		live, dead := &sleeper{}, &sleeper{asked: begin}
		if !w.p.Rest(&Rest{Owner: live}, 1, 7) || !w.p.Rest(&Rest{Owner: dead}, 2, 7) {
			t.Fatal("they may not rest")
		}
		w.e.Now.Mono = begin.Add(10 * w.p.LagMax)
		w.p.CheckLag(w.e.Now.Mono)
		if w.p.isr.pending != nil {
			t.Fatal("idle replicas left the ISR")
		}
		live.asked = w.e.Now.Mono.Add(-clock.Second)
		w.append(AcksLeader, 1, -1, -1, nil)
		w.drain()
		w.p.CheckLag(w.e.Now.Mono)
		if got := w.p.isr.pending; len(got) != 2 || got[0] != 0 || got[1] != 1 {
			t.Fatalf("the ISR is to be %v", got)
		}
	})
}

func TestARestThatIsTakenUpAgainWhileOthersAreStirredIsNotStirredByTheSameChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := idleLeader(t)
		a, b := &sleeper{}, &sleeper{}
		first, second := &Rest{Owner: a}, &Rest{Owner: b}
		a.whileStirred = func() {
			second.End()
			if !w.p.Rest(second, 2, 7) {
				t.Fatal("it may not rest again")
			}
		}
		w.p.Rest(first, 1, 7)
		w.p.Rest(second, 2, 7)
		w.p.LogStartMoved(w.p.Log)
		if a.stirred != 1 || b.stirred != 0 {
			t.Fatalf("stirred %d and %d times", a.stirred, b.stirred)
		}
		a.whileStirred = nil
		w.p.LogStartMoved(w.p.Log)
		if b.stirred != 1 {
			t.Fatalf("stirred %d times by the next change", b.stirred)
		}
	})
}
