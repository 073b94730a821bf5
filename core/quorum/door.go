package quorum

import (
	"sync"

	"github.com/seedlog/seedlog/io/disk"
)

// door is how goroutines use the disk: a request goes into the outbox, and the goroutine waits for its completion.
type door struct {
	out  *outbox
	dead chan struct{}
	lane int

	mu   sync.Mutex
	used []bool // file numbers in use, by index
}

// errDead is what every request gets once the node is dead.
var errDead = disk.Completion{Err: disk.ErrIO, Detail: "the node has ended"}

// do executes one request. The bytes it names stay put until it returns, but after the node's death.
func (d *door) do(key string, r disk.Request) disk.Completion {
	done := make(chan disk.Completion, 1)
	if !d.out.put(item{class: classDisk, key: key, disk: r, done: done}) {
		return errDead
	}
	select {
	case c := <-done:
		return c
	case <-d.dead:
		return errDead
	}
}

// file takes a file number.
func (d *door) file() disk.File {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, u := range d.used {
		if !u {
			d.used[i] = true
			return disk.FileOf(d.lane, i+1)
		}
	}
	d.used = append(d.used, true)
	return disk.FileOf(d.lane, len(d.used))
}

func (d *door) free(f disk.File) {
	d.mu.Lock()
	d.used[f.Index()-1] = false
	d.mu.Unlock()
}

// open opens a file and gives its size.
func (d *door) open(path string, flags disk.Flags) (disk.File, int64, *diskError) {
	f := d.file()
	c := d.do(path, disk.Request{Kind: disk.Open, File: f, Path: path, Flags: flags})
	if c.Err != disk.OK {
		d.free(f)
		return 0, 0, failure(path, "open", &c)
	}
	return f, c.N, nil
}

func (d *door) close(path string, f disk.File) {
	if c := d.do(path, disk.Request{Kind: disk.Close, File: f}); c.Err == disk.OK {
		d.free(f)
	}
}

// path executes a request that names paths.
func (d *door) path(k disk.Kind, path, newPath string) *diskError {
	c := d.do(path, disk.Request{Kind: k, Path: path, NewPath: newPath})
	return failure(path, names[k], &c)
}

func (d *door) sync(path string, f disk.File) *diskError {
	c := d.do(path, disk.Request{Kind: disk.Sync, File: f})
	return failure(path, "sync", &c)
}

func (d *door) truncate(path string, f disk.File, size int64) *diskError {
	c := d.do(path, disk.Request{Kind: disk.Truncate, File: f, Size: size})
	return failure(path, "truncate", &c)
}

func (d *door) write(path string, f disk.File, off int64, b []byte) *diskError {
	c := d.do(path, disk.Request{Kind: disk.Write, File: f, Off: off, Vec: [][]byte{b}})
	return failure(path, "write", &c)
}

// read gives n bytes from off on, or what there is.
func (d *door) read(path string, f disk.File, off int64, n int64) ([]byte, *diskError) {
	b := make([]byte, n)
	c := d.do(path, disk.Request{Kind: disk.Read, File: f, Off: off, Bytes: b})
	if c.Err != disk.OK {
		return nil, failure(path, "read", &c)
	}
	return b[:c.N], nil
}

// readAll reads a file in pieces.
func (d *door) readAll(path string, f disk.File, size int64) ([]byte, *diskError) {
	b := make([]byte, 0, size)
	for int64(len(b)) < size {
		p, err := d.read(path, f, int64(len(b)), min(size-int64(len(b)), 1<<20))
		if err != nil {
			return nil, err
		}
		if len(p) == 0 {
			break
		}
		b = append(b, p...)
	}
	return b, nil
}

var names = [...]string{disk.Rename: "rename", disk.Remove: "remove", disk.Mkdir: "mkdir", disk.SyncDir: "sync", disk.Free: ""}

// diskError is a request that failed.
type diskError struct {
	err  disk.Err
	text string
}

func (e *diskError) Error() string { return e.text }

// failure is nil if the request succeeded.
func failure(path, what string, c *disk.Completion) *diskError {
	if c.Err == disk.OK {
		return nil
	}
	text := path + ": " + what + " failed: " + c.Err.Error()
	if c.Detail != "" {
		text += " (" + c.Detail + ")"
	}
	return &diskError{c.Err, text}
}

// advice ends the line that a failed disk leaves.
func (e *diskError) advice() string {
	switch e.err {
	case disk.ErrNoSpace:
		return e.text + "; free space on that file system and start again"
	case disk.ErrPermission:
		return e.text + "; give the process the right to write there and start again"
	}
	return e.text + "; check the disk, and replace it if it is broken"
}
