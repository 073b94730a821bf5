package realnet

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of the hot path, without the error interface.

func sysRead(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := syscall.Syscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// sysSend writes the vector to a socket; more says that bytes of a file follow at once.
func sysSend(fd int, msg *unix.Msghdr, iov []unix.Iovec, more bool) (int, syscall.Errno) {
	flags := uintptr(unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT)
	if more {
		flags |= unix.MSG_MORE
	}
	var n uintptr
	var e syscall.Errno
	if len(iov) == 1 {
		n, _, e = syscall.Syscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(iov[0].Base)), uintptr(iov[0].Len), flags, 0, 0)
	} else {
		msg.Iov, msg.Iovlen = &iov[0], uint64(len(iov))
		n, _, e = syscall.Syscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(msg)), flags)
	}
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// epollWaitRaw does not tell Go's scheduler, so the loop's P stays with it; for short waits only.
func epollWaitRaw(ep int, evs []unix.EpollEvent, ms int) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&evs[0])), uintptr(len(evs)), uintptr(ms), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

func epollWait(ep int, evs []unix.EpollEvent, ms int) (int, syscall.Errno) {
	n, _, e := syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&evs[0])), uintptr(len(evs)), uintptr(ms), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}
