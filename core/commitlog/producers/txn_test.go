package producers

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
)

// data is a transactional batch of n records.
func data(id int64, epoch int16, seq, n int32, base int64) records.View {
	b := records.NewBuilder(records.Options{HasProducer: true, ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq, BaseOffset: base, Transactional: true})
	for i := int32(0); i < n; i++ {
		b.Add(nil, nil, 1000+base)
	}
	return append(records.View(nil), b.Build()...)
}

func marker(id int64, epoch int16, coordinator int32, commit bool, base int64) records.View {
	v := append(records.View(nil), records.NewMarker(id, epoch, records.Marker{Commit: commit, CoordinatorEpoch: coordinator}, 1000+base)...)
	v.SetBaseOffset(base)
	return v
}

// history is the dumb twin: every batch that stands, and nothing else. What it says it reads from the first batch on.
type history struct{ list []records.View }

type open struct {
	id          int64
	first, last int64 // last -1: no marker
	abort       bool
	stable      int64
}

func (h *history) transactions() (all []open) {
	for _, v := range h.list {
		m, isMarker := v.Marker()
		i := slices.IndexFunc(all, func(o open) bool { return o.id == v.ProducerID() && o.last < 0 })
		switch {
		case isMarker && i >= 0:
			all[i].last, all[i].abort, all[i].stable = v.LastOffset(), !m.Commit, v.NextOffset()
			for _, o := range all {
				if o.last < 0 {
					all[i].stable = min(all[i].stable, o.first)
				}
			}
		case v.IsTransactional() && !isMarker && i < 0:
			all = append(all, open{id: v.ProducerID(), first: v.BaseOffset(), last: -1})
		}
	}
	return all
}

// unstable is the least first offset of what is open or ends at or above hw.
func (h *history) unstable(hw int64) (least int64, ok bool) {
	for _, o := range h.transactions() {
		if (o.last < 0 || o.last >= hw) && (!ok || o.first < least) {
			least, ok = o.first, true
		}
	}
	return least, ok
}

func (h *history) end() int64 {
	if len(h.list) == 0 {
		return 0
	}
	return h.list[len(h.list)-1].NextOffset()
}

func TestTransactionsOpenAndEndAsOneThatReadsTheWholeHistorySays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h history
		var table Table
		var undo []Undo
		hw := int64(0)
		add := func(v records.View) {
			v.SetBaseOffset(h.end())
			u, x, ended := table.Update(v, 0)
			undo, h.list = append(undo, u), append(h.list, v)
			if !ended {
				x.Last = -1
			}
			for _, o := range h.transactions() {
				if o.last == v.LastOffset() && v.IsControl() && (o.first != x.First || o.abort != x.Abort || o.stable != x.Stable || x.Last != o.last || x.ProducerID != o.id) {
					t.Fatalf("ended %+v, want %+v", x, o)
				}
			}
			if ended && !slices.ContainsFunc(h.transactions(), func(o open) bool { return o.last == x.Last }) {
				t.Fatalf("ended %+v, and nothing was open", x)
			}
		}
		producer := func() int64 { return rapid.Int64Range(1, 4).Draw(t, "producer") }
		t.Repeat(map[string]func(*rapid.T){
			"data":   func(t *rapid.T) { add(data(producer(), 0, 0, int32(rapid.IntRange(1, 3).Draw(t, "n")), 0)) },
			"plain":  func(t *rapid.T) { add(batch(rapid.Int64Range(5, 6).Draw(t, "plain"), 0, 0, 1, 0)) },
			"marker": func(t *rapid.T) { add(marker(producer(), 0, 0, rapid.Bool().Draw(t, "commit"), 0)) },
			"undo": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "expire first") {
					table.Expire(1, 0)
				}
				for n := rapid.IntRange(0, 4).Draw(t, "n"); n > 0 && len(undo) > 0 && h.list[len(h.list)-1].BaseOffset() >= hw; n-- {
					table.Restore(undo[len(undo)-1])
					undo, h.list = undo[:len(undo)-1], h.list[:len(h.list)-1]
				}
			},
			"high watermark": func(t *rapid.T) {
				hw = rapid.Int64Range(hw, h.end()).Draw(t, "hw")
				table.Replicated(hw)
			},
			"snapshot": func(t *rapid.T) {
				b := table.AppendSnapshot(nil)
				var other Table
				if !other.Load(b, 0) || !bytes.Equal(other.AppendSnapshot(nil), b) {
					t.Fatal("a snapshot does not load as what it was")
				}
				first, ok := table.FirstOpen()
				if f, k := other.FirstOpen(); f != first || k != ok {
					t.Fatalf("after a snapshot the first open is at %d %v, before at %d %v", f, k, first, ok)
				}
			},
			"": func(t *rapid.T) {
				want, some := h.unstable(hw)
				if got, ok := table.FirstUnstable(); got != want || ok != some {
					t.Fatalf("first unstable %d %v, want %d %v: %+v", got, ok, want, some, h.transactions())
				}
				for id := int64(1); id <= 4; id++ {
					want := slices.ContainsFunc(h.transactions(), func(o open) bool { return o.id == id && o.last < 0 })
					if table.Ongoing(id, 0) != want {
						t.Fatalf("producer %d: ongoing is %v", id, !want)
					}
				}
			},
		})
	})
}

func TestAMarkerIsJudgedAsKafkaDoes(t *testing.T) {
	for _, c := range []struct {
		name        string
		open        bool
		epoch       int16
		coordinator int32
		version     int8
		want        kerr.Code
	}{
		{"its own epoch", true, 3, 5, 1, kerr.None},
		{"a later epoch, of a fencing coordinator", true, 4, 5, 1, kerr.None},
		{"an earlier epoch", true, 2, 5, 1, kerr.InvalidProducerEpoch},
		{"an earlier epoch of an earlier coordinator", true, 2, 4, 1, kerr.InvalidProducerEpoch},
		{"an earlier coordinator", true, 3, 4, 1, kerr.TransactionCoordinatorFenced},
		{"a later coordinator", true, 3, 6, 1, kerr.None},
		{"version 2, the next epoch", true, 4, 5, 2, kerr.None},
		{"version 2, the same epoch while a transaction is open", true, 3, 5, 2, kerr.InvalidProducerEpoch},
		{"version 2, once more", false, 3, 5, 2, kerr.None},
		{"version 2, long ago", false, 2, 5, 2, kerr.InvalidProducerEpoch},
		{"version 2, once more from an earlier coordinator", false, 3, 4, 2, kerr.TransactionCoordinatorFenced},
	} {
		var table Table
		table.Update(data(9, 3, 0, 1, 0), 0)
		table.Update(marker(9, 3, 5, true, 1), 0)
		if c.open {
			table.Update(data(9, 3, 1, 1, 2), 0)
		}
		if got := table.CheckMarker(9, c.epoch, c.coordinator, c.version); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	var table Table
	if got := table.CheckMarker(9, 0, 0, 2); got != kerr.None {
		t.Errorf("of an unknown producer: %v", got)
	}
}

// steps of a small story: what is checked, and what comes of it.
func TestABatchThatBeginsATransactionNeedsItsVerification(t *testing.T) {
	var table Table
	want := func(what string, got, code kerr.Code) {
		t.Helper()
		if got != code {
			t.Errorf("%s: %v, want %v", what, got, code)
		}
	}
	first := data(9, 0, 0, 1, 0)
	want("without", table.CheckVerified(first, 0).Code, kerr.InvalidTxnState)
	g, c := table.Verify(first, true, 0)
	want("verify", c, kerr.None)
	want("with it", table.CheckVerified(first, g).Code, kerr.None)
	want("with another", table.CheckVerified(first, g+1).Code, kerr.InvalidTxnState)

	// The marker of a time-out overtakes it.
	table.Update(marker(9, 1, 0, false, 0), 0)
	want("of an epoch that has ended", table.CheckVerified(first, g).Code, kerr.InvalidProducerEpoch)
	_, c = table.Verify(first, true, 0)
	want("verify it again", c, kerr.InvalidProducerEpoch)

	// Under transaction version 1 the epoch stays.
	table = Table{}
	g, _ = table.Verify(first, false, 0)
	table.Update(marker(9, 0, 0, false, 0), 0)
	want("after a marker of its epoch", table.CheckVerified(first, g).Code, kerr.InvalidTxnState)
	again, _ := table.Verify(first, false, 0)
	if again == g {
		t.Error("a guard was given twice")
	}
	want("the old one", table.CheckVerified(first, g).Code, kerr.InvalidTxnState)
	want("the new one", table.CheckVerified(first, again).Code, kerr.None)

	// Once it is open, more needs none, and a batch beside it is refused.
	table.Update(data(9, 0, 0, 1, 1), 0)
	want("the next", table.CheckVerified(data(9, 0, 1, 1, 0), 0).Code, kerr.None)
	want("one that is not transactional", table.CheckVerified(batch(9, 0, 1, 1, 0), 0).Code, kerr.InvalidTxnState)
	if g, c := table.Verify(data(9, 0, 1, 1, 0), false, 0); g != 0 || c != kerr.None {
		t.Errorf("an open transaction is verified: %d %v", g, c)
	}
	if table.Verifying() != 0 {
		t.Errorf("%d verifications are left", table.Verifying())
	}
}

func TestTheFirstBatchOfAVerificationHasTheLowestSequenceNumberAskedFor(t *testing.T) {
	var table Table
	for i, seq := range []int32{2, 1, 3} {
		if _, c := table.Verify(data(9, 0, seq, 1, 0), false, 0); c != kerr.None {
			t.Fatal(i, c)
		}
	}
	g, _ := table.Verify(data(9, 0, 3, 1, 0), false, 0)
	for seq, want := range map[int32]kerr.Code{1: kerr.None, 2: kerr.OutOfOrderSequenceNumber, 3: kerr.OutOfOrderSequenceNumber} {
		if c := table.CheckVerified(data(9, 0, seq, 1, 0), g).Code; c != want {
			t.Errorf("sequence %d: %v, want %v", seq, c, want)
		}
	}
	// A later epoch begins anew, and where epochs are bumped it begins at 0.
	table = Table{}
	g, _ = table.Verify(data(9, 5, 4, 1, 0), true, 0)
	if c := table.CheckVerified(data(9, 5, 4, 1, 0), g).Code; c != kerr.OutOfOrderSequenceNumber {
		t.Errorf("sequence 4 of a new epoch: %v", c)
	}
	table.Verify(data(9, 6, 0, 1, 0), true, 0)
	if c := table.CheckVerified(data(9, 6, 0, 1, 0), g).Code; c != kerr.None {
		t.Errorf("sequence 0 of a new epoch: %v", c)
	}
}

func TestVerificationsExpireAndOpenTransactionsDoNot(t *testing.T) {
	var table Table
	for i := int64(0); i < 5; i++ {
		table.Verify(data(i, 0, 0, 1, 0), true, 1000+100*1)
	}
	table.Update(data(7, 0, 0, 1, 0), 1000)
	table.Update(batch(8, 0, 0, 1, 1), 1000)
	if n := table.Expire(1_000_000, 10); n != 1 || table.Verifying() != 0 || !table.Ongoing(7, 0) {
		t.Errorf("%d expired, %d verifications are left, ongoing %v", n, table.Verifying(), table.Ongoing(7, 0))
	}
}

func TestAMarkerCountsAsAnAppendForExpiry(t *testing.T) {
	var table Table
	table.Update(data(7, 0, 0, 1, 0), 1000)
	table.Update(marker(7, 1, 0, false, 1), 5000)
	if n := table.Expire(5500, 1000); n != 0 {
		t.Fatal("a producer that was just fenced is forgotten: what it sends late would be taken")
	}
}

func TestWithAnotherEpochTheSameSequenceNumbersAreNoDuplicate(t *testing.T) {
	var table Table
	table.Update(data(7, 0, 0, 1, 0), 0)
	table.Update(marker(7, 1, 0, false, 1), 0)
	g, _ := table.Verify(data(7, 1, 0, 1, 0), true, 0)
	if v := table.CheckVerified(data(7, 1, 0, 1, 0), g); v != (Verdict{}) {
		t.Fatalf("%+v", v)
	}
}

func TestControlBatchesThatAreNoMarkersChangeNothing(t *testing.T) {
	var table Table
	table.Update(data(7, 0, 0, 1, 0), 0)
	empty := marker(7, 3, 9, true, 1)[:records.HeaderSize]
	whole := fmt.Sprintf("%x", table.AppendSnapshot(nil))
	if _, _, ended := table.Update(empty, 0); ended || whole != fmt.Sprintf("%x", table.AppendSnapshot(nil)) {
		t.Error("what is left of a marker has ended a transaction")
	}
}

func BenchmarkATransactionOfOneBatch(b *testing.B) {
	var table Table
	d, m := data(7, 0, 0, 1, 0), marker(7, 0, 0, true, 0)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i += 2 {
		d.SetBaseOffset(i)
		m.SetBaseOffset(i + 1)
		table.Update(d, 0)
		table.Update(m, 0)
		table.Replicated(i + 2)
	}
}

// A copy of a batch that comes after its transaction has ended begins a verification too. It says nothing of where the next transaction begins.
func TestALateCopyOfAnEndedTransactionsBatchDoesNotHoldUpTheNext(t *testing.T) {
	for _, last := range []int32{3, 1<<31 - 1} { // sequence numbers wrap
		var table Table
		table.Update(data(9, 0, last-1, 1, 0), 0)
		table.Update(data(9, 0, last, 1, 1), 0)
		table.Update(marker(9, 0, 0, true, 2), 0)
		table.Verify(data(9, 0, last-1, 1, 0), false, 0)
		next := data(9, 0, (last+1)&(1<<31-1), 1, 3)
		g, c := table.Verify(next, false, 0)
		if c != kerr.None {
			t.Fatal(c)
		}
		if c := table.CheckVerified(next, g).Code; c != kerr.None {
			t.Errorf("the batch after sequence number %d: %v", last, c)
		}
		if c := table.CheckVerified(data(9, 0, (last+2)&(1<<31-1), 1, 3), g).Code; c != kerr.OutOfOrderSequenceNumber {
			t.Errorf("the batch after that: %v", c)
		}
	}
}
