package realdisk

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seedlog/seedlog/io/disk"
)

func TestWhatNamesFilesIsInlineWhileThatIsFast(t *testing.T) {
	b, dir := open(t, Config{SlowName: time.Minute, SlowFor: time.Hour}), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, smallFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	p := func(s string) string { return filepath.Join(dir, s) }
	inline := func(want bool, r disk.Request) {
		t.Helper()
		b.d.shards[0].spent = 0
		cs, in := b.ask(r)
		if cs[0].Err != disk.OK || in[0] != want {
			t.Fatalf("kind %d: %v, inline %v, want %v", r.Kind, cs[0].Err, in[0], want)
		}
	}
	inline(true, disk.Request{Kind: disk.Mkdir, Path: p("d")})
	inline(true, disk.Request{Kind: disk.Mkdir, Path: p("a/b/c")})
	inline(true, disk.Request{Kind: disk.Open, File: 1, Path: p("d/f"), Flags: disk.Create})
	inline(true, disk.Request{Kind: disk.List, Path: p("d")})
	inline(true, disk.Request{Kind: disk.Rename, Path: p("d/f"), NewPath: p("d/g")})
	inline(true, disk.Request{Kind: disk.Close, File: 1})
	inline(false, disk.Request{Kind: disk.Remove, Path: p("d/g")})
	inline(true, disk.Request{Kind: disk.Open, File: 1, Path: p("large")})
	inline(false, disk.Request{Kind: disk.Close, File: 1}) // its blocks may have to be given back

	b.d.cfg.SlowName = 1 // everything is slow
	for range slowRun {
		inline(true, disk.Request{Kind: disk.Mkdir, Path: p("d")})
	}
	inline(false, disk.Request{Kind: disk.Mkdir, Path: p("e")})
	b.d.shards[0].pace.until = 1 // and the while is over
	inline(true, disk.Request{Kind: disk.Free, Path: dir})
}

func TestManyNamesAtOnceDoNotHoldUpTheLoop(t *testing.T) {
	b, dir := open(t, Config{SlowName: time.Minute}), t.TempDir()
	var reqs []disk.Request
	for i := range 2000 {
		reqs = append(reqs, disk.Request{Kind: disk.Mkdir, Path: filepath.Join(dir, fmt.Sprint(i))})
	}
	cs, in := b.ask(reqs...)
	inline := 0
	for i, c := range cs {
		if c.Err != disk.OK {
			t.Fatalf("directory %d: %v", i, c.Err)
		}
		if in[i] {
			inline++
		}
	}
	if inline == 0 || inline == len(reqs) {
		t.Fatalf("%d of %d were made inline", inline, len(reqs))
	}
}

func TestSyncsOfDirectoriesAreEachAnsweredOnce(t *testing.T) { bothWays(t, syncDirs) }

func syncDirs(t *testing.T, attach func(testing.TB, *Disk, int) *bench) {
	d := New(Config{Shards: 2, Syncers: 3})
	a, b, dir := attach(t, d, 0), attach(t, d, 1), t.TempDir()
	var reqs []disk.Request
	for i := range 40 {
		p := filepath.Join(dir, fmt.Sprint(i))
		if i%5 != 4 { // the others are missing
			if err := os.Mkdir(p, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		reqs = append(reqs, disk.Request{Kind: disk.SyncDir, Path: p}, disk.Request{Kind: disk.SyncDir, Path: dir})
	}
	for range 3 {
		for _, x := range []*bench{a, b} {
			cs, _ := x.ask(reqs...)
			for i, c := range cs {
				want := disk.OK
				if i%2 == 0 && i/2%5 == 4 {
					want = disk.ErrNotExist
				}
				if c.Err != want {
					t.Fatalf("request %d: %v (%s), want %v", i, c.Err, c.Detail, want)
				}
			}
		}
	}
	d.Close() // a syncer forgets a directory after it has answered
	if len(d.dirs) != 0 {
		t.Fatalf("%d directories are still known", len(d.dirs))
	}
}

// A directory that is asked for while another sync of it flies waits for the next, which opens what the path names then.
func TestADirectoryIsOpenedForEachSync(t *testing.T) {
	d := New(Config{Syncers: 1})
	defer d.Close()
	b := attach(t, d, 0)
	a := &d.shards[0].aio
	if a.ctx == 0 {
		t.Skip("no asynchronous I/O here")
	}
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.Execute(0, []disk.Request{{Kind: disk.SyncDir, Path: dir, Token: 1}}, nil)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	d.Execute(0, []disk.Request{{Kind: disk.SyncDir, Path: dir, Token: 2}}, nil)
	if f := d.dirs[dir]; f == nil || len(f.serving) != 1 || len(f.waiting) != 1 {
		t.Fatalf("want one served and one that waits, got %+v", f)
	}
	var got []disk.Completion
	for len(got) < 2 {
		b.wait()
		got, _ = d.Completed(0, got, nil)
	}
	if got[0].Token != 1 || got[0].Err != disk.OK || got[1].Token != 2 || got[1].Err != disk.ErrNotExist {
		t.Fatalf("got %+v", got)
	}
}

// Whoever is woken wakes the next: all threads come if there is enough to do, and none is woken twice.
func TestABurstIsDoneByManyThreads(t *testing.T) {
	const n = 8
	begun, gate := make(chan bool, n), make(chan bool)
	c := newCrew(n, func(*worker, *job) { begun <- true; <-gate })
	for range 3 {
		for range n {
			c.put(job{})
		}
		for range n {
			<-begun // all at once, or this waits for ever
		}
		for range n {
			gate <- true
		}
	}
	c.close()
}
