package seedlogtest

import (
	"sync"
	"time"

	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/cluster"
)

// world is the simulated cluster, and the lock under which it is entered.
type world struct {
	mu    sync.Mutex // never held by who waits
	sim   *cluster.Cluster
	began time.Time  // the bubble's time at
	from  clock.Time // the world's
	over  bool       // nothing happens any more
	fail  func(property, text string)

	kick  chan struct{} // of 1: the driver is to look again
	quit  chan struct{}
	ended chan struct{} // the driver has

	wakeMu sync.Mutex // guards wakes; held for an append only, since who wakes may hold a lock that a Step wants
	wakes  []waker
}

// waker names a process whose quorum has something to say.
type waker struct{ node, incarnation, lane int }

// newWorld makes the world of a cluster, whose time begins now.
func newWorld(sim *cluster.Cluster, fail func(property, text string)) *world {
	return &world{sim: sim, began: time.Now(), from: sim.Now(), fail: fail, kick: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{})}
}

// open starts the nodes and the driver.
func (w *world) open() {
	w.sim.Open(clock.Wall(w.began.UnixMilli()))
	go w.drive()
}

// enter locks the world once all that is due has happened.
func (w *world) enter() {
	w.mu.Lock()
	w.advance()
}

// leave unlocks it, and has the driver look when something is due next.
func (w *world) leave() {
	w.mu.Unlock()
	w.stir()
}

func (w *world) stir() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// wake is called by raft's goroutines.
func (w *world) wake(who waker) {
	w.wakeMu.Lock()
	w.wakes = append(w.wakes, who)
	w.wakeMu.Unlock()
	w.stir()
}

// advance lets happen what is due, and gives how long nothing is; false: nothing will be by itself. w.mu is held.
func (w *world) advance() (wait time.Duration, ok bool) {
	if w.over {
		return 0, false
	}
	w.wakeMu.Lock()
	wakes := w.wakes
	w.wakes = nil
	w.wakeMu.Unlock()
	now := w.from.Add(clock.Duration(time.Since(w.began)))
	w.sim.Until(now)
	for _, k := range wakes {
		w.sim.Post(k.node, k.incarnation, step.Mail{Kind: link.MailWake, To: int32(k.lane)})
	}
	next := w.sim.Until(now)
	if v := w.sim.Engine().Failed(); v != nil {
		w.end()
		w.fail(v.Property, "was "+v.Was+"; is "+v.Is+"\n"+w.sim.Stack)
	}
	return time.Duration(next.Sub(now)), next != 0
}

// drive is the driver: it sleeps until something is due. Where nothing is, it has no timer, so that the bubble sees a test that waits in vain.
func (w *world) drive() {
	defer close(w.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-w.kick:
		case <-w.quit:
			return
		}
		w.mu.Lock()
		wait, ok := w.advance()
		w.mu.Unlock()
		timer.Stop()
		if ok {
			timer.Reset(wait)
		}
	}
}

// end kills all that runs. w.mu is held.
func (w *world) end() {
	if !w.over {
		w.over = true
		w.sim.End()
	}
}
