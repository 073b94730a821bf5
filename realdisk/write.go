package realdisk

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/disk"
)

// maxIovecs is the kernel's limit for one call (IOV_MAX).
const maxIovecs = 1024

// iovecs is scratch that one thread reuses for its system calls.
type iovecs struct{ v []unix.Iovec }

// slow says whether f's next write goes to a worker.
func (d *Disk) slow(f *file) bool {
	if f.slowUntil == 0 {
		return false
	}
	if d.now() < f.slowUntil {
		return true
	}
	f.slowUntil = 0
	return false
}

// write does one Write on the calling thread, and notes how long it took.
func (d *Disk) write(f *file, r *disk.Request, iov *iovecs) disk.Completion {
	began := d.now()
	n, errno := pwriteAll(f.fd, r.Off, r.Vec, iov)
	end := d.now()
	d.judge(f, end-began, end)
	c := disk.Completion{Token: r.Token, N: n}
	c.Err, c.Detail = outcome("pwritev", errno)
	return c
}

// judge moves f to the workers after slowRun slow writes, and keeps it there while its writes stay slow. Fast writes make up for slow
// ones, so a lone stall moves nothing.
func (d *Disk) judge(f *file, took, now time.Duration) {
	if took <= d.cfg.SlowWrite {
		f.slow = max(f.slow-1, 0)
		return
	}
	f.slow++
	if f.slow >= slowRun || f.slowUntil != 0 {
		f.slow, f.slowUntil = 0, now+d.cfg.SlowFor
	}
}

// pwriteAll writes vec from off, continuing after short counts, and returns how much it wrote.
func pwriteAll(fd int, off int64, vec [][]byte, iov *iovecs) (int64, syscall.Errno) {
	var total int64
	i, skip := 0, 0 // the next byte is vec[i][skip]
	for {
		iov.v = iov.v[:0]
		for k, s := i, skip; k < len(vec) && len(iov.v) < maxIovecs; k, s = k+1, 0 {
			if b := vec[k][s:]; len(b) > 0 {
				iov.v = append(iov.v, unix.Iovec{Base: &b[0], Len: uint64(len(b))})
			}
		}
		if len(iov.v) == 0 {
			return total, 0
		}
		n, errno := pwritev(fd, iov.v, off+total)
		clear(iov.v)
		if errno == syscall.EINTR {
			continue
		}
		if errno == 0 && n == 0 {
			errno = syscall.EIO
		}
		if errno != 0 {
			return total, errno
		}
		total += int64(n)
		i, skip = advance(vec, i, skip, n)
	}
}

// advance gives the place that lies n bytes behind vec[i][skip]; there are so many.
func advance(vec [][]byte, i, skip, n int) (int, int) {
	for n > 0 {
		rest := len(vec[i]) - skip
		if n < rest {
			return i, skip + n
		}
		n -= rest
		i, skip = i+1, 0
	}
	return i, skip
}

func pwritev(fd int, iov []unix.Iovec, off int64) (int, syscall.Errno) {
	if len(iov) == 1 {
		n, _, e := syscall.Syscall6(unix.SYS_PWRITE64, uintptr(fd), uintptr(unsafe.Pointer(iov[0].Base)), uintptr(iov[0].Len), uintptr(off), 0, 0)
		return int(n), e
	}
	n, _, e := syscall.Syscall6(unix.SYS_PWRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)), uintptr(off), 0, 0)
	return int(n), e
}
