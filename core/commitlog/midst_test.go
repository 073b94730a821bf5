package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// What the random tests of a log found, one at a time.

// A start that finds no snapshot to begin with knows all producers only when it has met one.
func TestARecoveryWritesNoSnapshotBeforeItKnowsAllProducers(t *testing.T) {
	cfg := smallConfig()
	m := fixed(t, cfg)
	known := batch(1, 900, 1000, records.Options{HasProducer: true, ProducerID: 7})
	m.l.Append(known, 0, nil)
	for range 16 {
		m.add(1, 900)
		m.w.settle()
	}
	m.l.DeleteRecords(m.l.segs[1].base)
	m.w.settle()
	for _, o := range m.l.snapshots.list[:2] { // as a clean does, or rot
		delete(m.w.disk.names, m.l.path(o, suffixSnapshot))
	}
	for range 2 {
		m.w = newWorld(m.w.disk.crash(false))
		if err := m.open(Options{}); err != nil {
			t.Fatal(err)
		}
		if d := m.l.Producers().Check(known, 0); !d.Duplicate || d.Base != 0 {
			t.Fatalf("the last batch of a producer is judged %+v", d)
		}
		m.w.settle()
	}
}

// A process that is killed leaves a snapshot that only the page cache holds, and the next one takes its producers' records away.
func TestTheLastThatIsKnownOfDeletedRecordsIsDurableBeforeTheyGo(t *testing.T) {
	for seed := range uint64(30) {
		m := fixed(t, smallConfig())
		known := batch(1, 900, 1000, records.Options{HasProducer: true, ProducerID: 7})
		m.l.Append(known, 0, nil)
		for len(m.l.segs) < 2 || m.l.active().size == 0 {
			m.add(1, 900)
			m.w.settle()
		}
		to := m.l.segs[1].base
		path := m.l.path(to, suffixSnapshot)
		b := bytes.Clone(m.w.disk.names[path].data)
		m.w.do(func(tk *task.Task) {
			tk.Disk(disk.Request{Kind: disk.Remove, Path: path})
			writeFile(tk, m.w.env, path, b, false)
			tk.Disk(disk.Request{Kind: disk.SyncDir, Path: m.l.dir})
		})
		m.l.DeleteRecords(to)
		m.w.settle()
		m.w.disk.rnd = prng.New(seed)
		m.w = newWorld(m.w.disk.crash(true))
		if err := m.open(Options{StartOffset: to}); err != nil {
			t.Fatal(err)
		}
		if d := m.l.Producers().Check(known, 0); !d.Duplicate {
			t.Fatalf("seed %d: the last batch of a producer is judged %+v", seed, d)
		}
	}
}

// The indexes of a segment are vouched for by the snapshots of later ones too.
func TestRecoveryCutsNoIndexThatALaterSnapshotVouchesFor(t *testing.T) {
	m := fixed(t, smallConfig())
	late := int64(2_000_000)
	m.l.Append(batch(1, 300, 1000, records.Options{}), 0, nil)
	m.l.Append(batch(1, 300, 1001, records.Options{}), 0, nil)
	m.w.do(func(t *task.Task) { m.l.Close(t, true) }) // with a snapshot at 2, from which the crash below recovers
	m.w = newWorld(m.w.disk.crash(false))
	if err := m.open(Options{RecoveryPoint: 2, Clean: true}); err != nil {
		t.Fatal(err)
	}
	m.l.Append(batch(1, 300, late, records.Options{}), 0, nil)
	m.add(1, 300)
	m.w.settle()
	kept := m.l.path(2, suffixSnapshot)
	f := m.w.disk.names[kept]
	for len(m.l.segs) < 4 {
		m.add(1, 900)
		m.w.settle()
	}
	m.w.disk.names[kept] = f // a loss of power gives one name back that was removed, and takes one that was made
	delete(m.w.disk.names, m.l.path(m.l.segs[1].base, suffixSnapshot))
	m.w = newWorld(m.w.disk.crash(false))
	if err := m.open(Options{RecoveryPoint: 2}); err != nil {
		t.Fatal(err)
	}
	end := m.l.End()
	m.w.kill() // before the segments are sealed again
	m.w = newWorld(m.w.disk.crash(false))
	if err := m.open(Options{RecoveryPoint: end}); err != nil {
		t.Fatal(err)
	}
	m.w.do(func(tk *task.Task) {
		if o, at, _, err := m.l.OffsetForTime(tk, late, end); err != disk.OK || o != 2 || at != late {
			t.Errorf("time %d: found %d at %d (%v), want 2", late, o, at, err)
		}
	})
}

func TestTheGreatestTimestampIsNotThatOfADeletedRecordOfTheFirstBatch(t *testing.T) {
	m := fixed(t, smallConfig())
	b := records.NewBuilder(records.Options{})
	for _, ts := range []int64{9000, 2000, 3000} {
		b.Add(nil, []byte("x"), ts)
	}
	m.l.Append(append(records.View(nil), b.Build()...), 0, nil)
	m.w.settle()
	m.l.DeleteRecords(1)
	m.w.do(func(tk *task.Task) {
		if o, at, _, err := m.l.MaxTimestamp(tk, 3); err != disk.OK || o != 2 || at != 3000 {
			t.Errorf("got %d at %d (%v), want 2 at 3000", o, at, err)
		}
	})
}

// keyed makes a batch of one record of about 900 bytes.
func keyed(key string, value bool, opt records.Options) records.View {
	builder.Reset(opt)
	b := []byte(nil)
	if value {
		b = bytes.Repeat([]byte("v"), 900)
	}
	builder.Add([]byte(key), b, 1000, records.HeaderField{Key: "pad", Value: bytes.Repeat([]byte("p"), 900-len(b))})
	return append(records.View(nil), builder.Build()...)
}

// keys reads which keys stand below an offset, all of them.
func keys(t *testing.T, m *twin, to int64) (out []string) {
	for o := m.l.Start(); o < to; {
		var sl Slice
		var where Where
		m.w.do(func(tk *task.Task) {
			sl, where, _ = m.l.LocateSlow(tk, o, 1, to)
			m.l.Pin(sl.Ext.File)
		})
		if where != Found {
			t.Fatalf("read at %d: %v", o, where)
		}
		v := records.View(bytes.Clone(m.w.disk.open[sl.Ext.File].data[sl.Ext.Off:][:sl.Ext.Len]))
		m.l.Unpin(sl.Ext.File)
		var scratch records.Scratch
		for r := records.NewReader(v, &scratch); ; {
			rec, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if !v.IsControl() {
				out = append(out, string(rec.Key))
			}
		}
		o = sl.Next
	}
	return out
}

// Retention takes a segment away while the first pass reads: the pass must not lose its place, or a tombstone goes before what it deletes.
func TestADeletionInTheMidstOfACleanLosesNoTombstone(t *testing.T) {
	ended := 0
	for steps := range 60 {
		cfg := smallConfig()
		cfg.SegmentBytes = 1000
		m := fixed(t, cfg)
		for _, key := range []string{"deleted", "filler", "k", "filler"} {
			m.l.Append(keyed(key, true, records.Options{}), 0, nil)
		}
		m.l.Append(keyed("k", false, records.Options{}), 0, nil)
		m.l.Append(keyed("last", true, records.Options{}), 0, nil)
		m.l.Append(keyed("active", true, records.Options{}), 0, nil)
		m.w.settle()
		m.l.SyncNow()
		m.w.settle()
		var err error
		tk := task.Go(m.w.env, func(tk *task.Task) {
			_, err = m.l.Clean(tk, CleanLimits{Stable: m.l.End(), Deletes: m.l.End(), MapBytes: 1 << 16, Room: 1 << 30})
		})
		for range steps {
			m.w.step()
		}
		m.l.DeleteRecords(1)
		m.w.settle()
		if !tk.Ended() || err != nil && !errors.Is(err, ErrCleanEnded) {
			t.Fatalf("after %d steps: ended %v, %v", steps, tk.Ended(), err)
		}
		if err != nil {
			ended++
			continue
		}
		if got, want := strings.Join(keys(t, m, 6), " "), "filler k last"; got != want {
			t.Fatalf("deleted after %d steps: %q stand, want %q", steps, got, want)
		}
	}
	if ended > 30 {
		t.Fatalf("%d of 60 cleans were ended: the test is wrong", ended)
	}
}

// abortedFirst makes a log whose first record was aborted, by a marker in the segment of the record or in the next.
func abortedFirst(t *testing.T, same bool) *twin {
	cfg := smallConfig()
	cfg.SegmentBytes, cfg.DeleteRetentionMS = 1100, 0
	m := fixed(t, cfg)
	v := keyed("aborted", true, records.Options{HasProducer: true, ProducerID: 11, Transactional: true})
	m.l.Producers().Verify(v, false, 0)
	m.l.Append(v, 0, nil)
	if !same {
		m.l.Append(keyed("first", true, records.Options{}), 0, nil)
	}
	m.l.Append(records.NewMarker(11, 0, records.Marker{}, 1000), 0, nil)
	for i := range 3 {
		m.l.Append(keyed(fmt.Sprint(i), true, records.Options{}), 0, nil)
	}
	m.l.Append(records.NewMarker(11, 1, records.Marker{}, 1000), 0, nil) // so that nobody needs the first marker for what it tells of the producer
	m.l.Append(keyed("active", true, records.Options{}), 0, nil)
	m.w.settle()
	m.l.SyncNow()
	m.w.settle()
	return m
}

// hidden sees that a log that begins at 0 again knows that the record there was aborted.
func hidden(t *testing.T, m *twin) bool {
	if m.l.Start() > 0 {
		return false
	}
	m.w.do(func(tk *task.Task) {
		if ab, err := m.l.AbortedSlow(tk, 0, m.l.End()); err != disk.OK || len(ab) == 0 || ab[0].First != 0 {
			t.Fatalf("the aborted record at 0 is back, and %v (%v) are aborted", ab, err)
		}
	})
	return true
}

// A loss of power may bring back a segment that was unlinked.
func TestAnAbortedRecordStaysHiddenThoughItsDeletionIsLost(t *testing.T) {
	back := 0
	for seed := range uint64(400) {
		m := abortedFirst(t, true)
		rnd := prng.New(seed)
		m.w.disk.rnd, m.w.disk.fifo = rnd, false
		end := m.l.End()
		m.l.DeleteRecords(2)
		for range rnd.Intn(20) {
			m.w.step()
		}
		m.w.kill()
		m.w = newWorld(m.w.disk.crash(true))
		if err := m.open(Options{RecoveryPoint: end}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if hidden(t, m) {
			back++
		}
	}
	if back < 20 {
		t.Fatalf("the record came back %d times: the test is wrong", back)
	}
}

// A segment is unlinked only when no response holds it. Until then it may come back, and the marker of its transaction stays.
func TestACleanWaitsForWhatRetentionUnlinks(t *testing.T) {
	m := abortedFirst(t, false)
	end := m.l.End()
	clean := func() *task.Task {
		m.w.env.Now.Wall += 10
		m.l.cleaned = 0
		return task.Go(m.w.env, func(tk *task.Task) {
			m.l.Clean(tk, CleanLimits{Stable: end, Deletes: end, MapBytes: 1 << 16, Room: 1 << 30})
		})
	}
	s := m.l.segs[0]
	s.pins++
	m.l.DeleteRecords(1)
	for range 3 {
		for tk, i := clean(), 0; i < 300 && !tk.Ended(); i++ {
			m.w.step()
		}
		if m.l.cleaning {
			break
		}
	}
	disk := m.w.disk.crash(true)
	s.pins--
	if m.w.settle(); m.l.cleaning {
		t.Fatal("a clean still waits for a segment that is gone")
	}
	m.w = newWorld(disk)
	if err := m.open(Options{RecoveryPoint: end}); err != nil {
		t.Fatal(err)
	}
	if !hidden(t, m) {
		t.Fatal("a segment that a response held is gone: the test is wrong")
	}
}

// A replica that is behind must meet tombstones and markers, or it keeps for ever what they delete or end.
func TestACleanKeepsWhatDeletesWhileAReplicaIsBehind(t *testing.T) {
	for _, deletes := range []int64{0, 2, 5} {
		cfg := smallConfig()
		cfg.SegmentBytes, cfg.DeleteRetentionMS = 1000, 0
		m := fixed(t, cfg)
		m.l.Append(keyed("k", false, records.Options{}), 0, nil)
		v := keyed("a", true, records.Options{HasProducer: true, ProducerID: 11, Transactional: true})
		m.l.Producers().Verify(v, false, 0)
		m.l.Append(v, 0, nil)
		for _, epoch := range []int16{0, 1} { // the second is what is known of the producer
			m.l.Append(records.NewMarker(11, epoch, records.Marker{}, 1000), 0, nil)
		}
		m.l.Append(keyed("last", true, records.Options{}), 0, nil)
		m.l.Append(keyed("active", true, records.Options{}), 0, nil)
		m.w.settle()
		m.l.SyncNow()
		m.w.settle()
		for range 3 {
			m.l.cleaned = 0
			m.w.env.Now.Wall += 10
			m.w.do(func(tk *task.Task) {
				if _, err := m.l.Clean(tk, CleanLimits{Stable: 5, Deletes: deletes, MapBytes: 1 << 16, Room: 1 << 30}); err != nil {
					t.Fatal(err)
				}
			})
		}
		markers := 0
		m.w.do(func(tk *task.Task) {
			for _, s := range m.l.segs {
				if err := m.l.eachBatch(tk, s, func(v records.View) {
					if _, ok := v.Marker(); ok {
						markers++
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
		})
		want := map[int64]string{0: "k last, 2 markers", 2: "last, 2 markers", 5: "last, 1 markers"}[deletes]
		if got := fmt.Sprintf("%s, %d markers", strings.Join(keys(t, m, 5), " "), markers); got != want {
			t.Fatalf("up to %d: %q stand, want %q", deletes, got, want)
		}
	}
}
