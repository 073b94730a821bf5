package quorum

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/metadata/memdisk"
	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// bench is a node without raft, whose disk answers at once and stops after so many requests.
type bench struct {
	disk  *memdisk.Disk
	node  *Node
	state *link.State
	left  int // requests until the power goes; below 0: it stays
	off   bool
}

func newBench(d *memdisk.Disk, left int) (*bench, error) {
	b := &bench{disk: d, left: left}
	b.node = New(Options{Node: &config.Node{}, Lane: 1, LogDir: "data", Wake: func() { b.pump() }})
	b.node.dead = make(chan struct{})
	b.node.disk = door{out: &b.node.out, dead: b.node.dead, lane: 1}
	b.node.streams = newStreams(b.node)
	b.node.machine = &fsm{node: b.node, image: metadata.Empty()}
	b.node.lead.node = b.node
	_, data, err := b.node.openStores()
	if err == nil && b.node.snapshots.newest() != nil {
		b.state, err = b.node.state(false, data)
	}
	return b, err
}

// opens opens a directory as a node does.
func opens(d *memdisk.Disk) (*link.State, error) {
	d.Kill()
	b, err := newBench(d, -1)
	if err != nil {
		return nil, err
	}
	d.Kill()
	return b.node.open()
}

func (b *bench) pump() {
	var out step.Effects
	b.node.Drain(&out)
	for _, r := range out.Disk {
		if b.left == 0 {
			b.off = true
			b.node.out.kill()
			close(b.node.dead)
			return
		}
		b.left--
		c := b.disk.Do(&r)
		b.node.out.diskDone(&c)
	}
}

// restart takes the power away, or only the process, and opens again.
func (b *bench) restart(t failer, power bool, left int) *bench {
	if power {
		b.disk.Crash()
	} else {
		b.disk.Kill()
	}
	n, err := newBench(b.disk, left)
	if err != nil && !n.off {
		t.Fatalf("it does not open: %v", err)
	}
	return n
}

// again opens after the power, or only the process, was gone, and some more times as the power goes while it opens.
func (b *bench) again(t *rapid.T) *bench {
	b = b.restart(t, rapid.Bool().Draw(t, "power"), rapid.IntRange(-1, 12).Draw(t, "opening stops"))
	for b.off {
		b = b.restart(t, rapid.Bool().Draw(t, "power"), rapid.IntRange(-1, 20).Draw(t, "opening stops"))
	}
	b.left = -1
	return b
}

// firstBench opens an empty disk, whose power may go meanwhile.
func firstBench(t *rapid.T, d *memdisk.Disk) *bench {
	b, err := newBench(d, rapid.IntRange(-1, 20).Draw(t, "first opening stops"))
	if b.off {
		return b.again(t)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	b.left = -1
	return b
}

type failer interface {
	Fatalf(format string, args ...any)
}

// read gives the store's log as text, entry by entry.
func (b *bench) read(t failer) []string {
	s := b.node.logs
	first, _ := s.FirstIndex()
	last, _ := s.LastIndex()
	var out []string
	for i := first; i <= last && i > 0; i++ {
		var l raft.Log
		if err := s.GetLog(i, &l); err != nil || l.Index != i {
			t.Fatalf("entry %d of %d to %d: %v, %+v", i, first, last, err, l)
		}
		out = append(out, show(&l))
	}
	return out
}

func show(l *raft.Log) string {
	return fmt.Sprintf("%d@%d %v %x %x %d", l.Index, l.Term, l.Type, l.Data, l.Extensions, appendedAt(l))
}

// logTwin is the log as a plain slice.
type logTwin struct {
	first uint64
	logs  []string
	base  uint64 // where the newest snapshot ends
}

func (w logTwin) last() uint64 { return w.first + uint64(len(w.logs)) - 1 }

func TestALogIsAfterEachLossOfPowerWhatItsTwinIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := memdisk.New(rapid.Uint64().Draw(t, "seed"))
		b := firstBench(t, d)
		twin := logTwin{first: 1}
		check := func(want ...logTwin) {
			got := b.read(t)
			i := slices.IndexFunc(want, func(w logTwin) bool { return slices.Equal(w.logs, got) })
			if i < 0 {
				t.Fatalf("want one of %v\n got %v", want, got)
			}
			twin = want[i]
			twin.base = want[len(want)-1].base
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			b.left = -1
			if rapid.IntRange(0, 3).Draw(t, "power goes") == 0 {
				b.left = rapid.IntRange(0, 6).Draw(t, "after")
			}
			next := twin.step(t, b)
			if !b.off {
				check(next)
			} else {
				b = b.again(t)
				check(twin, next)
				b.node.logs.snapshotAt(next.base, 9)
			}
			if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
				b = b.restart(t, rapid.Bool().Draw(t, "power"), -1)
				check(twin)
				b.node.logs.snapshotAt(next.base, 9)
			}
		}
	})
}

// step does one thing to the store, and gives what the twin is after it.
func (w logTwin) step(t *rapid.T, b *bench) logTwin {
	n := logTwin{w.first, slices.Clone(w.logs), w.base}
	what := rapid.SampledFrom([]string{"store", "store", "store", "cut", "drop", "reset"}).Draw(t, "what")
	s := b.node.logs
	var err error
	switch {
	case what == "cut" && len(w.logs) > 1:
		from := rapid.Uint64Range(w.first+1, w.last()).Draw(t, "from")
		err = s.DeleteRange(from, w.last())
		n.logs = n.logs[:from-w.first]
	case what == "drop" && len(w.logs) > 1:
		to := rapid.Uint64Range(w.first, w.last()-1).Draw(t, "to")
		err = s.DeleteRange(w.first, to)
		n.first, n.logs = to+1, n.logs[to-w.first+1:]
	case what == "reset" && len(w.logs) > 0: // a snapshot beyond the log was installed
		n.base = w.last() + 1
		s.snapshotAt(n.base, 9)
		err = s.DeleteRange(w.first, w.last())
		n.first, n.logs = w.last()+1, nil
	default:
		var logs []*raft.Log
		for range rapid.IntRange(1, 5).Draw(t, "n") {
			l := &raft.Log{Index: n.first + uint64(len(n.logs)), Term: rapid.Uint64Range(1, 9).Draw(t, "term"), Type: raft.LogType(rapid.IntRange(0, 5).Draw(t, "type")),
				Data: rapid.SliceOfN(rapid.Byte(), 0, 900).Draw(t, "data"), Extensions: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "ext")}
			if rapid.Bool().Draw(t, "dated") {
				l.AppendedAt = time.Unix(0, rapid.Int64Range(1, 1<<60).Draw(t, "at"))
			}
			logs, n.logs = append(logs, l), append(n.logs, show(l))
		}
		err = s.StoreLogs(logs)
	}
	if err != nil && !b.off {
		t.Fatalf("%s: %v", what, err)
	}
	return n
}

func TestAVoteIsSyncedBeforeItIsAnswered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := memdisk.New(rapid.Uint64().Draw(t, "seed"))
		b := firstBench(t, d)
		want := vote{}
		for i := range rapid.IntRange(1, 20).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "power goes") == 0 {
				b.left = rapid.IntRange(0, 2).Draw(t, "after")
			}
			before := want
			var err error
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				want.term++
				err = b.node.stable.SetUint64([]byte("CurrentTerm"), want.term)
			case 1:
				want.voteTerm++
				err = b.node.stable.SetUint64([]byte("LastVoteTerm"), want.voteTerm)
			default:
				want.candidate = fmt.Appendf(nil, "node-%d", i)
				err = b.node.stable.Set([]byte("LastVoteCand"), want.candidate)
			}
			if err != nil {
				t.Fatalf("%v", err)
			}
			was := b.off
			b = b.again(t)
			got := b.node.stable.get()
			same := func(w vote) bool {
				return got.term == w.term && got.voteTerm == w.voteTerm && bytes.Equal(got.candidate, w.candidate)
			}
			if !same(want) && !(was && same(before)) {
				t.Fatalf("set %+v, found %+v", want, got)
			}
			want.term, want.voteTerm, want.candidate = got.term, got.voteTerm, got.candidate
		}
	})
}

// A file system that is full still takes what stands in the place of something.
func TestAVoteNeedsNoRoomOnADiskOnceTwoWereStored(t *testing.T) {
	d := memdisk.New(3)
	b, err := newBench(d, -1)
	if err != nil {
		t.Fatal(err)
	}
	for term := uint64(1); term <= 12; term++ {
		if err := b.node.stable.SetUint64([]byte("CurrentTerm"), term); err != nil {
			t.Fatal(err)
		}
		if term == 2 {
			at := b.node.stable.path
			d.Fail = func(r *disk.Request) disk.Err {
				if r.Kind == disk.Write && r.Off+int64(len(r.Vec[0])) > int64(len(d.Bytes(at))) {
					t.Errorf("a vote needs room: %d bytes at %d of %d", len(r.Vec[0]), r.Off, len(d.Bytes(at)))
				}
				return disk.OK
			}
		}
		if b = b.restart(t, term%2 == 0, -1); b.node.stable.get().term != term {
			t.Fatalf("term %d was stored, %d is there", term, b.node.stable.get().term)
		}
	}
}

func TestASnapshotHasItsNameOnceItIsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := memdisk.New(rapid.Uint64().Draw(t, "seed"))
		b := firstBench(t, d)
		newest, index := int64(-1), uint64(1)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "power goes") == 0 {
				b.left = rapid.IntRange(0, 9).Draw(t, "after")
			}
			index += rapid.Uint64Range(1, 1000).Draw(t, "further")
			img, _ := metadata.Empty().Apply(int64(index), 3, metadata.Entry{Term: 3, Records: []metadata.Record{topic(int(index))}})
			c := raft.Configuration{Servers: []raft.Server{{ID: "1-a", Address: "1-a@h:1"}, {Suffrage: raft.Nonvoter, ID: "2-b", Address: "2-b@h:2"}}}
			k, err := b.node.snapshots.Create(1, index, 3, c, 1, nil)
			if err == nil {
				err = frozen{img}.Persist(k)
			}
			if err == nil {
				newest = int64(index)
			}
			if err != nil && !b.off {
				t.Fatalf("%v", err)
			}
			maybe := int64(-1)
			if b.off {
				maybe = int64(index)
			}
			b = b.restart(t, true, -1)
			got := int64(-1)
			if b.state != nil {
				got = b.state.Image.Index()
			}
			if got != newest && got != maybe {
				t.Fatalf("index %d, want %d or %d", got, newest, maybe)
			}
			newest = got
			checkSnapshots(t, b, newest)
		}
	})
}

func checkSnapshots(t *rapid.T, b *bench, newest int64) {
	list, _ := b.node.snapshots.List()
	if len(list) > keepSnapshots || newest >= 0 && (len(list) == 0 || int64(list[0].Index) != newest || len(list[0].Configuration.Servers) != 2) {
		t.Fatalf("%d snapshots, want the newest at %d: %+v", len(list), newest, list)
	}
	for _, m := range list {
		_, r, err := b.node.snapshots.Open(m.ID)
		if err != nil {
			t.Fatalf("%v", err)
		}
		data, _ := io.ReadAll(r)
		img, err := metadata.DecodeImage(data)
		if err != nil || img.Index() != int64(m.Index) || !has(img, int(m.Index)) || int64(len(data)) != m.Size {
			t.Fatalf("%+v: %v", m, err)
		}
	}
	for _, n := range b.disk.Names(b.node.dir) {
		if len(n) > 5 && n[len(n)-5:] == ".part" {
			t.Fatalf("%s stays", n)
		}
	}
}

func TestDamageBeforeWholeFramesIsRefusedAndSegmentsRoll(t *testing.T) {
	d := memdisk.New(1)
	b, err := newBench(d, -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.node.stable.SetUint64([]byte("CurrentTerm"), 1); err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); i <= 12; i++ {
		if err := b.node.logs.StoreLog(&raft.Log{Index: i, Term: 1, Data: make([]byte, 1<<20)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.node.logs.segs.all); n < 3 {
		t.Fatalf("%d segments", n)
	}
	if err := b.node.logs.DeleteRange(1, 6); err != nil {
		t.Fatal(err)
	}
	b = b.restart(t, true, -1)
	if n := len(b.node.logs.segs.all); n > 3 || len(b.read(t)) != 6 {
		t.Fatalf("%d segments, %d entries", n, len(b.read(t)))
	}
	path := b.node.logs.segs.path(b.node.logs.segs.all[0])
	b.disk.Bytes(path)[frameHead+100] ^= 1
	d.Kill()
	if _, err := newBench(d, -1); err == nil {
		t.Fatal("damage before whole frames was cut away")
	}
}

func TestAVoteThatIsGoneIsRefusedWhereEntriesStand(t *testing.T) {
	d := memdisk.New(2)
	b, err := newBench(d, -1)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := opens(memdisk.New(2)); err != nil || s.HasState {
		t.Fatal("an empty directory has state")
	}
	if err := b.node.logs.StoreLog(&raft.Log{Index: 1, Term: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := opens(d); err == nil {
		t.Fatal("entries without a term were taken")
	}
}

func TestDirectoriesThatCannotBeReadAreTold(t *testing.T) {
	for ops := range 12 {
		d := memdisk.New(3)
		n := 0
		d.Fail = func(*disk.Request) disk.Err {
			if n++; n == ops+1 {
				return disk.ErrIO
			}
			return disk.OK
		}
		if _, err := newBench(d, -1); err == nil && n > ops {
			t.Errorf("request %d failed, and nobody knows", ops+1)
		}
	}
}
