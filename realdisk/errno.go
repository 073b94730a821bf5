package realdisk

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/disk"
)

// outcome gives the core's error for an errno, and what a person needs to see of it. It does not allocate on success.
func outcome(what string, e syscall.Errno) (disk.Err, string) {
	if e == 0 {
		return disk.OK, ""
	}
	return errOf(e), what + ": " + e.Error()
}

// set fills c from what a call returned; err's own text has the path where there is one.
func set(c *disk.Completion, what string, err error) {
	if err == nil {
		return
	}
	c.Err, c.Detail = errOf(errnoOf(err)), what+": "+err.Error()
}

// errnoOf finds the system's error in err; what is none of its own counts as an I/O error.
func errnoOf(err error) syscall.Errno {
	var e syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e
	}
	return unix.EIO
}

func errOf(e syscall.Errno) disk.Err {
	switch e {
	case 0:
		return disk.OK
	case unix.ENOENT, unix.ENOTDIR:
		return disk.ErrNotExist
	case unix.EEXIST:
		return disk.ErrExist
	case unix.ENOSPC, unix.EDQUOT:
		return disk.ErrNoSpace
	case unix.EACCES, unix.EPERM, unix.EROFS:
		return disk.ErrPermission
	case unix.EOPNOTSUPP, unix.ENOSYS:
		return disk.ErrUnsupported
	case unix.EMFILE, unix.ENFILE:
		return disk.ErrTooManyFiles
	case unix.ENOTEMPTY:
		return disk.ErrNotEmpty
	}
	return disk.ErrIO
}
