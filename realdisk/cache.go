package realdisk

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/disk"
)

// warmStep is a worker's read while it waits for the pages: their content is thrown away.
const warmStep = 128 << 10

var pageSize = int64(os.Getpagesize())

// readCached fills b from off if all of it lies in the page cache. A count that falls short may mean the end of the file as well as a
// missing page: a worker finds out.
func readCached(fd int, b []byte, off int64) (int64, bool) {
	if len(b) > inlineRead {
		return 0, false
	}
	if len(b) == 0 {
		return 0, true
	}
	n, errno := preadNow(fd, b, off)
	return int64(n), errno == 0 && n == len(b)
}

func preadNow(fd int, b []byte, off int64) (int, syscall.Errno) {
	iov := unix.Iovec{Base: &b[0], Len: uint64(len(b))}
	n, _, e := syscall.Syscall6(unix.SYS_PREADV2, uintptr(fd), uintptr(unsafe.Pointer(&iov)), 1, uintptr(off), 0, unix.RWF_NOWAIT)
	return int(n), e
}

// Cached says whether all of x lies in the page cache, so that sending it does not wait for the disk (0.2 µs for 64 KiB). A non-blocking
// socket does not keep sendfile from blocking on the file.
func (d *Disk) Cached(shard int, x disk.Extent) bool {
	f := d.files.find(x.File)
	if f == nil || x.Len <= 0 {
		return true // SendFile says what is wrong.
	}
	defer f.drop()
	if !d.noCachestat.Load() {
		var st unix.Cachestat_t
		err := unix.Cachestat(uint(f.fd), &unix.CachestatRange{Off: uint64(x.Off), Len: uint64(x.Len)}, &st, 0)
		if err == nil {
			pages := (x.Off+int64(x.Len)+pageSize-1)/pageSize - x.Off/pageSize
			return st.Cache >= uint64(pages)
		}
		d.noCachestat.Store(true) // An older kernel, or a sandbox that does not know the call.
	}
	return d.cachedByReading(d.shards[shard], f.fd, x)
}

// cachedByReading copies x, which tells the same for 11 µs per 256 KiB. It knows no answer, and says yes, where the file system has no
// RWF_NOWAIT.
func (d *Disk) cachedByReading(s *shard, fd int, x disk.Extent) bool {
	if s.page == nil {
		s.page = make([]byte, inlineRead)
	}
	for off, end := x.Off, x.Off+int64(x.Len); off < end; {
		b := s.page[:min(end-off, inlineRead)]
		n, errno := preadNow(fd, b, off)
		if errno == syscall.EAGAIN || errno == 0 && n < len(b) {
			return false
		}
		if errno != 0 {
			return true
		}
		off += int64(n)
	}
	return true
}

// Warm reads x into the page cache; the caller bounds its length. Completed returns key, which is not 0, when it is there, or could not be
// read: then SendFile fails.
func (d *Disk) Warm(shard int, x disk.Extent, key uint64) {
	s := d.shards[shard]
	f := d.files.find(x.File)
	if f == nil {
		s.finishWarm(key)
		return
	}
	d.workers.put(job{shard: s, file: f, key: key, ext: x})
}

func (d *Disk) warm(w *worker, j *job) {
	if w.scratch == nil {
		w.scratch = make([]byte, warmStep)
	}
	off, end := j.ext.Off, j.ext.Off+int64(j.ext.Len)
	// The hint starts all of the reading; its failure costs time only.
	_ = unix.Fadvise(j.file.fd, off, end-off, unix.FADV_WILLNEED)
	for off < end {
		n, errno := preadAll(j.file.fd, w.scratch[:min(end-off, warmStep)], off)
		if errno != 0 || n == 0 {
			break
		}
		off += n
	}
	j.file.drop()
	j.shard.finishWarm(j.key)
}

// SendFile sends what the socket takes of x, from any shard's thread. A count of 0 without an error means that the file ends before x.
func (d *Disk) SendFile(sock int, x disk.Extent) (int, syscall.Errno) {
	f := d.files.find(x.File)
	if f == nil {
		return 0, syscall.EBADF
	}
	off := x.Off
	n, _, e := syscall.Syscall6(syscall.SYS_SENDFILE, uintptr(sock), uintptr(f.fd), uintptr(unsafe.Pointer(&off)), uintptr(x.Len), 0, 0)
	f.drop()
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}
