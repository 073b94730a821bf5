package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	latencyRate  = 1000 // records a second
	latencyLanes = 6
	latencyWarm  = 2 * time.Second
	latencySpan  = 10 * time.Second
)

// schedule says when records are due, whatever has become of those before (an open loop): each is counted from then, so that a stall shows in every
// record behind it. Record n goes to lane n modulo latencyLanes.
type schedule struct {
	begin   time.Time
	n, warm int // records in all; those at the beginning that are not counted
}

func newSchedule(warm, span time.Duration) schedule {
	n := int(warm.Seconds() * latencyRate)
	return schedule{time.Now().Add(10 * time.Millisecond), n + int(span.Seconds()*latencyRate), n}
}

// scaled is a span at a scale.
func scaled(span time.Duration, scale float64) time.Duration {
	return time.Duration(float64(span) * scale)
}

// counted gives the number of the first record of a lane that counts.
func (p *schedule) counted(lane int) int {
	return p.warm + (lane-p.warm%latencyLanes+latencyLanes)%latencyLanes
}

func (p *schedule) due(n int) time.Time {
	return p.begin.Add(time.Duration(n) * time.Second / latencyRate)
}

// latency sends single records of 1 KiB to six partitions and times their answers.
func latency(ctx context.Context, s *system, scale float64) (*sample, error) {
	if s.dir != "" {
		return bareSync(ctx, s, scale)
	}
	topic, err := s.newTopic(ctx, latencyLanes)
	if err != nil {
		return nil, err
	}
	batch := encodeBatch(1, 1<<10)
	lanes := make([]*rawLane, latencyLanes)
	for i := range lanes {
		if lanes[i], err = newRawLane(ctx, s, topic, int32(i), batch); err != nil {
			return nil, err
		}
		defer lanes[i].close()
	}
	p := newSchedule(latencyWarm, scaled(latencySpan, scale))
	m := &meter{s: s}
	if err := openLoop(ctx, &p, lanes, m.start); err != nil {
		return nil, err
	}
	x := &sample{more: map[string]float64{}}
	if err := m.finish(x); err != nil {
		return nil, err
	}
	for _, l := range lanes {
		x.times = append(x.times, l.times...)
	}
	x.requests = float64(len(x.times))
	x.records = x.requests
	x.more["cpu_share"] = x.cpu / x.seconds
	return x, s.dropTopic(ctx, topic)
}

// openLoop sends a schedule's records on latencyLanes lanes, which have the times of those that count afterwards; counting is called when the first of them
// is due. It waits in system calls that Go's scheduler knows nothing of, on threads of their own: Go's timers and its poller would add up to a
// millisecond of their own, which is more than a broker takes.
func openLoop(ctx context.Context, p *schedule, lanes []*rawLane, counting func() error) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + latencyLanes + 1)) // each of these threads keeps its processor's worth
	stop := func() {
		for _, l := range lanes {
			_ = unix.Shutdown(l.fd, unix.SHUT_RDWR) // ends what reads and writes it
		}
	}
	defer context.AfterFunc(ctx, stop)()
	errs := [latencyLanes + 1]error{}
	var wg sync.WaitGroup
	part := func(i int, f func() error) {
		wg.Go(func() {
			runtime.LockOSThread() // and the thread ends with its goroutine
			if errs[i] = f(); errs[i] != nil {
				stop()
			}
		})
	}
	for i, l := range lanes {
		l.times = nil
		part(i, func() error { return l.listen(p, i) })
	}
	part(latencyLanes, func() error { return sendAll(p, lanes, counting) })
	wg.Wait()
	return errors.Join(errs[:]...)
}

// sendAll sends each record when it is due.
func sendAll(p *schedule, lanes []*rawLane, counting func() error) error {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // otherwise the kernel may be 50 µs late
	for n := range p.n {
		sleepUntil(p.due(n))
		if n == p.warm {
			if err := counting(); err != nil {
				return err
			}
		}
		l := lanes[n%len(lanes)]
		for b := l.frame; len(b) > 0; {
			k, err := rawIO(unix.SYS_WRITE, l.fd, b)
			if err != nil {
				return err
			}
			b = b[k:]
		}
	}
	return nil
}

// rawLane is a lane on a blocking socket.
type rawLane struct {
	fd    int
	frame []byte
	at    int // where the response has its error code
	times []time.Duration
}

// newRawLane waits until the partition takes a batch, and connects.
func newRawLane(ctx context.Context, s *system, topic string, partition int32, batch []byte) (*rawLane, error) {
	l, err := newLane(ctx, s, topic, partition, batch)
	if err != nil {
		return nil, err
	}
	if err := l.c.Close(); err != nil {
		return nil, err
	}
	to, err := netip.ParseAddrPort(s.addr)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r := &rawLane{fd: fd, frame: l.frame, at: l.atError}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if err == nil {
		limit := unix.NsecToTimeval(int64(maxRun))
		err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit), unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit))
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (l *rawLane) close() { _ = unix.Close(l.fd) } // nothing is left in it

// listen takes the answers of lane i. No answer comes before its record was sent.
func (l *rawLane) listen(p *schedule, i int) error {
	var buf [512]byte
	have := 0
	for n := i; n < p.n; n += latencyLanes {
		var err error
		if have, err = l.fill(buf[:], have, 4); err != nil {
			return err
		}
		size := 4 + int(binary.BigEndian.Uint32(buf[:]))
		if size > len(buf) {
			return fmt.Errorf("a Produce response of %d bytes", size)
		}
		if have, err = l.fill(buf[:], have, size); err != nil {
			return err
		}
		if at := 8 + l.at; size < at+2 {
			return fmt.Errorf("a Produce response of %d bytes", size)
		} else if err := kerr.ErrorForCode(int16(binary.BigEndian.Uint16(buf[at:]))); err != nil {
			return err
		}
		have = copy(buf[:], buf[size:have])
		if n >= p.warm {
			l.times = append(l.times, time.Since(p.due(n)))
		}
	}
	return nil
}

// fill reads until b holds so many bytes, or more.
func (l *rawLane) fill(b []byte, have, want int) (int, error) {
	for have < want {
		n, err := rawIO(unix.SYS_READ, l.fd, b[have:])
		if err != nil {
			return have, err
		}
		have += n
	}
	return have, nil
}

// bareSync is the floor under flush.policy=ack: the same records on the same schedule, written to six files and synced by a thread each, without a
// broker. As there, one sync serves all that was written before it.
func bareSync(ctx context.Context, s *system, scale float64) (*sample, error) {
	p := newSchedule(latencyWarm, scaled(latencySpan, scale))
	var times [latencyLanes][]time.Duration
	var errs [latencyLanes]error
	var wg sync.WaitGroup
	for i := range latencyLanes {
		wg.Go(func() {
			runtime.LockOSThread()
			times[i], errs[i] = bareFile(ctx, s.dir, &p, i)
		})
	}
	wg.Wait()
	x := &sample{seconds: float64(p.n-p.warm) / latencyRate}
	for _, t := range times {
		x.times = append(x.times, t...)
	}
	x.requests = float64(len(x.times))
	x.records = x.requests
	return x, errors.Join(errs[:]...)
}

func bareFile(ctx context.Context, dir string, p *schedule, lane int) (times []time.Duration, err error) {
	fd, err := unix.Open(fmt.Sprintf("%s/disk-%d-%d", dir, lane, diskRuns.Add(1)), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	record := make([]byte, 1104) // as large as the broker's batch
	off := int64(0)
	for n := lane; n < p.n && ctx.Err() == nil; {
		sleepUntil(p.due(n))
		first := n
		for now := time.Now(); n < p.n && !p.due(n).After(now); n += latencyLanes {
			if _, err := unix.Pwrite(fd, record, off); err != nil {
				return nil, err
			}
			off += int64(len(record))
		}
		if err := unix.Fdatasync(fd); err != nil {
			return nil, err
		}
		for ; first < n; first += latencyLanes {
			if first >= p.warm {
				times = append(times, time.Since(p.due(first)))
			}
		}
	}
	return times, ctx.Err()
}

// diskRuns numbers the files of bareSync.
var diskRuns atomic.Int64

// sleepUntil is at most some microseconds late.
func sleepUntil(at time.Time) {
	for d := time.Until(at); d > 0; d = time.Until(at) {
		ts := unix.NsecToTimespec(int64(d))
		_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0) // cut short, it is called again
	}
}

// rawIO reads or writes once. The socket has a time limit: without one, the kernel would resume the call after a signal, and nothing could stop this
// thread for a collection.
func rawIO(call uintptr, fd int, b []byte) (int, error) {
	for {
		n, _, e := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch {
		case e == syscall.EINTR: // the collector asks for a stop
			runtime.Gosched()
		case e != 0:
			return 0, e
		case n == 0:
			return 0, errors.New("the broker has closed the connection")
		default:
			return int(n), nil
		}
	}
}
