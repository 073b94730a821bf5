package realdisk

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seedlog/seedlog/io/disk"
)

// Config sizes a Disk. Zero values mean the defaults.
type Config struct {
	Shards    int           // number of shards, at least 1
	Workers   int           // threads at most for everything but syncs; default 16
	Syncers   int           // threads at most for syncs, hence files synced in parallel; default 16
	SlowWrite time.Duration // a pwritev that takes longer is slow; default 1 ms
	SlowName  time.Duration // a call that names a file is slow beyond; default 100 µs
	SlowFor   time.Duration // how long a file, or what names files, stays with the workers after slow calls; default 1 s
}

const (
	defaultThreads = 16
	// slowRun is how many slow writes, not made up for by fast ones, send a file to the workers.
	slowRun = 3
	// inlineRead is the largest read that is tried inline: copying 64 KiB takes some 3 µs, a MiB would hold up the shard.
	inlineRead = 64 << 10
)

// Disk serves all shards of a node. Execute, Completed, Cached and Warm are called by the thread of the shard that they name.
type Disk struct {
	cfg     Config
	start   time.Time
	files   table
	shards  []*shard
	workers *crew
	syncers *crew

	dirsMu sync.Mutex
	dirs   map[string]*file // that somebody waits to have synced

	syncs atomic.Int64

	noCachestat atomic.Bool // the kernel has no cachestat, or forbids it
}

// shard is what one shard's loop has of the disk.
type shard struct {
	id    int
	iov   iovecs // of the loop's thread
	page  []byte // scratch of Cached where there is no cachestat
	aio   aio
	pace  pace          // of what names files
	spent time.Duration // on that inline, in this Execute

	mu     sync.Mutex
	wake   func()
	done   []disk.Completion // by workers, not yet collected
	warmed []uint64
}

// New makes a Disk. Threads start when they are first needed.
func New(cfg Config) *Disk {
	cfg.Shards = max(cfg.Shards, 1)
	if cfg.Workers <= 0 {
		cfg.Workers = defaultThreads
	}
	if cfg.Syncers <= 0 {
		cfg.Syncers = defaultThreads
	}
	if cfg.SlowWrite <= 0 {
		cfg.SlowWrite = time.Millisecond
	}
	if cfg.SlowName <= 0 {
		cfg.SlowName = 100 * time.Microsecond
	}
	if cfg.SlowFor <= 0 {
		cfg.SlowFor = time.Second
	}
	d := &Disk{cfg: cfg, start: time.Now(), files: newTable(cfg.Shards), dirs: map[string]*file{}}
	for i := range cfg.Shards {
		d.shards = append(d.shards, &shard{id: i, wake: func() {}})
	}
	d.workers = newCrew(cfg.Workers, d.work)
	d.syncers = newCrew(cfg.Syncers, d.sync)
	return d
}

// Close ends the workers, after what they have begun and what is queued, and closes what is still open. Completions that nobody has
// collected are lost.
func (d *Disk) Close() {
	d.workers.close()
	d.syncers.close()
	for _, s := range d.shards {
		s.aio.close()
	}
	d.files.closeAll()
}

// Attach names the function that tells a shard's loop that Completed has something, called on workers' threads, and the eventfd that tells the
// same where the kernel does so itself; -1 is none. It comes before the shard's first request.
func (d *Disk) Attach(shard int, wake func(), bell int) {
	s := d.shards[shard]
	s.mu.Lock()
	s.wake = wake
	s.mu.Unlock()
	s.aio.open(d.cfg.Syncers, bell)
}

// Execute begins the requests, and appends to done the completions of those that were finished at once. The requests are copied;
// the bytes that they name stay put until their completion.
func (d *Disk) Execute(shard int, reqs []disk.Request, done []disk.Completion) []disk.Completion {
	s := d.shards[shard]
	s.spent = 0
	for i := range reqs {
		r := &reqs[i]
		switch r.Kind {
		case disk.Write:
			f := d.files.hold(r.File)
			if f.pace.away(d) {
				d.workers.put(job{shard: s, req: *r, file: f})
				continue
			}
			done = append(done, d.write(f, r, &s.iov))
			f.drop()
		case disk.Sync:
			d.askSync(d.files.hold(r.File), s, r.Token)
		case disk.Read:
			f := d.files.hold(r.File)
			if n, ok := readCached(f.fd, r.Bytes, r.Off); ok {
				done = append(done, disk.Completion{Token: r.Token, N: n})
				f.drop()
				continue
			}
			d.workers.put(job{shard: s, req: *r, file: f})
		case disk.SyncDir:
			d.askSyncDir(r.Path, s, r.Token)
		case disk.Lock, disk.Readahead, disk.Truncate, disk.Allocate:
			d.workers.put(job{shard: s, req: *r, file: d.files.hold(r.File)})
		default:
			if d.inline(s, r) {
				done = append(done, d.named(s, r))
				continue
			}
			d.workers.put(job{shard: s, req: *r})
		}
	}
	d.submit(s)
	return done
}

// Completed appends what workers have finished for the shard: completions, and the keys of Warm.
func (d *Disk) Completed(shard int, done []disk.Completion, warmed []uint64) ([]disk.Completion, []uint64) {
	s := d.shards[shard]
	if s.aio.ctx != 0 {
		done = s.aio.ended(d, s, done)
		d.submit(s)
	}
	s.mu.Lock()
	done = append(done, s.done...)
	warmed = append(warmed, s.warmed...)
	clear(s.done)
	s.done, s.warmed = s.done[:0], s.warmed[:0]
	s.mu.Unlock()
	return done, warmed
}

func (s *shard) finish(c disk.Completion) {
	s.mu.Lock()
	s.done = append(s.done, c)
	wake := s.wake
	s.mu.Unlock()
	wake()
}

func (s *shard) finishWarm(key uint64) {
	s.mu.Lock()
	s.warmed = append(s.warmed, key)
	wake := s.wake
	s.mu.Unlock()
	wake()
}

// now is the time since New.
func (d *Disk) now() time.Duration { return time.Since(d.start) }

// lockThread keeps a worker on one thread: it blocks in system calls nearly all the time, and waking it by an eventfd spares
// the scheduler a hand-over from the shard's thread (23 against 39 µs for a lone request).
func lockThread() { runtime.LockOSThread() }
