package quorum

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/link"
	"github.com/seedlog/seedlog/core/metadata/memdisk"
)

// stored is a directory of a member that has voted, has a snapshot at entry 3 and entries up to 8.
func stored(t failer) *memdisk.Disk {
	d := memdisk.New(1)
	b, err := newBench(d, -1)
	if err == nil {
		err = b.node.stable.SetUint64([]byte("CurrentTerm"), 2)
	}
	for i := uint64(1); i <= 8 && err == nil; i++ {
		if err = b.node.logs.StoreLog(&raft.Log{Index: i, Term: 2, Data: []byte("an entry")}); err != nil || i != 3 {
			continue
		}
		img, _ := metadata.Empty().Apply(3, 2, metadata.Entry{Term: 2, Records: []metadata.Record{topic(3)}})
		k, e := b.node.snapshots.Create(1, 3, 2, raft.Configuration{Servers: []raft.Server{{ID: "1-a", Address: "1-a@h:1"}}}, 1, nil)
		if err = e; err == nil {
			err = frozen{img}.Persist(k)
		}
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	d.Kill()
	return d
}

// Stores of any files with names that theirs may have open or say why not, without a panic and with no more memory than the files are large; what opened
// reads, and opens again as it was.
func FuzzStoresOfAnyDirectory(f *testing.F) {
	f.Add([]byte{})
	for c := range byte(40) {
		f.Add([]byte{c, c % 5, 3 * c, 8, 255, 255, 255, 255, 0, 0, 0, 1})
		f.Add([]byte{c, 2, 5 * c, 4, 1, 2, 3, 4, c + 1, 0, 200, 0})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := stored(t)
		dir := "data/" + link.Directory
		next := func() byte {
			if len(b) == 0 {
				return 0
			}
			c := b[0]
			b = b[1:]
			return c
		}
		size := 0
		for n := 0; n < 12 && len(b) > 0; n++ {
			names := append(d.Names(dir), segmentName(uint64(next()%16)), stableName+".tmp", fmt.Sprintf("%d-%d%s", n, next()%16, snapshotSuffix), "x.part")
			name := dir + "/" + names[int(next())%len(names)]
			data, how := slices.Clone(d.Bytes(name)), next()
			at := int(next()) * len(data) / 255
			chunk := b[:min(int(next()), len(b))]
			b = b[len(chunk):]
			switch how % 5 {
			case 0:
				data = data[:at]
			case 1:
				data = append(data[:at:at], append(slices.Clone(chunk), data[at:]...)...)
			case 2:
				copy(data[at:], chunk)
			case 3:
				data = slices.Clone(chunk)
			case 4: // what another file holds
				data = slices.Clone(d.Bytes(dir + "/" + names[int(next())%len(names)]))
			}
			d.Put(name, data)
			size += len(data)
		}
		var was []string
		for i := range 2 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			k, err := newBench(d, -1)
			runtime.ReadMemStats(&after)
			if made := after.TotalAlloc - before.TotalAlloc; made > 16<<20+64*uint64(size) {
				t.Fatalf("%d MiB were allocated for %d bytes", made>>20, size)
			}
			if err != nil {
				if i > 0 {
					t.Fatalf("it opened once, and then: %v", err)
				}
				return
			}
			is := k.read(t)
			if k.state != nil {
				is = append(is, fmt.Sprint(k.state.Image.Index()))
			}
			if i > 0 && !slices.Equal(was, is) {
				t.Fatalf("first %q, then %q", was, is)
			}
			was = is
			d.Kill()
		}
	})
}
