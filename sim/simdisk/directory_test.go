package simdisk

import (
	"testing"

	"github.com/seedlog/seedlog/io/disk"
	"github.com/seedlog/seedlog/sim/fault"
)

// two has a file in each of two directories, synced, and the one in data open as f1.
func two(t *testing.T) *rig {
	r := fresh(t, 1)
	r.must(t, disk.Request{Kind: disk.Mkdir, Path: "data2"})
	r.must(t, disk.Request{Kind: disk.Open, File: 2, Path: "data2/b", Flags: disk.Create})
	r.must(t, disk.Request{Kind: disk.Write, File: 2, Vec: [][]byte{[]byte("old")}})
	r.must(t, disk.Request{Kind: disk.Sync, File: 2})
	for _, dir := range []string{"", "data2"} {
		r.must(t, disk.Request{Kind: disk.SyncDir, Path: dir})
	}
	return r
}

func TestADeadDirectoryFailsEveryRequestAndTheOtherNone(t *testing.T) {
	r := two(t)
	r.d.Faults.Broken, r.d.Faults.Dead = "data2", true
	for _, q := range []disk.Request{{Kind: disk.Write, File: 2, Vec: [][]byte{[]byte("x")}}, {Kind: disk.Write, File: 2, Vec: [][]byte{[]byte("x")}}, {Kind: disk.Read, File: 2, Bytes: make([]byte, 1)},
		{Kind: disk.Sync, File: 2}, {Kind: disk.List, Path: "data2"}, {Kind: disk.Mkdir, Path: "data2/c"}, {Kind: disk.Open, File: 3, Path: "data2/b"}, {Kind: disk.Open, File: 3, Path: "data2/b"},
		{Kind: disk.SyncDir, Path: "data2"}, {Kind: disk.Remove, Path: "data2/b"}} {
		if c := r.do(q); c.Err != disk.ErrIO {
			t.Errorf("%s: want %v, got %v", kindName[q.Kind], disk.ErrIO, c.Err)
		}
	}
	r.must(t, disk.Request{Kind: disk.Close, File: 2})
	r.must(t, write(0, "sound"))
	r.must(t, disk.Request{Kind: disk.List, Path: "data"})
	r.d.Faults.Broken, r.d.Faults.Dead = "", false
	if b, ok := r.d.ReadFile("data2/b"); !ok || string(b) != "old" {
		t.Fatalf("want what was there, got %q", b)
	}
	if r.e.Failed() != nil || r.l.Hits(fault.D3) == 0 {
		t.Fatalf("%v, %d hits", r.e.Failed(), r.l.Hits(fault.D3))
	}
}

func TestADirectoryThatIsReplacedLosesWhatItHadAndTheOtherNothing(t *testing.T) {
	for _, old := range []bool{false, true} {
		r := two(t)
		r.must(t, write(0, "kept"))
		r.must(t, disk.Request{Kind: disk.Sync, File: f1})
		s := r.d.Snapshot()
		r.must(t, disk.Request{Kind: disk.Write, File: 2, Vec: [][]byte{[]byte("newer")}})
		r.must(t, disk.Request{Kind: disk.Open, File: 4, Path: "data2/unsynced", Flags: disk.Create})
		r.d.Crash(false)
		class := fault.D8
		if !old {
			s, class = nil, fault.D7
		}
		r.d.RestoreDir(s, "data2")
		r.d.Attach(r, 1)
		r.reboot(true) // nothing of what was under way in the old one comes back
		b, ok := r.d.ReadFile("data2/b")
		if _, more := r.d.ReadFile("data2/unsynced"); ok != old || old && string(b) != "old" || more {
			t.Errorf("an old image %v: there %v, %q, and what was made since %v", old, ok, b, more)
		}
		if b, _ := r.d.ReadFile("data/a"); string(b) != "kept" || r.l.Hits(class) != 1 {
			t.Errorf("an old image %v: the other directory has %q; %d replaced", old, b, r.l.Hits(class))
		}
	}
}

func TestTheRoomEndsWithinAWriteToAFileOfTheKindThatIsAskedFor(t *testing.T) {
	r := two(t)
	r.d.Faults.Fills, r.d.Faults.FillsAt = "data2/b", 400
	r.must(t, write(0, "another kind"))
	c := r.do(disk.Request{Kind: disk.Write, File: 2, Off: 3, Vec: [][]byte{[]byte("0123456789")}})
	if c.Err != disk.ErrNoSpace || c.N != 4 {
		t.Fatalf("want 4 bytes and %v, got %d and %v", disk.ErrNoSpace, c.N, c.Err)
	}
	if c := r.do(write(12, "x")); c.Err != disk.ErrNoSpace || c.N != 0 {
		t.Fatalf("the disk is full from then on: %d and %v", c.N, c.Err)
	}
}
