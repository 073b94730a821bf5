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

// askSync lets the Sync wait for the next fdatasync of f to start. The caller's hold of f goes to that, or is dropped if the file has one already. Whoever
// finds a sync running joins the next one: that is the group commit.
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
	d.queueSync(f, s)
}

// queueSync puts f at the end of the queue: of what the loop submits before it sleeps, or of the syncers'. s is the shard of f's owner.
func (d *Disk) queueSync(f *file, s *shard) {
	if s.aio.ctx != 0 && !f.noAIO && f.failed == nil {
		s.aio.queue = append(s.aio.queue, f)
		return
	}
	d.syncers.put(job{shard: s, file: f})
}

// submit begins the syncs that the shard has asked for. What the kernel does not take as it is, or not from us, syncers do.
func (d *Disk) submit(s *shard) {
	if s.aio.ctx == 0 {
		return
	}
	for !s.aio.submit() {
		f := s.aio.queue[0]
		s.aio.queue = append(s.aio.queue[:0], s.aio.queue[1:]...)
		f.noAIO = true
		d.syncers.put(job{shard: s, file: f})
	}
}

// sync runs on a syncer: one fdatasync for all that wait now.
func (d *Disk) sync(_ *worker, j *job) {
	if j.dir != nil {
		d.syncDir(j.dir)
		return
	}
	f := j.file
	failed := f.serve()
	if failed == nil {
		failed = fdatasync(f.fd)
	}
	for _, w := range f.serving {
		w.shard.finish(f.answer(w, failed))
	}
	if f.served(failed) {
		d.syncers.put(job{shard: j.shard, file: f})
	}
}

// synced takes the outcome of a sync that the kernel has done for the shard, on its own thread.
func (d *Disk) synced(s *shard, f *file, e syscall.Errno, done []disk.Completion) []disk.Completion {
	var failed *failure
	if e != 0 {
		err, detail := outcome("fdatasync", e)
		failed = &failure{err, detail}
	}
	for _, w := range f.serving {
		done = append(done, f.answer(w, failed))
	}
	if f.served(failed) {
		d.queueSync(f, s)
	}
	return done
}

// serve begins a sync for all that wait now. It gives the failure of an earlier one.
func (f *file) serve() *failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serving, f.waiting = f.waiting, f.serving[:0]
	return f.failed
}

// unserve takes serve back: the sync did not begin. Nothing was asked meanwhile.
func (f *file) unserve() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serving, f.waiting = f.waiting, f.serving
}

// served ends a sync. It says whether the file goes to the end of the queue, with what was asked meanwhile, so that a busy one does not keep others
// waiting; otherwise the hold is dropped.
func (f *file) served(failed *failure) bool {
	f.mu.Lock()
	f.failed = failed
	f.syncing = len(f.waiting) > 0
	more := f.syncing
	f.mu.Unlock()
	if !more {
		f.drop()
	}
	return more
}

func (f *file) answer(w waiter, failed *failure) disk.Completion {
	c := disk.Completion{Token: w.token}
	if failed != nil {
		c.Err, c.Detail = failed.err, failed.detail
	}
	return c
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
