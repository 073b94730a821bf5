package realnet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
	"github.com/seedlog/seedlog/realdisk"
	"github.com/seedlog/seedlog/realnet"
)

func node(t *testing.T, listeners []realnet.Listener, shards ...step.Stepper) (*realnet.Node, error) {
	d := realdisk.New(realdisk.Config{Shards: len(shards)})
	t.Cleanup(d.Close)
	cfg := realnet.Config{Listeners: listeners, Shards: shards, Disk: d}
	for range shards {
		cfg.Pools = append(cfg.Pools, &buf.Pool{})
	}
	return realnet.New(cfg)
}

func TestAPortInUseIsAnErrorOfNew(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	noErr(t, err)
	defer ln.Close()
	_, err = node(t, []realnet.Listener{{Name: "PLAINTEXT", Addr: ln.Addr().String()}}, quiet{})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "PLAINTEXT") {
		t.Fatalf("got %v", err)
	}
	_, err = node(t, []realnet.Listener{{Name: "X", Addr: "127.0.0.1"}}, quiet{})
	if err == nil {
		t.Fatal("an address without a port was taken")
	}
}

func TestEveryKindOfListenerAddressIsBound(t *testing.T) {
	n, err := node(t, []realnet.Listener{{Name: "A", Addr: "127.0.0.1:0"}, {Name: "B", Addr: ":0"}, {Name: "C", Addr: "0.0.0.0:0"}, {Name: "D", Addr: "localhost:0"}}, quiet{})
	noErr(t, err)
	for _, a := range n.Addrs() {
		_, port, err := net.SplitHostPort(a)
		noErr(t, err)
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		noErr(t, err)
		c.Close()
	}
	n.Stop()
	n.Run()
}

func TestRunEndsWhenAllAreStoppedOrOneIsFatal(t *testing.T) {
	n, err := node(t, nil, quiet{}, quiet{}, quiet{})
	noErr(t, err)
	n.Stop()
	text, code := n.Run()
	equal(t, "", text)
	equal(t, 0, code)
	n, err = node(t, nil, quiet{}, quiet{fatal: "all directories are offline; replace the disk"}, quiet{})
	noErr(t, err)
	text, code = n.Run()
	equal(t, "all directories are offline; replace the disk", text)
	equal(t, 2, code)
}

// quiet stops when told to.
type quiet struct{ fatal string }

func (q quiet) Step(_ clock.Now, ev *step.Event, out *step.Effects) {
	out.Stopped = out.Stopped || ev.Kind == step.Stop
	if out.Fatal == "" && q.fatal != "" {
		out.Fatal, out.FatalCode = q.fatal, 2
	}
}

func TestNothingIsAcceptedBeforeTheShardsSayAccept(t *testing.T) {
	var accept bool
	r := start(t, 1, nil, func(y *toy) {
		y.onEvent = func(y *toy, ev *step.Event) bool {
			switch {
			case ev.Kind == step.Start:
				y.out.Ready = true
				return true
			case ev.Kind == step.MailArrived && ev.Mail.Kind == mailAccept:
				accept, y.out.Accept = true, true
				return true
			case ev.Kind == step.ConnOpened && !accept:
				panic("accepted too early")
			}
			return false
		}
	})
	c := r.dial() // The kernel takes it into the backlog.
	c.send([]byte("e1"))
	equal(t, 0, r.stalls())
	equal(t, 0, r.stats(0).Opened)
	r.node.Ask(step.Mail{Kind: mailAccept}, 0)
	equal(t, "e1", string(c.recv()))
}

func TestAskIsAnsweredByTheShardOrTimesOut(t *testing.T) {
	r := start(t, 2, nil)
	if _, ok := r.node.Ask(step.Mail{Kind: 99, To: 1}, time.Millisecond); ok {
		t.Fatal("an answer out of nothing")
	}
	if _, ok := r.node.Ask(step.Mail{Kind: mailStats, To: 2}, time.Second); ok {
		t.Fatal("a shard that is not there answered")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				m, ok := r.node.Ask(step.Mail{Kind: mailStats, To: int32(i % 2)}, 10*time.Second)
				if !ok || m.From != int32(i%2) || m.To != step.Outside {
					t.Errorf("answer %+v", m)
				}
			}
		})
	}
	wg.Wait()
}

func TestMailBetweenTwoShardsKeepsItsOrder(t *testing.T) {
	const n = 20000
	var next [3][3]int64
	var wg sync.WaitGroup
	wg.Add(3)
	var left [3]int
	start(t, 3, nil, func(y *toy) {
		left[y.id] = 3 * n
		sent := int64(0)
		more := func(y *toy) {
			for range 7 {
				for to := range 3 {
					if sent < n {
						y.out.Mail = append(y.out.Mail, step.Mail{Kind: 77, From: int32(y.id), To: int32(to), A: sent})
					}
				}
				sent++
			}
		}
		y.onStart = more
		y.onEvent = func(y *toy, ev *step.Event) bool {
			if ev.Kind != step.MailArrived || ev.Mail.Kind != 77 {
				return false
			}
			from := ev.Mail.From
			if ev.Mail.A != next[y.id][from] {
				panic(fmt.Sprint("from ", from, " to ", y.id, ": want ", next[y.id][from], ", got ", ev.Mail.A))
			}
			next[y.id][from]++
			if left[y.id]--; left[y.id] == 0 {
				wg.Done()
			}
			if from == int32(y.id) || sent < n {
				more(y)
			}
			return true
		}
	})
	wg.Wait()
}

func TestADialOpensOrFailsWithItsToken(t *testing.T) {
	peer := start(t, 1, nil)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	noErr(t, err)
	gone.Close()
	_, port, _ := net.SplitHostPort(peer.addr)
	addrs := []string{peer.addr, gone.Addr().String(), "localhost:" + port, "no-such-host.invalid:1", "nonsense", "127.0.0.1:0"}
	echoed := make(chan string, 2)
	r := start(t, 1, nil, func(y *toy) {
		y.onStart = func(y *toy) {
			for i, a := range addrs {
				y.out.Dial = append(y.out.Dial, network.Dial{Token: disk.Token(1000 + i), Addr: a})
			}
		}
		y.onEvent = func(y *toy, ev *step.Event) bool {
			switch {
			case ev.Kind == step.ConnOpened && ev.Conn.Dialled:
				y.answer(ev.Conn.Conn, []byte("e"+ev.Conn.Peer))
			case ev.Kind == step.FrameArrived:
				echoed <- string(ev.Frame.Bytes)
				return true
			}
			return false
		}
	})
	equal(t, "e"+peer.addr, <-echoed)
	equal(t, "e"+peer.addr, <-echoed)
	r.settles("all have ended", func(stats) bool { return len(r.stats(0).Dials) == len(addrs) })
	for _, d := range r.stats(0).Dials {
		i := int(d.Token) - 1000
		if good := i == 0 || i == 2; good != (d.Conn != 0) {
			t.Errorf("dial of %s: %+v", addrs[i], d)
		}
		if refused := i == 1 || i == 5; refused != d.Refused {
			t.Errorf("dial of %s: refused %v, want %v", addrs[i], d.Refused, refused)
		}
	}
}

func TestEveryAddressOfANameIsTried(t *testing.T) {
	peer := start(t, 1, nil) // at 127.0.0.1, and nobody at the others
	_, portText, _ := net.SplitHostPort(peer.addr)
	port, err := strconv.Atoi(portText)
	noErr(t, err)
	deaf := [4]byte{127, 0, 0, 5}
	full, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	noErr(t, err)
	defer unix.Close(full)
	noErr(t, unix.Bind(full, &unix.SockaddrInet4{Addr: deaf, Port: port}))
	noErr(t, unix.Listen(full, 0))
	for range 4 { // its backlog is full, and it does not answer
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		noErr(t, err)
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: deaf, Port: port}); err != nil && err != unix.EINPROGRESS {
			t.Fatal(err)
		}
	}
	names := []struct {
		name            string
		addrs           []string
		opened, refused bool
	}{
		{"second", []string{"127.0.0.2", "127.0.0.1"}, true, false},
		{"last", []string{"127.0.0.2", "127.0.0.5", "127.0.0.3", "127.0.0.1"}, true, false},
		{"nobody", []string{"127.0.0.2", "127.0.0.3"}, false, true},
		{"deaf-and-nobody", []string{"127.0.0.5", "127.0.0.2"}, false, false},
		{"nobody-and-deaf", []string{"127.0.0.2", "127.0.0.5"}, false, false},
		{"nothing", nil, false, false},
	}
	r := start(t, 1, func(c *realnet.Config) {
		c.DialTimeout = 2 * time.Second
		c.Lookup = func(_ context.Context, _, host string) (out []netip.Addr, err error) {
			for _, n := range names {
				for _, a := range n.addrs {
					if n.name == host {
						out = append(out, netip.MustParseAddr(a))
					}
				}
			}
			return out, nil
		}
	}, func(y *toy) {
		y.onStart = func(y *toy) {
			for i, n := range names {
				y.out.Dial = append(y.out.Dial, network.Dial{Token: disk.Token(1 + i), Addr: n.name + ":" + portText})
			}
		}
	})
	r.settles("all have ended, each once", func(stats) bool { return len(r.stats(0).Dials) == len(names) })
	for _, d := range r.stats(0).Dials {
		n := names[int(d.Token)-1]
		if n.opened != (d.Conn != 0) || n.refused != d.Refused || n.opened && d.Peer != peer.addr {
			t.Errorf("%s: want opened %v, refused %v, got %+v", n.name, n.opened, n.refused, d)
		}
	}
}

func TestADialThatIsNotAnsweredFailsInTime(t *testing.T) {
	// A listener whose backlog is full does not answer.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	noErr(t, err)
	defer unix.Close(fd)
	noErr(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	noErr(t, unix.Listen(fd, 0))
	sa, err := unix.Getsockname(fd)
	noErr(t, err)
	addr := "127.0.0.1:" + strconv.Itoa(sa.(*unix.SockaddrInet4).Port)
	r := start(t, 1, func(c *realnet.Config) { c.DialTimeout = 300 * time.Millisecond }, func(y *toy) {
		y.onStart = func(y *toy) {
			for i := range 4 {
				y.out.Dial = append(y.out.Dial, network.Dial{Token: disk.Token(1 + i), Addr: addr})
			}
		}
	})
	r.settles("all have ended", func(stats) bool { return len(r.stats(0).Dials) == 4 })
	failed := 0
	for _, d := range r.stats(0).Dials {
		if d.Refused {
			t.Error("silence is not a refusal")
		}
		if d.Conn == 0 {
			failed++
		}
	}
	if failed == 0 {
		t.Fatal("none timed out")
	}
}

func TestAProcessWithoutDescriptorsAcceptsAgainLater(t *testing.T) {
	r := start(t, 1, nil)
	equal(t, "e", string(r.dial().call([]byte("e"))))
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	noErr(t, err)
	defer unix.Close(fd)
	var old unix.Rlimit
	noErr(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	noErr(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: old.Max}))
	_, portText, _ := net.SplitHostPort(r.addr)
	port, _ := strconv.Atoi(portText)
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	for len(r.log()) == 0 && err == nil {
		r.total()
	}
	noErr(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
	noErr(t, err)
	yes(t, strings.Contains(r.log()[0].Text, "raise the limit of open files"))
	r.settles("it is accepted", func(s stats) bool { return s.Opened == 2 })
}

// TestTwoThousandIdleConnectionsCostLittle reports what an idle connection costs this process, whose client half is raw descriptors.
func TestTwoThousandIdleConnectionsCostLittle(t *testing.T) {
	r := start(t, 1, nil)
	_, portText, _ := net.SplitHostPort(r.addr)
	port, _ := strconv.Atoi(portText)
	const n = 2000
	connect := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		noErr(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		noErr(t, unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
		return fd
	}
	call := func(fd int) {
		var b [9]byte
		_, err := unix.Write(fd, frame([]byte("ehello")))
		noErr(t, err)
		_, err = unix.Read(fd, b[:])
		noErr(t, err)
	}
	call(connect())
	r.total()
	heap, rss := heapInUse(), rssBytes(t)
	fds := make([]int, 0, n)
	for range n {
		fds = append(fds, connect())
	}
	for _, fd := range fds { // Each has been used once.
		call(fd)
	}
	r.settles("all are idle", func(s stats) bool { return s.Frames == n+1 && s.Out == 0 })
	t.Logf("an idle connection costs %d bytes of heap, %d of RSS", (heapInUse()-heap)/n, (rssBytes(t)-rss)/n)
	if per := (heapInUse() - heap) / n; per > 1024 {
		t.Fatalf("an idle connection costs %d bytes of heap", per)
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func rssBytes(t *testing.T) int64 {
	b, err := os.ReadFile("/proc/self/statm")
	noErr(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	noErr(t, err)
	return pages * int64(os.Getpagesize())
}

// TestASteadyLoopDoesNotAllocate counts what the process allocates while frames are echoed, appended and fetched. The client is raw
// descriptors and reused bytes, so that all of it is the loop's.
func TestASteadyLoopDoesNotAllocate(t *testing.T) {
	r := start(t, 1, nil)
	_, portText, _ := net.SplitHostPort(r.addr)
	port, _ := strconv.Atoi(portText)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	noErr(t, err)
	defer unix.Close(fd)
	noErr(t, unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	ask := bytes.Repeat(frame(append([]byte{'a'}, make([]byte, 1000)...)), 5)
	for range 5 {
		ask = append(ask, frame([]byte("e1"))...)
		ask = append(ask, frame(fetchFrame('f', 0, 900))...)
	}
	want := 5*12 + 5*6 + 5*904
	b := make([]byte, 1<<16)
	exchange := func() {
		if _, err := unix.Write(fd, ask); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < want; {
			n, err := unix.Read(fd, b)
			if err != nil || n == 0 {
				t.Fatal("the connection ended")
			}
			got += n
		}
	}
	const rounds = 2000
	for range rounds {
		exchange()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		exchange()
	}
	runtime.ReadMemStats(&after)
	allocs := float64(after.Mallocs-before.Mallocs) / (rounds * 15)
	t.Logf("%.4f allocations a frame", allocs)
	if allocs > 0.01 {
		t.Fatalf("%.3f allocations a frame", allocs)
	}
}
