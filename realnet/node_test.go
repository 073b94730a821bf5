package realnet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand"
	"net"
	"testing"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/io/network"
	"github.com/seedlog/seedlog/realdisk"
	"github.com/seedlog/seedlog/realnet"
)

func TestAnEchoAnAppendAndAFetchGoThroughTheWholeNode(t *testing.T) {
	r := start(t, 2, nil)
	c := r.dial()
	equal(t, "ehello", string(c.call([]byte("ehello"))))
	equal(t, 0, binary.BigEndian.Uint64(c.call([]byte("aseven by"))))
	equal(t, 8, binary.BigEndian.Uint64(c.call([]byte("ssynced"))))
	equal(t, "seven bysynced", string(c.call(fetchFrame('f', 0, 14))))
	c2 := r.dial()             // on the other shard
	f := fetchFrame('x', 2, 8) // of the shard after it
	equal(t, "ven bysy", string(c2.call(f)))
}

func TestThousandsOfFramesInOddSplitsAreAnsweredInOrder(t *testing.T) {
	for _, split := range []int{1, 3, 7, 1000, 1 << 20} {
		t.Run(fmt.Sprint(split), func(t *testing.T) {
			r := start(t, 1, nil)
			c := r.dial()
			n := 4000
			if split == 1 {
				n = 300
			}
			rnd := rand.New(rand.NewSource(int64(split)))
			var out []byte
			var sizes []int
			for i := range n {
				size := 5 + rnd.Intn(60)
				if split > 7 {
					size = 5 + rnd.Intn(9000)
				}
				b := bytes.Repeat([]byte{byte(i)}, size)
				b[0] = 'e'
				binary.BigEndian.PutUint32(b[1:], uint32(i))
				out = append(out, frame(b)...)
				sizes = append(sizes, size)
			}
			go func() {
				for len(out) > 0 {
					k, err := c.Write(out[:min(split, len(out))])
					if err != nil {
						return
					}
					out = out[k:]
				}
			}()
			for i := range n {
				b := c.recv()
				if len(b) != sizes[i] || binary.BigEndian.Uint32(b[1:]) != uint32(i) || len(b) > 5 && b[len(b)-1] != byte(i) {
					t.Fatalf("answer %d is wrong: %d bytes, want %d", i, len(b), sizes[i])
				}
			}
		})
	}
}

func TestLargeFramesArriveAndTheirMemoryIsGivenBack(t *testing.T) {
	r := start(t, 1, nil)
	c := r.dial()
	for _, n := range []int{255 << 10, 256 << 10, 257 << 10, 6 << 20, 6 << 20, 31 << 20, 100} {
		b := bytes.Repeat([]byte{'e'}, n)
		go c.send(b)
		if got := c.recv(); !bytes.Equal(b, got) {
			t.Fatalf("a frame of %d came back as %d other bytes", n, len(got))
		}
	}
	r.settles("no lease is held", func(s stats) bool { return s.Out == 0 })
}

func TestAnAnnouncementFollowedByNothingCostsAtMostABaseLease(t *testing.T) {
	r := start(t, 1, nil)
	for range 50 {
		c := r.dial()
		_, err := c.Write([]byte{5, 0, 0, 0, 'e'}) // 80 MiB
		noErr(t, err)
	}
	s := r.settles("all are read", func(s stats) bool { return s.Opened == 50 && s.Out >= 50*4<<10 })
	if s.Out > 50*16<<10 {
		t.Fatalf("%d bytes are leased", s.Out)
	}
	// A second later they have what their bytes need.
	r.settles("leases shrink", func(s stats) bool { return s.Out == 50*4<<10 })
}

func TestAPeerThatDoesNotReadIsNotReadEither(t *testing.T) {
	r := start(t, 1, func(c *realnet.Config) { c.MaxUnsent = 1 << 20; c.SendBuf, c.RecvBuf = 64<<10, 64<<10 })
	c := r.dial()
	noErr(t, c.Conn.(*net.TCPConn).SetReadBuffer(64<<10))
	const n = 400
	b := bytes.Repeat([]byte{'e'}, 64<<10)
	go func() {
		for range n {
			if _, err := c.Write(frame(b)); err != nil {
				return
			}
		}
	}()
	// 1 MiB unsent, what the kernel holds, and the frames of one lease.
	if got := r.stalls(); got > 40 {
		t.Fatalf("%d frames of 64 KiB were taken from a peer that reads nothing", got)
	}
	equal(t, "e", string(r.dial().call([]byte("e"))))
	for i := range n {
		if got := c.recv(); !bytes.Equal(got, b) {
			t.Fatalf("answer %d is wrong", i)
		}
	}
}

func TestAHeldConnectionDeliversNothingUntilItIsResumed(t *testing.T) {
	r := start(t, 1, nil)
	c := r.dial()
	_, err := c.Write(bytes.Join([][]byte{frame([]byte("e1")), frame([]byte("h")), frame([]byte("e2")), frame([]byte("h")), frame([]byte("e3"))}, nil))
	noErr(t, err)
	equal(t, "e1", string(c.recv()))
	s := r.stats(0)
	if s.Ticks == 0 && s.Frames != 2 {
		t.Fatalf("want 2 frames while held, got %d", s.Frames)
	}
	for _, want := range []string{"held", "e2", "held", "e3"} {
		equal(t, want, string(c.recv()))
	}
	equal(t, 2, r.stats(0).Ticks)
}

func TestAHeldConnectionIsReadUntilItsLeaseIsFullOnly(t *testing.T) {
	var held holder
	r := start(t, 1, func(c *realnet.Config) { c.RecvBuf = 64 << 10 }, held.install)
	c := r.dial()
	go func() {
		b := frame(bytes.Repeat([]byte{'e'}, 1000))
		for range 4000 {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}()
	equal(t, 1, r.stalls())
	// One lease that is full, and at most one before it that the held frame lies in.
	if out := r.total().Out; out > 2*16<<10 {
		t.Fatalf("%d bytes are leased by a held connection", out)
	}
	r.node.Ask(step.Mail{Kind: mailResume}, 0)
	for range 4000 {
		equal(t, 1000, len(c.recv()))
	}
}

func TestExtentsOfAnotherShardsFileArriveWhole(t *testing.T) {
	r := start(t, 2, nil)
	a, b := r.dial(), r.dial()
	rnd := rand.New(rand.NewSource(1))
	want := make([]byte, 9<<20)
	rnd.Read(want)
	a.send([]byte{'a'}, want)
	a.recv()
	// b's shard is the one that a's is not; 'x' asks the next shard, which is a's.
	for _, x := range [][2]int{{0, 9 << 20}, {1, 256 << 10}, {4095, 5 << 20}, {7, 1}, {0, 300 << 10}} {
		got := b.call(fetchFrame('x', x[0], x[1]))
		if !bytes.Equal(want[x[0]:x[0]+x[1]], got) {
			t.Fatalf("extent %v differs", x)
		}
	}
	r.settles("each token is answered", func(s stats) bool { return s.SendDone == s.Tokens-2 && s.SendDone == 5 })
}

func TestManyExtentsAndHeadsOfOneConnectionKeepTheirOrder(t *testing.T) {
	r := start(t, 2, func(c *realnet.Config) { c.SendBuf = 64 << 10 })
	a, b := r.dial(), r.dial()
	want := make([]byte, 1<<20)
	rand.New(rand.NewSource(2)).Read(want)
	a.send([]byte{'a'}, want)
	a.recv()
	for k, c := range []*client{a, b} {
		var out []byte
		for i := range 300 {
			out = append(out, frame(fetchFrame("fx"[k], i*3000, 1+i*i))...)
			out = append(out, frame([]byte(fmt.Sprint("e", i)))...)
		}
		go c.Write(out)
		got := map[int]int{}
		for range 600 {
			// Fetches from the other shard may be overtaken by echoes, but not by one another.
			ans := c.recv()
			if len(ans) > 0 && ans[0] == 'e' && len(ans) <= 4 && bytes.HasPrefix(ans, []byte("e")) && string(ans) == fmt.Sprint("e", got[1]) {
				got[1]++
				continue
			}
			i := got[0]
			if !bytes.Equal(ans, want[i*3000:i*3000+1+i*i]) {
				t.Fatalf("extent %d differs: %d bytes", i, len(ans))
			}
			got[0]++
		}
		equal(t, 300, got[1])
	}
}

// A send buffer below two segments is filled by what the kernel keeps back for more to follow. If that is not pushed, only TCP's timers move it,
// 200 ms and more for each extent: this then takes four times as long, and at worst stops.
func TestASmallSendBufferDoesNotStallExtents(t *testing.T) {
	r := start(t, 1, func(c *realnet.Config) { c.SendBuf = 32 << 10 })
	c := r.dial()
	want := make([]byte, 1<<20)
	rand.New(rand.NewSource(4)).Read(want)
	c.send([]byte{'a'}, want)
	c.recv()
	for i := range 20 {
		if got := c.call(fetchFrame('f', i*7, 70000)); !bytes.Equal(got, want[i*7:i*7+70000]) {
			t.Fatalf("extent %d differs", i)
		}
	}
}

func TestColdExtentsWaitForTheDiskWithoutHoldingUpOthers(t *testing.T) {
	cold := &coldDisk{}
	r := start(t, 1, func(c *realnet.Config) {
		cold.Disk = c.Disk.(*realdisk.Disk)
		c.Disk = cold
	})
	c := r.dial()
	want := make([]byte, 3<<20+17)
	rand.New(rand.NewSource(3)).Read(want)
	c.send([]byte{'a'}, want)
	c.recv()
	c.send(fetchFrame('f', 0, len(want)))
	c.send([]byte("eafter"))
	equal(t, "e", string(r.dial().call([]byte("e"))))
	equal(t, 1, cold.warms())
	cold.release()
	if !bytes.Equal(want, c.recv()) {
		t.Fatal("the extent differs")
	}
	equal(t, "eafter", string(c.recv()))
	equal(t, 4, cold.warms()) // One a MiB.
}

func TestAResetWhileExtentsAreSentAnswersTheirTokensOnce(t *testing.T) {
	r := start(t, 2, nil)
	for range 8 {
		c := r.dial()
		c.send([]byte{'a'}, make([]byte, 8<<20))
		c.recv()
		for range 20 {
			c.send(fetchFrame('f', 0, 8<<20))
		}
		c.recv()
		noErr(t, c.Conn.(*net.TCPConn).SetLinger(0))
		c.Close()
	}
	s := r.settles("all is answered", func(s stats) bool { return s.Closed == 8 && s.SendDone == s.Tokens-2 })
	equal(t, 8, s.Opened)
	equal(t, 0, s.Out)
}

func TestACloseAnswersWhatIsUnsentAndSendsWhatTheKernelTakes(t *testing.T) {
	r := start(t, 1, nil)
	c := r.dial()
	equal(t, "bye", string(c.call([]byte("c"))))
	_, err := c.Read(make([]byte, 1))
	equal(t, io.EOF, err)
	c = r.dial()
	c.send([]byte{'a'}, make([]byte, 1<<20))
	c.recv()
	c.send([]byte("C"))
	r.settles("all 64 are answered", func(s stats) bool { return s.Closed == 2 && s.SendDone == 64 && s.Tokens == 65 })
}

func TestAStreamThatIsNoFramesIsClosedAndTheOthersLiveOn(t *testing.T) {
	r := start(t, 2, func(c *realnet.Config) { c.MaxFrame = 1 << 20 })
	keep := r.dial()
	for _, b := range []string{"\x00\x00\x00\x00", "\xff\xff\xff\xff", "\x00\x10\x00\x01", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01"} {
		c := r.dial()
		_, err := c.Write([]byte(b))
		noErr(t, err)
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Fatalf("%q was answered", b)
		}
	}
	equal(t, "e", string(keep.call([]byte("e"))))
	r.settles("closed", func(s stats) bool { return s.Closed == 5 && s.Frames == 1 })
}

func TestFramesBeforeTheEndOfAStreamAreDeliveredEvenIfTheConnectionIsHeld(t *testing.T) {
	r := start(t, 1, nil)
	c := r.dial()
	_, err := c.Write(append(bytes.Repeat(frame([]byte("h")), 3), frame([]byte("e"))...))
	noErr(t, err)
	noErr(t, c.Conn.(*net.TCPConn).CloseWrite())
	r.settles("all are delivered, then it closes", func(s stats) bool { return s.Frames == 4 && s.Closed == 1 })
}

func TestAHeldConnectionThatItsPeerLeavesIsClosed(t *testing.T) {
	for name, leave := range map[string]func(*net.TCPConn){
		"by its end":   func(c *net.TCPConn) { c.Close() },
		"half":         func(c *net.TCPConn) { c.CloseWrite() },
		"by its reset": func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var held holder
			r := start(t, 1, nil, held.install)
			c := r.dial()
			c.send([]byte("e"))
			r.settles("held", func(s stats) bool { return s.Frames == 1 })
			leave(c.Conn.(*net.TCPConn))
			r.settles("closed", func(s stats) bool { return s.Closed == 1 })
		})
	}
}

func TestLateEffectsForADeadConnectionMissItsSuccessor(t *testing.T) {
	var dead network.Conn
	r := start(t, 1, nil, func(y *toy) {
		y.onEvent = func(y *toy, ev *step.Event) bool {
			switch {
			case ev.Kind == step.ConnOpened && dead == 0:
				dead = ev.Conn.Conn
			case ev.Kind == step.FrameArrived && ev.Frame.Conn != dead:
				if uint32(ev.Frame.Conn) != uint32(dead) {
					panic("the slot was not used again: this tests nothing")
				}
				y.answer(dead, []byte("late"))
				y.extent(dead, disk.Extent{File: y.file, Len: 1})
				y.out.Hold = append(y.out.Hold, dead)
				y.out.Close = append(y.out.Close, dead)
			}
			return false
		}
	})
	a := r.dial()
	equal(t, "e", string(a.call([]byte("e"))))
	a.Close()
	r.settles("closed", func(s stats) bool { return s.Closed == 1 })
	b := r.dial()
	for range 3 {
		equal(t, "eb", string(b.call([]byte("eb"))))
	}
	s := r.settles("tokens are answered", func(s stats) bool { return s.SendDone == 3 })
	equal(t, 1, s.Closed)
}

func TestConnectionsAreDealtOutEvenly(t *testing.T) {
	r := start(t, 4, nil)
	for range 12 {
		r.dial()
	}
	r.settles("all are open", func(s stats) bool { return s.Opened == 12 })
	for i := range 4 {
		equal(t, 3, r.stats(i).Opened)
	}
}
