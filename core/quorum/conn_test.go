package quorum

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/step"
)

// inConn runs f with a stream, and a function that gives the mail that it has put.
func inConn(t *testing.T, f func(c *conn, mail func() []step.Mail)) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{Node: &config.Node{}, LogDir: "d"})
		n.dead = make(chan struct{})
		n.streams = newStreams(n)
		c := n.streams.add(&link.Opened{Conn: 9}, "2-b@h:2")
		f(c, func() []step.Mail {
			synctest.Wait()
			var out step.Effects
			n.Drain(&out)
			return out.Mail
		})
	})
}

func TestAStreamWaitsWhileAMegabyteHasNotLeft(t *testing.T) {
	inConn(t, func(c *conn, mail func() []step.Mail) {
		data := bytes.Repeat([]byte("0123456789"), 250_000)
		var sent bytes.Buffer
		done := make(chan error, 1)
		go func() {
			_, err := c.Write(data)
			done <- err
		}()
		for sent.Len() < len(data) {
			round := 0
			for _, m := range mail() {
				b := m.Body.([]byte)
				if m.Kind != link.MailSend || m.A != 9 || len(b) > maxSend {
					t.Fatalf("mail %d of %d bytes", m.Kind, len(b))
				}
				sent.Write(b)
				round += len(b)
			}
			if round == 0 || round > sendWindow {
				t.Fatalf("%d bytes at once", round)
			}
			c.node.streams.sent(9, int64(round))
		}
		if err := <-done; err != nil || !bytes.Equal(sent.Bytes(), data) {
			t.Fatal("the bytes differ", err)
		}
	})
}

func TestDeadlinesEndReadsAndWrites(t *testing.T) {
	inConn(t, func(c *conn, mail func() []step.Mail) {
		begin := time.Now()
		_ = c.SetReadDeadline(begin.Add(50 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != 50*time.Millisecond {
			t.Fatalf("%v after %v", err, time.Since(begin))
		}
		_ = c.SetDeadline(time.Now().Add(time.Hour))
		_ = c.SetDeadline(time.Now().Add(20 * time.Millisecond))
		n, err := c.Write(make([]byte, 2<<20))
		if e, ok := err.(net.Error); n != sendWindow || !ok || !e.Timeout() {
			t.Fatalf("%d bytes, %v", n, err)
		}
		_ = c.SetDeadline(time.Time{})
		c.node.streams.bytes(9, []byte("ab"))
		b := make([]byte, 1)
		for _, want := range "ab" {
			if _, err := c.Read(b); err != nil || b[0] != byte(want) {
				t.Fatalf("%q, %v", b, err)
			}
		}
		_ = c.SetDeadline(time.Now().Add(-1))
		if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	})
}

func TestAPeerThatIsFasterIsHeldAndThenCutOff(t *testing.T) {
	inConn(t, func(c *conn, mail func() []step.Mail) {
		frame := make([]byte, maxSend)
		for range holdAbove/maxSend + 1 {
			c.node.streams.bytes(9, frame)
		}
		if m := mail(); len(m) != 1 || m[0].Kind != link.MailHold {
			t.Fatalf("%+v", m)
		}
		if _, err := io.ReadFull(c, make([]byte, holdAbove)); err != nil {
			t.Fatal(err)
		}
		if m := mail(); len(m) != 1 || m[0].Kind != link.MailResume {
			t.Fatalf("%+v", m)
		}
		for range maxUnread/maxSend + 1 {
			c.node.streams.bytes(9, frame)
		}
		m := mail()
		if m[len(m)-1].Kind != link.MailClose {
			t.Fatalf("%+v", m)
		}
		if c.node.streams.find(9) != nil {
			t.Fatal("it is still known")
		}
	})
}

func TestWhatAPeerSentBeforeItClosedIsRead(t *testing.T) {
	inConn(t, func(c *conn, mail func() []step.Mail) {
		c.node.streams.bytes(9, []byte("last words"))
		c.node.streams.closed(9)
		b, err := io.ReadAll(c)
		if err != nil || string(b) != "last words" {
			t.Fatalf("%q, %v", b, err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		_ = c.Close()
		if m := mail(); len(m) != 0 {
			t.Fatalf("%+v", m)
		}
	})
}

func TestADialThatIsAnsweredTooLateIsClosed(t *testing.T) {
	inConn(t, func(c *conn, mail func() []step.Mail) {
		s := c.node.streams
		c.node.machine = &fsm{node: c.node, image: emptyImage()}
		s.local = addressOf("1-a", "h:1")
		done := make(chan error, 1)
		go func() {
			_, err := s.Dial("2-b@h:2", 30*time.Millisecond)
			done <- err
		}()
		m := mail()
		if len(m) != 1 || m[0].Kind != link.MailDial || *m[0].Body.(*link.Dial) != (link.Dial{Address: "h:2", Hello: link.Hello{Want: "2-b", From: "1-a", Address: "h:1"}}) {
			t.Fatalf("%+v", m)
		}
		if err := <-done; err == nil {
			t.Fatal("it was opened by nobody")
		}
		s.opened(&link.Opened{Conn: 12, Token: m[0].Token})
		if m := mail(); len(m) != 1 || m[0].Kind != link.MailClose || m[0].A != 12 || len(s.dials) != 0 {
			t.Fatalf("%+v, %d dials", m, len(s.dials))
		}
	})
}
