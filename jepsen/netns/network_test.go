package netns

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listen gives a socket of a leaf.
func listen(t *testing.T, s *Space) (c net.PacketConn) {
	t.Helper()
	var err error
	s.Do(func() { c, err = net.ListenPacket("udp4", s.Addr+":9") })
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// passes sends from one leaf to another and says whether it arrived.
func passes(t *testing.T, from, to net.PacketConn, text string) bool {
	t.Helper()
	_, _ = from.WriteTo([]byte(text), to.LocalAddr()) // a send may be told that nobody takes it
	b := make([]byte, 100)
	require.NoError(t, to.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	n, _, err := to.ReadFrom(b)
	return err == nil && string(b[:n]) == text
}

func TestACutLosesWhatGoesItsWayUntilItIsHealed(t *testing.T) {
	w, err := NewNetwork(3)
	if err != nil {
		t.Skip(err)
	}
	defer w.Close()
	var at []net.PacketConn
	for _, s := range w.Leaves {
		at = append(at, listen(t, s))
	}
	require.True(t, passes(t, at[0], at[1], "before"))
	require.NoError(t, w.Cut(0, 1))
	require.False(t, passes(t, at[0], at[1], "cut"))
	require.True(t, passes(t, at[1], at[0], "the other way"))
	require.True(t, passes(t, at[0], at[2], "another"))
	require.NoError(t, w.Both(1, 2))
	require.False(t, passes(t, at[1], at[2], "both"))
	require.False(t, passes(t, at[2], at[1], "ways"))
	require.NoError(t, w.Heal())
	require.True(t, passes(t, at[0], at[1], "healed"))
	require.True(t, passes(t, at[2], at[1], "healed too"))
}
