package bubble

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/seedlog/seedlog/io/clock"
)

func TestMain(m *testing.M) {
	if err := Settle(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

func once(f func()) func() bool { return func() bool { f(); return false } }

func TestTimersFireAtTheTimeOfTheStepAndNothingRunsBetweenSteps(t *testing.T) {
	b := New(1, false)
	var fired []time.Duration
	begin := int64(5 * clock.Second)
	b.Do(clock.Time(begin), once(func() {
		if got := time.Now().UnixNano() - base; got != begin {
			t.Errorf("the clock is at %d, want %d", got, begin)
		}
		start := time.Now()
		for range 3 {
			go func() {
				time.Sleep(time.Second)
				fired = append(fired, time.Since(start))
				time.Sleep(time.Hour)
			}()
		}
	}))
	if len(fired) != 0 {
		t.Fatal("a timer fired early")
	}
	b.Do(clock.Time(begin+int64(3*clock.Second)), nil)
	if len(fired) != 3 {
		t.Fatalf("%d timers fired, want 3", len(fired))
	}
	if Exact && fired[0] != 3*time.Second {
		t.Fatalf("a frozen node's timer fired at %v, want 3s: its clock jumps", fired[0])
	}
}

func TestTheNextTimerIsTheEarliestThatIsNotStopped(t *testing.T) {
	b := New(1, false)
	var first *time.Timer
	next := b.Do(clock.Time(clock.Second), once(func() {
		first = time.NewTimer(time.Second)
		go func() { <-first.C }()
		go func() { <-time.After(2 * time.Second) }()
	}))
	after := b.Do(clock.Time(clock.Second), once(func() { first.Stop() }))
	if Exact && (next != clock.Time(2*clock.Second) || after != clock.Time(3*clock.Second)) {
		t.Fatalf("next timers %d and %d, want 2 s and 3 s", next, after)
	}
	if next <= clock.Time(clock.Second) || after <= clock.Time(clock.Second) {
		t.Fatalf("next timers %d and %d do not lie ahead", next, after)
	}
}

func TestBubblesHaveTheirOwnClocks(t *testing.T) {
	a, b := New(1, false), New(2, false)
	read := func(x *Bubble, at clock.Time) (got int64) {
		x.Do(at, once(func() { got = time.Now().UnixNano() - base }))
		return got
	}
	if read(a, 7) != 7 || read(b, 1000) != 1000 || read(a, 8) != 8 {
		t.Fatal("a clock moved another")
	}
	if got := read(b, 5); got != 1000 {
		t.Fatalf("a clock ran backward to %d", got)
	}
}

func TestAFunctionThatHasMoreIsCalledOnceEverythingIsAtRest(t *testing.T) {
	b := New(1, false)
	ran := 0
	var seen []int
	b.Do(1, func() bool {
		seen = append(seen, ran)
		go func() { ran++ }()
		return len(seen) < 3
	})
	if fmt.Sprint(seen, ran) != "[0 1 2] 3" {
		t.Fatalf("saw %v, then %d", seen, ran)
	}
}

func TestAPanicInAStepComesOutAndTheNextStepWorks(t *testing.T) {
	b := New(1, false)
	func() {
		defer func() {
			if r := recover(); r != "here" {
				t.Errorf("recovered %v", r)
			}
		}()
		b.Do(1, once(func() { panic("here") }))
	}()
	ok := false
	b.Do(2, once(func() { ok = true }))
	if !ok {
		t.Fatal("the bubble is dead")
	}
}

// chaos is a history in which everything that the runtime draws takes part.
func chaos(seed uint64, order bool) string { return chaosIn(New(seed, order)) }

func chaosIn(b *Bubble) string {
	s := ""
	b.Do(1, once(func() {
		m := map[int]bool{}
		for i := range 20 {
			m[i] = true
		}
		for k := range m {
			s += fmt.Sprint(k, " ")
		}
		s += fmt.Sprint(rand.Int63(), "\n")
		c := make(chan int, 64)
		d := make(chan int, 64)
		for i := range 16 {
			go func() { time.Sleep(time.Second); c <- i }()
			go func() { d <- i }()
		}
		go func() {
			for {
				select {
				case x := <-c:
					s += fmt.Sprint("c", x, " ")
				case x := <-d:
					s += fmt.Sprint("d", x, " ")
				}
			}
		}()
	}))
	b.Do(clock.Time(2*clock.Second), nil)
	return s
}

func TestASeedIsOneHistory(t *testing.T) {
	if !Exact {
		t.Skip("this build has no overlay")
	}
	a := chaos(1, false)
	for range 20 {
		if got := chaos(1, false); got != a {
			t.Fatalf("one seed, two histories:\n%s\n%s", a, got)
		}
	}
	if chaos(2, false) == a || chaos(1, true) == a {
		t.Fatal("the seed, or the order of goroutines, changes nothing")
	}
}

// On a busy machine whoever makes bubbles may be stopped between two of them, and the first one begins.
func TestItIsAllTheSameWhenABubblesRootBegins(t *testing.T) {
	if !Exact {
		t.Skip("this build has no overlay")
	}
	for seed := range uint64(20) {
		at := chaosIn(New(seed, true))
		b := New(seed, true)
		runtime.Gosched()
		if later := chaosIn(b); later != at {
			t.Fatalf("seed %d, two histories:\n%s\n%s", seed, at, later)
		}
	}
}

// spin keeps the processor for a while of the real clock, which nothing in a bubble can read.
func spin(n int) (x uint64) {
	for i := range n {
		x = x*6364136223846793005 + uint64(i)
	}
	return x
}

// handover says whether the first holder of a mutex or one that waits has it next, after a busy machine has held everything up.
func handover(busy int) string {
	b := New(1, false)
	s := ""
	b.Do(1, once(func() {
		var mu sync.Mutex
		mu.Lock()
		go func() {
			mu.Lock()
			s += "waiter "
			mu.Unlock()
		}()
		for range 3 {
			runtime.Gosched()
			s += fmt.Sprint(spin(busy)&1|1, " ")
			mu.Unlock()
			mu.Lock()
			s += "holder "
		}
		mu.Unlock()
	}))
	return s
}

func TestABusyMachineDoesNotDecideWhoGetsAMutex(t *testing.T) {
	if !Exact {
		t.Skip("this build has no overlay")
	}
	if calm, busy := handover(0), handover(20_000_000); calm != busy {
		t.Fatalf("%q, and on a busy machine %q", calm, busy)
	}
}

func TestWithoutTheOverlayASeedIsManyHistories(t *testing.T) {
	if Exact {
		t.Skip("this build has the overlay")
	}
	a := chaos(1, false)
	for range 20 {
		if chaos(1, false) != a {
			return
		}
	}
	t.Fatal("the history does not show what is not seeded")
}

func BenchmarkStep(b *testing.B) {
	for _, waked := range []bool{false, true} {
		b.Run(map[bool]string{false: "empty", true: "one goroutine"}[waked], func(b *testing.B) {
			x := New(1, false)
			var c chan int
			x.Do(0, once(func() {
				c = make(chan int)
				go func() {
					for range c {
					}
				}()
			}))
			f := once(func() {})
			if waked {
				f = once(func() { c <- 1 })
			}
			n := clock.Time(0)
			for b.Loop() {
				n++
				x.Do(n, f)
			}
		})
	}
}
