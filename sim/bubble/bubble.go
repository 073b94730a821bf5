package bubble

import "github.com/seedlog/seedlog/io/clock"

// base is where the clock of a bubble begins: midnight UTC, 2000-01-01, in ns since the Unix epoch. It is the node's time 0.
const base = 946684800_000000000

// Bubble holds all goroutines of one process of one node, with a clock of its own. The zero value is not usable: New.
//
// The channels are made outside of it. Who waits for one of those is not "durably blocked", so the bubble's clock stands while its root
// waits for the next command.
type Bubble struct {
	cmd chan command
	rep chan report
	now clock.Time
}

type command struct {
	at clock.Time
	f  func() bool
}

type report struct {
	next  clock.Time
	panic any
}

// New starts a bubble. Its random streams and, if order is true, the order in which its goroutines run come from seed. Its root waits for the
// first command when New returns: if whoever makes several bubbles were preempted now and then, some roots would wait and others would not, and
// to wake one that waits is a draw of its bubble.
func New(seed uint64, order bool) *Bubble {
	b := &Bubble{cmd: make(chan command), rep: make(chan report)}
	settled()
	begin()
	go enter(func() { b.root(seed, order) })
	<-b.rep
	return b
}

// root is the bubble's first goroutine. It never returns: a crashed bubble waits for a command that does not come.
func (b *Bubble) root(s uint64, order bool) {
	seed(s, order)
	b.rep <- report{}
	for c := range b.cmd {
		setNow(base + int64(c.at))
		p := b.run(c.f)
		r := report{panic: p}
		if t := nextTimer(); t > 0 {
			r.next = clock.Time(t - base)
		}
		b.rep <- r
	}
}

// run calls f, lets everything come to rest, and does so again as long as f says that there is more. It gives f's panic, if any.
func (b *Bubble) run(f func() bool) (p any) {
	defer func() {
		if p = recover(); p != nil {
			wait()
		}
	}()
	for more := true; more; {
		more = f != nil && f()
		wait()
	}
	return nil
}

// Do sets the bubble's clock to now, which is no earlier than before, and calls f inside; then timers that are due fire, and it waits until
// all goroutines are blocked. While f says true it is called again. Do gives the time of the next timer, 0 if there is none; it is later
// than now. A panic of f comes out of Do; one of another goroutine ends the process, as it would in production.
func (b *Bubble) Do(now clock.Time, f func() bool) (next clock.Time) {
	b.now = max(b.now, now)
	begin()
	b.cmd <- command{b.now, f}
	r := <-b.rep
	collect()
	if r.panic != nil {
		panic(r.panic)
	}
	return r.next
}
