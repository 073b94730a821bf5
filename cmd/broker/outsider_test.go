package main_test

import (
	"bufio"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// spell is a time in which a member owned a partition, in nanoseconds of the machine's monotonic clock.
type spell struct {
	who      string
	from, to int64
}

// outsider is a process with another language's client, a member of a group, that says what befalls it: testdata/clients/Member.java and
// member.py have the lines.
type outsider struct {
	name   string
	cmd    *exec.Cmd
	errors lines
	done   chan struct{} // closed when it has ended and all of its lines are heard

	mu     sync.Mutex
	owned  map[int32]int64   // since when
	kept   map[int32]int64   // when the last commit was sent that was accepted
	spells map[int32][]spell // that are over
	at     map[uint64]place  // where each record was read
	newest uint64            // the highest number of those
	left   bool
	bad    string // the first line that must not be
}

func newOutsider(t testing.TB, name string, cmd *exec.Cmd) *outsider {
	t.Helper()
	x := &outsider{name: name, cmd: cmd, done: make(chan struct{}), owned: map[int32]int64{}, kept: map[int32]int64{}, spells: map[int32][]spell{}, at: map[uint64]place{}}
	cmd.Stderr = &x.errors
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(x.done)
		for s := bufio.NewScanner(out); s.Scan(); {
			x.hear(s.Text())
		}
		_ = cmd.Wait() // killed, as a rule
	}()
	t.Cleanup(func() {
		x.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, clip(x.errors.String()))
		}
	})
	return x
}

// hear takes a line: when, what, and numbers.
func (x *outsider) hear(line string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	words := strings.Fields(line)
	var args []int64
	for i, w := range words {
		n, err := strconv.ParseInt(w, 10, 64)
		if i != 1 && err == nil {
			args = append(args, n)
		}
	}
	ok := len(words) > 1 && len(args) == len(words)-1
	if ok {
		ok = x.take(words[1], args[0], args[1:])
	}
	if !ok && x.bad == "" {
		x.bad = line
	}
}

func (x *outsider) take(what string, at int64, args []int64) bool {
	switch {
	case what == "read" && len(args) == 3:
		n := uint64(args[2])
		x.at[n] = place{int32(args[0]), args[1]}
		x.newest = max(x.newest, n)
		return true
	case what == "left":
		x.left = true
		return len(x.owned) == 0
	}
	for _, a := range args {
		p := int32(a)
		_, has := x.owned[p]
		switch {
		case what == "own" && !has:
			x.owned[p] = at
		case what == "kept" && has:
			x.kept[p] = at
		case what == "gone" && has:
			x.over(p, at)
		case what == "lost" && has:
			x.over(p, x.kept[p])
		default:
			return false
		}
	}
	return what == "own" || what == "kept" || what == "gone" || what == "lost"
}

// over ends a spell. One that ended by a time-out or by death is sure to have lasted only until the last commit that was accepted.
func (x *outsider) over(p int32, to int64) {
	x.spells[p] = append(x.spells[p], spell{x.name, x.owned[p], max(to, x.owned[p])})
	delete(x.owned, p)
}

// has gives the partitions that it says it owns, in order.
func (x *outsider) has() (parts []int32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for p := range x.owned {
		parts = append(parts, p)
	}
	slices.Sort(parts)
	return parts
}

// hasRead says whether it has read a record of at least that number.
func (x *outsider) hasRead(n uint64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.newest >= n
}

// kill is kill -9.
func (x *outsider) kill() {
	_ = x.cmd.Process.Kill() // it may have ended
	<-x.done
	x.mu.Lock()
	defer x.mu.Unlock()
	for p := range x.owned {
		x.over(p, x.kept[p])
	}
}

// signal asks it to leave its group and end.
func (x *outsider) signal() { _ = x.cmd.Process.Signal(syscall.SIGTERM) } // what it says then is what counts

// leave lets it leave its group, and waits until it has ended.
func (x *outsider) leave(t testing.TB) {
	t.Helper()
	x.signal()
	select {
	case <-x.done:
	case <-time.After(patience * time.Minute):
		t.Fatalf("%s does not leave", x.name)
	}
	if !x.left {
		t.Errorf("%s ended without leaving", x.name)
	}
}
