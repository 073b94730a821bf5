package seedlogtest

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// failing keeps what a test is told.
type failing struct {
	testing.TB
	told string
}

func (f *failing) Errorf(format string, args ...any) { f.told += fmt.Sprintf(format, args...) }

func TestABrokerThatBreaksItsPromisesFailsTheTestAndEndsTheCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{TB: t}
		c := New(f, Nodes(1))
		dial := func() (net.Conn, error) { return c.Dialer()(context.Background(), "tcp", c.Addrs()[0]) }
		conn, err := dial()
		require.NoError(t, err)
		c.w.enter()
		c.w.sim.Engine().Fail("assert", "no panic", "node 1: boom")
		c.w.leave()
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = conn.Write([]byte("x"))
		require.Error(t, err)
		_, err = dial()
		require.ErrorIs(t, err, net.ErrClosed)
		require.Contains(t, f.told, "assert: was no panic; is node 1: boom")
		require.False(t, c.Node(1).Up())
		c.Node(1).Restart()
		require.False(t, c.Node(1).Up())
		require.NoError(t, conn.Close())
	})
}

func TestALinkIsCutBetweenGroupsOnly(t *testing.T) {
	for _, x := range []struct {
		groups [][]int
		cut    string
	}{
		{nil, ""},
		{[][]int{{1}}, ""},
		{[][]int{{1}, {2, 3}}, "1-2 1-3 "},
		{[][]int{{1, 2}, {2, 3}}, "1-3 "}, // 2 is a bridge
		{[][]int{{1}, {3}}, "1-3 "},
		{[][]int{{1}, {2}, {3}}, "1-2 1-3 2-3 "},
	} {
		cut := ""
		for a := 1; a <= 3; a++ {
			for b := a + 1; b <= 3; b++ {
				if parted(x.groups, a, b) {
					require.True(t, parted(x.groups, b, a))
					cut += fmt.Sprintf("%d-%d ", a, b)
				}
			}
		}
		require.Equal(t, x.cut, cut, "%v", x.groups)
	}
}
