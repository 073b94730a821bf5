package commitlog

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
)

// written makes a log with two segments, an index entry, two epochs and a producer, and closes it.
func written(t testing.TB) *memDisk {
	cfg := smallConfig()
	cfg.SegmentBytes = 1000
	m := fixed(t, cfg)
	for i := 0; i < 8; i++ {
		v := batch(2, 60, 1000+int64(i), records.Options{HasProducer: true, ProducerID: 0x1122, BaseSequence: int32(2 * i)})
		m.l.Append(v, int32(i/5), nil)
		m.w.settle()
	}
	m.w.do(func(t *task.Task) { m.l.Close(t, true) })
	return m.w.disk
}

func TestEachFileHasKafkasBytes(t *testing.T) {
	d := written(t)
	want := map[string]string{
		"00000000000000000000.index":     "00000005" + "0000018a" + "00000009" + "00000314",
		"00000000000000000000.timeindex": "00000000000003eb" + "00000005" + "00000000000003ed" + "00000009",
		"leader-epoch-checkpoint":        hex.EncodeToString([]byte("0\n2\n0 0\n1 10\t\t\t\t \t\t\t \t\t  \t  \t \t \t\t\t \t\t\t\t\t \t \n")),
		"partition.metadata":             hex.EncodeToString([]byte("version: 0\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA\ncrc32c: c5112289\n")),
	}
	for name, h := range want {
		n := d.names["data/t-0/"+name]
		if n == nil || hex.EncodeToString(n.data) != h {
			t.Errorf("%s:\n got %x\nwant %s", name, n.data, h)
		}
	}
	t.Log(d.list("data/t-0"))
	if dir := os.Getenv("DUMP_DIR"); dir != "" {
		for _, name := range d.list("data/t-0") {
			if err := os.WriteFile(filepath.Join(dir, name), d.names["data/t-0/"+name].data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestCheckpointsHaveKafkasText(t *testing.T) {
	list := []Entry{{"a", 0, 5}, {"b.c_d-e", 12, 1 << 40}}
	text := AppendCheckpoint(nil, list)
	if want := "0\n2\na 0 5\nb.c_d-e 12 1099511627776\t\t\t \t\t     \t\t   \t\t\t\t\t \t\t  \t\t \t  \n"; string(text) != want {
		t.Fatalf("got %q, want %q", text, want)
	}
	w := newWorld(newMemDisk(prng.New(1)))
	w.do(func(tk *task.Task) {
		if got, err := ReadCheckpoint(tk, "data/x"); err != nil || got != nil {
			t.Errorf("a missing checkpoint: %v %v", got, err)
		}
		if err := WriteCheckpoint(tk, "data/x", list); err != nil {
			t.Error(err)
		}
		got, err := ReadCheckpoint(tk, "data/x")
		if err != nil || len(got) != 2 || got[1] != list[1] {
			t.Errorf("got %v, %v", got, err)
		}
	})
	for _, bad := range []string{"", "0", "0\n1\n", "1\n0\n", "0\n1\na 0\n", "0\n1\na 0 -1\n", "0\n2\na 0 1\n", "0\n1\na 4294967296 1\n"} {
		if _, err := ParseCheckpoint([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a checkpoint", bad)
		}
	}
}

func FuzzCheckpointsAreReadOrRefused(f *testing.F) {
	f.Add([]byte("0\n1\na 0 5\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e epochs
		e.parse(b)
		if list, err := ParseCheckpoint(b); err == nil {
			again, err := ParseCheckpoint(AppendCheckpoint(nil, list))
			if err != nil || len(again) != len(list) {
				t.Fatalf("%q does not come back", b)
			}
		}
	})
}

// The recovery of any bytes ends with a log that reads, and that a second recovery leaves as it is; never with a panic.
func FuzzRecoveryOfAnyFilesIsIdempotent(f *testing.F) {
	d := written(f)
	names := []string{"00000000000000000000.log", "00000000000000000000.index", "00000000000000000000.timeindex", "00000000000000000010.log", "00000000000000000010.snapshot", "leader-epoch-checkpoint"}
	f.Add(uint8(0), uint16(0), []byte{}, uint8(0))
	for i, n := range names {
		f.Add(uint8(i), uint16(len(d.names["data/t-0/"+n].data)/2), []byte("\x00\x00\x00\x00\xff\xff\xff\xff"), uint8(i))
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, patch []byte, flags uint8) {
		d := written(t)
		n := d.names["data/t-0/"+names[int(which)%len(names)]]
		pos := min(int(at), len(n.data))
		if flags&1 != 0 {
			n.data = append(append(append([]byte(nil), n.data[:pos]...), patch...), n.data[pos:]...)
		} else {
			n.data = change{int64(pos), append([]byte{}, patch...)}.apply(append([]byte(nil), n.data...))
		}
		if flags&2 != 0 {
			n.data = n.data[:pos]
		}
		n.durable = bytes.Clone(n.data)
		var logs [2]*twin
		for i := range logs {
			m := &twin{cfg: smallConfig(), seq: map[int64]int32{}}
			m.w = newWorld(d.crash(false))
			err := m.open(Options{RecoveryPoint: int64(flags>>2) % 20, Clean: flags&128 != 0})
			if err != nil {
				return
			}
			m.w.do(func(t *task.Task) {
				m.l.ReadBatches(t, m.l.Start(), m.l.End(), 100)
				m.l.OffsetForTime(t, 1003, m.l.End())
				m.l.MaxTimestamp(t, m.l.End())
			})
			m.w.settle()
			logs[i], d = m, m.w.disk
		}
		if a, b := logs[0].l, logs[1].l; a.End() != b.End() || a.Start() != b.Start() {
			t.Fatalf("the first recovery gives %d to %d, the second %d to %d", a.Start(), a.End(), b.Start(), b.End())
		}
		if a, b := logs[0].l.Producers().AppendSnapshot(nil), logs[1].l.Producers().AppendSnapshot(nil); !bytes.Equal(a, b) {
			t.Fatalf("the first recovery knows the producers %x, the second %x", a, b)
		}
	})
}
