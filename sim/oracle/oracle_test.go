package oracle

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/history"
)

// fake is a cluster of one node whose state tests set by hand.
type fake struct {
	policy      string
	up          bool
	incarnation int
	parts       []Partition
	logs        map[string][][]byte
	healed      clock.Time
	now         clock.Time
}

func (f *fake) Now() clock.Time                  { return f.now }
func (f *fake) Policy() string                   { return f.policy }
func (f *fake) Healed() (clock.Time, bool)       { return f.healed, f.healed > 0 }
func (f *fake) Nodes() int                       { return 1 }
func (f *fake) Up(int) bool                      { return f.up }
func (f *fake) Incarnation(int) int              { return f.incarnation }
func (f *fake) Touched(int) ([]int, bool)        { return nil, true }
func (f *fake) Partitions(int) int               { return len(f.parts) }
func (f *fake) Partition(_, i int, p *Partition) { *p = f.parts[i] }
func (f *fake) ReadBack(_ int, topic string, part int32, from int64, each func([]byte) bool) bool {
	for _, b := range f.logs[history.Key(topic, part)] {
		if int64(binary.BigEndian.Uint64(b)) >= from && !each(b) {
			break
		}
	}
	return true
}

const key = "t/0"

func val(n int64) history.Value { return history.MakeValue(1, n) }

// batch is one record at an offset, written by hand.
func batch(offset int64, v history.Value) []byte {
	text := v.AppendText(nil)
	rec := append([]byte{0, 0, 0, 1}, byte(2*len(text)))
	rec = append(append(rec, text...), 0)
	b := make([]byte, 61)
	b = append(append(b, byte(2*len(rec))), rec...)
	be := binary.BigEndian
	be.PutUint64(b, uint64(offset))
	be.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	be.PutUint32(b[57:], 1)
	be.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// stage is a suite with the events of one story.
type stage struct {
	t *testing.T
	s *Suite
	v *fake
	i int64
	e error
	n int32 // next sequence
}

func newStage(t *testing.T) *stage {
	st := &stage{t: t, s: NewSuite(), v: &fake{policy: "ack", up: true, incarnation: 1, logs: map[string][][]byte{}}}
	st.part(0, 0, 0, 0)
	return st
}

func (st *stage) part(start, hw, synced, end int64) *stage {
	st.v.parts = []Partition{{Topic: "t", Online: true, Start: start, HW: hw, Synced: synced, Written: end, End: end}}
	return st
}

func (st *stage) add(p int32, ty history.Type, f, err string, ops ...history.Op) *stage {
	st.v.now += clock.Time(clock.Second)
	if e := st.s.Event(&history.Event{I: st.i, Process: p, Type: ty, F: f, Ops: ops, Err: err, Time: st.v.now}); e != nil && st.e == nil {
		st.e = e
	}
	st.i++
	return st
}

func (st *stage) op(p int32, ty history.Type, err string, op history.Op) *stage {
	inv := op
	inv.Records = nil
	if op.Kind == history.Send {
		inv.Records = op.Records
	}
	return st.add(p, history.Invoke, op.Kind.String(), "", inv).add(p, ty, op.Kind.String(), err, op)
}

func recs(from int64, values ...int64) []history.Record {
	var rs []history.Record
	for i, v := range values {
		rs = append(rs, history.Record{Offset: from + int64(i), Value: val(v)})
	}
	return rs
}

func (st *stage) send(from int64, values ...int64) *stage {
	for i, v := range values {
		st.v.logs[key] = append(st.v.logs[key], batch(from+int64(i), val(v)))
	}
	st.n += int32(len(values))
	return st.op(16, history.OK, "", history.Op{Kind: history.Send, Key: key, Acks: -1, PID: 7, Seq: st.n - int32(len(values)), Records: recs(from, values...)})
}

func (st *stage) poll(from, hw int64, values ...int64) *stage {
	return st.op(32, history.OK, "", history.Op{Kind: history.Poll, Key: key, From: from, HW: hw, Start: 0, Batches: 1, Records: recs(from, values...)})
}

func (st *stage) note(p int32, op history.Op) *stage {
	return st.add(p, history.Info, op.Kind.String(), "", op)
}

func (st *stage) step() *stage {
	if err := st.s.Step(st.v); err != nil && st.e == nil {
		st.e = err
	}
	return st
}

func (st *stage) restart(start, hw, synced, end int64) *stage {
	st.v.incarnation++
	return st.part(start, hw, synced, end).step()
}

// cutting is a truncation under way that ends at an offset.
func (st *stage) cutting(start, end int64) *stage {
	st.part(start, end, end, end)
	st.v.parts[0].Cutting = true
	return st.step()
}

func (st *stage) end() *stage {
	if err := st.s.End(st.v); err != nil && st.e == nil {
		st.e = err
	}
	return st
}

// good is a story in which nothing is wrong.
func good(t *testing.T) *stage {
	st := newStage(t).step().send(0, 1, 2).part(0, 2, 2, 2).step().poll(0, 2, 1, 2).send(2, 3).part(0, 3, 3, 4).step()
	return st.restart(0, 3, 3, 3).poll(2, 3, 3)
}

func TestAStoryWithoutFaultBreaksNothingAndNoOracleIsDead(t *testing.T) {
	st := good(t).end()
	require.NoError(t, st.e)
	require.NoError(t, st.s.Alive())
	checks, unchecked := st.s.Checked()
	require.Zero(t, unchecked)
	for _, p := range []string{"I:I3", "I:I5", "I:I13", "I:S1", "I:S3", "I:T1", "dense-offsets", "log-start", "history:M1", "history:M2"} {
		require.Positive(t, checks[p], p)
	}
}

// deaf is an oracle that looks at nothing.
type deaf struct{ Oracle }

func (d deaf) Checks() int64              { return 0 }
func (d deaf) Event(*history.Event) error { return nil }
func (d deaf) Step(View) error            { return nil }
func (d deaf) End(View) error             { return nil }

// deafDue is one that knows all the same what there was to see.
type deafDue struct {
	Oracle
	knows Due
}

func (d deafDue) Checks() int64 { return 0 }
func (d deafDue) Due() bool     { return d.knows.Due() }

// rich gives every oracle something to look at.
func rich(st *stage) *stage {
	long := history.Op{Kind: history.Poll, Key: key, From: 3, HW: 3, Timestamp: longWait}
	st.s.Rehearsed()
	st.e = st.s.Recovered("again", recovered(), recovered())
	st.own("a").commit(3, history.OK).told(3).pid(7).heal().op(36, history.OK, "", history.Op{Kind: history.Probe, Meta: "a torn batch"})
	st.op(32, history.OK, "", long).transact(176, "v11", history.OK).last("x/0", "v11.1 v11.2", "").last("x/1", "v11.3", "")
	st.copies("v12.1", "v1.1", history.OK).last("copy/0", "v12.1", "")
	st.waits("v11", st.v.now, clock.Second)
	st.moves(192, 1, 5).last("transfers/0", sideOf(1, -5), "").last("transfers/1", sideOf(1, 5), "")
	if e := st.s.Event(&history.Event{I: st.i, Process: 32, Type: history.Info, F: "assign", Keys: []string{key}, Time: st.v.now}); e != nil && st.e == nil {
		st.e = e
	}
	return st.note(32, history.Op{Kind: history.CaughtUp, Key: key}).end()
}

func TestAnOracleThatDoesNotLookIsFoundDead(t *testing.T) {
	all := NewSuite().oracles
	for i := -1; i < len(all); i++ {
		st := newStage(t)
		name := "none"
		if i >= 0 {
			o := st.s.oracles[i]
			name = o.Name()
			if OfClusters(name) {
				continue
			}
			if d, ok := o.(Due); ok && name != "history" {
				st.s.oracles[i] = deafDue{o, d}
			} else {
				st.s.oracles[i] = deaf{o}
			}
		}
		st = st.step().send(0, 1, 2).part(0, 2, 2, 2).step().poll(0, 2, 1, 2).send(2, 3).part(0, 3, 3, 4).step().restart(0, 3, 3, 3).poll(2, 3, 3)
		rich(st)
		require.NoError(t, st.e, name)
		if i < 0 {
			require.NoError(t, st.s.Alive())
			continue
		}
		require.ErrorContains(t, st.s.Alive(), name, name)
	}
}

// stories break one property each.
var stories = map[string]func(*testing.T) *stage{
	"I:I3 gone": func(t *testing.T) *stage { st := good(t); st.v.logs[key] = st.v.logs[key][:2]; return st.end() },
	"I:I3 hole": func(t *testing.T) *stage {
		st := good(t)
		st.v.logs[key] = append(st.v.logs[key][:1:1], st.v.logs[key][2:]...)
		return st.end()
	},
	"I:I3 another": func(t *testing.T) *stage { st := good(t); st.v.logs[key][1] = batch(1, val(9)); return st.end() },
	"I:I3 at restart": func(t *testing.T) *stage {
		st := good(t)
		st.v.logs[key] = st.v.logs[key][:2]
		return st.restart(0, 3, 3, 3)
	},
	"I:I3 spoilt":           func(t *testing.T) *stage { st := good(t); st.v.logs[key][1][70] ^= 1; return st.end() },
	"I:I5":                  func(t *testing.T) *stage { return good(t).poll(1, 3, 9) },
	"I:T1":                  func(t *testing.T) *stage { return good(t).poll(3, 4, 3) },
	"dense-offsets first":   func(t *testing.T) *stage { return good(t).gap(0, 1) },
	"dense-offsets between": func(t *testing.T) *stage { return good(t).gap(0, 0, 2) },
	"I:I13 own":             func(t *testing.T) *stage { return good(t).poll(2, 2, 3) },
	"I:I13 empty":           func(t *testing.T) *stage { return good(t).poll(1, 3) },
	"I:I13 latest": func(t *testing.T) *stage {
		return good(t).op(33, history.OK, "", history.Op{Kind: history.ListOffsets, Key: key, Timestamp: -1, Offset: 2})
	},
	"I:I13 out of range": func(t *testing.T) *stage {
		return good(t).op(33, history.Fail, "OFFSET_OUT_OF_RANGE", history.Op{Kind: history.Poll, Key: key, From: 1})
	},
	"I:I13 unsynced":      func(t *testing.T) *stage { return good(t).part(0, 4, 3, 4).step() },
	"I:I13 back":          func(t *testing.T) *stage { return good(t).part(0, 2, 3, 3).step() },
	"I:S3 shorter":        func(t *testing.T) *stage { return good(t).restart(0, 2, 2, 2) },
	"I:S3 longer":         func(t *testing.T) *stage { return good(t).restart(0, 3, 3, 9) },
	"I:S3 after a cut":    func(t *testing.T) *stage { return good(t).cutting(0, 2).restart(0, 1, 1, 1) },
	"I:S3 no log":         func(t *testing.T) *stage { st := good(t); st.v.parts = nil; st.v.incarnation++; return st.step() },
	"log-start by itself": func(t *testing.T) *stage { return good(t).part(1, 3, 3, 3).step() },
	"log-start told": func(t *testing.T) *stage {
		st := good(t)
		return st.op(33, history.OK, "", history.Op{Kind: history.Poll, Key: key, From: 3, HW: 3, Start: 2})
	},
	"log-start undeleted": func(t *testing.T) *stage { return good(t).deleteTo(2).step() },
	"I:S1": func(t *testing.T) *stage {
		return good(t).note(32, history.Op{Kind: history.Caught, Key: key, Meta: "bad batch", Got: "bad CRC"})
	},
	"I:G2":               func(t *testing.T) *stage { return good(t).own("a").own("b") },
	"I:G7":               func(t *testing.T) *stage { return good(t).commit(5, history.OK).told(4) },
	"producer-id-unique": func(t *testing.T) *stage { return good(t).pid(3).pid(3) },
	"exact-errors": func(t *testing.T) *stage {
		return good(t).op(40, history.Fail, "", history.Op{Kind: history.Probe, Meta: "m", Want: "A", Got: "B"})
	},
	"every-request-answered": func(t *testing.T) *stage { return good(t).heal().unheard(true) },
	"every-request-answered forgotten": func(t *testing.T) *stage {
		st := good(t).heal().add(50, history.Invoke, "poll", "")
		st.v.now += clock.Time(100 * clock.Second)
		return st.end()
	},
	"prompt-fetch": func(t *testing.T) *stage {
		st := good(t).heal().add(32, history.Invoke, "poll", "", history.Op{Kind: history.Poll, Key: key, From: 3}).send(3, 4)
		st.v.now += clock.Time(9 * clock.Second)
		return st.add(32, history.OK, "poll", "", history.Op{Kind: history.Poll, Key: key, From: 3, HW: 4, Timestamp: 10000, Records: recs(3, 4)})
	},
	"readers-reach-the-end": func(t *testing.T) *stage {
		st := good(t).heal()
		require.NoError(t, st.s.Event(&history.Event{I: st.i, Process: 32, Type: history.Info, F: "assign", Keys: []string{key}, Time: st.v.now}))
		st.i++
		return st.end()
	},
	"I:S2 a recovery that ends elsewhere": func(t *testing.T) *stage {
		st := newStage(t)
		again := recovered()
		again[0].End--
		st.e = st.s.Recovered("again", recovered(), again)
		return st
	},
	"I:S2 a producer known by a batch that is gone": func(t *testing.T) *stage {
		st := newStage(t)
		once := recovered()
		once[0].Producers[0].Batches[1].LastOffset = 9
		st.e = st.s.Recovered("again", once, once)
		return st
	},
	"I:S2 a recovery that has no end": func(t *testing.T) *stage {
		st := newStage(t)
		st.e = st.s.Unrecoverable("again", errors.New("nothing happens any more"))
		return st
	},
	"epoch-end of a later epoch":      func(t *testing.T) *stage { return good(t).epochEnd(3, 4, 4, 3) },
	"epoch-end below what was read":   func(t *testing.T) *stage { return good(t).epochEnd(3, 4, 3, 2) },
	"epoch-end not known":             func(t *testing.T) *stage { return good(t).epochEnd(3, 4, -1, -1) },
	"epoch-end above a later one":     func(t *testing.T) *stage { return good(t).send(3, 4).polled(4, 3, 4).epochEnd(3, 4, 3, 4) },
	"epoch-end below what is written": func(t *testing.T) *stage { return good(t).send(3, 4).epochEnd(4, 4, 4, 3) },
	"history:lost-write": func(t *testing.T) *stage { // the log has it, but no reader ever got it
		return newStage(t).send(0, 1).send(1, 2).poll(1, 2, 2).end()
	},
}

// epochEnd asks a leader where an epoch ended.
func (st *stage) epochEnd(asked, leader, epoch int32, end int64) *stage {
	return st.op(48, history.OK, "", history.Op{Kind: history.EpochEnd, Key: key, From: 3, Generation: asked, Seq: leader, Batches: epoch, Offset: end})
}

// polled reads what is of a leader epoch.
func (st *stage) polled(epoch int32, from int64, values ...int64) *stage {
	return st.op(32, history.OK, "", history.Op{Kind: history.Poll, Key: key, From: from, HW: from + int64(len(values)), Batches: 1, Generation: epoch, Records: recs(from, values...)})
}

func (st *stage) gap(from int64, offsets ...int64) *stage {
	op := history.Op{Kind: history.Poll, Key: key, From: from, HW: 3}
	for _, o := range offsets {
		op.Records = append(op.Records, history.Record{Offset: o, Value: val(o + 1)})
	}
	return st.op(32, history.OK, "", op)
}

func (st *stage) deleteTo(o int64) *stage {
	return st.op(33, history.OK, "", history.Op{Kind: history.DeleteRecords, Key: key, Offset: o})
}

func (st *stage) own(member string) *stage {
	return st.note(33, history.Op{Kind: history.Own, Key: "g|t/0", Generation: 1, Member: member})
}

func (st *stage) commit(o int64, ty history.Type) *stage {
	return st.op(33, ty, "", history.Op{Kind: history.Commit, Key: "g|t/0", Offset: o, Generation: 1, Meta: itoa(o)})
}

func (st *stage) told(o int64) *stage {
	return st.op(34, history.OK, "", history.Op{Kind: history.FetchOffsets, Key: "g|t/0", Offset: o, Meta: itoa(o)})
}

func (st *stage) pid(n int64) *stage {
	return st.op(35, history.OK, "", history.Op{Kind: history.InitProducerID, PID: n})
}

func (st *stage) heal() *stage {
	return st.note(-1, history.Op{Kind: history.Phase, Meta: "liveness"})
}

func (st *stage) unheard(after bool) *stage {
	sent := int64(0)
	if after {
		sent = int64(st.v.now)
	}
	return st.note(33, history.Op{Kind: history.Unheard, Meta: "Fetch", Offset: sent, Timestamp: int64(st.v.now)})
}

func TestEveryOracleFindsItsStory(t *testing.T) {
	covered := map[string]bool{}
	for name, story := range stories {
		st := story(t)
		var f *Failure
		require.ErrorAs(t, st.e, &f, name)
		require.Equal(t, property(name), f.Property, "%s: %v", name, f)
		require.NotEmpty(t, f.Was+f.Is)
		covered[property(name)] = true
	}
	for name := range transactionStories() {
		covered[property(name)] = true
	}
	for name := range cutStories() {
		covered[property(name)] = true
	}
	for name := range copyStories(t) {
		covered[property(name)] = true
	}
	for name := range clusterStories {
		covered[property(name)] = true
	}
	for name := range voterStories {
		covered[property(name)] = true
	}
	for _, o := range NewSuite().oracles {
		if o.Name() != "history" {
			require.True(t, covered[o.Name()], "%s has no story that it must find", o.Name())
		}
	}
}

func property(name string) string {
	for i, c := range name {
		if c == ' ' {
			return name[:i]
		}
	}
	return name
}

func TestWhatTheLedgerExcusesIsNoFailure(t *testing.T) {
	st := good(t)
	st.note(-1, history.Op{Kind: history.Excuse, Key: key, Offset: 2})
	st.v.logs[key] = st.v.logs[key][:2]
	st.restart(0, 2, 2, 2).poll(2, 2).send(2, 9).part(0, 3, 3, 3).step().add(34, history.Info, "seek", "").poll(0, 3, 1, 2, 9).end()
	require.NoError(t, st.e)
}

func TestWhereAnEpochEndsMayBeSaidInManyWays(t *testing.T) {
	st := good(t).send(3, 4).polled(4, 3, 4)
	st.epochEnd(3, 4, 3, 3).epochEnd(3, 4, 0, 3).epochEnd(4, 4, 4, 4).epochEnd(4, 4, 4, 9).epochEnd(5, 4, -1, -1)
	st.deleteTo(4).epochEnd(3, 4, 3, 4)
	st.note(-1, history.Op{Kind: history.Excuse, Key: key, Offset: 2}).epochEnd(4, 4, 4, 2)
	st.note(-1, history.Op{Kind: history.Weak, Key: key, Meta: "begin"}).polled(2, 2, 9).epochEnd(1, 4, 1, 2).polled(4, 3, 4).epochEnd(3, 4, 3, 4)
	st.op(33, history.OK, "", history.Op{Kind: history.DeleteTopic, Key: "t"}).epochEnd(4, 4, -1, -1)
	require.NoError(t, st.e)
}

func TestARecoveryMayDropWhatWasNotSyncedAndKeepWhatWas(t *testing.T) {
	st := good(t).part(0, 3, 3, 8).step().restart(0, 3, 3, 5).end()
	require.NoError(t, st.e)
}

func TestDeletedRecordsAreNotMissed(t *testing.T) {
	st := good(t).deleteTo(2)
	st.v.logs[key] = st.v.logs[key][2:]
	st.part(2, 3, 3, 3).step().op(33, history.Fail, "OFFSET_OUT_OF_RANGE", history.Op{Kind: history.Poll, Key: key, From: 1}).end()
	require.NoError(t, st.e)
}

// A log that becomes empty at a later offset says so before its disk does.
func TestACrashMayLeaveLessOfALogThatBecomesEmpty(t *testing.T) {
	require.NotContains(t, good(t).deleteTo(9).cutting(9, 9).restart(0, 1, 1, 1).e.Error(), "I:S3") // it may not show less, as the only replica
	st := good(t).deleteTo(9).cutting(9, 9)
	st.v.logs[key] = nil
	require.ErrorContains(t, st.part(9, 9, 9, 9).step().restart(0, 1, 1, 1).e, "I:S3", "it has become empty")
}

func TestALateCommitOfUnknownOutcomeExplainsALowerOffset(t *testing.T) {
	st := good(t).commit(3, history.Info).commit(5, history.OK).told(3)
	require.NoError(t, st.e)
	require.NoError(t, st.commit(4, history.OK).told(4).e, "the group goes on from there")
	require.Error(t, st.told(2).e)
}

func TestSilenceBeforeHealingIsExcused(t *testing.T) {
	require.NoError(t, good(t).heal().unheard(false).e)
}

func TestAnOracleThatWasDueAndCheckedNothingIsAnError(t *testing.T) {
	st := newStage(t).send(0, 1) // acknowledged, and nobody ever looks into the log
	require.ErrorContains(t, st.s.Alive(), "I:I3")
}

func recovered() []Image {
	return []Image{{Key: "t/0", Start: 3, End: 9, TopicID: [16]byte{1}, Batches: []Stored{{3, 7, 0}, {6, 8, 1}},
		Producers: []Producer{{ID: 5, LastTimestamp: 10, TxnFirstOffset: -1, Batches: []ProducerBatch{{5, 9, 2, 2}, {8, 10, 5, 2}}}}}, {Key: "t/1"}}
}

func TestWhatASecondRecoveryChangesIsFound(t *testing.T) {
	s := NewSuite()
	require.NoError(t, s.Alive())
	s.Rehearsed()
	require.ErrorContains(t, s.Alive(), "I:S2", "a rehearsal that compares nothing is dead")
	fewer := recovered()
	fewer[0].Producers[0].Batches = fewer[0].Producers[0].Batches[1:]
	require.NoError(t, s.Recovered("again", recovered(), recovered()))
	require.NoError(t, s.Recovered("again", recovered(), fewer), "older batches are read back only so far")
	require.NoError(t, s.Alive())
	n, _ := s.Checked()
	require.Equal(t, int64(4), n["I:S2"])
	for name, change := range map[string]func(m *Image) *Image{
		"a log is gone":              func(m *Image) *Image { return nil },
		"the topic is another":       func(m *Image) *Image { m.TopicID[0]++; return m },
		"the start moved":            func(m *Image) *Image { m.Start++; return m },
		"the end moved":              func(m *Image) *Image { m.End--; return m },
		"a batch is gone":            func(m *Image) *Image { m.Batches = m.Batches[:1]; return m },
		"a byte is another":          func(m *Image) *Image { m.Batches[1].Sum++; return m },
		"an epoch is another":        func(m *Image) *Image { m.Batches[0].Epoch--; return m },
		"a producer is gone":         func(m *Image) *Image { m.Producers = nil; return m },
		"a producer's epoch":         func(m *Image) *Image { m.Producers[0].Epoch++; return m },
		"its last sequence":          func(m *Image) *Image { m.Producers[0].Batches[1].LastSeq--; return m },
		"nothing of its batches":     func(m *Image) *Image { m.Producers[0].Batches = nil; return m },
		"its open transaction":       func(m *Image) *Image { m.Producers[0].TxnFirstOffset = 4; return m },
		"an older batch of it":       func(m *Image) *Image { m.Producers[0].Batches[0].LastOffset--; return m },
		"what its last marker says":  func(m *Image) *Image { m.Producers[0].CoordinatorEpoch++; return m },
		"when it appended last time": func(m *Image) *Image { m.Producers[0].LastTimestamp++; return m },
	} {
		again := recovered()
		if change(&again[0]) == nil {
			again = slices.Delete(again, 0, 1)
		}
		require.ErrorContains(t, s.Recovered("again", recovered(), again), "I:S2", name)
	}
}
