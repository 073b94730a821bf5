package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/commitlog/producers"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// cleanTwin is a twin whose log is compacted: it remembers every record, and of each clean when it was and how far it may have come.
type cleanTwin struct {
	twin
	tries   []cleanTry
	done    int64 // of a clean that ended well: nothing below is superseded by something below
	high    int64 // the high watermark, where a clean asked for it
	damaged bool
}

type cleanTry struct{ wall, to int64 }

// LogDamaged is Listener.
func (m *cleanTwin) LogDamaged(*Log, int64) { m.damaged = true }

// told is a record as it was appended.
type told struct {
	key, value []byte
	ts         int64
	batch      int // of m.batches
}

// all gives every record that was appended, by offset, and what became of each batch.
func (m *cleanTwin) all() (map[int64]told, []outcome) {
	list := map[int64]told{}
	var scratch records.Scratch
	for i, v := range m.batches {
		r := records.NewReader(v, &scratch)
		for {
			rec, ok, err := r.Next()
			m.check(err == nil, "the twin's own batch: %v", err)
			if !ok {
				break
			}
			list[v.BaseOffset()+int64(rec.OffsetDelta)] = told{bytes.Clone(rec.Key), bytes.Clone(rec.Value), v.BaseTimestamp() + rec.TimestampDelta, i}
		}
	}
	return list, m.outcomes()
}

func (m *cleanTwin) keyed(opt records.Options) records.View {
	opt.Codec = int8(rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, 4}).Draw(m.t, "codec"))
	opt.LogAppendTime = rapid.IntRange(0, 4).Draw(m.t, "logAppendTime") == 0
	builder.Reset(opt)
	for i := rapid.IntRange(1, 4).Draw(m.t, "records"); i > 0; i-- {
		key := []byte(fmt.Sprint("k", rapid.IntRange(0, 5).Draw(m.t, "key")))
		m.w.env.Now.Wall += 3
		value := bytes.Repeat([]byte(fmt.Sprint(m.w.env.Now.Wall)), rapid.SampledFrom([]int{1, 5, 40}).Draw(m.t, "size"))
		if rapid.IntRange(0, 3).Draw(m.t, "tombstone") == 0 {
			value = nil
		}
		if rapid.IntRange(0, 20).Draw(m.t, "keyless") == 0 {
			key = nil
		}
		builder.Add(key, value, int64(m.w.env.Now.Wall), records.HeaderField{Key: "h", Value: []byte("x")})
	}
	return append(records.View(nil), builder.Build()...)
}

func (m *cleanTwin) appendKeyed() {
	opt := records.Options{}
	if rapid.Bool().Draw(m.t, "idempotent") {
		id := rapid.Int64Range(1, 3).Draw(m.t, "producer")
		opt = records.Options{HasProducer: true, ProducerID: id, BaseSequence: m.seq[id]}
	}
	v := m.keyed(opt)
	m.check(m.l.Producers().Check(v, m.w.env.Now.Wall).Code == kerr.None, "next batch refused")
	m.place(v)
	if v.ProducerID() >= 0 {
		m.seq[v.ProducerID()] = records.AddSequence(v.LastSequence(), 1)
	}
}

// transactKeyed is transact with keys.
func (m *cleanTwin) transactKeyed() {
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
	if rapid.IntRange(0, 2).Draw(m.t, "end") == 0 {
		if rapid.Bool().Draw(m.t, "bumps") {
			epoch++
		}
		m.w.env.Now.Wall += 3
		m.place(records.NewMarker(id, epoch, records.Marker{Commit: rapid.Bool().Draw(m.t, "commit")}, int64(m.w.env.Now.Wall)))
		return
	}
	v := m.keyed(records.Options{HasProducer: true, ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq, Transactional: true})
	table.Verify(v, false, 0)
	m.place(v)
}

func (m *cleanTwin) limits() CleanLimits {
	stable := m.l.SyncedEnd()
	m.high = max(m.high, stable)
	m.l.Producers().Replicated(stable)
	if o, ok := m.l.Producers().FirstUnstable(); ok {
		stable = min(stable, o)
	}
	return CleanLimits{Stable: stable, Deletes: stable, MapBytes: slotBytes * rapid.Int64Range(4, 20).Draw(m.t, "map"), Room: 1 << 30}
}

// clean runs one whole, or so many steps of it, -1 all.
func (m *cleanTwin) clean(steps int, lim CleanLimits) (done Cleaned, err error, ended bool) {
	for m.l.cleaning && steps != 0 && m.w.step() {
		steps--
	}
	if m.l.cleaning {
		return done, nil, false
	}
	d := m.l.Dirt(lim.Stable)
	m.check(d.To <= max(lim.Stable, d.From), "dirty up to %d, stable to %d", d.To, lim.Stable)
	if d.From < d.To {
		m.tries = append(m.tries, cleanTry{int64(m.w.env.Now.Wall), d.To})
	}
	tk := task.Go(m.w.env, func(t *task.Task) { done, err = m.l.Clean(t, lim) })
	for i := 0; !tk.Ended() && steps != 0; i++ {
		m.check(m.w.step() && i < 100_000, "a clean does not end")
		steps--
	}
	m.check(!m.damaged, "a clean has found damage")
	return done, err, tk.Ended()
}

func (m *cleanTwin) cleanWhole() {
	lim, first := m.limits(), m.l.segs[0]
	done, err, _ := m.clean(-1, lim)
	var hard *Uncleanable
	m.check(err == nil || errors.Is(err, errMapSmall) && errors.As(err, &hard) || m.overtaken(first, err), "clean: %v", err)
	m.done = max(m.done, done.To)
	m.view()
}

// overtaken says whether a clean was ended by retention, which took the first segment away meanwhile.
func (m *cleanTwin) overtaken(first *segment, err error) bool {
	return m.l.segs[0].base > first.base && errors.Is(err, ErrCleanEnded)
}

// present is a record that is read.
type present struct {
	offset, ts int64
	batch      records.View
}

// view reads the log as a consumer of read_committed does and judges what is there and what is not.
func (m *cleanTwin) view() (list []present) {
	recs, out := m.all()
	limit := m.stable()
	next := m.l.Start()
	left := map[int64]bool{}   // batches of which something is left, by first offset
	absent := map[int64]bool{} // offsets that were passed and are not there
	latest := map[string]int64{}
	for next < limit {
		var sl Slice
		var where Where
		var ab []Aborted
		m.w.do(func(t *task.Task) {
			var err disk.Err
			sl, where, err = m.l.LocateSlow(t, next, 700, limit)
			m.check(err == disk.OK && where == Found, "read at %d below %d: %d %v; %v", next, limit, where, err, segs(m.l))
			m.l.Pin(sl.Ext.File) // as a response does: a clean in the meantime would give the number to another file
			ab, err = m.l.AbortedSlow(t, next, sl.Next)
			m.check(err == disk.OK, "aborted: %v", err)
		})
		slices.SortFunc(ab, func(a, b Aborted) int { return int(a.First - b.First) })
		hidden := map[int64]bool{}
		b := bytes.Clone(m.w.disk.open[sl.Ext.File].data[sl.Ext.Off:][:sl.Ext.Len])
		m.l.Unpin(sl.Ext.File)
		for len(b) > 0 {
			v, rest, ok := records.Split(b)
			m.check(ok && v.ComputeCRC() == v.CRC(), "a bad batch at %d", next)
			m.check(v.BaseOffset() == next || v.BaseOffset() < next && next == max(m.l.Start(), sl.First), "a batch at %d where %d is next", v.BaseOffset(), next)
			b = rest
			for o := max(v.BaseOffset(), m.l.Start()); o <= v.LastOffset(); o++ {
				absent[o] = true
			}
			next = v.NextOffset()
			if !v.IsFiller() {
				left[v.BaseOffset()] = true
			}
			for len(ab) > 0 && ab[0].First <= v.LastOffset() {
				hidden[ab[0].ProducerID] = true
				ab = ab[1:]
			}
			if mk, ok := v.Marker(); ok && !mk.Commit {
				delete(hidden, v.ProducerID())
			}
			seen := !v.IsControl() && !(v.IsTransactional() && hidden[v.ProducerID()])
			var scratch records.Scratch
			r := records.NewReader(v, &scratch)
			for {
				rec, ok, err := r.Next()
				m.check(err == nil, "a bad record at %d: %v", v.BaseOffset(), err)
				if !ok {
					break
				}
				o := v.BaseOffset() + int64(rec.OffsetDelta)
				was, ok := recs[o]
				m.check(ok && bytes.Equal(was.key, rec.Key) && bytes.Equal(was.value, rec.Value) && (was.value == nil) == (rec.Value == nil) && was.ts == v.BaseTimestamp()+rec.TimestampDelta, "the record at %d is %q=%q at %d, was %q=%q at %d", o, rec.Key, rec.Value, v.BaseTimestamp()+rec.TimestampDelta, was.key, was.value, was.ts)
				delete(absent, o)
				if !v.IsControl() {
					m.check(seen == (out[was.batch] == committed), "the record at %d, outcome %d, is seen: %v", o, out[was.batch], seen)
				}
				ts := was.ts
				if v.IsLogAppendTime() {
					ts = v.MaxTimestamp()
				}
				list = append(list, present{o, ts, v})
				if seen && rec.Key != nil && o < m.done {
					if before, ok := latest[string(rec.Key)]; ok {
						m.check(before < m.l.Start(), "%s stands at %d and at %d, clean to %d", rec.Key, before, o, m.done)
					}
					latest[string(rec.Key)] = o
				}
			}
		}
	}
	for o := range absent {
		m.judgeAbsent(o, recs, out, left)
	}
	m.checkStable()
	return list
}

// judgeAbsent says whether a record may be gone.
func (m *cleanTwin) judgeAbsent(o int64, recs map[int64]told, out []outcome, left map[int64]bool) {
	was, ok := recs[o]
	if !ok {
		return // before the twin's memory
	}
	v := m.batches[was.batch]
	reach := int64(0)
	for _, x := range m.tries {
		reach = max(reach, x.to)
	}
	m.check(o < reach, "the record at %d is gone, cleans went to %d", o, reach)
	expired := false
	for i, x := range m.tries {
		for _, y := range m.tries[i+1:] {
			expired = expired || x.to > o && y.wall >= x.wall+m.cfg.DeleteRetentionMS
		}
	}
	if v.IsControl() {
		m.check(expired, "the marker at %d is gone too early", o)
		for i := was.batch - 1; i >= 0; i-- {
			w := m.batches[i]
			if w.ProducerID() == v.ProducerID() && w.IsTransactional() {
				if w.IsControl() {
					break
				}
				m.check(!left[w.BaseOffset()], "the marker at %d is gone, and the batch at %d is there", o, w.BaseOffset())
			}
		}
		return
	}
	if out[was.batch] == abortedTxn || was.key == nil || was.value == nil && expired {
		return
	}
	for later, x := range recs {
		if later > o && later < reach && bytes.Equal(x.key, was.key) && x.key != nil && out[x.batch] == committed {
			return
		}
	}
	m.check(false, "%q=%q at %d is gone", was.key, was.value, o)
}

// times compares lookups by time with what is there.
func (m *cleanTwin) times() {
	for m.l.cleaning && m.w.step() { // else it would take away what was just read
	}
	limit := m.stable()
	list := m.view()
	ts := int64(1_000_000) + rapid.Int64Range(-5, 3000).Draw(m.t, "ts")
	if len(list) > 0 {
		ts = list[rapid.IntRange(0, len(list)-1).Draw(m.t, "near")].ts + rapid.Int64Range(-1, 1).Draw(m.t, "off")
	}
	want, wantTime, top, topAt := int64(-1), int64(-1), int64(-1), int64(-1)
	for _, x := range list {
		if x.offset < m.l.Start() || x.offset >= limit {
			continue
		}
		if x.ts >= ts && want < 0 {
			want, wantTime = x.offset, x.ts
		}
		if x.ts > top {
			top, topAt = x.ts, x.offset
		}
	}
	m.w.do(func(t *task.Task) {
		o, at, _, err := m.l.OffsetForTime(t, ts, limit)
		m.check(err == disk.OK && o == want && at == wantTime, "time %d: got %d at %d (%v), want %d at %d", ts, o, at, err, want, wantTime)
		o, at, _, err = m.l.MaxTimestamp(t, limit)
		m.check(err == disk.OK && o == topAt && at == top, "greatest time: got %d at %d (%v), want %d at %d", o, at, err, topAt, top)
	})
}

// lastKnown is what a log says of its producers, but for times.
func lastKnown(l *Log) (list []string) {
	for _, e := range l.Producers().List() {
		x := producers.Batch{LastOffset: -1, LastSeq: -1}
		if e.N > 0 {
			x = e.Batches[e.N-1]
		}
		list = append(list, fmt.Sprintf("producer %d epoch %d sequence %d of %d at %d, open from %d", e.ID, e.Epoch, x.LastSeq, x.OffsetDelta, x.LastOffset, e.TxnFirstOffset))
	}
	return list
}

// killed loses the process, and sees that its log tells the same of producers afterwards.
func (m *cleanTwin) killed() {
	m.w.settle()
	m.clean(rapid.IntRange(0, 80).Draw(m.t, "steps"), m.limits())
	before := lastKnown(m.l)
	m.lose(false)
	after := lastKnown(m.l)
	m.check(slices.Equal(before, after) || m.start > 0, "producers were\n%v\nand are\n%v", before, after)
}

// lose ends the process, and recovers without the checkpoint of cleans. What DeleteRecords took off may come back, uncleaned.
func (m *cleanTwin) lose(power bool) {
	m.done = 0
	m.crash(power)
	m.view()
}

func TestACompactedLogKeepsTheLastRecordOfEachKeyThroughCrashesInTheMiddle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := smallConfig()
		cfg.SegmentBytes = int32(rapid.SampledFrom([]int{300, 1000, 3000}).Draw(t, "segment"))
		cfg.DeleteRetentionMS = 100
		cfg.FlushAck = rapid.Bool().Draw(t, "ack")
		cfg.FlushBytes = 500
		m := &cleanTwin{}
		m.t, m.cfg, m.seq = t, cfg, map[int64]int32{}
		m.w = newWorld(newMemDisk(prng.New(rapid.Uint64().Draw(t, "seed"))))
		m.check(m.open(Options{}) == nil, "create")
		t.Repeat(map[string]func(*rapid.T){
			"append": func(*rapid.T) {
				for range 4 {
					m.appendKeyed()
				}
			},
			"transact": func(*rapid.T) {
				for range 3 {
					m.transactKeyed()
				}
			},
			"more": func(*rapid.T) {
				for range 12 {
					m.appendKeyed()
					m.transactKeyed()
				}
				m.w.settle()
			},
			"settle":     func(*rapid.T) { m.w.settle() },
			"checkpoint": func(*rapid.T) { m.point = m.l.RecoveryPoint() },
			"later":      func(*rapid.T) { m.w.env.Now.Wall += 60; m.w.env.Now.Mono = m.w.env.Now.Mono.Add(2 * persistGap) },
			"clean":      func(*rapid.T) { m.cleanWhole() },
			"cleanAgain": func(*rapid.T) { m.w.settle(); m.cleanWhole(); m.w.env.Now.Wall += 200; m.cleanWhole() },
			"time":       func(*rapid.T) { m.times() },
			"powerLoss": func(*rapid.T) {
				m.clean(rapid.IntRange(0, 80).Draw(m.t, "steps"), m.limits())
				m.lose(true)
			},
			"kill": func(*rapid.T) { m.killed() },
			"restart": func(*rapid.T) {
				m.clean(rapid.IntRange(0, 80).Draw(m.t, "steps"), m.limits())
				var err disk.Err
				m.w.do(func(t *task.Task) { err = m.l.Close(t, true) })
				m.check(err == disk.OK, "close: %v", err)
				m.check(m.w.env.Pool.Out == 0, "%d bytes leased after close", m.w.env.Pool.Out)
				m.point, m.said = m.end(), m.start
				cleaned := m.l.CleanedTo()
				m.w = newWorld(m.w.disk.crash(rapid.Bool().Draw(m.t, "power")))
				m.w.env.Now.Wall = 1_500_000
				err2 := m.open(Options{RecoveryPoint: m.point, Clean: true, StartOffset: m.said, CleanedTo: cleaned})
				m.check(err2 == nil, "clean open: %v", err2)
				m.recovered()
				m.view()
			},
			"fullDisk": func(*rapid.T) {
				m.w.settle()
				m.w.disk.space = rapid.Int64Range(0, 3000).Draw(m.t, "space")
				first := m.l.segs[0]
				_, err, _ := m.clean(-1, m.limits())
				m.check(err == nil || errors.Is(err, disk.ErrNoSpace) || errors.Is(err, errMapSmall) || m.overtaken(first, err), "a clean on a full disk: %v", err)
				m.w.disk.space = -1
				m.view()
			},
			"truncate": func(*rapid.T) {
				lim := m.limits()
				to := rapid.Int64Range(min(m.high, m.l.End()), m.l.End()).Draw(m.t, "to")
				m.clean(rapid.IntRange(0, 80).Draw(m.t, "steps"), lim)
				ok := false
				m.w.do(func(t *task.Task) { ok = m.l.TruncateTo(t, to, false) })
				m.check(ok, "truncation failed")
				if to >= m.end() {
					return
				}
				m.cutTo(to)
				m.synced = m.l.SyncedEnd()
				m.truncated(to)
				m.view()
			},
			"delete": func(*rapid.T) {
				m.clean(rapid.IntRange(0, 80).Draw(m.t, "steps"), m.limits())
				to := rapid.Int64Range(m.l.Start(), max(m.l.Start(), m.l.WrittenEnd())).Draw(m.t, "to")
				m.l.DeleteRecords(to)
				m.start = m.l.Start()
				m.w.flush()
			},
			"": func(*rapid.T) { m.check(!m.failed, "the log failed") },
		})
		m.w.settle()
		m.cleanWhole()
	})
}
