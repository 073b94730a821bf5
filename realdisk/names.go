package realdisk

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seedlog/seedlog/io/disk"
)

// smallFile is the size up to which a file is closed inline. If it was removed meanwhile the last close gives its blocks back, which takes long
// for a segment.
const smallFile = 1 << 20

// maxNaming is how long such calls may hold up the loop in one Execute: what is left then goes to the workers, who make them in parallel.
const maxNaming = time.Millisecond

// inline says whether a request that names its object by path, or a Close, is executed by the loop's thread. These calls find what they need in the
// kernel's caches nearly always and take some 10 µs, less than a hand-over to a worker and back costs; a topic of 1,000 partitions makes 6,000 of
// them. Where they are slow, as with a cold cache or a stalled journal, workers make them for a while, so that the shard goes on. Removing gives blocks back: that is for workers
// always.
func (d *Disk) inline(s *shard, r *disk.Request) bool {
	switch r.Kind {
	case disk.Close:
		if f := d.files.peek(r.File); f != nil && f.size > smallFile {
			return false
		}
	case disk.Open, disk.Mkdir, disk.Rename, disk.List, disk.Free:
	default:
		return false
	}
	return s.spent < maxNaming && !s.pace.away(d)
}

// named executes a request inline, and notes how long it took.
func (d *Disk) named(s *shard, r *disk.Request) disk.Completion {
	c := disk.Completion{Token: r.Token}
	began := d.now()
	d.onPath(r, &c)
	end := d.now()
	s.spent += end - began
	s.pace.judge(d, d.cfg.SlowName, end-began, end)
	return c
}

// mkdir makes a directory, with its parents if they are missing: they seldom are.
func mkdir(path string) error {
	err := retry(func() error { return unix.Mkdir(path, 0o755) })
	if err == nil {
		return nil
	}
	return os.MkdirAll(path, 0o755)
}
