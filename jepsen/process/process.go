package process

import (
	"os/exec"
	"syscall"
)

// Process is one that was started here.
type Process struct {
	PID  int
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a command on a thread.
func Start(on *Thread, cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	var err error
	on.Do(func() { err = cmd.Start() })
	if err != nil {
		return nil, err
	}
	p := &Process{PID: cmd.Process.Pid, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the code says it
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended says whether it has.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Code is the exit code of a process that has ended; -1: a signal ended it.
func (p *Process) Code() int { return p.cmd.ProcessState.ExitCode() }

// Signal sends one; a process that has ended takes none.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill is kill -9. It waits for the end.
func (p *Process) Kill() {
	if !p.Ended() {
		p.Signal(syscall.SIGKILL)
	}
	<-p.done
}
