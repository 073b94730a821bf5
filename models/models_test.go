package models

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/sim/history"
)

func worst(rs []Result) (Result, bool) {
	for _, r := range rs {
		if r.Verdict != OK {
			return r, true
		}
	}
	return Result{}, false
}

func TestValidHistoriesAreAccepted(t *testing.T) {
	for seed := uint64(0); seed < 40; seed++ {
		h := generate(seed, 8, 600)
		rs := Check(h, Options{})
		bad, found := worst(rs)
		require.False(t, found, "seed %d: %+v", seed, bad)
		require.Equal(t, "M1", rs[0].Model)
		require.Positive(t, rs[0].Strong)
	}
}

// find gives completed operations of a kind, as indexes.
func find(h []*history.Event, ok func(e *history.Event, o *history.Op) bool) []int {
	var is []int
	for i, e := range h {
		if e.Type == history.OK && ok(e, &e.Ops[0]) {
			is = append(is, i)
		}
	}
	return is
}

func invocation(h []*history.Event, i int) int {
	for j := i - 1; j >= 0; j-- {
		if h[j].Process == h[i].Process {
			return j
		}
	}
	return -1
}

// acked gives acknowledged sends.
func acked(h []*history.Event) []int {
	return find(h, func(_ *history.Event, o *history.Op) bool { return o.Kind == history.Send })
}

// before gives pairs (i, j) where j was invoked after i completed.
func before(h []*history.Event, is, js []int) [][2]int {
	var ps [][2]int
	for _, i := range is {
		for _, j := range js {
			if i < invocation(h, j) {
				ps = append(ps, [2]int{i, j})
			}
		}
	}
	return ps
}

func polls(h []*history.Event, full bool) []int {
	return find(h, func(_ *history.Event, o *history.Op) bool {
		return o.Kind == history.Poll && (len(o.Records) > 0) == full
	})
}

// mutations each make a valid history impossible, or say that they can't.
var mutations = []struct {
	name, model string
	do          func(h []*history.Event, s *prng.Source) bool
}{
	{"a read that misses what was acknowledged before", "M1", func(h []*history.Event, s *prng.Source) bool {
		for _, p := range before(h, acked(h), polls(h, true)) {
			if o := &h[p[1]].Ops[0]; o.From <= h[p[0]].Ops[0].Records[0].Offset {
				o.Records = nil
				return true
			}
		}
		return false
	}},
	{"a read that saw a record before it was sent", "M1", func(h []*history.Event, s *prng.Source) bool {
		for _, p := range before(h, polls(h, false), acked(h)) {
			to := &h[p[0]].Ops[0]
			to.Records = append(to.Records, h[p[1]].Ops[0].Records[0])
			return true
		}
		return false
	}},
	{"two acknowledged sends with their offsets exchanged", "M1", func(h []*history.Event, s *prng.Source) bool {
		a := acked(h)
		for _, p := range before(h, a, a) {
			x, y := &h[p[0]].Ops[0], &h[p[1]].Ops[0]
			if x.PID < 0 && y.PID < 0 {
				x.Records, y.Records = y.Records, x.Records
				ix, iy := &h[invocation(h, p[0])].Ops[0], &h[invocation(h, p[1])].Ops[0]
				ix.Records, iy.Records = iy.Records, ix.Records
				return true
			}
		}
		return false
	}},
	{"an acknowledged offset off by one", "M1", func(h []*history.Event, s *prng.Source) bool {
		for _, p := range before(h, acked(h), polls(h, true)) {
			x := &h[p[0]].Ops[0]
			for _, r := range h[p[1]].Ops[0].Records {
				if r.Offset == x.Records[0].Offset {
					for i := range x.Records {
						x.Records[i].Offset++
					}
					return true
				}
			}
		}
		return false
	}},
	{"a value read at another offset", "M1", func(h []*history.Event, s *prng.Source) bool {
		for _, i := range polls(h, true) {
			if rs := h[i].Ops[0].Records; len(rs) > 1 {
				rs[0].Value, rs[1].Value = rs[1].Value, rs[0].Value
				return true
			}
		}
		return false
	}},
	{"a record that nobody sent", "M1", func(h []*history.Event, s *prng.Source) bool {
		rs := polls(h, true)
		rec := h[rs[0]].Ops[0].Records
		rec[len(rec)-1].Value = history.MakeValue(99, 99)
		return true
	}},
	{"a copy of an idempotent record", "M1", func(h []*history.Event, s *prng.Source) bool {
		end := int64(0)
		for _, i := range polls(h, true) {
			end = max(end, h[i].Ops[0].Records[len(h[i].Ops[0].Records)-1].Offset+1)
		}
		for _, i := range acked(h) {
			for _, r := range h[i].Ops[0].Records {
				end = max(end, r.Offset+1)
			}
		}
		i := polls(h, false)[len(polls(h, false))-1]
		o := &h[i].Ops[0]
		o.From, o.Records = end, []history.Record{{Offset: end, Value: h[acked(h)[0]].Ops[0].Records[0].Value}}
		return true
	}},
	{"a latest offset that goes back", "M1", func(h []*history.Event, s *prng.Source) bool {
		ls := find(h, func(_ *history.Event, o *history.Op) bool { return o.Kind == history.ListOffsets })
		for _, p := range before(h, acked(h), ls) {
			h[p[1]].Ops[0].Offset = h[p[0]].Ops[0].Records[0].Offset
			return true
		}
		return false
	}},
	{"a latest offset from the future", "M1", func(h []*history.Event, s *prng.Source) bool {
		ls := find(h, func(_ *history.Event, o *history.Op) bool { return o.Kind == history.ListOffsets })
		for _, p := range before(h, ls, acked(h)) {
			rs := h[p[1]].Ops[0].Records
			h[p[0]].Ops[0].Offset = rs[len(rs)-1].Offset + 1
			return true
		}
		return false
	}},
	{"a sequence that was never assigned is taken", "M2", func(h []*history.Event, s *prng.Source) bool {
		for _, i := range acked(h) {
			if o := &h[i].Ops[0]; o.PID >= 0 && o.Seq > 0 {
				o.Seq++
				return true
			}
		}
		return false
	}},
	{"a sequence in order is refused", "M2", func(h []*history.Event, s *prng.Source) bool {
		for _, i := range acked(h) {
			if o := &h[i].Ops[0]; o.PID >= 0 && o.Seq > 0 {
				h[i].Type, h[i].Err = history.Fail, "OUT_OF_ORDER_SEQUENCE_NUMBER"
				return true
			}
		}
		return false
	}},
	{"a producer's later batch below its earlier one", "M2", func(h []*history.Event, s *prng.Source) bool {
		for _, i := range acked(h) {
			if o := &h[i].Ops[0]; o.PID >= 0 && o.Seq > 0 {
				for j := range o.Records {
					o.Records[j].Offset = int64(j)
				}
				return true
			}
		}
		return false
	}},
	{"a new producer epoch that does not begin at 0", "M2", func(h []*history.Event, s *prng.Source) bool {
		for _, i := range acked(h) {
			if o := &h[i].Ops[0]; o.PID >= 0 && o.Seq > 0 {
				o.Epoch++
				return true
			}
		}
		return false
	}},
	{"an old producer epoch is taken", "M2", func(h []*history.Event, s *prng.Source) bool {
		first := true
		for _, i := range acked(h) {
			if o := &h[i].Ops[0]; o.PID == 1 {
				if !first {
					o.Epoch = -1
					return true
				}
				first = false
			}
		}
		return false
	}},
	{"a committed offset off by one", "M3", func(h []*history.Event, s *prng.Source) bool {
		for _, i := range find(h, func(_ *history.Event, o *history.Op) bool { return o.Kind == history.FetchOffsets && o.Offset >= 0 }) {
			h[i].Ops[0].Offset++
			return true
		}
		return false
	}},
	{"a commit forgotten", "M3", func(h []*history.Event, s *prng.Source) bool {
		fs := find(h, func(_ *history.Event, o *history.Op) bool { return o.Kind == history.FetchOffsets })
		cs := find(h, func(_ *history.Event, o *history.Op) bool { return o.Kind == history.Commit })
		for _, p := range before(h, cs, fs) {
			h[p[1]].Ops[0].Offset, h[p[1]].Ops[0].Meta = -1, ""
			return true
		}
		return false
	}},
	{"an old generation's commit is taken", "M3", func(h []*history.Event, s *prng.Source) bool {
		cs := find(h, func(_ *history.Event, o *history.Op) bool { return o.Kind == history.Commit })
		for _, p := range before(h, cs, cs) {
			h[p[1]].Ops[0].Generation--
			return true
		}
		return false
	}},
	{"a read before its commit", "M3", func(h []*history.Event, s *prng.Source) bool {
		fs := find(h, func(_ *history.Event, o *history.Op) bool { return o.Kind == history.FetchOffsets })
		cs := find(h, func(_ *history.Event, o *history.Op) bool { return o.Kind == history.Commit })
		for _, p := range before(h, fs, cs) {
			h[p[0]].Ops[0].Offset, h[p[0]].Ops[0].Meta = h[p[1]].Ops[0].Offset, h[p[1]].Ops[0].Meta
			return true
		}
		return false
	}},
}

func TestMutatedHistoriesAreRejectedEveryTime(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			tried := 0
			for seed := uint64(0); seed < 40; seed++ {
				h := clone(generate(seed, 8, 400))
				if !m.do(h, prng.New(seed)) {
					continue
				}
				tried++
				rejected := false
				for _, r := range Check(h, Options{}) {
					rejected = rejected || r.Model == m.model && r.Verdict == Illegal && r.Detail != ""
				}
				require.True(t, rejected, "seed %d", seed)
			}
			require.Greater(t, tried, 20)
		})
	}
}

func TestAWeakReadMayLagAndAStrongOneMayNot(t *testing.T) {
	for seed := uint64(0); seed < 50; seed++ {
		h := clone(generate(seed, 8, 400))
		require.True(t, mutations[0].do(h, nil))
		r := Check(h, Options{Weak: func(_ string, _, _ int64) bool { return true }})[0]
		require.Equal(t, OK, r.Verdict, r.Detail)
		require.Zero(t, r.Strong)
		require.Positive(t, r.Weak)
	}
}

func TestALatestOffsetAboveAllThatWasSentIsRejected(t *testing.T) {
	latest := func(offset int64, acks int16) []*history.Event {
		h := send(nil, 1, history.OK, -1, history.Record{Offset: 0, Value: 1})
		h = send(h, 1, history.Info, acks, history.Record{Offset: history.NoOffset, Value: 2})
		op := history.Op{Kind: history.ListOffsets, Key: key, Timestamp: -1, Offset: offset}
		for _, ty := range []history.Type{history.Invoke, history.OK} {
			h = append(h, &history.Event{I: int64(len(h)), Process: 2, Type: ty, F: "list-offsets", Ops: []history.Op{op}})
		}
		return h
	}
	require.Equal(t, OK, Check(latest(2, -1), Options{})[0].Verdict, "the second may be there, and nobody has read it")
	require.Equal(t, Illegal, Check(latest(3, -1), Options{})[0].Verdict)
	twice := latest(3, -1)
	twice[3].Ops[0].Attempts = 2
	require.Equal(t, OK, Check(twice, Options{})[0].Verdict, "or twice, where the request was repeated")
}

func TestAnUnknownIsUncheckedAndNeverAPass(t *testing.T) {
	r := Check(generate(1, 8, 4000), Options{Timeout: time.Nanosecond})
	bad, found := worst(r)
	require.True(t, found)
	require.Equal(t, Unchecked, bad.Verdict)
}

// send, read and note are for histories written by hand.
func send(h []*history.Event, p int32, t history.Type, acks int16, values ...history.Record) []*history.Event {
	op := history.Op{Kind: history.Send, Key: key, Acks: acks, PID: -1, Attempts: 1, Records: values}
	inv := op
	inv.Records = nil
	for _, r := range values {
		inv.Records = append(inv.Records, history.Record{Offset: history.NoOffset, Value: r.Value})
	}
	h = append(h, &history.Event{I: int64(len(h)), Process: p, Type: history.Invoke, F: "send", Ops: []history.Op{inv}})
	return append(h, &history.Event{I: int64(len(h)), Process: p, Type: t, F: "send", Ops: []history.Op{op}})
}

func read(h []*history.Event, p int32, from int64, values ...history.Record) []*history.Event {
	op := history.Op{Kind: history.Poll, Key: key, PID: -1, From: from, Records: values}
	inv := op
	inv.Records = nil
	h = append(h, &history.Event{I: int64(len(h)), Process: p, Type: history.Invoke, F: "poll", Ops: []history.Op{inv}})
	return append(h, &history.Event{I: int64(len(h)), Process: p, Type: history.OK, F: "poll", Ops: []history.Op{op}})
}

func note(h []*history.Event, op history.Op) []*history.Event {
	return append(h, &history.Event{I: int64(len(h)), Process: history.Nemesis, Type: history.Info, F: op.Kind.String(), Ops: []history.Op{op}})
}

func rec(offset, n int64) history.Record {
	return history.Record{Offset: offset, Value: history.MakeValue(1, n)}
}

func TestALossThatTheLedgerExcusesIsAccepted(t *testing.T) {
	h := send(nil, 1, history.OK, -1, rec(0, 0))
	h = send(h, 1, history.OK, -1, rec(1, 1))
	h = read(h, 2, 0, rec(0, 0), rec(1, 1))
	lost := append([]*history.Event(nil), h...)
	after := func(h []*history.Event) []*history.Event {
		h = send(h, 1, history.OK, -1, rec(1, 2))
		return read(h, 2, 0, rec(0, 0), rec(1, 2))
	}
	bad, found := worst(Check(after(lost), Options{}))
	require.True(t, found)
	require.Contains(t, bad.Detail, "inconsistent offsets")
	bad, found = worst(Check(after(note(h, history.Op{Kind: history.Excuse, Key: key, Offset: 1})), Options{}))
	require.False(t, found, "%+v", bad)
	bad, found = worst(Check(after(note(h, history.Op{Kind: history.Excuse, Key: key, Offset: 2})), Options{}))
	require.True(t, found, "what stood below the excuse is still promised: %+v", bad)
}

func TestAProducerOfWhichAnExcusedLossTookNothingIsStillKnown(t *testing.T) {
	seq := func(s int32, at int64) *producerOp { return &producerOp{first: s, n: 1, offset: at} }
	story := func(ops ...*producerOp) (states []producerState) {
		states = []producerState{{}}
		for _, op := range ops {
			var next []producerState
			for _, s := range states {
				next = append(next, s.step(op)...)
			}
			states = next
		}
		return states
	}
	lost := &producerOp{forget: true}
	require.NotEmpty(t, story(seq(0, 7), seq(1, 8), lost, seq(2, 9), seq(0, 7)), "nothing was lost")
	require.NotEmpty(t, story(seq(0, 7), seq(1, 8), lost, seq(1, 9), seq(0, 7)), "the last was lost and sent again")
	require.NotEmpty(t, story(seq(0, 7), seq(1, 8), lost, seq(5, 9), seq(6, 10)), "all was lost")
	require.Empty(t, story(seq(0, 7), seq(1, 8), lost, seq(5, 9), seq(0, 7)), "if it takes any sequence it knows no duplicate")
	require.Empty(t, story(seq(0, 7), seq(1, 8), lost, seq(2, 9), seq(0, 10)), "neither a duplicate nor in order")
	require.Empty(t, story(seq(0, 7), seq(1, 8), seq(1, 9)), "a duplicate is not stored twice")
}

func TestABatchThatWasLostAndSentAgainStoodBeforeThoseBehindIt(t *testing.T) {
	story := func(loss bool, attempts int32) []*history.Event {
		var h []*history.Event
		add := func(p int32, ty history.Type, seq int32, attempts int32, r history.Record) {
			op := history.Op{Kind: history.Send, Key: key, Acks: -1, PID: 7, Seq: seq, Attempts: attempts, Records: []history.Record{r}}
			h = append(h, &history.Event{I: int64(len(h)), Process: p, Type: ty, F: "send", Ops: []history.Op{op}})
		}
		add(1, history.Invoke, 0, 0, rec(-1, 0))
		add(1, history.OK, 0, 1, rec(0, 0))
		add(1, history.Invoke, 1, 0, rec(-1, 1))
		add(2, history.Invoke, 2, 0, rec(-1, 2))
		add(2, history.OK, 2, 1, rec(2, 2))
		if loss {
			h = note(h, history.Op{Kind: history.Excuse, Key: key, Offset: 0})
		}
		add(1, history.OK, 1, attempts, rec(0, 1))
		return h
	}
	of := func(h []*history.Event) bool {
		for _, r := range Check(h, Options{}) {
			if r.Model == "M2" && r.Verdict != OK {
				return false
			}
		}
		return true
	}
	require.True(t, of(story(true, 2)))
	require.False(t, of(story(true, 1)), "it was sent once")
	require.False(t, of(story(false, 2)), "nothing was lost")
}

func TestWhatSurvivesAnExcusedCrashMayBeReadAgain(t *testing.T) {
	h := send(nil, 1, history.Info, -1, rec(-1, 0))
	h = note(h, history.Op{Kind: history.Excuse, Offset: 0})
	h = read(h, 2, 0)
	h = send(h, 3, history.OK, -1, rec(1, 5))
	h = read(h, 2, 0, rec(0, 0), rec(1, 5))
	bad, found := worst(Check(h, Options{}))
	require.False(t, found, "%+v", bad)
}

func TestAcksOneMayBeInvisibleAndMayBeLost(t *testing.T) {
	h := send(nil, 1, history.OK, 1, rec(0, 0))
	h = read(h, 2, 0)
	h = send(h, 1, history.OK, -1, rec(0, 1))
	h = read(h, 2, 0, rec(0, 1))
	bad, found := worst(Check(h, Options{}))
	require.False(t, found, "%+v", bad)
}

func TestASendOfUnknownOutcomeMayLeaveSeveralCopiesIfItIsNotIdempotent(t *testing.T) {
	h := send(nil, 1, history.Info, -1, rec(-1, 0))
	h = read(h, 2, 0, rec(0, 0), rec(1, 0))
	bad, found := worst(Check(h, Options{}))
	require.False(t, found, "%+v", bad)
	for _, e := range h {
		e.Ops[0].PID = 1
	}
	bad, found = worst(Check(h, Options{}))
	require.True(t, found)
	require.Contains(t, bad.Detail, "duplicate")
}

// idem is an idempotent send in one go.
func idem(h []*history.Event, t history.Type, err string, epoch int16, seq int32, recs ...history.Record) []*history.Event {
	h = send(h, 1, t, -1, recs...)
	for _, e := range h[len(h)-2:] {
		e.Ops[0].PID, e.Ops[0].Epoch, e.Ops[0].Seq = 1, epoch, seq
	}
	h[len(h)-1].Err = err
	return h
}

func TestSequencesWrapAndDuplicatesGetTheirFirstOffsetBack(t *testing.T) {
	first := idem(nil, history.OK, "", 0, 1<<31-2, rec(0, 0), rec(1, 1))
	ok := idem(first, history.OK, "", 0, 0, rec(2, 2))
	ok = idem(ok, history.OK, "", 0, 1<<31-2, rec(0, 0), rec(1, 1))
	bad, found := worst(Check(ok, Options{}))
	require.False(t, found, "%+v", bad)
	wrong := idem(clone(first), history.Fail, "OUT_OF_ORDER_SEQUENCE_NUMBER", 0, 0, rec(-1, 2))
	_, found = worst(Check(wrong, Options{}))
	require.True(t, found, "0 follows 2^31-1")
}

func TestOnlyTheLastFiveBatchesAreRemembered(t *testing.T) {
	var h []*history.Event
	for i := int64(0); i < 6; i++ {
		h = idem(h, history.OK, "", 0, int32(i), rec(i, i))
	}
	five := idem(clone(h), history.Fail, "OUT_OF_ORDER_SEQUENCE_NUMBER", 0, 1, rec(-1, 1))
	_, found := worst(Check(five, Options{}))
	require.True(t, found, "the fifth from the end is a duplicate, not out of order")
	six := idem(clone(h), history.Fail, "OUT_OF_ORDER_SEQUENCE_NUMBER", 0, 0, rec(-1, 0))
	bad, found := worst(Check(six, Options{}))
	require.False(t, found, "%+v", bad)
}

func TestAProducerMayBeForgottenOnlyWhereTheRunLetsItExpire(t *testing.T) {
	h := idem(nil, history.OK, "", 0, 0, rec(0, 0))
	h = idem(h, history.OK, "", 0, 7, rec(1, 1))
	_, found := worst(Check(h, Options{}))
	require.True(t, found)
	bad, found := worst(Check(h, Options{ProducersExpire: true}))
	require.False(t, found, "%+v", bad)
}

// lateCopy is a producer whose first try of sequence 0 stays on its way, is answered at the second, expires, and then arrives after all.
func lateCopy(attempts int32) []*history.Event {
	h := idem(nil, history.OK, "", 0, 0, rec(0, 0), rec(1, 1))
	h[1].Ops[0].Attempts = attempts
	h = idem(h, history.OK, "", 0, 2, rec(2, 2))
	return idem(h, history.Fail, "OUT_OF_ORDER_SEQUENCE_NUMBER", 0, 3, rec(-1, 3)) // the copy has it begin anew: 2 is next
}

func TestATryThatArrivesAfterItsProducerExpiredIsAppendedOnceMore(t *testing.T) {
	seen := read(lateCopy(2), 2, 0, rec(0, 0), rec(1, 1), rec(2, 2), rec(3, 0), rec(4, 1))
	bad, found := worst(Check(seen, Options{ProducersExpire: true}))
	require.False(t, found, "%+v", bad)
	bad, found = worst(CheckProducers(key, Calls(seen), nil, Options{Timeout: time.Second}))
	require.True(t, found, "without expiry it is a duplicate: %+v", bad)
	none := read(lateCopy(2), 2, 0, rec(0, 0), rec(1, 1), rec(2, 2))
	bad, found = worst(Check(none, Options{ProducersExpire: true}))
	require.True(t, found, "every offset is known, and none is a copy: %+v", bad)
	require.Contains(t, bad.Detail, "OUT_OF_ORDER")
}

func TestACopyThatRetentionTookBeforeAnyoneReadItIsPossibleWhereOffsetsAreUnknown(t *testing.T) {
	hole := func(attempts int32, next int64) []*history.Event {
		h := read(lateCopy(attempts), 2, 0, rec(0, 0), rec(1, 1), rec(2, 2))
		return read(send(h, 3, history.OK, -1, rec(next, 9)), 2, next, rec(next, 9))
	}
	bad, found := worst(Check(hole(2, 5), Options{ProducersExpire: true}))
	require.False(t, found, "%+v", bad)
	_, found = worst(Check(hole(2, 4), Options{ProducersExpire: true}))
	require.True(t, found, "one unknown offset is no room for two records")
	_, found = worst(Check(hole(1, 5), Options{ProducersExpire: true}))
	require.True(t, found, "what was sent once arrives once")
}

func TestAReadFromAFollowerMayLagAndOneFromTheLeaderMayNot(t *testing.T) {
	h := note(nil, history.Op{Kind: history.Weak, Key: key, Member: "n2", Meta: "begin"})
	h = send(h, 1, history.OK, -1, rec(0, 0))
	h = read(h, 2, 0, rec(0, 0))
	empty := func(node string) []*history.Event {
		x := read(append([]*history.Event(nil), h...), 3, 0)
		for _, e := range x[len(x)-2:] {
			e.Ops[0].Member = node
		}
		return x
	}
	bad, found := worst(Check(empty("n2"), Options{}))
	require.False(t, found, "%+v", bad)
	for _, node := range []string{"n1", ""} {
		_, found = worst(Check(empty(node), Options{}))
		require.True(t, found, node)
	}
}

// A producer comes to a leader that was deposed and does not know: what it says of sequence numbers is of the time before.
func TestADeposedLeaderMayRefuseTheNextBatch(t *testing.T) {
	h := idem(nil, history.OK, "", 0, 0, rec(0, 0))
	h = idem(h, history.Fail, "OUT_OF_ORDER_SEQUENCE_NUMBER", 0, 1, rec(-1, 1))
	_, found := worst(Check(h, Options{}))
	require.True(t, found)
	bad, found := worst(Check(h, Options{Weak: func(_ string, call, _ int64) bool { return call >= h[2].I }, WeakFetch: func(string, string, int64, int64) bool { return false }}))
	require.False(t, found, "%+v", bad)
}
