package simdisk

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/engine"
	"github.com/seedlog/seedlog/sim/fault"
	"pgregory.net/rapid"
)

// rig drives a disk by hand.
type rig struct {
	e    *engine.Engine
	d    *Disk
	l    *fault.Ledger
	got  map[disk.Token]disk.Completion
	next disk.Token
}

func newRig(seed uint64) *rig {
	r := &rig{e: engine.New(seed), l: &fault.Ledger{}, got: map[disk.Token]disk.Completion{}}
	r.d = New(r.e, 0, r.l)
	r.d.Attach(r, 1)
	return r
}

func (r *rig) DiskDone(_ int, c *disk.Completion) {
	if _, twice := r.got[c.Token]; twice {
		panic("a token completed twice")
	}
	r.got[c.Token] = *c
}

// begin submits without waiting.
func (r *rig) begin(q disk.Request) disk.Token {
	r.next++
	q.Token = r.next
	r.d.Submit(0, &q)
	return q.Token
}

func (r *rig) do(q disk.Request) disk.Completion {
	tok := r.begin(q)
	for {
		if c, ok := r.got[tok]; ok {
			return c
		}
		if !r.e.Step() {
			panic(fmt.Sprintf("no completion: %v", r.e.Failed()))
		}
	}
}

func (r *rig) must(t interface{ Fatalf(string, ...any) }, q disk.Request) disk.Completion {
	c := r.do(q)
	if c.Err != disk.OK {
		t.Fatalf("%s: %v", kindName[q.Kind], c.Err)
	}
	return c
}

func (r *rig) reboot(power bool) {
	r.d.Crash(power)
	r.d.Attach(r, 1)
}

const f1 = disk.File(1)

func fresh(t *testing.T, seed uint64) *rig {
	r := newRig(seed)
	r.must(t, disk.Request{Kind: disk.Mkdir, Path: "data"})
	r.must(t, disk.Request{Kind: disk.Open, File: f1, Path: "data/a", Flags: disk.Create})
	r.must(t, disk.Request{Kind: disk.SyncDir, Path: ""})
	r.must(t, disk.Request{Kind: disk.SyncDir, Path: "data"})
	return r
}

func write(off int64, s string) disk.Request {
	return disk.Request{Kind: disk.Write, File: f1, Off: off, Vec: [][]byte{[]byte(s)}}
}

func TestWhatASyncCoveredSurvivesAPowerLossAndTheRestMayNot(t *testing.T) {
	seen := map[string]bool{}
	for seed := uint64(0); seed < 300; seed++ {
		r := fresh(t, seed)
		r.must(t, write(0, "synced"))
		r.must(t, disk.Request{Kind: disk.Sync, File: f1})
		r.must(t, write(6, "later"))
		r.reboot(true)
		b, ok := r.d.ReadFile("data/a")
		if !ok || !bytes.HasPrefix(b, []byte("synced")) {
			t.Fatalf("seed %d: got %q", seed, b)
		}
		switch tail := string(b[6:]); {
		case tail == "" || tail == "later":
			seen[tail] = true
		case bytes.HasPrefix([]byte("later"), []byte(tail)):
			seen["prefix"] = true
		case bytes.Equal([]byte(tail), make([]byte, len(tail))):
			seen["zeros"] = true
		default:
			t.Fatalf("seed %d: tail %q", seed, tail)
		}
	}
	if len(seen) != 4 {
		t.Fatalf("of kept, dropped, torn and zeroed only these were seen: %v", seen)
	}
}

func TestAProcessCrashKeepsWhatIsVisibleAndAPowerLossAfterItMayNot(t *testing.T) {
	lost := false
	for seed := uint64(0); seed < 50; seed++ {
		r := fresh(t, seed)
		r.must(t, write(0, "visible"))
		r.reboot(false)
		if b, _ := r.d.ReadFile("data/a"); string(b) != "visible" {
			t.Fatalf("after kill -9: %q", b)
		}
		r.reboot(true)
		b, _ := r.d.ReadFile("data/a")
		lost = lost || string(b) != "visible"
	}
	if !lost {
		t.Fatal("what no sync covered was never lost")
	}
}

func TestASyncCoversOnlyWritesThatHadCompletedWhenItWasRequested(t *testing.T) {
	lost := false
	for seed := uint64(0); seed < 200; seed++ {
		r := fresh(t, seed)
		w := r.begin(write(0, "racing"))
		s := r.begin(disk.Request{Kind: disk.Sync, File: f1})
		for len(r.got) < int(s) {
			r.e.Step()
		}
		if r.got[w].Err != disk.OK || r.got[s].Err != disk.OK {
			t.Fatal("an error without a fault")
		}
		r.reboot(true)
		b, _ := r.d.ReadFile("data/a")
		lost = lost || string(b) != "racing"
	}
	if !lost {
		t.Fatal("a sync covered a write that completed after its request")
	}
}

func TestAFailedSyncDropsItsBytesAndALaterSyncDoesNotBringThemBack(t *testing.T) {
	for seed := uint64(0); seed < 30; seed++ {
		r := fresh(t, seed)
		r.d.Faults.FailSyncs = 1
		r.must(t, write(0, "gone"))
		if c := r.do(disk.Request{Kind: disk.Sync, File: f1}); c.Err != disk.ErrIO {
			t.Fatalf("sync said %v", c.Err)
		}
		r.must(t, write(4, "kept"))
		r.must(t, disk.Request{Kind: disk.Sync, File: f1})
		r.reboot(true)
		if b, _ := r.d.ReadFile("data/a"); string(b) != "\x00\x00\x00\x00kept" {
			t.Fatalf("got %q", b)
		}
	}
}

func TestALyingSyncLosesWhatItAcknowledged(t *testing.T) {
	lost := false
	for seed := uint64(0); seed < 50; seed++ {
		r := fresh(t, seed)
		r.d.Faults.Lying = true
		r.must(t, write(0, "lie"))
		r.must(t, disk.Request{Kind: disk.Sync, File: f1})
		if !r.l.Any(0, fault.D2) {
			t.Fatal("the ledger knows of no lie")
		}
		r.reboot(true)
		b, _ := r.d.ReadFile("data/a")
		lost = lost || string(b) != "lie"
	}
	if !lost {
		t.Fatal("nothing was ever lost")
	}
}

func TestAFullDiskTakesAPartOfAWriteAndRemovingAFileGivesSpaceBack(t *testing.T) {
	r := fresh(t, 1)
	r.d.Faults.Capacity = 10
	if c := r.do(write(0, "0123456789ab")); c.Err != disk.ErrNoSpace || c.N != 10 {
		t.Fatalf("got n=%d %v", c.N, c.Err)
	}
	if c := r.do(write(0, "again")); c.Err != disk.OK {
		t.Fatalf("an overwrite needs no space: %v", c.Err)
	}
	r.must(t, disk.Request{Kind: disk.Remove, Path: "data/a"})
	if c := r.must(t, disk.Request{Kind: disk.Free, Path: "data"}); c.N != 0 {
		t.Fatalf("a removed file that is open holds its space; free is %d", c.N)
	}
	r.must(t, disk.Request{Kind: disk.Close, File: f1})
	if c := r.must(t, disk.Request{Kind: disk.Free, Path: "data"}); c.N != 10 || c.Total != r.d.Faults.Capacity {
		t.Fatalf("free is %d, want 10", c.N)
	}
}

func TestNamesThatNoSyncDirCoveredMayBeLostButARenameIsWhole(t *testing.T) {
	type state struct{ a, b, c bool }
	seen := map[state]int{}
	for seed := uint64(0); seed < 400; seed++ {
		r := fresh(t, seed)
		r.must(t, write(0, "a"))
		r.must(t, disk.Request{Kind: disk.Sync, File: f1})
		r.must(t, disk.Request{Kind: disk.Rename, Path: "data/a", NewPath: "data/b"})
		r.must(t, disk.Request{Kind: disk.Open, File: 2, Path: "data/c", Flags: disk.Create})
		r.reboot(true)
		var s state
		_, s.a = r.d.ReadFile("data/a")
		_, s.b = r.d.ReadFile("data/b")
		_, s.c = r.d.ReadFile("data/c")
		seen[s]++
		if s.a == s.b {
			t.Fatalf("seed %d: a renamed file stands at both names or at none: %+v", seed, s)
		}
	}
	if len(seen) != 4 {
		t.Fatalf("only these were seen: %v", seen)
	}
}

func TestAReplacedFileIsThereInOneOfItsVersions(t *testing.T) {
	seen := map[string]bool{}
	for seed := uint64(0); seed < 200; seed++ {
		r := fresh(t, seed)
		r.must(t, write(0, "old"))
		r.must(t, disk.Request{Kind: disk.Sync, File: f1})
		r.must(t, disk.Request{Kind: disk.Open, File: 2, Path: "data/tmp", Flags: disk.Create})
		r.must(t, disk.Request{Kind: disk.Write, File: 2, Vec: [][]byte{[]byte("new")}})
		r.must(t, disk.Request{Kind: disk.Sync, File: 2})
		r.must(t, disk.Request{Kind: disk.Rename, Path: "data/tmp", NewPath: "data/a"})
		r.reboot(true)
		b, _ := r.d.ReadFile("data/a")
		seen[string(b)] = true
	}
	if len(seen) != 2 || !seen["old"] || !seen["new"] {
		t.Fatalf("seen %v, want old and new", seen)
	}
}

func TestASyncDirCoversOnlyNamesThatWereThereWhenItWasRequested(t *testing.T) {
	lost := false
	for seed := uint64(0); seed < 200; seed++ {
		r := fresh(t, seed)
		s := r.begin(disk.Request{Kind: disk.SyncDir, Path: "data"})
		r.must(t, disk.Request{Kind: disk.Open, File: 2, Path: "data/late", Flags: disk.Create})
		for r.got[s].Token == 0 {
			r.e.Step()
		}
		r.reboot(true)
		_, there := r.d.ReadFile("data/late")
		lost = lost || !there
	}
	if !lost {
		t.Fatal("a name that came later was covered")
	}
}

func TestAnOverwriteThatIsLostGivesTheOldBytesBack(t *testing.T) {
	seen := map[string]bool{}
	for seed := uint64(0); seed < 200; seed++ {
		r := fresh(t, seed)
		r.must(t, write(0, "old"))
		r.must(t, disk.Request{Kind: disk.Sync, File: f1})
		r.must(t, write(0, "NEW"))
		r.reboot(true)
		b, _ := r.d.ReadFile("data/a")
		seen[string(b)] = true
	}
	if !seen["old"] || !seen["NEW"] || len(seen) > 4 {
		t.Fatalf("seen %v, want old, NEW and the prefixes of NEW over old", seen)
	}
}

func TestAMisdirectedWriteLeavesAHoleAtItsPlaceAndTheFileAsLongAsItShouldBe(t *testing.T) {
	r := fresh(t, 1)
	at := func(off int64, b byte, n int) disk.Request {
		return disk.Request{Kind: disk.Write, File: f1, Off: off, Vec: [][]byte{bytes.Repeat([]byte{b}, n)}}
	}
	r.must(t, at(0, 'a', 5000))
	r.d.Faults.Misdirect = 1
	if c := r.must(t, at(5000, 'b', 300)); c.N != 300 {
		t.Fatalf("%d bytes written", c.N)
	}
	r.must(t, at(5300, 'c', 100))
	want := bytes.Repeat([]byte{'a'}, 5400)
	copy(want[5000-astray:], bytes.Repeat([]byte{'b'}, 300))
	clear(want[5000:5300])
	copy(want[5300:], bytes.Repeat([]byte{'c'}, 100))
	if got, _ := r.d.ReadFile("data/a"); !bytes.Equal(got, want) {
		t.Fatal("other bytes than the misdirected ones, or not those")
	}
	if r.d.Used() != 5400 {
		t.Fatalf("%d bytes used", r.d.Used())
	}
	if !r.l.Any(0, fault.D5) {
		t.Fatal("not in the ledger")
	}
	r.must(t, disk.Request{Kind: disk.Sync, File: f1})
	r.reboot(true)
	if got, _ := r.d.ReadFile("data/a"); !bytes.Equal(got, want) {
		t.Fatal("a synced file changed with the loss of power")
	}
	r.must(t, disk.Request{Kind: disk.Mkdir, Path: "data/__cluster_metadata-0"})
	r.must(t, disk.Request{Kind: disk.Open, File: f1, Path: "data/__cluster_metadata-0/log", Flags: disk.Create})
	r.must(t, at(0, 'a', 5000))
	r.d.Faults.Misdirect = 1
	r.must(t, at(5000, 'b', 1))
	if got, _ := r.d.ReadFile("data/__cluster_metadata-0/log"); got[5000-astray] != 'a' || got[5000] != 'b' {
		t.Fatal("a write of the metadata log was misdirected")
	}
}

func TestBreakingTheContractIsFound(t *testing.T) {
	shared := []byte("bytes")
	for name, breakIt := range map[string]func(r *rig){
		"two writes": func(r *rig) { r.begin(write(0, "a")); r.begin(write(1, "b")) },
		"mutated bytes": func(r *rig) {
			r.begin(disk.Request{Kind: disk.Write, File: f1, Vec: [][]byte{shared}})
			shared[0]++
			r.drain()
		},
		"not open":      func(r *rig) { r.begin(disk.Request{Kind: disk.Sync, File: 9}) },
		"opened twice":  func(r *rig) { r.begin(disk.Request{Kind: disk.Open, File: f1, Path: "data/b"}) },
		"other shard":   func(r *rig) { r.begin(disk.Request{Kind: disk.Open, File: disk.FileOf(3, 1), Path: "data/b"}) },
		"after close":   func(r *rig) { r.do(disk.Request{Kind: disk.Close, File: f1}); r.begin(write(0, "x")) },
		"closed in use": func(r *rig) { r.begin(write(0, "x")); r.begin(disk.Request{Kind: disk.Close, File: f1}) },
		"closed pinned": func(r *rig) { r.d.Pin(f1); r.begin(disk.Request{Kind: disk.Close, File: f1}) },
		"cut extent": func(r *rig) {
			r.do(write(0, "extent"))
			r.d.Pin(f1)
			r.do(disk.Request{Kind: disk.Truncate, File: f1, Size: 3})
			r.d.ReadExtent(f1, make([]byte, 6), 0)
		},
	} {
		r := fresh(t, 1)
		breakIt(r)
		if v := r.e.Failed(); v == nil || v.Property != "contract" {
			t.Errorf("%s: got %v", name, v)
		}
	}
}

func (r *rig) drain() {
	for r.e.Step() {
	}
}

// twin is the dumb one: it remembers everything that ever stood somewhere since the last point that was wholly durable.
type twin struct {
	files   []*twinFile
	visible map[string]*twinFile   // path
	maybe   map[string][]*twinFile // path: what a power loss may leave there; nil stands for nothing
}

type twinFile struct {
	now     []byte
	durable []byte
	writes  []twinWrite // since the last sync
}

type twinWrite struct {
	off   int64
	b     []byte
	trunc bool
}

func (f *twinFile) apply(w twinWrite) {
	f.writes = append(f.writes, w)
	if w.trunc {
		f.now = append(slices.Clone(f.now), make([]byte, max(0, int(w.off)-len(f.now)))...)[:w.off]
		return
	}
	end := int(w.off) + len(w.b)
	f.now = append(slices.Clone(f.now), make([]byte, max(0, end-len(f.now)))...)
	copy(f.now[w.off:], w.b)
}

// allows says whether b may be what a power loss leaves of the file.
func (f *twinFile) allows(b []byte) string {
	if len(f.writes) == 0 {
		if !bytes.Equal(b, f.durable) {
			return fmt.Sprintf("%d bytes differ from the %d that were synced", len(b), len(f.durable))
		}
		return ""
	}
	lo, hi := len(f.durable), len(f.durable)
	for _, w := range f.writes {
		if w.trunc {
			lo = min(lo, int(w.off))
		}
		hi = max(hi, int(w.off)+len(w.b))
	}
	if len(b) < lo || len(b) > hi {
		return fmt.Sprintf("size %d, want %d..%d", len(b), lo, hi)
	}
	for i, x := range b {
		ok := i < len(f.durable) && f.durable[i] == x || i >= len(f.durable) && x == 0
		for _, w := range f.writes {
			at := i - int(w.off)
			ok = ok || !w.trunc && at >= 0 && at < len(w.b) && w.b[at] == x || w.trunc && i >= int(w.off) && x == 0
		}
		if !ok {
			return fmt.Sprintf("byte %d is %d, which nobody wrote there", i, x)
		}
	}
	return ""
}

var twinPaths = []string{"data/a", "data/b", "data/c", "data/d/e"}

func TestAfterACrashADiskHoldsOnlyWhatTheDumbTwinAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(rapid.Uint64().Draw(t, "seed"))
		for _, q := range []disk.Request{{Kind: disk.Mkdir, Path: "data/d"}, {Kind: disk.SyncDir, Path: ""}, {Kind: disk.SyncDir, Path: "data"}} {
			r.must(t, q)
		}
		w := &twin{visible: map[string]*twinFile{}, maybe: map[string][]*twinFile{}}
		for _, p := range twinPaths {
			w.maybe[p] = []*twinFile{nil}
		}
		for epochs := rapid.IntRange(1, 5).Draw(t, "crashes"); epochs > 0; epochs-- {
			for i, n := 0, rapid.IntRange(1, 25).Draw(t, "ops"); i < n; i++ {
				w.op(t, r, byte(rapid.IntRange(1, 255).Draw(t, "mark")))
			}
			power := rapid.IntRange(0, 3).Draw(t, "power") > 0
			before := contents(r.d)
			other := copied(r.d, rapid.Uint64().Draw(t, "copy's seed"))
			other.reboot(power)
			w.check(t, other, power)
			if after := contents(r.d); after != before {
				t.Fatalf("the crash of a copy changed the disk: was %q, is %q", before, after)
			}
			same := copied(r.d, r.e.Seed)
			same.d.crashes = r.d.crashes
			same.reboot(power)
			r.reboot(power)
			if a, b := contents(r.d), contents(same.d); a != b {
				t.Fatalf("a copy's crash of the same draws: was %q, is %q", a, b)
			}
			w.check(t, r, power)
			if power {
				w.adopt(r)
			}
		}
	})
}

func copied(d *Disk, seed uint64) *rig {
	r := newRig(seed)
	r.d.Copy(d)
	return r
}

// contents is all that is visible, in one string.
func contents(d *Disk) string {
	var b strings.Builder
	d.visit(d.root, "", func(path string, f *inode) { fmt.Fprintf(&b, "%s=%q ", path, f.img.bytes(0, f.img.size)) })
	return b.String()
}

// adopt takes over what a power loss left: all of it is durable.
func (w *twin) adopt(r *rig) {
	for _, p := range twinPaths {
		b, there := r.d.ReadFile(p)
		w.visible[p], w.maybe[p] = nil, []*twinFile{nil}
		if there {
			f := &twinFile{now: b, durable: b}
			w.visible[p], w.maybe[p] = f, []*twinFile{f}
		}
	}
}

func (w *twin) op(t *rapid.T, r *rig, mark byte) {
	path := rapid.SampledFrom(twinPaths).Draw(t, "path")
	f := w.visible[path]
	if f == nil {
		r.must(t, disk.Request{Kind: disk.Open, File: f1, Path: path, Flags: disk.Create | disk.Exclusive})
		f = &twinFile{}
		w.set(path, f)
	} else {
		r.must(t, disk.Request{Kind: disk.Open, File: f1, Path: path})
	}
	closed := false
	switch rapid.IntRange(0, 6).Draw(t, "op") {
	case 0, 1:
		x := twinWrite{off: rapid.Int64Range(0, int64(len(f.now))+600).Draw(t, "off"), b: bytes.Repeat([]byte{mark}, rapid.IntRange(1, 2000).Draw(t, "len"))}
		r.must(t, disk.Request{Kind: disk.Write, File: f1, Off: x.off, Vec: [][]byte{x.b[:len(x.b)/2], x.b[len(x.b)/2:]}})
		f.apply(x)
	case 2:
		x := twinWrite{off: rapid.Int64Range(0, int64(len(f.now))).Draw(t, "size"), trunc: true}
		r.must(t, disk.Request{Kind: disk.Truncate, File: f1, Size: x.off})
		f.apply(x)
	case 3:
		r.must(t, disk.Request{Kind: disk.Sync, File: f1})
		f.durable, f.writes = f.now, nil
	case 4:
		dir := rapid.SampledFrom([]string{"data", "data/d"}).Draw(t, "dir")
		r.must(t, disk.Request{Kind: disk.SyncDir, Path: dir})
		for _, p := range twinPaths {
			if p[:len(p)-2] == dir {
				w.maybe[p] = []*twinFile{w.visible[p]}
			}
		}
	case 5:
		r.must(t, disk.Request{Kind: disk.Close, File: f1})
		closed = true
		to := twinPaths[(slices.Index(twinPaths, path)+1)%3] // within data: a rename is made durable by one SyncDir
		if slices.Index(twinPaths, path) < 3 && to != path {
			r.must(t, disk.Request{Kind: disk.Rename, Path: path, NewPath: to})
			w.set(path, nil)
			w.set(to, f)
		}
	case 6:
		r.must(t, disk.Request{Kind: disk.Close, File: f1})
		closed = true
		r.must(t, disk.Request{Kind: disk.Remove, Path: path})
		w.set(path, nil)
	}
	if !closed {
		r.must(t, disk.Request{Kind: disk.Close, File: f1})
	}
}

func (w *twin) set(path string, f *twinFile) {
	w.visible[path] = f
	w.maybe[path] = append(w.maybe[path], f)
}

func (w *twin) check(t *rapid.T, r *rig, power bool) {
	for _, p := range twinPaths {
		b, there := r.d.ReadFile(p)
		if !power {
			if f := w.visible[p]; there != (f != nil) || there && !bytes.Equal(b, f.now) {
				t.Fatalf("after kill -9 %s is there=%v, %d bytes; want what was visible", p, there, len(b))
			}
			continue
		}
		why, ok := "", false
		for _, f := range w.maybe[p] {
			switch {
			case f == nil:
				ok = ok || !there
			case there:
				why = f.allows(b)
				ok = ok || why == ""
			}
		}
		if !ok {
			t.Fatalf("%s: there=%v, none of %d possibilities: %s", p, there, len(w.maybe[p]), why)
		}
	}
}

func TestAppendingAllocatesNothingButTheFile(t *testing.T) {
	r := fresh(t, 1)
	b := make([]byte, 1000)
	vec := [][]byte{b}
	off := int64(0)
	n := testing.AllocsPerRun(1000, func() {
		r.d.Submit(0, &disk.Request{Kind: disk.Write, File: f1, Off: off, Vec: vec, Token: 1})
		off += 1000
		clear(r.got)
		r.e.Step()
		r.d.Submit(0, &disk.Request{Kind: disk.Sync, File: f1, Token: 2})
		r.e.Step()
	})
	if n > 2 {
		t.Fatalf("%v allocations for an append and its sync, want at most 2", n)
	}
}
