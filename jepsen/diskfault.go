package jepsen

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// diskMiB is the size of a node's file system of its own, in MiB.
const diskMiB = 96

// ballast is the file that fills one.
const ballast = "ballast"

// ownDisks gives each node's thread a small file system in memory below its directory, which only it and its processes see.
func (c *Cluster) ownDisks() error {
	for _, n := range c.nodes {
		if err := n.thread.OwnMounts(); err != nil {
			return err
		}
		at := filepath.Dir(n.dir) + "/disk-" + n.name()
		err := os.MkdirAll(at, 0o755)
		n.thread.Do(func() {
			if err == nil {
				err = unix.Mount("none", at, "tmpfs", 0, fmt.Sprintf("size=%dm", diskMiB))
			}
		})
		if err != nil {
			return fmt.Errorf("a file system of its own: %w", err)
		}
		n.disk, n.dir = at, filepath.Join(at, "data")
	}
	return nil
}

// diskFault fills a node's file system to the last byte; then there is room again.
var diskFault = &fault{kind: "disk", lacks: func(c *Cluster) string {
	if c.noDisk != "" {
		return "small file systems cannot be mounted: " + c.noDisk
	}
	return ""
}, begin: func(x *Nemesis) (string, func() error, error) {
	n := x.some(1)[0]
	x.full = n
	file := filepath.Join(n.disk, ballast)
	var size int64
	var err error
	n.thread.Do(func() { size, err = fill(file) })
	undo := func() (err error) {
		n.thread.Do(func() { err = os.Remove(file) })
		return err
	}
	return fmt.Sprintf("%s: %d MiB of %d taken away", n.name(), size>>20, diskMiB), undo, err
}}

// fill writes until nothing more can be written, at most as much as there is.
func fill(file string) (size int64, err error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	b := make([]byte, 64<<10)
	for chunk := len(b); chunk > 0 && size <= diskMiB<<20; {
		n, err := f.Write(b[:chunk])
		size += int64(n)
		if err != nil {
			chunk /= 2
		}
	}
	return size, f.Close()
}
