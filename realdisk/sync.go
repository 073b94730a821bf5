package realdisk

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

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
	if j.dir != nil {
		d.syncDir(j.dir)
		return
	}
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

// dir is a directory that is being synced, or waits for it. It exists only as long as somebody waits.
type dir struct {
	path    string
	waiting []waiter // for the next sync to start
	serving []waiter // by the one that runs
}

// askSyncDir lets the SyncDir wait for the next sync of its directory to start. Many logs are born at once when a topic is created, and each
// needs the directory that holds them all: one sync serves those that have come before it starts.
func (d *Disk) askSyncDir(path string, s *shard, token disk.Token) {
	d.dirsMu.Lock()
	x := d.dirs[path]
	queued := x != nil
	if !queued {
		x = &dir{path: path}
		d.dirs[path] = x
	}
	x.waiting = append(x.waiting, waiter{s, token})
	d.dirsMu.Unlock()
	if !queued {
		d.syncers.put(job{dir: x})
	}
}

func (d *Disk) syncDir(x *dir) {
	d.dirsMu.Lock()
	x.serving, x.waiting = x.waiting, x.serving[:0]
	d.dirsMu.Unlock()
	c := disk.Completion{}
	set(&c, "sync directory", fsyncDir(x.path))
	for _, w := range x.serving {
		c.Token = w.token
		w.shard.finish(c)
	}
	d.dirsMu.Lock()
	more := len(x.waiting) > 0
	if !more {
		delete(d.dirs, x.path)
	}
	d.dirsMu.Unlock()
	if more {
		d.syncers.put(job{dir: x})
	}
}

func fsyncDir(path string) error {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return err
	}
	return errors.Join(retry(func() error { return unix.Fsync(fd) }), unix.Close(fd))
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
