package commitlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// plausible are the suffixes that files of a log's directory may have, and names that stand alone.
var (
	plausible = []string{suffixLog, suffixIndex, suffixTimeIndex, suffixTxnIndex, suffixSnapshot, suffixLog + suffixDeleted, suffixLog + suffixCleaned, suffixIndex + suffixCleaned,
		suffixTimeIndex + suffixCleaned, suffixTxnIndex + suffixCleaned, suffixLog + suffixSwap, suffixIndex + suffixSwap, suffixTimeIndex + suffixSwap, suffixTxnIndex + suffixSwap,
		suffixSnapshot + suffixDeleted, suffixSnapshot + suffixTemp}
	alone = []string{nameEpochs, nameMetadata, nameLowered, nameEpochs + suffixTemp, "leader-epoch-checkpoint.orig", "x"}
)

// directory is what a fuzzer's bytes make of a log's directory: it begins as a true one, and files come, go and change.
type directory struct {
	t    *testing.T
	b    []byte
	disk *memDisk
	true []string // names of the true log's files
}

func (d *directory) byte() byte {
	if len(d.b) == 0 {
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *directory) chunk() []byte {
	n := min(int(d.byte()), len(d.b))
	c := d.b[:n]
	d.b = d.b[n:]
	return slices.Clone(c)
}

// base is an offset for a name: small, as those of the true log are, or any.
func (d *directory) base() int64 {
	if c := d.byte(); c < 128 {
		return int64(c % 24)
	}
	return int64(binary.BigEndian.Uint64(append(d.chunk(), make([]byte, 8)...)) &^ (1 << 63))
}

func (d *directory) name() string {
	switch c := d.byte(); {
	case c < 100:
		return d.true[int(c)%len(d.true)]
	case c < 130:
		return alone[int(c)%len(alone)]
	default:
		return fileName(d.base(), plausible[int(c)%len(plausible)])
	}
}

func (d *directory) file(name string) *inode {
	p := "data/t-0/" + name
	if d.disk.names[p] == nil {
		d.disk.names[p] = &inode{}
		d.disk.durable[p] = d.disk.names[p]
	}
	return d.disk.names[p]
}

// made is a batch that is whole, at any offset.
func (d *directory) made() []byte {
	opt := records.Options{}
	if c := d.byte(); c&1 != 0 {
		opt = records.Options{HasProducer: true, ProducerID: int64(c >> 2 & 3), BaseSequence: int32(d.byte()), ProducerEpoch: int16(c >> 4), Transactional: c&2 != 0}
	}
	v := batch(1+int(d.byte()%4), int(d.byte()), int64(d.byte()), opt)
	v.SetBaseOffset(d.base())
	v.SetLeaderEpoch(int32(d.byte() % 4))
	return v
}

func (d *directory) change() {
	name := d.name()
	switch f := d.file(name); d.byte() % 8 {
	case 0:
		delete(d.disk.names, "data/t-0/"+name)
		delete(d.disk.durable, "data/t-0/"+name)
	case 1:
		f.data = d.chunk()
	case 2:
		f.data = append(f.data, d.chunk()...)
	case 3:
		f.data = f.data[:int(d.byte())*len(f.data)/255]
	case 4:
		f.data = change{int64(int(d.byte()) * len(f.data) / 255), d.chunk()}.apply(f.data)
	case 5:
		f.data = append(f.data, d.made()...)
	case 6: // the bytes of another one
		f.data = slices.Clone(d.file(d.name()).data)
	case 7: // blank, as a file that was grown and not written
		f.data = append(f.data, make([]byte, int(d.byte())*4)...)
	}
}

// readBack reads all that a log kept from an offset on, and checks each batch.
func readBack(t *testing.T, m *twin, from int64) {
	m.w.do(func(tk *task.Task) {
		for at := from; at < m.l.End(); {
			b, err := m.l.ReadBatches(tk, at, m.l.End(), 1000)
			if err != disk.OK || len(b) == 0 {
				t.Fatalf("offset %d of %d to %d cannot be read: %v", at, m.l.Start(), m.l.End(), err)
			}
			before := at
			for len(b) > 0 {
				v, rest, ok := records.Split(b)
				if !ok || v.ComputeCRC() != v.CRC() || v.NextOffset() < v.BaseOffset() {
					t.Fatalf("at offset %d stands what is no batch: %x", at, b[:min(len(b), 80)])
				}
				at, b = max(at, v.NextOffset()), rest
			}
			if at <= before {
				t.Fatalf("reading from %d on comes to %d", before, at)
			}
		}
	})
	m.w.settle()
}

// The recovery of any directory with names that a log's may have ends in bounded work without a panic, keeps what reads, and finds the same when it is done again.
func FuzzRecoveryOfAnyDirectory(f *testing.F) {
	f.Add([]byte{}, int64(0), int64(0), false)
	for c := byte(0); c < 255; c += 5 {
		f.Add([]byte{c, 3, 4, 128, 6, 255, 255, 0, 0, 1, 9, c + 1, 140, 5, 1, 2, 3, 3, 3}, int64(c%2)*int64(c%20), int64(0), c%4 == 3)
	}
	var before, after runtime.MemStats
	f.Fuzz(func(t *testing.T, b []byte, point, start int64, clean bool) {
		if point < 0 || start < 0 { // checkpoints have none
			return
		}
		d := &directory{t: t, b: b[:min(len(b), 3000)], disk: written(t)}
		for _, name := range d.disk.list("data/t-0") {
			d.true = append(d.true, name)
		}
		for range 40 {
			if len(d.b) == 0 {
				break
			}
			d.change()
		}
		size := 0
		for _, n := range d.disk.names {
			n.durable, n.changes = slices.Clone(n.data), nil
			size += len(n.data)
		}
		if size > 1<<20 {
			return
		}
		runtime.ReadMemStats(&before)
		disk := d.disk
		var logs [2]*twin
		for i := range logs {
			m := &twin{cfg: smallConfig(), seq: map[int64]int32{}}
			m.w = newWorld(disk.crash(false))
			if err := m.open(Options{RecoveryPoint: point, StartOffset: start, Clean: clean}); err != nil {
				var corrupt *Corrupt
				var foreign *Foreign
				if i > 0 && !errors.As(err, &corrupt) && !errors.As(err, &foreign) {
					t.Fatalf("the second recovery: %v", err)
				}
				return
			}
			m.w.settle()
			if !clean && point == 0 { // all of it was looked at
				readBack(t, m, m.l.Start())
			}
			work := 0
			for _, n := range m.w.disk.count {
				work += n
			}
			if work > 2000+size {
				t.Fatalf("%d requests for %d bytes", work, size)
			}
			logs[i], disk = m, m.w.disk
		}
		if a, b := logs[0].l, logs[1].l; a.End() != b.End() || a.Start() != b.Start() || !bytes.Equal(a.Producers().AppendSnapshot(nil), b.Producers().AppendSnapshot(nil)) {
			t.Fatalf("the first recovery gives %d to %d and the producers %x, the second %d to %d and %x", a.Start(), a.End(), a.Producers().AppendSnapshot(nil), b.Start(), b.End(), b.Producers().AppendSnapshot(nil))
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20+100*uint64(size) {
			t.Fatalf("%d MiB were allocated for %d bytes", (after.TotalAlloc-before.TotalAlloc)>>20, size)
		}
	})
}

func FuzzNamesAndMetadata(f *testing.F) {
	f.Add("00000000000000000010.log", []byte("version: 0\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA\ncrc32c: c5112289\n"))
	f.Add("99999999999999999999.index.swap", []byte("version: 0\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		if o, suffix, ok := parseName(name); ok && (o < 0 || fileName(o, suffix) != name) {
			t.Fatalf("%q is read as %d and %q", name, o, suffix)
		}
		if id, ok := parseMetadata(b); !ok && id != [16]byte{} {
			t.Fatal("an id of a file that is refused")
		}
	})
}

func FuzzIndexEntries(f *testing.F) {
	f.Add(index.Entry{Rel: 9, Pos: 100}.Append(index.Entry{Rel: 4, Pos: 50}.Append(nil)), int64(5))
	f.Add(index.TimeEntry{Timestamp: 9, Rel: 9}.Append(nil), int64(-1))
	f.Fuzz(func(t *testing.T, b []byte, at int64) {
		size := int64(1 << 20)
		n := index.Valid(b, index.Entry{Rel: -1, Pos: -1}, 1<<30, size)
		if n > 0 {
			if i := index.Floor(b[:n*index.EntrySize], at); i < -1 || i >= n || i >= 0 && int64(index.At(b, i).Rel) > at {
				t.Fatalf("floor of %d is entry %d of %d", at, i, n)
			}
			if e := index.At(b, n-1); int64(e.Pos) >= size {
				t.Fatalf("an entry at %d is valid", e.Pos)
			}
		}
		n = index.ValidTime(b, index.TimeEntry{Timestamp: -1}, 1<<30)
		if i := index.FloorTime(b[:n*index.TimeEntrySize], at); i < -1 || i >= n {
			t.Fatalf("floor of time %d is entry %d of %d", at, i, n)
		}
	})
}
