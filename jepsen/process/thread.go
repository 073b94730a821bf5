package process

import (
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Thread is a thread of the operating system that runs one function at a time. What it starts inherits its namespaces and dies with it.
type Thread struct {
	calls chan func()
	once  sync.Once
	tid   int
}

// NewThread makes a thread. Prepare runs on it first (nil: nothing); an error of its ends the thread.
func NewThread(prepare func() error) (*Thread, error) {
	t := &Thread{calls: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and its namespaces with what runs in them
		t.tid = unix.Gettid()
		var err error
		if prepare != nil {
			err = prepare()
		}
		made <- err
		if err != nil {
			return
		}
		for f := range t.calls {
			f()
		}
	}()
	return t, <-made
}

// TID is the thread's id.
func (t *Thread) TID() int { return t.tid }

// Do runs a function on the thread and waits for it.
func (t *Thread) Do(f func()) {
	done := make(chan struct{})
	t.calls <- func() { defer close(done); f() }
	<-done
}

// Close ends the thread, and with it the processes that it started. Nothing may be done on it afterwards.
func (t *Thread) Close() { t.once.Do(func() { close(t.calls) }) }

// OwnMounts gives the thread its own view of what is mounted where: what it mounts from then on only it and its processes see.
func (t *Thread) OwnMounts() (err error) {
	t.Do(func() {
		if err = unix.Unshare(unix.CLONE_NEWNS); err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
	})
	if err != nil {
		return fmt.Errorf("mounts of its own: %w", err)
	}
	return nil
}
