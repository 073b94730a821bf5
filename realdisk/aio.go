package realdisk

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/disk"
)

// Of linux/aio_abi.h.
const (
	iocbFsync   = 2 // IOCB_CMD_FSYNC, since Linux 4.18
	iocbFdsync  = 3 // IOCB_CMD_FDSYNC
	iocbEventfd = 1 // IOCB_FLAG_RESFD
)

type iocb struct {
	data             uint64 // returned in the event
	key, rwFlags     uint32
	op               uint16
	priority         int16
	fd               uint32
	addr, len        uint64
	off              int64
	_                uint64
	flags, completed uint32 // completed: the eventfd
}

type ioEvent struct {
	data, obj uint64
	res, res2 int64
}

// aio hands fdatasyncs to the kernel's own threads, for one shard. A thread of ours that blocks in fdatasync costs the Go scheduler two hand-overs and
// keeps its monitor awake (31 context switches a synced record, against 3), and the time of these hand-overs stands in each answer. An eventfd of the
// shard's loop tells of completions; the kernel's workers are not counted as CPU of the process.
//
// All but close is of the loop's thread. Where the kernel has no asynchronous fdatasync, or forbids it, syncers do the work.
type aio struct {
	ctx    uintptr // 0: none
	bell   int
	queue  []*file // that want a sync; all of them have waiters
	flying []*file // by slot; nil is a free one
	free   []uint32
	iocbs  []iocb // by slot
	ptrs   []*iocb
	events []ioEvent
	now    unix.Timespec // no wait
}

// open sets up at most n syncs at a time.
func (a *aio) open(n, bell int) {
	if bell < 0 {
		return
	}
	if _, _, e := unix.Syscall(unix.SYS_IO_SETUP, uintptr(n), uintptr(unsafe.Pointer(&a.ctx)), 0); e != 0 {
		a.ctx = 0
		return
	}
	a.bell = bell
	a.flying, a.iocbs, a.events = make([]*file, n), make([]iocb, n), make([]ioEvent, n)
	for i := range n {
		a.free = append(a.free, uint32(n-1-i))
	}
}

// close waits for what was begun.
func (a *aio) close() {
	if a.ctx == 0 {
		return
	}
	_, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, a.ctx, 0, 0) // fails only for what is no context
	a.ctx = 0
	for _, f := range a.flying {
		if f != nil {
			f.drop()
		}
	}
	for _, f := range a.queue {
		f.drop()
	}
}

// submit begins what is queued, as far as there are slots. It returns false, with the queue as it was, if the kernel does not take it.
func (a *aio) submit() bool {
	for len(a.queue) > 0 && len(a.free) > 0 {
		n := min(len(a.queue), len(a.free))
		slots := a.free[len(a.free)-n:] // used from the end
		a.ptrs = a.ptrs[:0]
		for i := range n {
			slot := slots[n-1-i]
			a.iocbs[slot] = a.begin(a.queue[i], slot)
			a.ptrs = append(a.ptrs, &a.iocbs[slot])
		}
		taken, _, e := syscall.Syscall(unix.SYS_IO_SUBMIT, a.ctx, uintptr(n), uintptr(unsafe.Pointer(&a.ptrs[0])))
		k := int(taken)
		if e != 0 {
			k = 0
		}
		for i, f := range a.queue[:n] {
			if i < k {
				a.flying[slots[n-1-i]] = f
			} else {
				f.closeDir()
				f.unserve()
			}
		}
		a.free = a.free[:len(a.free)-k]
		rest := copy(a.queue, a.queue[k:])
		clear(a.queue[rest:])
		a.queue = a.queue[:rest]
		if k == 0 {
			return false
		}
	}
	return true
}

// begin makes the request of one sync, for all that wait for it now. A directory that cannot be opened leaves a descriptor that the kernel refuses;
// a syncer will say what is wrong.
func (a *aio) begin(f *file, slot uint32) iocb {
	f.serve()
	op := uint16(iocbFdsync)
	if f.dir != "" {
		op = iocbFsync
		f.fd, _ = openDir(f.dir)
	}
	return iocb{data: uint64(slot), op: op, fd: uint32(f.fd), flags: iocbEventfd, completed: uint32(a.bell)}
}

// ended appends the answers to the syncs that have ended.
func (a *aio) ended(d *Disk, s *shard, done []disk.Completion) []disk.Completion {
	for len(a.free) < len(a.flying) {
		a.now = unix.Timespec{}
		n, _, e := syscall.Syscall6(unix.SYS_IO_GETEVENTS, a.ctx, 0, uintptr(len(a.events)), uintptr(unsafe.Pointer(&a.events[0])), uintptr(unsafe.Pointer(&a.now)), 0)
		if e == syscall.EINTR {
			continue
		}
		if e != 0 || n == 0 {
			break
		}
		for _, ev := range a.events[:n] {
			f := a.flying[ev.data]
			a.flying[ev.data] = nil
			a.free = append(a.free, uint32(ev.data))
			done = d.synced(s, f, syscall.Errno(-min(ev.res, 0)), done)
		}
	}
	return done
}
