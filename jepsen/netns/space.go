package netns

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/jepsen/process"
)

// Space is a network namespace, with a thread that lives in it: what it starts lives in it too.
type Space struct {
	*process.Thread
	Addr string // in its Network; "" outside
	path string // of the namespace
}

// NewSpace makes a namespace with nothing but a loopback, or says why there is none.
func NewSpace() (*Space, error) {
	t, err := process.NewThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) })
	if err != nil {
		return nil, fmt.Errorf("network namespaces: %w", err)
	}
	s := &Space{Thread: t, path: fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), t.TID())}
	if err := s.Run("ip", "link", "set", "lo", "up"); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Run runs a command in the namespace.
func (s *Space) Run(args ...string) error {
	var out []byte
	var err error
	s.Do(func() { out, err = exec.Command(args[0], args[1:]...).CombinedOutput() })
	if err != nil {
		return fmt.Errorf("network namespaces: %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Dial is a client's connection from within the namespace; each has a thread of its own, since some wait long.
func (s *Space) Dial(ctx context.Context, network, host string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends here, since it is of no use elsewhere
		var fd int
		if fd, err = unix.Open(s.path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		defer unix.Close(fd)
		if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
			conn, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, host)
		}
	}()
	<-done
	return conn, err
}
