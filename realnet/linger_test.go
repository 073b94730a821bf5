package realnet_test

import (
	"bytes"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/core/step"
)

// pipelined sends requests before it reads any answer, until the node takes no more of them, and then wants the first one's answer and the end.
// write errors are what a lingering close is to spare it.
func pipelined(t *testing.T, c *client, first []byte, more int) {
	t.Helper()
	c.send(first)
	one := frame([]byte("e"), make([]byte, 1000))
	for range more {
		if _, err := c.Write(one); err != nil {
			t.Fatalf("a write failed before the answer was read: %v", err)
		}
	}
	equal(t, "bye", string(c.recv()))
	rest, err := io.ReadAll(c)
	if err != nil || len(rest) > 0 {
		t.Fatalf("after the answer: %d bytes, %v; want the end of the stream", len(rest), err)
	}
}

func TestAClientThatGoesOnSendingReadsTheAnswersBeforeACloseAndThenTheEnd(t *testing.T) {
	r := start(t, 1, nil)
	for range 20 {
		c := r.dial()
		pipelined(t, c, []byte("c"), 2000)
		c.Close()
	}
	s := r.settles("all are closed", func(s stats) bool { return s.Closed == 20 })
	equal(t, 20, s.Opened)
	equal(t, int64(0), s.Out)
}

func TestABadFrameClosesAfterTheAnswersBeforeItWereSent(t *testing.T) {
	r := start(t, 1, nil)
	for range 20 {
		c := r.dial()
		b := append(frame([]byte("e1")), 0, 0, 0, 0)
		_, err := c.Write(append(b, make([]byte, 300<<10)...))
		noErr(t, err)
		equal(t, "e1", string(c.recv()))
		rest, err := io.ReadAll(c)
		if err != nil || len(rest) > 0 {
			t.Fatalf("after the answer: %d bytes, %v; want the end of the stream", len(rest), err)
		}
		c.Close()
	}
	r.settles("all are closed", func(s stats) bool { return s.Closed == 20 && s.Opened == 20 && s.Out == 0 })
}

func TestTheCoreHearsOfACloseAtOnceAndItsNumberIsNotGivenAgainWhileItLingers(t *testing.T) {
	r := start(t, 1, nil)
	lingering := r.dial()
	equal(t, "bye", string(lingering.call([]byte("c"))))
	s := r.settles("it is closed", func(s stats) bool { return s.Closed == 1 })
	equal(t, int64(0), s.Out)
	for range 10 {
		equal(t, "e", string(r.dial().call([]byte("e"))))
	}
	lingering.send(make([]byte, 1000)) // It reaches nobody.
	rest, err := io.ReadAll(lingering)
	if err != nil || len(rest) > 0 {
		t.Fatalf("%d bytes, %v; want the end of the stream", len(rest), err)
	}
	equal(t, 11, r.stats(0).Frames)
}

func TestAPeerThatNeverEndsIsCutOffInTime(t *testing.T) {
	r := start(t, 1, nil)
	c := r.dial()
	equal(t, "bye", string(c.call([]byte("c"))))
	junk := make([]byte, 64<<10)
	for began := time.Now(); time.Since(began) < 30*time.Second; {
		_, err := c.Write(junk)
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			return
		}
		noErr(t, err)
	}
	t.Fatal("it is read for ever")
}

func TestBytesThatTheKernelDidNotTakeAreSentAfterTheClose(t *testing.T) {
	answer := bytes.Repeat([]byte{7}, 4<<20)
	r := start(t, 1, nil, func(y *toy) {
		y.onEvent = func(y *toy, ev *step.Event) bool {
			if ev.Kind != step.FrameArrived {
				return false
			}
			y.answer(ev.Frame.Conn, answer)
			y.out.Close = append(y.out.Close, ev.Frame.Conn)
			return true
		}
	})
	c := r.dial()
	c.send([]byte("x"))
	r.settles("it is closed", func(s stats) bool { return s.Closed == 1 })
	yes(t, bytes.Equal(answer, c.recv()))
	rest, err := io.ReadAll(c)
	yes(t, err == nil && len(rest) == 0)
}

func TestANodeThatEndsLetsItsClientsReadTheirAnswers(t *testing.T) {
	r := start(t, 2, nil)
	var cs []*client
	for range 10 {
		c := r.dial()
		equal(t, "e", string(c.call([]byte("e"))))
		cs = append(cs, c)
	}
	for _, c := range cs {
		c.send([]byte("e1"))
	}
	r.settles("all are answered", func(s stats) bool { return s.Frames == 20 })
	r.node.Stop()
	for _, c := range cs {
		equal(t, "e1", string(c.recv()))
		rest, err := io.ReadAll(c)
		if err != nil || len(rest) > 0 {
			t.Fatalf("after the answer: %d bytes, %v; want the end of the stream", len(rest), err)
		}
		// What it sends now is not answered by a reset.
		_, err = c.Write(make([]byte, 100))
		noErr(t, err)
		c.Close()
	}
}

func TestAConnectionThatIsResetDoesNotLinger(t *testing.T) {
	r := start(t, 1, nil)
	for range 50 {
		c := r.dial()
		raw, err := c.Conn.(syscall.Conn).SyscallConn()
		noErr(t, err)
		c.send([]byte("q"))
		noErr(t, raw.Control(func(fd uintptr) {
			noErr(t, unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
		}))
		c.Close()
	}
	r.settles("all are closed", func(s stats) bool { return s.Closed == s.Opened })
}
