package realdisk

import (
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/disk"
)

// work runs on a worker: anything but a Sync.
func (d *Disk) work(w *worker, j *job) {
	if j.key != 0 {
		d.warm(w, j)
		return
	}
	c := disk.Completion{Token: j.req.Token}
	if j.file != nil {
		d.onFile(w, j.file, &j.req, &c)
		j.file.drop()
	} else {
		d.onPath(&j.req, &c)
	}
	j.shard.finish(c)
}

// onFile does what needs an open file.
func (d *Disk) onFile(w *worker, f *file, r *disk.Request, c *disk.Completion) {
	switch r.Kind {
	case disk.Write:
		*c = d.write(f, r, &w.iov)
	case disk.Read:
		n, errno := preadAll(f.fd, r.Bytes, r.Off)
		c.N = n
		c.Err, c.Detail = outcome("pread", errno)
	case disk.Lock:
		c.Err, c.Detail = lock(f.fd)
	case disk.Readahead:
		set(c, "fadvise", unix.Fadvise(f.fd, r.Off, r.Size, unix.FADV_WILLNEED))
	case disk.Truncate:
		set(c, "ftruncate", retry(func() error { return unix.Ftruncate(f.fd, r.Size) }))
	case disk.Allocate:
		set(c, "fallocate", retry(func() error { return unix.Fallocate(f.fd, unix.FALLOC_FL_KEEP_SIZE, r.Off, r.Size) }))
	}
}

// onPath does what names its object by path, and Close.
func (d *Disk) onPath(r *disk.Request, c *disk.Completion) {
	switch r.Kind {
	case disk.Open:
		d.open(r, c)
	case disk.Close:
		c.Err, c.Detail = outcome("close", d.files.take(r.File).drop())
	case disk.Rename:
		set(c, "rename", os.Rename(r.Path, r.NewPath))
	case disk.Remove:
		set(c, "remove", os.Remove(r.Path))
	case disk.List:
		list(r, c)
	case disk.Mkdir:
		set(c, "mkdir", mkdir(r.Path))
	case disk.Free:
		free(r, c)
	default:
		panic("realdisk: request of no kind")
	}
}

func (d *Disk) open(r *disk.Request, c *disk.Completion) {
	// O_NONBLOCK means nothing to a regular file, and keeps a pipe that lies there from hanging the worker.
	flags := unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK
	if r.Flags&disk.ReadOnly != 0 {
		flags |= unix.O_RDONLY
	} else {
		flags |= unix.O_RDWR
	}
	if r.Flags&disk.Create != 0 {
		flags |= unix.O_CREAT
		if r.Flags&disk.Exclusive != 0 {
			flags |= unix.O_EXCL
		}
	}
	var fd int
	err := retry(func() (err error) { fd, err = unix.Open(r.Path, flags, 0o644); return })
	if err != nil {
		set(c, "open", err)
		return
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = unix.EINVAL
	}
	if err != nil {
		unix.Close(fd) // Nothing was written through it, so its result says nothing.
		set(c, "open as a regular file", err)
		return
	}
	f := &file{fd: fd, size: st.Size}
	f.refs.Store(1)
	d.files.put(r.File, f)
	c.N = st.Size
}

// lock takes an open file description lock of the whole file. It excludes other processes and other opens, and, unlike flock(2), also
// who locks as Apache Kafka does (fcntl), should both be started on one directory. File systems without it get flock.
func lock(fd int) (disk.Err, string) {
	err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: unix.SEEK_SET})
	if err == unix.EINVAL || err == unix.ENOLCK || err == unix.EOPNOTSUPP {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == unix.EAGAIN || err == unix.EACCES {
		return disk.ErrLocked, "lock: " + err.Error()
	}
	return outcome("lock", errnoOf(err))
}

func list(r *disk.Request, c *disk.Completion) {
	entries, err := os.ReadDir(r.Path)
	if err != nil {
		set(c, "list", err)
		return
	}
	c.Names = make([]string, 0, len(entries))
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		c.Names = append(c.Names, name)
	}
	slices.Sort(c.Names) // The '/' counts, as for every other driver.
}

func free(r *disk.Request, c *disk.Completion) {
	var st unix.Statfs_t
	err := retry(func() error { return unix.Statfs(r.Path, &st) })
	if err != nil {
		set(c, "statfs", err)
		return
	}
	c.N, c.Total = int64(st.Bavail)*st.Frsize, int64(st.Blocks)*st.Frsize
}

// preadAll reads until b is full or the file ends.
func preadAll(fd int, b []byte, off int64) (int64, syscall.Errno) {
	var total int64
	for len(b) > 0 {
		n, err := unix.Pread(fd, b, off+total)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return total, errnoOf(err)
		}
		if n == 0 {
			break
		}
		total += int64(n)
		b = b[n:]
	}
	return total, 0
}

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
