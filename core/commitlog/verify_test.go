package commitlog

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// shelf is a log on a disk that a test damages.
type shelf struct {
	quiet
	w       *world
	l       *Log
	batches []records.View
	at      []spot // of each batch
	damaged []int64
}

// spot is where a batch stands.
type spot struct {
	path string
	pos  int64
}

func (s *shelf) LogDamaged(_ *Log, offset int64) { s.damaged = append(s.damaged, offset) }

func (s *shelf) open(point int64) error {
	var err error
	s.w.do(func(t *task.Task) {
		s.l, err = Open(t, s.w.env, "data/t-0", Options{Config: smallConfig(), Listener: s, Create: true, RecoveryPoint: point})
	})
	return err
}

// newShelf writes batches of these sizes in records, each after a gap, and closes and opens the log, so that nothing is remembered.
func newShelf(t interface{ Fatal(...any) }, sizes, gaps []int) *shelf {
	s := &shelf{w: newWorld(newMemDisk(prng.New(1)))}
	if err := s.open(0); err != nil {
		t.Fatal(err)
	}
	for i, n := range sizes {
		v := batch(n, 60, int64(i), records.Options{})
		v.SetBaseOffset(s.l.End() + int64(gaps[i]))
		v.SetLeaderEpoch(1)
		s.l.Replicate(v, nil)
		a := s.l.active()
		s.batches = append(s.batches, append(records.View(nil), v...))
		s.at = append(s.at, spot{a.name(s.l), a.size - int64(len(v))})
		s.w.settle()
	}
	s.w.do(func(t *task.Task) { s.l.Close(t, true) })
	s.w = newWorld(s.w.disk)
	s.w.do(func(t *task.Task) {
		var err error
		if s.l, err = Open(t, s.w.env, "data/t-0", Options{Config: smallConfig(), Listener: s, RecoveryPoint: s.end(), Clean: true}); err != nil {
			panic(err)
		}
	})
	return s
}

func (s *shelf) end() int64 { return s.batches[len(s.batches)-1].NextOffset() }

// bytes gives what stands on the disk of batch i.
func (s *shelf) bytes(i int) []byte {
	return s.w.disk.names[s.at[i].path].data[s.at[i].pos : s.at[i].pos+int64(len(s.batches[i]))]
}

func (s *shelf) verify(offset int64) (damaged, sparse int64) {
	s.w.do(func(t *task.Task) {
		err := disk.OK
		if damaged, sparse, err = s.l.Verify(t, offset); err != disk.OK {
			panic(fmt.Sprintf("verify: %v", err))
		}
	})
	return damaged, sparse
}

func drawnShelf(t *rapid.T, gaps bool) *shelf {
	sizes := rapid.SliceOfN(rapid.IntRange(1, 8), 2, 40).Draw(t, "records")
	between := make([]int, len(sizes))
	for i := range between {
		if i > 0 && gaps && rapid.IntRange(0, 3).Draw(t, "gap?") == 0 {
			between[i] = rapid.IntRange(1, 9).Draw(t, "gap")
		}
	}
	return newShelf(t, sizes, between)
}

func TestVerifyFindsTheDamagedBatchFromEachOffsetOfItAndNoneInASoundLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawnShelf(t, false)
		for o := int64(0); o < s.end(); o++ {
			if damaged, sparse := s.verify(o); damaged != -1 || sparse != 0 {
				t.Fatalf("sound, at %d: damaged %d, gaps to %d", o, damaged, sparse)
			}
		}
		i := rapid.IntRange(0, len(s.batches)-1).Draw(t, "batch")
		switch b := s.bytes(i); rapid.SampledFrom([]string{"bit", "hole", "moved"}).Draw(t, "damage") {
		case "bit":
			b[rapid.IntRange(17, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case "hole":
			clear(b)
		case "moved": // a misdirected write: a later batch stands here, and nothing at its own place
			j := rapid.IntRange(0, len(s.batches)-1).Draw(t, "later")
			if j <= i || s.at[j].path != s.at[i].path {
				return
			}
			copy(s.w.disk.names[s.at[i].path].data[s.at[i].pos:], s.batches[j])
			if len(s.batches[j]) <= len(b) {
				clear(s.bytes(j))
			}
		}
		for o := s.batches[i].BaseOffset(); o <= s.batches[i].LastOffset(); o++ {
			damaged, _ := s.verify(o)
			if damaged < s.batches[i].BaseOffset() {
				t.Fatalf("batch %d at %d: from %d on it was found damaged at %d", i, s.batches[i].BaseOffset(), o, damaged)
			}
		}
		for k, v := range s.batches[:i] {
			if damaged, _ := s.verify(v.BaseOffset()); damaged != -1 {
				t.Fatalf("batch %d before the damaged one %d: damaged at %d", k, i, damaged)
			}
		}
	})
}

func TestVerifyTellsCompactionsGapsFromHoles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawnShelf(t, true)
		for i := 1; i < len(s.batches); i++ {
			last, next := s.batches[i-1].LastOffset(), s.batches[i].BaseOffset()
			for o := last + 1; o < next; o++ {
				damaged, sparse := s.verify(o)
				if damaged != -1 || sparse < next {
					t.Fatalf("in the gap of %d to %d: damaged %d, gaps to %d", last, next, damaged, sparse)
				}
			}
			if next == last+1 || i+1 == len(s.batches) || s.at[i].path != s.at[i+1].path {
				continue
			}
			was := bytes.Clone(s.bytes(i + 1))
			clear(s.bytes(i + 1))
			if damaged, _ := s.verify(last + 1); damaged != s.batches[i].NextOffset() {
				t.Fatalf("a gap at %d, and a hole at %d: damaged %d", last+1, s.batches[i].NextOffset(), damaged)
			}
			copy(s.bytes(i+1), was)
		}
	})
}

// What a read cannot find for damage is told; nobody waits for what will never come.
func TestAReadThatMeetsAHoleSaysSo(t *testing.T) {
	sizes := make([]int, 40)
	for i := range sizes {
		sizes[i] = 3
	}
	for i := 5; i < 35; i++ {
		s := newShelf(t, sizes, make([]int, 40))
		clear(s.bytes(i))
		at := s.batches[i].BaseOffset()
		where, err := Where(0), disk.OK
		s.w.do(func(t *task.Task) { _, where, err = s.l.LocateSlow(t, at, 1000, s.end()) })
		if where == Found { // its place was known: it is sent, and seen by who gets it
			continue
		}
		if where != Damaged || err != disk.OK || len(s.damaged) != 1 || s.damaged[0] != at {
			t.Fatalf("batch %d at %d: %v, %v, told %v", i, at, where, err, s.damaged)
		}
	}
}

// A truncation meets damage below it. A replica that others count on must not end earlier than they know, so its log fails; any other ends there.
func TestATruncationThatMeetsDamageEndsThereIfNobodyCountsOnTheReplica(t *testing.T) {
	sizes := make([]int, 40)
	for i := range sizes {
		sizes[i] = 3
	}
	met := 0
	for k := range 2 * 39 {
		i, expendable := k/2, k%2 > 0
		s := newShelf(t, sizes, make([]int, 40))
		s.bytes(i)[70] ^= 1
		to, ok := s.batches[39].BaseOffset(), false
		s.w.do(func(t *task.Task) { ok = s.l.TruncateTo(t, to, expendable) })
		end := s.l.End()
		switch {
		case !ok && s.l.Failed() && !expendable:
			met++
			continue
		case !ok || s.l.Failed() || end != to && !(expendable && end == s.batches[i].BaseOffset()):
			t.Fatalf("batch %d at %d is damaged: cut %v, failed %v, up to %d", i, s.batches[i].BaseOffset(), ok, s.l.Failed(), end)
		}
		s.w.kill()
		s.w = newWorld(s.w.disk.crash(true))
		if err := s.open(min(end, s.l.SyncedEnd())); err != nil || s.l.End() != end {
			t.Fatalf("batch %d: cut at %d, after a loss of power %v, up to %d", i, end, err, s.l.End())
		}
	}
	if met == 0 {
		t.Fatal("no truncation has met damage")
	}
}
