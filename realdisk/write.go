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

// pace is how long calls on one thing took of late: on a file's bytes, or on names.
type pace struct {
	slow  int           // slow calls less fast ones, 0 <= slow < slowRun
	until time.Duration // they are made by workers until then
}

// away says whether the next call goes to a worker.
func (p *pace) away(d *Disk) bool {
	if p.until == 0 {
		return false
	}
	if d.now() < p.until {
		return true
	}
	p.until = 0
	return false
}

// judge sends the calls to the workers after slowRun slow ones, and keeps them there while they stay slow. Fast ones make up for slow
// ones, so a lone stall moves nothing.
func (p *pace) judge(d *Disk, limit, took, now time.Duration) {
	if took <= limit {
		p.slow = max(p.slow-1, 0)
		return
	}
	p.slow++
	if p.slow >= slowRun || p.until != 0 {
		p.slow, p.until = 0, now+d.cfg.SlowFor
	}
}

// write does one Write on the calling thread, and notes how long it took.
func (d *Disk) write(f *file, r *disk.Request, iov *iovecs) disk.Completion {
	began := d.now()
	n, errno := pwriteAll(f.fd, r.Off, r.Vec, iov)
	end := d.now()
	f.pace.judge(d, d.cfg.SlowWrite, end-began, end)
	f.size = max(f.size, r.Off+n)
	c := disk.Completion{Token: r.Token, N: n}
	c.Err, c.Detail = outcome("pwritev", errno)
	return c
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
