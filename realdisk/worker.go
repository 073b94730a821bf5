package realdisk

import (
	"encoding/binary"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/disk"
)

// job is one thing for a worker: a request of the core, a sync of file (no kind), or a Warm (key not 0).
type job struct {
	shard *shard
	req   disk.Request
	file  *file // held; the worker drops it
	key   uint64
	ext   disk.Extent
}

// worker is what one thread keeps for itself.
type worker struct {
	job     job // in hand
	iov     iovecs
	scratch []byte
}

// crew is a set of threads that take jobs from one queue, in order. It is bounded in threads; the queue is bounded by what the core
// has in flight. A thread that has nothing to do sleeps in a read of a counting eventfd.
type crew struct {
	do func(*worker, *job)
	wg sync.WaitGroup

	mu     sync.Mutex
	queue  []job
	head   int  // queue[:head] is taken
	size   int  // threads, 0 <= idle <= size <= max
	idle   int  // threads that sleep and that nobody has woken
	waking bool // somebody was woken, or hired, and has not taken a job yet
	max    int
	efd    int
	closed bool
}

func newCrew(max int, do func(*worker, *job)) *crew {
	return &crew{do: do, max: max, efd: -1}
}

// put queues j. Who is woken wakes the next one if there is more to do: a burst costs whoever puts it one wake-up, and as many threads run as
// are of use.
func (c *crew) put(j job) {
	c.mu.Lock()
	c.queue = append(c.queue, j)
	wake := c.call()
	c.mu.Unlock()
	if wake {
		c.ring()
	}
}

// call has one more thread come, and says whether that takes a ring: a sleeper, or else a new one while there are fewer than max. The caller has the
// lock.
func (c *crew) call() bool {
	switch {
	case c.waking:
	case c.idle > 0:
		c.idle--
		c.waking = true
		return true
	case c.size < c.max && !c.closed:
		c.waking = true
		c.hire()
	}
	return false
}

func (c *crew) hire() {
	if c.efd < 0 {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_SEMAPHORE)
		if err != nil {
			panic("realdisk: eventfd: " + err.Error())
		}
		c.efd = fd
	}
	c.size++
	c.wg.Go(c.run)
}

// one is what an eventfd is told to wake one sleeper.
var one = binary.NativeEndian.AppendUint64(nil, 1)

func (c *crew) ring() {
	if _, err := unix.Write(c.efd, one); err != nil {
		panic("realdisk: eventfd write: " + err.Error())
	}
}

func (c *crew) run() {
	lockThread() // The thread ends with its goroutine.
	w := &worker{}
	var b [8]byte
	c.mu.Lock()
	c.waking = false
	for {
		if c.head < len(c.queue) {
			w.job = c.take()
			wake := c.head < len(c.queue) && c.call()
			c.mu.Unlock()
			if wake {
				c.ring()
			}
			c.do(w, &w.job)
			c.mu.Lock()
			w.job = job{}
			continue
		}
		if c.closed {
			c.mu.Unlock()
			return
		}
		c.idle++
		c.mu.Unlock()
		for {
			if _, err := syscall.Read(c.efd, b[:]); err != syscall.EINTR {
				break
			}
		}
		c.mu.Lock()
		c.waking = false
	}
}

// take removes the first job. The caller has the lock and knows that there is one.
func (c *crew) take() job {
	j := c.queue[c.head]
	c.queue[c.head] = job{}
	c.head++
	switch {
	case c.head == len(c.queue):
		c.queue, c.head = c.queue[:0], 0
	case c.head >= 64 && c.head*2 >= len(c.queue):
		n := copy(c.queue, c.queue[c.head:])
		clear(c.queue[n:])
		c.queue, c.head = c.queue[:n], 0
	}
	return j
}

// close lets the threads finish the queue, and waits for them.
func (c *crew) close() {
	c.mu.Lock()
	c.closed = true
	wake := c.idle
	c.idle = 0
	c.mu.Unlock()
	for range wake {
		c.ring()
	}
	c.wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.efd >= 0 {
		unix.Close(c.efd)
		c.efd = -1
	}
}
