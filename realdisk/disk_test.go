package realdisk

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/io/disk"
)

// bench drives a Disk as one shard's loop does.
type bench struct {
	t     testing.TB
	d     *Disk
	shard int
	bell  int
	fds   [1]unix.PollFd
	count [8]byte
	next  disk.Token
	keys  []uint64
}

func open(t testing.TB, cfg Config) *bench {
	d := New(cfg)
	t.Cleanup(d.Close)
	return attach(t, d, 0)
}

// attach gives the shard an eventfd to wait on, as a loop has one.
func attach(t testing.TB, d *Disk, shard int) *bench {
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(bell) })
	b := &bench{t: t, d: d, shard: shard, bell: bell}
	d.Attach(shard, b.ring, bell)
	return b
}

func (b *bench) ring() { unix.Write(b.bell, one) }

// withSyncers makes a Disk for which the kernel does no syncs.
func withSyncers(t testing.TB, d *Disk, shard int) *bench {
	b := attach(t, d, shard)
	d.shards[shard].aio.close()
	return b
}

// ask executes the requests together and waits for all: completions in the order of the requests, and which of them came inline.
func (b *bench) ask(reqs ...disk.Request) ([]disk.Completion, []bool) {
	b.t.Helper()
	first := b.next + 1
	for i := range reqs {
		b.next++
		reqs[i].Token = b.next
	}
	got, inline := make([]disk.Completion, len(reqs)), make([]bool, len(reqs))
	n := 0
	place := func(cs []disk.Completion, in bool) {
		for _, c := range cs {
			i := int(c.Token - first)
			if got[i].Token != 0 {
				b.t.Fatalf("token %d completed twice", c.Token)
			}
			got[i], inline[i] = c, in
			n++
		}
	}
	place(b.d.Execute(b.shard, reqs, nil), true)
	for n < len(reqs) {
		b.wait()
		var cs []disk.Completion
		cs, b.keys = b.d.Completed(b.shard, nil, b.keys)
		place(cs, false)
	}
	return got, inline
}

func (b *bench) wait() {
	b.t.Helper()
	b.fds[0] = unix.PollFd{Fd: int32(b.bell), Events: unix.POLLIN}
	for {
		n, err := unix.Poll(b.fds[:], 30_000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			b.t.Fatal("no completion: ", err)
		}
		unix.Read(b.bell, b.count[:])
		return
	}
}

func (b *bench) one(r disk.Request) disk.Completion {
	b.t.Helper()
	cs, _ := b.ask(r)
	return cs[0]
}

// must is one that may not fail.
func (b *bench) must(r disk.Request) disk.Completion {
	b.t.Helper()
	c := b.one(r)
	if c.Err != disk.OK {
		b.t.Fatalf("%+v: %s: %s", r, c.Err.Error(), c.Detail)
	}
	return c
}

func (b *bench) fails(r disk.Request, want disk.Err) disk.Completion {
	b.t.Helper()
	c := b.one(r)
	if c.Err != want {
		b.t.Fatalf("%+v: want %q, got %q: %s", r, want.Error(), c.Err.Error(), c.Detail)
	}
	if c.Detail == "" {
		b.t.Fatalf("%+v: no detail for the log", r)
	}
	return c
}

func (b *bench) file(i int, path string) disk.File {
	b.t.Helper()
	f := disk.FileOf(b.shard, i)
	b.must(disk.Request{Kind: disk.Open, Flags: disk.Create, File: f, Path: path})
	return f
}

func TestEachKindOfRequestDoesWhatItSays(t *testing.T) {
	b, dir := open(t, Config{}), t.TempDir()
	p := func(s string) string { return filepath.Join(dir, s) }
	b.fails(disk.Request{Kind: disk.Open, File: 1, Path: p("a")}, disk.ErrNotExist)
	f := b.file(1, p("a"))
	b.fails(disk.Request{Kind: disk.Open, Flags: disk.Create | disk.Exclusive, File: 2, Path: p("a")}, disk.ErrExist)
	w := b.must(disk.Request{Kind: disk.Write, File: f, Off: 3, Vec: [][]byte{[]byte("one"), nil, []byte("two")}})
	if w.N != 6 {
		t.Fatalf("wrote %d", w.N)
	}
	b.must(disk.Request{Kind: disk.Sync, File: f})
	buf := make([]byte, 20)
	if r := b.must(disk.Request{Kind: disk.Read, File: f, Off: 3, Bytes: buf}); r.N != 6 || string(buf[:6]) != "onetwo" {
		t.Fatalf("read %d %q", r.N, buf)
	}
	if r := b.must(disk.Request{Kind: disk.Read, File: f, Off: 100, Bytes: buf}); r.N != 0 {
		t.Fatalf("read %d behind the end", r.N)
	}
	b.must(disk.Request{Kind: disk.Readahead, File: f, Off: 0, Size: 4096})
	if c := b.one(disk.Request{Kind: disk.Allocate, File: f, Off: 0, Size: 1 << 20}); c.Err != disk.OK && c.Err != disk.ErrUnsupported {
		t.Fatalf("allocate: %s", c.Detail)
	}
	b.must(disk.Request{Kind: disk.Truncate, File: f, Size: 5})
	b.must(disk.Request{Kind: disk.Close, File: f})
	if o := b.must(disk.Request{Kind: disk.Open, Flags: disk.ReadOnly, File: f, Path: p("a")}); o.N != 5 {
		t.Fatalf("size %d after truncating to 5", o.N)
	}
	b.fails(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{{1}}}, disk.ErrIO)
	b.must(disk.Request{Kind: disk.Close, File: f})

	b.must(disk.Request{Kind: disk.Mkdir, Path: p("d/e")})
	b.must(disk.Request{Kind: disk.Mkdir, Path: p("d/e")})
	b.must(disk.Request{Kind: disk.Rename, Path: p("a"), NewPath: p("d/z")})
	b.fails(disk.Request{Kind: disk.Rename, Path: p("a"), NewPath: p("d/z")}, disk.ErrNotExist)
	b.must(disk.Request{Kind: disk.SyncDir, Path: p("d")})
	b.fails(disk.Request{Kind: disk.SyncDir, Path: p("no")}, disk.ErrNotExist)
	b.must(disk.Request{Kind: disk.Close, File: b.file(1, p("d/e.x"))})
	l := b.must(disk.Request{Kind: disk.List, Path: p("d")})
	if want := []string{"e.x", "e/", "z"}; !slices.Equal(l.Names, want) {
		t.Fatalf("want %q, got %q", want, l.Names)
	}
	b.fails(disk.Request{Kind: disk.List, Path: p("no")}, disk.ErrNotExist)
	b.fails(disk.Request{Kind: disk.Remove, Path: p("d")}, disk.ErrNotEmpty)
	for _, s := range []string{"d/e", "d/e.x", "d/z", "d"} {
		b.must(disk.Request{Kind: disk.Remove, Path: p(s)})
	}
	b.fails(disk.Request{Kind: disk.Remove, Path: p("d")}, disk.ErrNotExist)
	if c := b.must(disk.Request{Kind: disk.Free, Path: dir}); c.N <= 0 || c.Total <= c.N {
		t.Fatalf("%d bytes free", c.N)
	}
	b.fails(disk.Request{Kind: disk.Free, Path: p("no")}, disk.ErrNotExist)
}

func TestWhatIsNoRegularFileIsNotOpened(t *testing.T) {
	b, dir := open(t, Config{}), t.TempDir()
	p := func(s string) string { return filepath.Join(dir, s) }
	for _, err := range []error{os.WriteFile(p("f"), nil, 0o600), os.Symlink(p("f"), p("link")), os.Mkdir(p("dir"), 0o700), unix.Mkfifo(p("pipe"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []string{"link", "dir", "pipe"} {
		for _, flags := range []disk.Flags{0, disk.Create, disk.ReadOnly} {
			b.fails(disk.Request{Kind: disk.Open, Flags: flags, File: 1, Path: p(s)}, disk.ErrIO)
		}
	}
	b.fails(disk.Request{Kind: disk.Open, File: 1, Path: p("f/below")}, disk.ErrNotExist)
	b.fails(disk.Request{Kind: disk.Open, File: 1, Path: p("nul\x00")}, disk.ErrIO)
	b.file(1, p("f")) // The number stayed free.
}

func TestWritesAreInlineAndReadsOfCachedBytesToo(t *testing.T) {
	b := open(t, Config{SlowWrite: time.Minute})
	f := b.file(1, filepath.Join(t.TempDir(), "f"))
	_, in := b.ask(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{make([]byte, 8192)}})
	if !in[0] {
		t.Fatal("the write went to a worker")
	}
	_, in = b.ask(disk.Request{Kind: disk.Read, File: f, Off: 100, Bytes: make([]byte, 5000)})
	if !in[0] {
		t.Fatal("the read of what was just written went to a worker")
	}
}

func TestAFileWhoseWritesAreSlowIsWrittenByAWorkerForAWhile(t *testing.T) {
	b := open(t, Config{SlowWrite: 1, SlowFor: time.Hour})
	dir := t.TempDir()
	f, other := b.file(1, filepath.Join(dir, "f")), b.file(2, filepath.Join(dir, "other"))
	w := func(f disk.File) bool {
		_, in := b.ask(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{[]byte("x")}})
		return in[0]
	}
	for i := range slowRun {
		if !w(f) {
			t.Fatalf("write %d went to a worker", i)
		}
	}
	if w(f) || w(f) {
		t.Fatal("a slow file was written inline")
	}
	if !w(other) {
		t.Fatal("another file was moved too")
	}
	// Back when the while is over, and kept by fast writes.
	b.d.cfg.SlowWrite = time.Minute
	b.d.files.find(f).pace.until = 1
	for range 10 {
		if !w(f) {
			t.Fatal("the file did not come back")
		}
	}
}

func TestALoneSlowWriteMovesNothing(t *testing.T) {
	d := New(Config{})
	f := &file{}
	for i := range 100 {
		took := time.Microsecond
		if i%3 == 0 {
			took = time.Second
		}
		f.pace.judge(d, d.cfg.SlowWrite, took, time.Duration(i))
		if f.pace.away(d) {
			t.Fatal("moved")
		}
	}
}

func TestWritesOfAnyShapeReadBack(t *testing.T) {
	b := open(t, Config{})
	path := filepath.Join(t.TempDir(), "f")
	f := b.file(1, path)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 5), rapid.IntRange(1020, 2100)).Draw(t, "pieces")
		off := rapid.Int64Range(0, 10000).Draw(t, "off")
		seed := rapid.Int64().Draw(t, "seed")
		rnd := rand.New(rand.NewSource(seed))
		var vec [][]byte
		var want []byte
		for range n {
			p := make([]byte, rnd.Intn(40))
			rnd.Read(p)
			vec, want = append(vec, p), append(want, p...)
		}
		if c := b.must(disk.Request{Kind: disk.Write, File: f, Off: off, Vec: vec}); c.N != int64(len(want)) {
			t.Fatalf("want %d written, got %d", len(want), c.N)
		}
		got := make([]byte, len(want))
		b.must(disk.Request{Kind: disk.Read, File: f, Off: off, Bytes: got})
		if !bytes.Equal(want, got) {
			t.Fatal("other bytes came back")
		}
	})
}

func TestAShortWriteGoesOnWhereItStopped(t *testing.T) {
	// The limit of a file's size makes the kernel take a part, which ends in the middle of a piece. It is the process's: hence another one.
	if os.Getenv("SEEDLOG_FSIZE") == "" {
		out, err := self(t, "TestAShortWriteGoesOnWhereItStopped", "SEEDLOG_FSIZE=1")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	b := open(t, Config{})
	path := filepath.Join(t.TempDir(), "f")
	f := b.file(1, path)
	c := b.one(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{bytes.Repeat([]byte{1}, 700), bytes.Repeat([]byte{2}, 700)}})
	if c.N != 1000 || c.Err != disk.ErrIO {
		t.Fatalf("want 1000 bytes and an error, got %+v", c)
	}
	got, err := os.ReadFile(path)
	if err != nil || len(got) != 1000 || got[699] != 1 || got[700] != 2 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestManyShortCountsMissNoByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var vec [][]byte
		var want, got []byte
		for i, n := range rapid.SliceOfN(rapid.IntRange(0, 9), 1, 20).Draw(t, "pieces") {
			p := bytes.Repeat([]byte{byte(i)}, n)
			vec, want = append(vec, p), append(want, p...)
		}
		for i, skip := 0, 0; len(got) < len(want); {
			n := rapid.IntRange(1, min(7, len(want)-len(got))).Draw(t, "taken")
			rest := append([]byte(nil), vec[i][skip:]...)
			for _, p := range vec[i+1:] {
				rest = append(rest, p...)
			}
			got = append(got, rest[:n]...)
			i, skip = advance(vec, i, skip, n)
		}
		if !bytes.Equal(want, got) {
			t.Fatalf("want %v, got %v", want, got)
		}
	})
}

// self runs one test of this binary as another process.
func self(t *testing.T, test string, env ...string) ([]byte, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), env...)
	return cmd.CombinedOutput()
}

func TestAFullDiskSaysHowMuchItTookAndTakesMoreLater(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small tmpfs cannot be mounted here: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	b := open(t, Config{})
	fill, f := b.file(1, filepath.Join(dir, "fill")), b.file(2, filepath.Join(dir, "f"))
	b.must(disk.Request{Kind: disk.Write, File: fill, Vec: [][]byte{make([]byte, 700<<10)}})
	c := b.fails(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{make([]byte, 200<<10), make([]byte, 600<<10)}}, disk.ErrNoSpace)
	if c.N < 200<<10 || c.N >= 400<<10 {
		t.Fatalf("wrote %d", c.N)
	}
	if free := b.must(disk.Request{Kind: disk.Free, Path: dir}); free.N != 0 {
		t.Fatalf("%d bytes free", free.N)
	}
	b.must(disk.Request{Kind: disk.Truncate, File: f, Size: 0})
	b.must(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{make([]byte, 200<<10)}})
	// Extents of a file system without a disk count as cached.
	if !b.d.Cached(0, disk.Extent{File: f, Len: 100 << 10, Off: 5}) {
		t.Fatal("tmpfs is not cached")
	}
}

func TestALockKeepsAnotherProcessOut(t *testing.T) {
	path := os.Getenv("SEEDLOG_LOCK")
	if path != "" {
		b := open(t, Config{})
		c := b.one(disk.Request{Kind: disk.Lock, File: b.file(1, path)})
		fmt.Println("outcome:", c.Err.Error())
		return
	}
	path = filepath.Join(t.TempDir(), ".lock")
	outcome := func() string {
		out, err := self(t, "TestALockKeepsAnotherProcessOut", "SEEDLOG_LOCK="+path)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		_, s, _ := strings.Cut(string(out), "outcome: ")
		s, _, _ = strings.Cut(s, "\n")
		return s
	}
	b := open(t, Config{})
	f := b.file(1, path)
	b.must(disk.Request{Kind: disk.Lock, File: f})
	if got := outcome(); got != disk.ErrLocked.Error() {
		t.Fatalf("the other process got %q", got)
	}
	b.must(disk.Request{Kind: disk.Close, File: f})
	if got := outcome(); got != disk.OK.Error() {
		t.Fatalf("the other process got %q after Close", got)
	}
	// Apache Kafka locks by fcntl.
	k, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := unix.FcntlFlock(k.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	b.fails(disk.Request{Kind: disk.Lock, File: b.file(1, path)}, disk.ErrLocked)
}

// bothWays runs a test with syncs by the kernel and by our own threads.
func bothWays(t *testing.T, test func(t *testing.T, attach func(testing.TB, *Disk, int) *bench)) {
	t.Run("kernel", func(t *testing.T) {
		d := New(Config{})
		defer d.Close()
		if attach(t, d, 0); d.shards[0].aio.ctx == 0 {
			t.Skip("no asynchronous I/O here")
		}
		test(t, attach)
	})
	t.Run("syncers", func(t *testing.T) { test(t, withSyncers) })
}

func TestSyncsOfManyFilesAndShardsAreEachAnsweredOnce(t *testing.T) {
	bothWays(t, syncManyFiles)
}

func syncManyFiles(t *testing.T, attach func(testing.TB, *Disk, int) *bench) {
	d := New(Config{Shards: 3, Syncers: 4})
	t.Cleanup(d.Close)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for s := range 3 {
		b := attach(t, d, s)
		wg.Go(func() {
			var files []disk.File
			for i := range 10 {
				files = append(files, b.file(i+1, filepath.Join(dir, fmt.Sprint(s, "-", i))))
			}
			for round := range 10 {
				var reqs []disk.Request
				for i, f := range files {
					reqs = append(reqs, disk.Request{Kind: disk.Write, File: f, Off: int64(round), Vec: [][]byte{{byte(i)}}})
				}
				b.ask(reqs...)
				reqs = reqs[:0]
				for i := range 50 {
					reqs = append(reqs, disk.Request{Kind: disk.Sync, File: files[i%10]})
				}
				cs, in := b.ask(reqs...)
				for i := range cs {
					if cs[i].Err != disk.OK || in[i] {
						t.Errorf("sync: %+v, inline %v", cs[i], in[i])
					}
				}
			}
		})
	}
	wg.Wait()
}

// A Sync asked while an fdatasync of the file runs must wait for the next: what was written before it was asked may have missed the running one.
func TestASyncIsServedByAnFdatasyncThatStartedAfterIt(t *testing.T) {
	d := New(Config{})
	defer d.Close()
	b := withSyncers(t, d, 0)
	f := b.file(1, filepath.Join(t.TempDir(), "f"))
	fl := d.files.hold(f)
	s := d.shards[0]
	// Stand where the syncer stands: the first is being served.
	fl.syncing = true
	d.askSync(d.files.hold(f), s, 1)
	d.askSync(d.files.hold(f), s, 2)
	if len(fl.waiting) != 2 || len(d.syncers.queue) != 0 {
		t.Fatalf("%d wait, %d queued", len(fl.waiting), len(d.syncers.queue))
	}
	d.sync(nil, &job{file: fl})
	cs, _ := d.Completed(0, nil, nil)
	if len(cs) != 2 || fl.syncing || fl.refs.Load() != 1 {
		t.Fatalf("%d answered, syncing %v, %d references", len(cs), fl.syncing, fl.refs.Load())
	}
}

// The same where the kernel syncs: what is asked while a sync flies is queued at its end, and not before.
func TestASyncThatIsAskedWhileOneFliesWaitsForTheNext(t *testing.T) {
	d := New(Config{Syncers: 2})
	defer d.Close()
	b := attach(t, d, 0)
	a := &d.shards[0].aio
	if a.ctx == 0 {
		t.Skip("no asynchronous I/O here")
	}
	f := b.file(1, filepath.Join(t.TempDir(), "f"))
	fl := d.files.hold(f)
	defer fl.drop()
	d.Execute(0, []disk.Request{{Kind: disk.Sync, File: f, Token: 1}, {Kind: disk.Sync, File: f, Token: 2}}, nil)
	d.Execute(0, []disk.Request{{Kind: disk.Sync, File: f, Token: 3}}, nil)
	if len(fl.serving) != 2 || len(fl.waiting) != 1 || len(a.free) != 1 || len(a.queue) != 0 {
		t.Fatalf("%d served, %d wait, %d slots free, %d queued", len(fl.serving), len(fl.waiting), len(a.free), len(a.queue))
	}
	b.wait()
	cs, _ := d.Completed(0, nil, nil)
	if len(cs) != 2 || cs[0].Token != 1 || cs[1].Token != 2 || len(fl.serving) != 1 || fl.serving[0].token != 3 {
		t.Fatalf("%v are answered, %v fly", cs, fl.serving)
	}
	b.wait()
	if cs, _ = d.Completed(0, nil, nil); len(cs) != 1 || cs[0].Token != 3 || fl.syncing || len(a.free) != 2 {
		t.Fatalf("%v, syncing %v, %d slots free", cs, fl.syncing, len(a.free))
	}
	if d.Syncs() != 2 {
		t.Fatalf("%d syncs are counted that have answered three requests", d.Syncs())
	}
}

// The kernel says that it cannot sync such a file only when it is asked; a syncer then finds the error that the file has.
func TestWhatTheKernelRefusesToSyncASyncerTries(t *testing.T) {
	b := open(t, Config{})
	dir := t.TempDir()
	var reqs []disk.Request
	for i := range 3 {
		reqs = append(reqs, disk.Request{Kind: disk.Sync, File: b.file(i+1, filepath.Join(dir, fmt.Sprint(i)))})
	}
	fl := b.d.files.find(reqs[1].File)
	defer fl.drop()
	good := fl.fd
	defer func() { fl.fd = good }()
	r, w, _ := os.Pipe() // has no fsync
	defer r.Close()
	defer w.Close()
	fl.fd = int(w.Fd())
	cs, _ := b.ask(reqs...)
	if cs[0].Err != disk.OK || cs[1].Err != disk.ErrIO || cs[2].Err != disk.OK {
		t.Fatalf("want the second to fail, got %+v", cs)
	}
}

func TestAfterAFailedSyncAllSyncsOfTheFileFail(t *testing.T) { bothWays(t, failSync) }

func failSync(t *testing.T, attach func(testing.TB, *Disk, int) *bench) {
	d := New(Config{})
	t.Cleanup(d.Close)
	b := attach(t, d, 0)
	path := filepath.Join(t.TempDir(), "f")
	f := b.file(1, path)
	fl := b.d.files.find(f)
	good := fl.fd
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0) // fdatasync fails with EINVAL.
	if err != nil {
		t.Fatal(err)
	}
	fl.fd = null
	b.fails(disk.Request{Kind: disk.Sync, File: f}, disk.ErrIO)
	fl.fd = good
	b.fails(disk.Request{Kind: disk.Sync, File: f}, disk.ErrIO)
	fl.drop()
	unix.Close(null)
	b.must(disk.Request{Kind: disk.Close, File: f})
	b.must(disk.Request{Kind: disk.Open, File: f, Path: path})
	b.must(disk.Request{Kind: disk.Sync, File: f})
}

func TestColdBytesAreNotCachedUntilTheyAreWarmed(t *testing.T) {
	b := open(t, Config{})
	dir, err := os.MkdirTemp(".", "cold") // TempDir may lie in memory.
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f := b.file(1, filepath.Join(dir, "f"))
	const n = 1<<20 + 100
	x := disk.Extent{File: f, Off: 3, Len: n - 3}
	b.must(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{make([]byte, n)}})
	for _, by := range []string{"cachestat", "reading"} {
		b.d.noCachestat.Store(by == "reading")
		if !b.d.Cached(0, x) {
			t.Fatalf("%s: written bytes are not cached", by)
		}
		b.must(disk.Request{Kind: disk.Sync, File: f})
		fl := b.d.files.find(f)
		if err := unix.Fadvise(fl.fd, 0, 0, unix.FADV_DONTNEED); err != nil {
			t.Fatal(err)
		}
		_, kept := readCached(fl.fd, make([]byte, 1), n/2)
		fl.drop()
		if kept {
			t.Skipf("%s: this file system keeps what it is told to drop", by)
		}
		if b.d.Cached(0, x) {
			t.Fatalf("%s: dropped bytes count as cached", by)
		}
		b.d.Warm(0, x, 7)
		for b.keys = nil; len(b.keys) == 0; {
			b.wait()
			_, b.keys = b.d.Completed(0, nil, b.keys)
		}
		if b.keys[0] != 7 || !b.d.Cached(0, x) {
			t.Fatalf("%s: warmed %v, cached %v", by, b.keys, b.d.Cached(0, x))
		}
	}
	b.d.Warm(0, disk.Extent{File: disk.FileOf(0, 99), Len: 1}, 8)
	_, b.keys = b.d.Completed(0, nil, nil)
	if len(b.keys) != 1 {
		t.Fatal("a Warm of no file is not answered")
	}
}

func TestAnExtentLeavesWhileItsFileIsClosed(t *testing.T) {
	b := open(t, Config{})
	f := b.file(1, filepath.Join(t.TempDir(), "f"))
	b.must(disk.Request{Kind: disk.Write, File: f, Vec: [][]byte{[]byte("bytes of the file")}})
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if n, e := b.d.SendFile(p[0], disk.Extent{File: f, Off: 9, Len: 8}); n != 8 || e != 0 {
		t.Fatalf("sent %d, %v", n, e)
	}
	got := make([]byte, 20)
	if n, _ := unix.Read(p[1], got); string(got[:n]) != "the file" {
		t.Fatalf("got %q", got[:n])
	}
	if n, e := b.d.SendFile(p[0], disk.Extent{File: f, Off: 17, Len: 8}); n != 0 || e != 0 {
		t.Fatalf("behind the end: sent %d, %v", n, e)
	}
	fl := b.d.files.find(f)
	b.must(disk.Request{Kind: disk.Close, File: f})
	if _, err := unix.FcntlInt(uintptr(fl.fd), unix.F_GETFD, 0); err != nil {
		t.Fatal("the descriptor was closed though it is held")
	}
	if fl.drop(); fl.hold() {
		t.Fatal("a closed file was held again")
	}
	if _, e := b.d.SendFile(p[0], disk.Extent{File: f, Len: 8}); e != syscall.EBADF {
		t.Fatalf("a closed file was sent: %v", e)
	}
	if _, e := b.d.SendFile(p[0], disk.Extent{File: disk.FileOf(200, 3), Len: 8}); e != syscall.EBADF {
		t.Fatalf("a file of no shard was sent: %v", e)
	}
}

func TestARequestOnAFileThatIsNotOpenPanics(t *testing.T) {
	b := open(t, Config{})
	for _, k := range []disk.Kind{disk.Write, disk.Sync, disk.Read, disk.Truncate, disk.Lock} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("kind %d was taken", k)
				}
			}()
			b.d.Execute(0, []disk.Request{{Kind: k, File: 5, Token: 1}}, nil)
		}()
	}
}

func TestWriteSyncAndSendAllocateNothing(t *testing.T) {
	b := open(t, Config{})
	f := b.file(1, filepath.Join(t.TempDir(), "f"))
	reqs := []disk.Request{{Kind: disk.Write, File: f, Vec: [][]byte{make([]byte, 1000), make([]byte, 1000)}, Token: 1}}
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	sink := make([]byte, 4096)
	var done []disk.Completion
	x := disk.Extent{File: f, Len: 2000}
	allocs := testing.AllocsPerRun(200, func() {
		done = b.d.Execute(0, reqs, done[:0])
		if !b.d.Cached(0, x) {
			t.Error("not cached")
		}
		b.d.SendFile(p[0], x)
		unix.Read(p[1], sink)
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
	sync := []disk.Request{{Kind: disk.Sync, File: f, Token: 2}}
	var keys []uint64
	allocs = testing.AllocsPerRun(50, func() {
		b.d.Execute(0, sync, nil)
		for done = done[:0]; len(done) == 0; {
			b.wait()
			done, keys = b.d.Completed(0, done, keys)
		}
	})
	if allocs > 0.5 {
		t.Fatalf("%v allocations a sync", allocs)
	}
}
