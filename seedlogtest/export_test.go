package seedlogtest

import "net"

// Unread is how many bytes wait in a connection for a Read.
func Unread(x net.Conn) int {
	c := x.(*conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.in)
}
