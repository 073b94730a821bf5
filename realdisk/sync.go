package realdisk

import (
	"syscall"

	"github.com/seedlog/seedlog/io/disk"
)

// waiter is a Sync that has not been answered.
type waiter struct {
	shard *shard
	token disk.Token
}

// askSync lets the Sync wait for the next fdatasync of f to start. The caller's hold of f goes to the syncer, or is dropped if the
// file has one already. Whoever finds a sync running joins the next one: that is the group commit.
func (d *Disk) askSync(f *file, s *shard, token disk.Token) {
	f.mu.Lock()
	f.waiting = append(f.waiting, waiter{s, token})
	queued := f.syncing
	f.syncing = true
	f.mu.Unlock()
	if queued {
		f.drop()
		return
	}
	d.syncers.put(job{file: f})
}

// sync runs on a syncer: one fdatasync for all that wait now. What was asked meanwhile goes to the end of the queue, so that a busy
// file does not keep others waiting.
func (d *Disk) sync(_ *worker, j *job) {
	f := j.file
	f.mu.Lock()
	f.serving, f.waiting = f.waiting, f.serving[:0]
	failed := f.failed
	f.mu.Unlock()
	if failed == nil {
		failed = fdatasync(f.fd)
	}
	for _, w := range f.serving {
		c := disk.Completion{Token: w.token}
		if failed != nil {
			c.Err, c.Detail = failed.err, failed.detail
		}
		w.shard.finish(c)
	}
	f.mu.Lock()
	f.failed = failed
	more := len(f.waiting) > 0
	f.syncing = more
	f.mu.Unlock()
	if more {
		d.syncers.put(job{file: f})
		return
	}
	f.drop()
}

func fdatasync(fd int) *failure {
	for {
		err := syscall.Fdatasync(fd)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
			continue
		}
		e, detail := outcome("fdatasync", err.(syscall.Errno))
		return &failure{e, detail}
	}
}
