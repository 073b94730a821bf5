package commitlog

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// twin is the dumb model of a log: its batches, and what it was told.
type twin struct {
	t       *rapid.T
	w       *world
	l       *Log
	cfg     Config
	batches []records.View // those that the log holds, by offset
	point   int64          // of the last recovery-point checkpoint
	said    int64          // of the last log-start checkpoint
	cut     int64          // greatest start so far: epochs below it are forgotten, though a crash may bring their records back
	start   int64
	synced  int64
	failed  bool
	full    int
	seq     map[int64]int32
}

func (m *twin) LogWritten(l *Log) { m.check(l.WrittenEnd() <= l.End(), "written beyond the end") }
func (m *twin) LogSynced(l *Log) {
	m.check(l.SyncedEnd() > m.synced, "the synced end did not move")
	m.check(l.SyncedEnd() <= l.WrittenEnd(), "synced %d beyond written %d", l.SyncedEnd(), l.WrittenEnd())
	m.synced = l.SyncedEnd()
}
func (m *twin) LogFailed(*Log, disk.Err, string) { m.failed = true }
func (m *twin) LogFull(l *Log, from int64) {
	m.full++
	m.check(l.End() == from, "end %d after batches from %d were taken back", l.End(), from)
	for k := len(m.batches); k > 0 && m.batches[k-1].BaseOffset() >= from; k-- {
		m.batches = m.batches[:k-1]
	}
	m.resequence()
}
func (m *twin) LogStartMoved(*Log) {}

func (m *twin) LogDamaged(*Log, int64) {}

func (m *twin) check(ok bool, format string, args ...any) {
	if !ok {
		panic("twin: " + fmt.Sprintf(format, args...))
	}
}

func (m *twin) end() int64 {
	if k := len(m.batches); k > 0 {
		return max(m.start, m.batches[k-1].NextOffset())
	}
	return m.start
}

// resequence works out again what each producer's next sequence number is.
func (m *twin) resequence() {
	m.seq = map[int64]int32{}
	for _, v := range m.batches {
		if v.ProducerID() >= 0 {
			m.seq[v.ProducerID()] = records.AddSequence(v.LastSequence(), 1)
		}
	}
}

func (m *twin) open(opt Options) error {
	opt.Config, opt.Listener, opt.Create, opt.TopicID = m.cfg, m, true, [16]byte{1, 2, 3}
	var err error
	m.w.do(func(t *task.Task) { m.l, err = Open(t, m.w.env, "data/t-0", opt) })
	return err
}

func smallConfig() Config {
	c := DefaultConfig()
	c.SegmentBytes, c.IndexIntervalBytes, c.SnapshotBytes = 3000, 200, 700
	return c
}

var builder = records.NewBuilder(records.Options{})

// batch makes a batch of n records of about size bytes each.
func batch(n, size int, ts int64, opt records.Options) records.View {
	builder.Reset(opt)
	for i := 0; i < n; i++ {
		builder.Add(nil, bytes.Repeat([]byte{byte(ts + int64(i))}, size), ts+int64(i))
	}
	return append(records.View(nil), builder.Build()...)
}

func (m *twin) append() {
	n := rapid.IntRange(1, 4).Draw(m.t, "records")
	size := rapid.SampledFrom([]int{1, 10, 100, 900}).Draw(m.t, "size")
	opt := records.Options{}
	if rapid.Bool().Draw(m.t, "idempotent") {
		id := rapid.Int64Range(1, 3).Draw(m.t, "producer")
		opt = records.Options{HasProducer: true, ProducerID: id, BaseSequence: m.seq[id]}
	}
	m.w.env.Now.Wall += 10
	v := batch(n, size, int64(m.w.env.Now.Wall), opt)
	m.check(m.l.Producers().Check(v, m.w.env.Now.Wall).Code == kerr.None, "next batch refused")
	lease := m.w.env.Pool.Get(len(v))
	got := records.View(lease.Bytes[:copy(lease.Bytes, v)])
	base := m.l.Append(got, int32(len(m.batches)/7), lease)
	m.check(base == m.end(), "append at %d, want %d", base, m.end())
	m.batches = append(m.batches, append(records.View(nil), got...))
	lease.Release()
	if v.ProducerID() >= 0 {
		m.seq[v.ProducerID()] = records.AddSequence(v.LastSequence(), 1)
		d := m.l.Producers().Check(v, m.w.env.Now.Wall)
		m.check(d.Duplicate && d.Base == base, "a repeated batch is judged %+v", d)
	}
}

// at gives the index of the batch that holds offset.
func (m *twin) at(offset int64) int {
	for i, v := range m.batches {
		if v.LastOffset() >= offset {
			return i
		}
	}
	return len(m.batches)
}

func (m *twin) read() {
	m.readAt(rapid.Int64Range(m.l.Start()-1, m.l.End()+1).Draw(m.t, "offset"), int32(rapid.IntRange(1, 5000).Draw(m.t, "maxBytes")), rapid.Int64Range(0, 1<<20).Draw(m.t, "limit"))
}

func (m *twin) readAt(offset int64, maxBytes int32, pick int64) (next int64) {
	k := m.at(m.l.WrittenEnd() - 1)
	limit := m.l.Start()
	if k >= 0 && k < len(m.batches) && m.l.WrittenEnd() > m.l.Start() {
		limit = m.batches[pick%int64(k+1)].NextOffset()
	}
	sl, where := m.l.Locate(offset, maxBytes, limit)
	if where == NeedRead {
		var err disk.Err
		m.w.do(func(t *task.Task) { sl, where, err = m.l.LocateSlow(t, offset, maxBytes, limit) })
		m.check(err == disk.OK, "read: %v", err)
	}
	switch {
	case offset < m.l.Start() || offset > m.l.End():
		m.check(where == OutOfRange, "offset %d outside is %d", offset, where)
		return -1
	case offset >= limit:
		m.check(where == AtEnd, "offset %d at limit %d is %d", offset, limit, where)
		return -1
	}
	m.check(where == Found, "offset %d below %d is %d", offset, limit, where)
	i := m.at(offset)
	m.check(sl.First == m.batches[i].BaseOffset() || sl.First == offset, "slice from %d, want %d", sl.First, m.batches[i].BaseOffset())
	b := m.w.disk.open[sl.Ext.File].data[sl.Ext.Off:][:sl.Ext.Len]
	n := 0
	for ; len(b) > 0; i++ {
		m.check(i < len(m.batches) && bytes.HasPrefix(b, m.batches[i]), "slice %+v at %d of %v does not hold batch %d at %d", sl, offset, segs(m.l), i, len(m.batches))
		b = b[len(m.batches[i]):]
		n++
	}
	m.check(n == 1 || int32(sl.Ext.Len) <= maxBytes, "%d bytes in %d batches, at most %d asked", sl.Ext.Len, n, maxBytes)
	m.check(sl.Next == m.batches[i-1].NextOffset(), "next is %d", sl.Next)
	m.check(sl.Next <= limit, "slice to %d above limit %d", sl.Next, limit)
	return sl.Next
}

// findTime looks a timestamp up, of a record or beside one.
func (m *twin) findTime() {
	ts := int64(1_000_000) + rapid.Int64Range(-5, 2000).Draw(m.t, "ts")
	if len(m.batches) > 0 {
		ts = m.batches[rapid.IntRange(0, len(m.batches)-1).Draw(m.t, "near")].BaseTimestamp() + rapid.Int64Range(-2, 5).Draw(m.t, "off")
	}
	start, limit := m.l.Start(), m.l.WrittenEnd()
	want, wantTime, top, topAt := int64(-1), int64(-1), int64(-1), int64(-1)
	for _, v := range m.batches {
		for i := int64(0); i < int64(v.Count()); i++ {
			o, at := v.BaseOffset()+i, v.BaseTimestamp()+i
			if o < start || o >= limit {
				continue
			}
			if at >= ts && want < 0 {
				want, wantTime = o, at
			}
			if at > top {
				top, topAt = at, o
			}
		}
	}
	m.w.do(func(t *task.Task) {
		o, at, _, err := m.l.OffsetForTime(t, ts, limit)
		m.check(err == disk.OK && o == want && at == wantTime, "time %d: got %d at %d (%v), want %d at %d", ts, o, at, err, want, wantTime)
		o, at, _, err = m.l.MaxTimestamp(t, limit)
		m.check(err == disk.OK && o == topAt && at == top, "greatest time: got %d at %d (%v), want %d at %d", o, at, err, topAt, top)
	})
}

// crash ends the process and recovers.
func (m *twin) crash(power bool) {
	written, point := m.l.WrittenEnd(), m.point
	m.check(m.synced == m.l.SyncedEnd(), "synced to %d, told %d", m.l.SyncedEnd(), m.synced)
	m.w.kill()
	m.w = newWorld(m.w.disk.crash(power))
	m.w.env.Now.Wall = 2_000_000
	said := m.said
	err := m.open(Options{RecoveryPoint: point, StartOffset: said})
	m.check(err == nil, "recovery: %v", err)
	m.check(m.l.Start() >= said && m.l.Start() <= max(said, m.l.segs[0].base), "recovery starts at %d, %d was said", m.l.Start(), said)
	m.check(m.l.End() >= m.synced, "recovery lost what was synced: end %d, synced %d", m.l.End(), m.synced)
	m.check(power || m.l.End() >= written, "recovery lost what was written: end %d, written %d", m.l.End(), written)
	m.recovered()
	end := m.l.End()
	m.w.kill()
	m.w = newWorld(m.w.disk.crash(false))
	err = m.open(Options{RecoveryPoint: end, StartOffset: said})
	m.check(err == nil, "second recovery: %v", err)
	m.check(m.l.End() == end, "a second recovery ends at %d, the first at %d", m.l.End(), end)
	m.recovered()
}

func (m *twin) recovered() {
	end := m.l.End()
	for k := len(m.batches); k > 0 && m.batches[k-1].NextOffset() > end; k-- {
		m.batches = m.batches[:k-1]
	}
	m.cut, m.start = max(m.cut, m.start), m.l.Start()
	m.check(m.end() == end || len(m.batches) == 0, "recovery ends at %d, no batch ends there", end)
	m.check(m.l.SyncedEnd() == end && m.l.WrittenEnd() == end, "recovered log is not synced")
	for m.lost() {
	}
	m.synced, m.failed = end, false
	m.resequence()
	for _, e := range m.l.Producers().List() {
		m.check(e.N == 0 || e.Batches[e.N-1].LastOffset < end, "producer %d is known by a batch that ends at %d, and the log ends at %d", e.ID, e.Batches[max(e.N, 1)-1].LastOffset, end)
	}
	for _, v := range m.last() {
		d := m.l.Producers().Check(v, 0)
		m.check(d.Duplicate && d.Base == v.BaseOffset(), "after recovery the last batch of producer %d is judged %+v", v.ProducerID(), d)
	}
	epoch := int32(-1)
	for _, v := range m.batches {
		if v.LeaderEpoch() > epoch && v.BaseOffset() >= max(m.cut, m.start) {
			epoch = v.LeaderEpoch()
			m.check(m.l.EpochAt(v.BaseOffset()) == epoch, "epoch at %d is %d, want %d", v.BaseOffset(), m.l.EpochAt(v.BaseOffset()), epoch)
		}
	}
}

// lost drops a batch below the start that was not synced, so that a loss of power took it and its producer with it: there a log may have
// holes. false: none.
func (m *twin) lost() bool {
	for _, v := range m.last() {
		if d := m.l.Producers().Check(v, 0); (!d.Duplicate || d.Base != v.BaseOffset()) && v.BaseOffset() >= m.synced && v.NextOffset() <= m.start {
			i := m.at(v.BaseOffset())
			m.batches = append(m.batches[:i:i], m.batches[i+1:]...)
			return true
		}
	}
	return false
}

// last gives the last batch of each producer without transactions.
func (m *twin) last() (out []records.View) {
	seen := map[int64]bool{}
	for i := len(m.batches) - 1; i >= 0; i-- {
		if id := m.batches[i].ProducerID(); id >= 0 && !m.batches[i].IsTransactional() && !seen[id] {
			seen[id] = true
			out = append(out, m.batches[i])
		}
	}
	return out
}

func (m *twin) readAll() {
	for o := m.l.Start(); o >= 0 && o < m.l.WrittenEnd(); {
		i := m.at(m.l.WrittenEnd() - 1)
		o = m.readAt(o, 700, int64(i))
	}
}

func newTwin(t *rapid.T, cfg Config) *twin {
	m := &twin{t: t, cfg: cfg, seq: map[int64]int32{}}
	m.w = newWorld(newMemDisk(prng.New(rapid.Uint64().Draw(t, "seed"))))
	m.check(m.open(Options{}) == nil, "create")
	return m
}

func TestALogAgreesWithItsTwinThroughRollsReadsCrashesAndFullDisks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := smallConfig()
		cfg.FlushAck = rapid.Bool().Draw(t, "ack")
		cfg.FlushBytes = 1500
		m := newTwin(t, cfg)
		t.Repeat(map[string]func(*rapid.T){
			"append":   func(*rapid.T) { m.append() },
			"transact": func(*rapid.T) { m.transact() },
			"appendMore": func(*rapid.T) {
				for i := 0; i < 8; i++ {
					m.append()
				}
			},
			"step":       func(*rapid.T) { m.w.step() },
			"settle":     func(*rapid.T) { m.w.settle() },
			"read":       func(*rapid.T) { m.read() },
			"committed":  func(*rapid.T) { m.readCommitted(rapid.Int64Range(m.l.Start(), m.l.End()).Draw(m.t, "from")) },
			"checkpoint": func(*rapid.T) { m.point = m.l.RecoveryPoint() },
			"sayStart":   func(*rapid.T) { m.said = m.l.Start() },
			"time":       func(*rapid.T) { m.findTime() },
			"sync":       func(*rapid.T) { m.l.SyncNow() },
			"powerLoss":  func(*rapid.T) { m.crash(true) },
			"kill":       func(*rapid.T) { m.crash(false) },
			"restart": func(*rapid.T) {
				var err disk.Err
				m.w.do(func(t *task.Task) { err = m.l.Close(t, true) })
				m.check(err == disk.OK, "close: %v", err)
				m.check(m.w.env.Pool.Out == 0, "%d bytes leased after close", m.w.env.Pool.Out)
				m.w = newWorld(m.w.disk.crash(rapid.Bool().Draw(m.t, "power")))
				m.point, m.said = m.end(), m.start
				err2 := m.open(Options{RecoveryPoint: m.point, Clean: true, StartOffset: m.said})
				m.check(err2 == nil, "clean open: %v", err2)
				m.recovered()
			},
			"fullDisk": func(*rapid.T) {
				if m.cfg.FlushAck {
					m.w.disk.space = rapid.Int64Range(0, 500).Draw(m.t, "space")
					m.append()
					m.transact()
					for i := 0; i < 400 && m.w.step(); i++ {
					}
					m.w.disk.space = -1
				}
			},
			"delete": func(*rapid.T) {
				to := rapid.Int64Range(m.l.Start(), max(m.l.Start(), m.l.WrittenEnd())).Draw(m.t, "to")
				m.l.DeleteRecords(to)
				m.start = m.l.Start()
				m.w.flush()
			},
			"retain": func(*rapid.T) {
				m.w.env.Now.Wall += 100
				c := m.cfg
				c.RetentionBytes = rapid.Int64Range(0, 9000).Draw(m.t, "retentionBytes")
				m.l.SetConfig(c)
				m.l.Retain(m.w.env.Now, m.l.WrittenEnd())
				m.start = m.l.Start()
			},
			"": func(*rapid.T) {
				m.check(!m.failed, "the log failed")
				m.check(m.l.End() == m.end() || len(m.batches) == 0, "end %d, want %d", m.l.End(), m.end())
				m.checkStable()
			},
		})
		m.w.settle()
		m.readAll()
		m.readAllCommitted()
		m.check(m.l.WrittenEnd() == m.l.End(), "not all is written")
		m.check(!m.cfg.FlushAck || m.l.SyncedEnd() == m.l.End(), "not all is synced")
	})
}

func TestARecordLogSmoke(t *testing.T) {
	w := newWorld(newMemDisk(prng.New(1)))
	m := &twin{w: w, cfg: smallConfig(), seq: map[int64]int32{}}
	if err := m.open(Options{}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 100; i++ {
		v := batch(2, 50, int64(i), records.Options{})
		m.l.Append(v, 1, nil)
		m.batches = append(m.batches, append(records.View(nil), v...))
		w.step()
	}
	w.settle()
	if m.l.SyncedEnd() != 200 || m.l.Segments() < 3 {
		t.Fatalf("synced to %d in %d segments", m.l.SyncedEnd(), m.l.Segments())
	}
	m.readAll()
	m.crash(true)
	m.readAll()
}

func segs(l *Log) (out []string) {
	for _, s := range l.segs {
		out = append(out, fmt.Sprintf("{%d-%d %d/%d f%d}", s.base, s.end, s.written, s.size, s.file))
	}
	return out
}
