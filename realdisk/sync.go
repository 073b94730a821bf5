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
	f := j.file
	failed := f.serve()
	switch {
	case f.dir != "":
		failed = fsyncDir(f.dir)
	case failed == nil:
		failed = fdatasync(f.fd)
	}
	for _, w := range f.serving {
		w.shard.finish(f.answer(w, failed))
	}
	if d.served(f, failed) {
		d.syncers.put(job{shard: j.shard, file: f})
	}
}

// synced takes the outcome of a sync that the kernel has done for the shard, on its own thread.
func (d *Disk) synced(s *shard, f *file, e syscall.Errno, done []disk.Completion) []disk.Completion {
	var failed *failure
	if e != 0 {
		err, detail := outcome(f.syncCall(), e)
		failed = &failure{err, detail}
	}
	f.closeDir()
	for _, w := range f.serving {
		if w.shard != s { // directories are shared
			w.shard.finish(f.answer(w, failed))
			continue
		}
		done = append(done, f.answer(w, failed))
	}
	if d.served(f, failed) {
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

// Syncs is the number of syncs that have ended, of files and of directories. One may have answered several requests.
func (d *Disk) Syncs() int64 { return d.syncs.Load() }

// unserve takes serve back: the sync did not begin.
func (f *file) unserve() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serving, f.waiting = nil, append(f.serving, f.waiting...)
}

// served ends a sync. It says whether the file goes to the end of the queue, with what was asked meanwhile, so that a busy one does not keep others
// waiting; otherwise the hold is dropped.
func (d *Disk) served(f *file, failed *failure) bool {
	d.syncs.Add(1)
	if f.dir != "" {
		return d.servedDir(f)
	}
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

// askSyncDir lets the SyncDir wait for the next sync of its directory to start. Many logs are born at once when a topic is created, and each
// needs the directory that holds them all: one sync serves those that have come before it starts. A directory exists here only as long as somebody
// waits, and is opened for each sync: its path may have come to mean another one.
func (d *Disk) askSyncDir(path string, s *shard, token disk.Token) {
	d.dirsMu.Lock()
	f := d.dirs[path]
	queued := f != nil
	if !queued {
		f = &file{fd: -1, dir: path}
		f.refs.Store(1)
		d.dirs[path] = f
	}
	f.mu.Lock()
	f.waiting = append(f.waiting, waiter{s, token})
	f.mu.Unlock()
	d.dirsMu.Unlock()
	if !queued {
		d.queueSync(f, s)
	}
}

func (d *Disk) servedDir(f *file) bool {
	d.dirsMu.Lock()
	defer d.dirsMu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) > 0 {
		return true
	}
	delete(d.dirs, f.dir)
	return false
}

// closeDir closes a directory's descriptor after its sync.
func (f *file) closeDir() {
	if f.dir != "" && f.fd >= 0 {
		_ = unix.Close(f.fd) // nothing was written through it, so its result says nothing
		f.fd = -1
	}
}

func (f *file) syncCall() string {
	if f.dir != "" {
		return "sync directory"
	}
	return "fdatasync"
}

func openDir(path string) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

func fsyncDir(path string) *failure {
	fd, err := openDir(path)
	if err == nil {
		err = errors.Join(retry(func() error { return unix.Fsync(fd) }), unix.Close(fd))
	}
	if err == nil {
		return nil
	}
	e, detail := outcome("sync directory", errnoOf(err))
	return &failure{e, detail}
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
