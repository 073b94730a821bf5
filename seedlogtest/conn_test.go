package seedlogtest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/seedlogtest"
)

// versions is a request that is answered at once: ApiVersions 0, with its length.
func versions() []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw")).AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 7)
}

// open dials the one broker of a new cluster.
func open(t *testing.T) (*seedlogtest.Cluster, net.Conn) {
	t.Helper()
	c := seedlogtest.New(t, seedlogtest.Nodes(1))
	conn, err := c.Dialer()(t.Context(), "tcp", c.Addrs()[0])
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return c, conn
}

// answer reads one response.
func answer(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	b := make([]byte, 4)
	_, err := io.ReadFull(iotest.OneByteReader(conn), b)
	require.NoError(t, err)
	b = make([]byte, binary.BigEndian.Uint32(b))
	_, err = io.ReadFull(conn, b)
	require.NoError(t, err)
	require.EqualValues(t, 7, binary.BigEndian.Uint32(b))
	return b
}

func TestBytesGoAndComeInAnyPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conn := open(t)
		q := versions()
		for i := range q {
			n, err := conn.Write(q[i : i+1])
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		first := answer(t, conn)
		_, err := conn.Write(append(append(append([]byte(nil), q...), q...), q[:5]...))
		require.NoError(t, err)
		require.Equal(t, first, answer(t, conn))
		require.Equal(t, first, answer(t, conn))
		require.Equal(t, "n1:9092", conn.RemoteAddr().String())
		require.Equal(t, "client:50000", conn.LocalAddr().String())
		require.Equal(t, "tcp", conn.LocalAddr().Network())
	})
}

func TestAReadEndsAtItsDeadlineAndGoesOnWithALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conn := open(t)
		began := time.Now()
		require.NoError(t, conn.SetReadDeadline(began.Add(time.Second)))
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var timeout net.Error
		require.True(t, errors.As(err, &timeout) && timeout.Timeout())
		require.Equal(t, time.Second, time.Since(began))
		_, err = conn.Read(nil)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)

		require.NoError(t, conn.SetDeadline(time.Now().Add(-time.Second)))
		_, err = conn.Write(versions())
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)

		require.NoError(t, conn.SetDeadline(time.Time{}))
		_, err = conn.Write(versions())
		require.NoError(t, err)
		answer(t, conn)
	})
}

func TestADeadlineThatIsMovedWhileAReadWaitsCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conn := open(t)
		began := time.Now()
		require.NoError(t, conn.SetReadDeadline(began.Add(time.Hour)))
		time.AfterFunc(time.Second, func() { _ = conn.SetReadDeadline(time.Now()) })
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestAWriteWaitsForABrokerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn := open(t)
		require.NoError(t, conn.SetWriteDeadline(time.Now().Add(time.Minute)))
		c.Node(1).Pause()
		n, err := conn.Write(make([]byte, 16<<20))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Less(t, n, 8<<20)
	})
}

func TestWhoDoesNotReadHoldsUpTheBrokerAndThenReadsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn := open(t)
		const asked = 10_000 // the answers are some 5 MiB
		go func() {
			if _, err := conn.Write(bytes.Repeat(versions(), asked)); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(time.Minute)
		require.Less(t, seedlogtest.Unread(conn), 2<<20)
		for range asked {
			answer(t, conn)
		}
		c.Node(1).Kill()
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
	})
}

func TestAResetIsReadBehindWhatHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn := open(t)
		go func() {
			_, _ = conn.Write(bytes.Repeat(versions(), 20_000)) // what the broker takes of it is not of interest
		}()
		time.Sleep(time.Minute)
		c.Node(1).Kill()
		n, err := io.Copy(io.Discard, conn)
		require.ErrorIs(t, err, syscall.ECONNRESET)
		require.Greater(t, n, int64(1<<20))
	})
}

func TestCloseEndsAReadAndAWriteThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn := open(t)
		c.Node(1).Pause()
		ended := make(chan error, 2)
		go func() {
			_, err := conn.Read(make([]byte, 1))
			ended <- err
		}()
		go func() {
			_, err := conn.Write(make([]byte, 16<<20))
			ended <- err
		}()
		synctest.Wait()
		require.NoError(t, conn.Close())
		require.NoError(t, conn.Close())
		require.ErrorIs(t, <-ended, net.ErrClosed)
		require.ErrorIs(t, <-ended, net.ErrClosed)
	})
}

func TestAKilledBrokerResetsItsConnectionsAndRefusesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn := open(t)
		c.Node(1).Kill()
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		_, err = conn.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
		_, err = c.Dialer()(t.Context(), "tcp", c.Addrs()[0])
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	})
}

func TestAConnectionThatTheBrokerClosesIsAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conn := open(t)
		_, err := conn.Write(versions())
		require.NoError(t, err)
		answer(t, conn)
		_, err = conn.Write([]byte{0xff, 0xff, 0xff, 0xff}) // no frame has that length
		require.NoError(t, err)
		_, err = conn.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
	})
}

func TestAMachineWithoutPowerAnswersNoDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(1))
		c.Node(1).CrashLosingUnsynced()
		began := time.Now()
		_, err := c.Dialer()(t.Context(), "tcp", c.Addrs()[0])
		require.ErrorIs(t, err, syscall.ETIMEDOUT)
		require.GreaterOrEqual(t, time.Since(began), 10*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.Dialer()(ctx, "tcp", c.Addrs()[0])
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = c.Dialer()(ctx, "tcp", c.Addrs()[0])
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestAnAddressThatIsNotOfTheClusterIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := seedlogtest.New(t, seedlogtest.Nodes(1))
		_, err := c.Dialer()(t.Context(), "tcp", "localhost:9092")
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns)
		require.True(t, dns.IsNotFound)
		_, err = c.Dialer()(t.Context(), "tcp", "n1:9093")
		require.ErrorAs(t, err, &dns, "the controllers' listener is not for clients")
	})
}
