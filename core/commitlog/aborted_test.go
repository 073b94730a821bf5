package commitlog

import (
	"encoding/hex"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/commitlog/index"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// transact appends a transactional batch, or ends a transaction, of one of three producers. What comes next of a producer is asked of the table; producers_test.go
// judges that.
func (m *twin) transact() {
	id := rapid.Int64Range(11, 13).Draw(m.t, "transactional producer")
	table := m.l.Producers()
	epoch, seq := int16(0), int32(0)
	for _, e := range table.List() {
		if e.ID == id {
			if epoch = e.Epoch; e.N > 0 {
				seq = records.AddSequence(e.Batches[e.N-1].LastSeq, 1)
			}
		}
	}
	m.w.env.Now.Wall += 10
	if rapid.IntRange(0, 2).Draw(m.t, "end") == 0 {
		version := int8(rapid.IntRange(1, 2).Draw(m.t, "version"))
		if version == 2 {
			epoch++
		}
		m.check(table.CheckMarker(id, epoch, 0, version) == kerr.None, "marker refused")
		m.place(records.NewMarker(id, epoch, records.Marker{Commit: rapid.Bool().Draw(m.t, "commit")}, int64(m.w.env.Now.Wall)))
		return
	}
	v := batch(rapid.IntRange(1, 3).Draw(m.t, "records"), 30, int64(m.w.env.Now.Wall), records.Options{HasProducer: true, ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq, Transactional: true})
	g, c := table.Verify(v, false, 0)
	m.check(c == kerr.None && table.CheckVerified(v, g).Code == kerr.None, "the next transactional batch is refused: %v %v", c, table.CheckVerified(v, g))
	m.place(v)
}

func (m *twin) place(v records.View) {
	lease := m.w.env.Pool.Get(len(v))
	got := records.View(lease.Bytes[:copy(lease.Bytes, v)])
	base := m.l.Append(got, int32(len(m.batches)/7), lease)
	m.check(base == m.end(), "append at %d, want %d", base, m.end())
	m.batches = append(m.batches, append(records.View(nil), got...))
	lease.Release()
}

// outcome is what became of a transaction.
type outcome uint8

const (
	undecided outcome = iota
	committed
	abortedTxn
)

// outcomes says of each batch what its marker says; of those that are not transactional that they are committed.
func (m *twin) outcomes() []outcome {
	out := make([]outcome, len(m.batches))
	for i, v := range m.batches {
		mk, ok := v.Marker()
		if !ok && !v.IsTransactional() {
			out[i] = committed
		}
		if !ok {
			continue
		}
		for k := i - 1; k >= 0; k-- {
			if w := m.batches[k]; w.ProducerID() == v.ProducerID() && w.IsTransactional() {
				if w.IsControl() {
					break
				}
				if out[k] = abortedTxn; mk.Commit {
					out[k] = committed
				}
			}
		}
	}
	return out
}

// stable is the last stable offset, as the log says it.
func (m *twin) stable() int64 {
	lso := m.l.WrittenEnd()
	if o, ok := m.l.Producers().FirstOpen(); ok {
		lso = min(lso, max(o, m.l.Start()))
	}
	return lso
}

// checkStable compares the oldest open transaction. One whose begin was deleted may be known from there, or from what is left of it.
func (m *twin) checkStable() {
	first := map[int64]int64{}
	least, most := m.l.WrittenEnd(), m.l.WrittenEnd()
	out := m.outcomes()
	for i, v := range m.batches {
		if !v.IsTransactional() || v.IsControl() || out[i] != undecided {
			continue
		}
		if _, seen := first[v.ProducerID()]; !seen {
			first[v.ProducerID()] = v.BaseOffset()
			least = min(least, max(v.BaseOffset(), m.l.Start()))
		}
		if v.BaseOffset() >= m.l.Start() {
			most = min(most, v.BaseOffset())
		}
	}
	for _, s := range m.l.segs {
		last := s.base - 1
		for _, a := range s.aborted.list {
			m.check(last < a.Last && a.Last < s.end, "the segment from %d to %d lists %v", s.base, s.end, s.aborted.list)
			last = a.Last
		}
	}
	lso := m.stable()
	m.check(least <= lso && lso <= most, "stable to %d, want %d to %d", lso, least, most)
}

// readCommitted reads a slice below the last stable offset as a read_committed consumer does, and compares what it takes.
func (m *twin) readCommitted(offset int64) (next int64) {
	lso := m.stable()
	if offset >= lso || offset < m.l.Start() {
		return -1
	}
	var sl Slice
	var where Where
	var list []Aborted
	m.w.do(func(t *task.Task) {
		var err disk.Err
		sl, where, err = m.l.LocateSlow(t, offset, 900, lso)
		m.check(err == disk.OK && where == Found, "read at %d below %d: %d %v", offset, lso, where, err)
		quick, ok := m.l.Aborted(nil, offset, sl.Next)
		list, err = m.l.AbortedSlow(t, offset, sl.Next)
		m.check(err == disk.OK, "aborted: %v", err)
		m.check(!ok || slices.Equal(quick, list), "aborted %v from memory, %v from files", quick, list)
	})
	m.judge(offset, sl.Next, list)
	return sl.Next
}

// judge filters as a consumer does, by KIP-98.
func (m *twin) judge(from, to int64, list []Aborted) {
	out := m.outcomes()
	slices.SortFunc(list, func(a, b Aborted) int { return int(a.First - b.First) })
	hidden := map[int64]bool{}
	for i := m.at(from); i < len(m.batches) && m.batches[i].BaseOffset() < to; i++ {
		v := m.batches[i]
		for len(list) > 0 && list[0].First <= v.LastOffset() {
			hidden[list[0].ProducerID] = true
			list = list[1:]
		}
		if mk, ok := v.Marker(); ok {
			if !mk.Commit {
				delete(hidden, v.ProducerID())
			}
			continue
		}
		seen := !v.IsTransactional() || !hidden[v.ProducerID()]
		m.check(seen == (out[i] == committed), "the batch at %d of producer %d, outcome %d, is seen: %v", v.BaseOffset(), v.ProducerID(), out[i], seen)
	}
}

func (m *twin) readAllCommitted() {
	m.checkStable()
	for o := m.l.Start(); o >= 0; {
		o = m.readCommitted(o)
	}
}

// rot damages a transaction index.
func (m *twin) rot() {
	var names []string
	for name := range m.w.disk.names {
		if len(name) > len(suffixTxnIndex) && name[len(name)-len(suffixTxnIndex):] == suffixTxnIndex {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	n := m.w.disk.names[names[rapid.IntRange(0, len(names)-1).Draw(m.t, "file")]]
	if len(n.data) > 0 {
		n.data[rapid.IntRange(0, len(n.data)-1).Draw(m.t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(m.t, "bit")
		n.durable = append([]byte(nil), n.data...)
	}
}

func TestATransactionIndexHasKafkasBytes(t *testing.T) {
	list := []Aborted{{ProducerID: 0x1122, First: 3, Last: 9, Stable: 5}}
	got := hex.EncodeToString(index.AppendAborted(nil, list))
	const want = "0000" + "0000000000001122" + "0000000000000003" + "0000000000000009" + "0000000000000005" + "34988d27"
	if got != want {
		t.Fatalf("\n got %s\nwant %s", got, want)
	}
	if back, ok := index.ParseAborted(index.AppendAborted(nil, list)); !ok || !slices.Equal(back, list) {
		t.Fatalf("%v %v", back, ok)
	}
	if back, ok := index.ParseAborted(index.AppendAborted(nil, nil)); !ok || len(back) != 0 {
		t.Fatalf("an empty one: %v %v", back, ok)
	}
}

func FuzzParseAbortedTakesOnlyWhatAppendMakes(f *testing.F) {
	f.Add(index.AppendAborted(nil, []Aborted{{ProducerID: 1, First: 2, Last: 3, Stable: 4}, {ProducerID: 1, First: 4, Last: 5, Stable: 6}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if list, ok := index.ParseAborted(b); ok && string(index.AppendAborted(nil, list)) != string(b) {
			t.Fatal("read other than written")
		}
	})
}

func TestAbortedTransactionsAreFoundAcrossSegments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := smallConfig()
		cfg.FlushAck = rapid.Bool().Draw(t, "ack")
		cfg.FlushBytes = 1500
		m := newTwin(t, cfg)
		t.Repeat(map[string]func(*rapid.T){
			"transact": func(*rapid.T) {
				for i := rapid.IntRange(1, 6).Draw(t, "n"); i > 0; i-- {
					m.transact()
				}
			},
			"append":     func(*rapid.T) { m.append() },
			"later":      func(*rapid.T) { m.w.env.Now.Mono = m.w.env.Now.Mono.Add(2 * persistGap) }, // so that there are snapshots in the midst of segments
			"step":       func(*rapid.T) { m.w.step() },
			"settle":     func(*rapid.T) { m.w.settle() },
			"checkpoint": func(*rapid.T) { m.point = m.l.RecoveryPoint() },
			"read": func(*rapid.T) {
				m.readCommitted(rapid.Int64Range(m.l.Start(), m.l.End()).Draw(m.t, "offset"))
			},
			"powerLoss": func(*rapid.T) { m.crash(true); m.readAllCommitted() },
			"kill":      func(*rapid.T) { m.crash(false); m.readAllCommitted() },
			"rot": func(*rapid.T) {
				m.w.settle()
				m.rot()
				m.crash(false)
				m.readAllCommitted()
			},
			"": func(*rapid.T) { m.checkStable() },
		})
		m.w.settle()
		m.readAllCommitted()
	})
}

func TestALongListOfASealedSegmentIsReadFromItsFile(t *testing.T) {
	w := newWorld(newMemDisk(prng.New(1)))
	m := &twin{w: w, cfg: smallConfig(), seq: map[int64]int32{}}
	m.cfg.SegmentBytes = 200_000
	if err := m.open(Options{}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 3*abortedKept; i++ {
		m.place(batch(1, 1, int64(i), records.Options{HasProducer: true, ProducerID: 11, BaseSequence: int32(i), Transactional: true}))
		m.place(records.NewMarker(11, 0, records.Marker{Commit: i%2 == 1}, int64(i)))
		w.step()
	}
	m.l.roll(m.l.End())
	w.settle()
	if _, ok := m.l.Aborted(nil, 0, 10); m.l.segs[0].aborted.n <= abortedKept || ok {
		t.Fatalf("%d aborted transactions are all in memory", m.l.segs[0].aborted.n)
	}
	m.readAllCommitted()
	m.crash(true)
	if !m.l.segs[0].aborted.released() {
		t.Fatal("after a restart all are in memory")
	}
	m.readAllCommitted()

	// What rots while it runs is said again by the log.
	f := m.w.disk.names[m.l.path(m.l.segs[0].base, suffixTxnIndex)]
	f.data[100] ^= 4
	m.readAllCommitted()
	if list, ok := index.ParseAborted(m.w.disk.names[m.l.path(m.l.segs[0].base, suffixTxnIndex)].data); !ok || len(list) != m.l.segs[0].aborted.n {
		t.Fatalf("not mended: %d %v", len(list), ok)
	}
}
