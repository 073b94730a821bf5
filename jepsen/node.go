package jepsen

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/seedlog/seedlog/jepsen/process"
)

// Node is one broker and controller, over as many lives as it has.
type Node struct {
	id     int // from 0; node.id is one more
	addr   string
	inner  string // of its controller
	dir    string // of its data
	home   string // the same unless it has a disk of its own: what is beside it the program sees too
	log    string
	thread *process.Thread
	p      *process.Process // nil: never started
	wanted bool             // it is to run; one that has ended all the same fell
	disk   string           // where a file system of its own is mounted; "": none
}

func (n *Node) name() string { return fmt.Sprintf("n%d", n.id+1) }

func (n *Node) running() bool { return n.p != nil && !n.p.Ended() }

// start begins a life. Its output is appended to the node's log.
func (n *Node) start(c *Cluster) error {
	out, err := os.OpenFile(n.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	fmt.Fprintf(out, "=== %s starts at %v of the run\n", n.name(), time.Duration(c.rec.Now()).Round(time.Millisecond))
	cmd := c.sys.command(c, n)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is the program's to handle: nodes end when it says so
	if n.p, err = process.Start(n.thread, cmd); err != nil {
		return fmt.Errorf("start %s: %w", n.name(), err)
	}
	n.wanted = true
	c.lived(n, true)
	return nil
}

// kill is kill -9.
func (n *Node) kill(c *Cluster) {
	n.wanted = false
	if n.p == nil {
		return
	}
	n.p.Kill()
	c.lived(n, false)
}

// term is SIGTERM, and kill -9 if it does not end in time. It says whether it ended well.
func (n *Node) term(c *Cluster, within time.Duration) error {
	n.wanted = false
	if n.p == nil {
		return nil
	}
	n.p.Signal(syscall.SIGTERM)
	n.p.Signal(syscall.SIGCONT) // one that is paused is told nothing else
	defer c.lived(n, false)
	select {
	case <-n.p.Done():
		if code := n.p.Code(); code != 0 && code != 143 { // 143: a JVM that was told to end
			return fmt.Errorf("%s ended with code %d after SIGTERM", n.name(), code)
		}
		return nil
	case <-time.After(within):
		n.p.Kill()
		return fmt.Errorf("%s did not end within %v of SIGTERM", n.name(), within)
	}
}

// told says how a node ended, in the last lines of its log.
func (n *Node) told() string {
	b, err := os.ReadFile(n.log)
	if err != nil {
		return fmt.Sprintf("%s, code %d: %v", n.name(), n.p.Code(), err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return fmt.Sprintf("%s, code %d:\n%s", n.name(), n.p.Code(), strings.Join(lines[max(0, len(lines)-20):], "\n"))
}

// said says whether the last line of a node's log holds a text.
func (n *Node) said(text string) bool {
	b, err := os.ReadFile(n.log)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return err == nil && strings.Contains(lines[len(lines)-1], text)
}
