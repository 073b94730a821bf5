package commitlog

import (
	"fmt"

	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// wrap makes a completion's error a Go error that errors.As finds the disk.Err in.
func wrap(what string, c *disk.Completion) error {
	if c.Detail != "" {
		return fmt.Errorf("%s: %w (%s)", what, c.Err, c.Detail)
	}
	return fmt.Errorf("%s: %w", what, c.Err)
}

// writeFile makes a small file of exactly these bytes, and syncs it if asked. Its name is the caller's to sync.
func writeFile(t *task.Task, e *env.Env, path string, b []byte, sync bool) disk.Completion {
	f := e.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: path, Flags: disk.Create})
	if c.Err != disk.OK {
		if !t.Stopped() {
			e.FreeFile(f)
		}
		return c
	}
	if c.N > int64(len(b)) {
		c = t.Disk(disk.Request{Kind: disk.Truncate, File: f, Size: 0})
	}
	if c.Err == disk.OK && len(b) > 0 {
		c = t.Disk(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{b}})
	}
	if c.Err == disk.OK && sync {
		c = t.Disk(disk.Request{Kind: disk.Sync, File: f})
	}
	closeFile(t, e, f)
	return c
}

// closeFile closes a file and gives its number back.
func closeFile(t *task.Task, e *env.Env, f disk.File) {
	t.Disk(disk.Request{Kind: disk.Close, File: f})
	if !t.Stopped() {
		e.FreeFile(f)
	}
}

// maxSmallFile bounds what readFile reads: checkpoints and snapshots.
const maxSmallFile = 64 << 20

// readFile reads a small file whole.
func readFile(t *task.Task, e *env.Env, path string) ([]byte, disk.Completion) {
	f := e.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: path, Flags: disk.ReadOnly})
	if c.Err != disk.OK {
		if !t.Stopped() {
			e.FreeFile(f)
		}
		return nil, c
	}
	var b []byte
	if c.N > maxSmallFile {
		c.Err = disk.ErrUnsupported
	} else if c.N > 0 {
		b = make([]byte, c.N)
		c = t.Disk(disk.Request{Kind: disk.Read, File: f, Bytes: b})
		b = b[:max(c.N, 0)]
	}
	closeFile(t, e, f)
	return b, c
}

// cutFile makes a file that may not exist no longer than size, durably.
func cutFile(t *task.Task, e *env.Env, path string, size int64) error {
	f := e.File()
	c := t.Disk(disk.Request{Kind: disk.Open, File: f, Path: path})
	if c.Err != disk.OK {
		if !t.Stopped() {
			e.FreeFile(f)
		}
		if c.Err == disk.ErrNotExist {
			return nil
		}
		return wrap("open "+path, &c)
	}
	if c.N > size {
		if c = t.Disk(disk.Request{Kind: disk.Truncate, File: f, Size: size}); c.Err == disk.OK {
			c = t.Disk(disk.Request{Kind: disk.Sync, File: f})
		}
	}
	closeFile(t, e, f)
	if c.Err != disk.OK {
		return wrap("truncate "+path, &c)
	}
	return nil
}
