package realnet

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/clock"
)

// rawWaitMS bounds the first stage of a wait.
//
// A goroutine that blocks in an ordinary system call loses its P to the scheduler, and gets it back through it: 30 % of a core at 1,000
// requests a second. A raw call keeps the P, but then nobody else has it. So: raw for at most 5 ms, which covers a busy broker; if
// nothing came, the ordinary call, which costs an idle one nothing. A collection that stops the world interrupts the raw call by its signal.
//
// A loop that is woken now and then, by a cluster's heartbeats, would hold its P in vain most of the time, and keep the scheduler's monitor awake for
// it (a fifth of what an idle member of a cluster costs, some 250 µs each time, while a raw wait that ends in time saves some 20). So the two are
// weighed, and while waits that outlast the raw stage prevail, the loop parks in Go's own poller instead: that gives the P back at once, where an
// ordinary call would keep the monitor awake for it, too.
const (
	rawWaitMS = 5
	vainWait  = 12
	vainFrom  = 8 * vainWait
	vainMost  = 2 * vainFrom
)

// sparePs is for threads that come back from a system call: one that finds no idle P sleeps until another thread hands it one over, which under
// load took up to 10 ms, the scheduler's time slice (p99 of a synced record at 1,000 a second: 30 ms without, 3 ms with).
const sparePs = 4

// Threads gives the GOMAXPROCS for this many shards: each loop keeps a P while it waits, and the processors' worth stays for
// workers, the collector and the rest, and some are spare. Call it once, before anything changes GOMAXPROCS.
func Threads(shards int) int { return runtime.GOMAXPROCS(0) + shards + sparePs }

// wait gives the number of epoll events, after sleeping until there are some, there is mail, or something is due.
func (l *loop) wait() int {
	if l.busy() || l.box.full.Load() {
		n, _ := epollWaitRaw(l.ep, l.evs, 0)
		return n
	}
	l.box.sleeping.Store(true)
	defer l.box.sleeping.Store(false)
	if l.box.full.Load() {
		n, _ := epollWaitRaw(l.ep, l.evs, 0)
		return n
	}
	ms := l.patience()
	short := rawWaitMS
	if ms >= 0 {
		short = min(short, ms)
	}
	began := l.node.now().Mono
	defer func() { l.vain.waited(l.node.now().Mono.Sub(began)) }()
	if l.parks() {
		return l.park(ms)
	}
	n, errno := epollWaitRaw(l.ep, l.evs, short)
	if n > 0 || short == ms && errno != syscall.EINTR || l.box.full.Load() {
		return n
	}
	n, errno = epollWait(l.ep, l.evs, ms)
	if errno != 0 && errno != syscall.EINTR {
		panic("realnet: epoll_wait: " + errno.Error())
	}
	return n
}

// parks says whether the loop parks: from when long waits prevail until only short ones are left. Go's poller watches a duplicate of the epoll
// descriptor just as long, since every event of the loop wakes it, too.
func (l *loop) parks() bool {
	switch {
	case l.parked != nil && l.vain == 0:
		l.unpark()
	case l.parked == nil && l.vain >= vainFrom:
		fd, err := unix.FcntlInt(uintptr(l.ep), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return false // out of descriptors: the ordinary call will do
		}
		_ = unix.SetNonblock(fd, true) // means nothing to it, but that os.NewFile gives it to the poller
		l.parked = os.NewFile(uintptr(fd), "epoll")
		if l.waiting, err = l.parked.SyscallConn(); err != nil {
			l.unpark()
		}
	}
	return l.parked != nil
}

func (l *loop) unpark() {
	if l.parked != nil {
		_ = l.parked.Close() // a duplicate that nothing was written to
		l.parked, l.waiting = nil, nil
	}
}

// park waits as a goroutine that reads does.
func (l *loop) park(ms int) (n int) {
	at := time.Time{}
	if ms >= 0 {
		at = time.Now().Add(time.Duration(ms) * time.Millisecond)
	}
	err := l.parked.SetReadDeadline(at)
	if err == nil {
		err = l.waiting.Read(func(uintptr) bool {
			n, _ = epollWaitRaw(l.ep, l.evs, 0)
			return n > 0 || ms == 0
		})
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		panic("realnet: waiting for the epoll descriptor: " + err.Error())
	}
	return n
}

// vain weighs waits that outlast the raw stage against those that do not, 0 <= vain <= vainMost.
type vain int

func (v *vain) waited(d clock.Duration) {
	if d < rawWaitMS*clock.Millisecond {
		*v = max(*v-1, 0)
	} else {
		*v = min(*v+vainWait, vainMost)
	}
}

// patience is how long the loop may sleep, in ms; -1 without limit. It is rounded up: the core asks to be stepped no later than its deadline
// so far as the clock's grain allows, and waking before it would only spin.
func (l *loop) patience() int {
	var at clock.Time
	for _, t := range [...]clock.Time{l.fx.Deadline, l.acceptAt, l.dialAt, l.sweepAt, l.lingerAt} {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	if at == 0 {
		return -1
	}
	return millis(at.Sub(l.node.now().Mono))
}

// millis rounds up, and what is over to 0.
func millis(d clock.Duration) int {
	return int(max(0, (d+clock.Millisecond-1)/clock.Millisecond))
}
