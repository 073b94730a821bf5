package producers

import (
	"bytes"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records"
)

// batch makes a header of n records; nothing else of a batch is looked at.
func batch(id int64, epoch int16, seq int32, n int32, base int64) records.View {
	b := records.NewBuilder(records.Options{HasProducer: true, ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq, BaseOffset: base})
	for i := int32(0); i < n; i++ {
		b.Add(nil, nil, 1000+base)
	}
	return append(records.View(nil), b.Build()...)
}

// twin remembers every batch that was accepted.
type twin struct{ list []records.View }

func (w *twin) of(id int64) (out []records.View) {
	for _, v := range w.list {
		if v.ProducerID() == id {
			out = append(out, v)
		}
	}
	return out
}

// judge is the rule, told over the whole history.
func (w *twin) judge(v records.View) (kerr.Code, int64) {
	own := w.of(v.ProducerID())
	if len(own) == 0 {
		return kerr.None, -1
	}
	last := own[len(own)-1]
	n := 0
	for i := len(own) - 1; i >= 0 && n < 5 && own[i].ProducerEpoch() == last.ProducerEpoch(); i-- {
		o := own[i]
		if o.ProducerEpoch() == v.ProducerEpoch() && o.BaseSequence() == v.BaseSequence() && o.LastSequence() == v.LastSequence() {
			return kerr.None, o.BaseOffset()
		}
		n++
	}
	switch next := (int64(last.LastSequence()) + 1) % (1 << 31); {
	case v.ProducerEpoch() < last.ProducerEpoch():
		return kerr.InvalidProducerEpoch, -1
	case v.ProducerEpoch() > last.ProducerEpoch() && v.BaseSequence() != 0:
		return kerr.OutOfOrderSequenceNumber, -1
	case v.ProducerEpoch() == last.ProducerEpoch() && int64(v.BaseSequence()) != next:
		return kerr.OutOfOrderSequenceNumber, -1
	}
	return kerr.None, -1
}

func TestTheTableJudgesAsOneThatRemembersEveryBatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w twin
		var table Table
		end := int64(0)
		var undo []Undo
		t.Repeat(map[string]func(*rapid.T){
			"batch": func(t *rapid.T) {
				id := rapid.Int64Range(1, 2).Draw(t, "id")
				epoch := int16(rapid.IntRange(0, 2).Draw(t, "epoch"))
				seq := int32(0)
				own := w.of(id)
				if len(own) > 0 && rapid.IntRange(0, 4).Draw(t, "follow") > 0 {
					seq = records.AddSequence(own[len(own)-1].LastSequence(), 1)
					epoch = own[len(own)-1].ProducerEpoch()
				} else if rapid.Bool().Draw(t, "odd") {
					seq = rapid.SampledFrom([]int32{1, 1<<31 - 1, 1<<31 - 2, 1<<31 - 3}).Draw(t, "seq")
				}
				v := batch(id, epoch, seq, int32(rapid.IntRange(1, 3).Draw(t, "n")), end)
				if len(own) > 0 && rapid.IntRange(0, 2).Draw(t, "again") == 0 {
					v = own[len(own)-1-rapid.IntRange(0, min(6, len(own)-1)).Draw(t, "back")]
				}
				code, base := w.judge(v)
				got := table.Check(v, 0)
				if got.Code != code || got.Duplicate != (base >= 0) || got.Duplicate && got.Base != base {
					t.Fatalf("producer %d epoch %d sequence %d: got %+v, want %v at %d", v.ProducerID(), v.ProducerEpoch(), v.BaseSequence(), got, code, base)
				}
				if code == kerr.None && base < 0 {
					v = append(records.View(nil), v...)
					v.SetBaseOffset(end)
					u, _, _ := table.Update(v, 0)
					undo = append(undo, u)
					w.list = append(w.list, v)
					end = v.NextOffset()
				}
			},
			"undo": func(t *rapid.T) {
				for n := rapid.IntRange(0, min(3, len(undo))).Draw(t, "n"); n > 0; n-- {
					table.Restore(undo[len(undo)-1])
					undo, w.list = undo[:len(undo)-1], w.list[:len(w.list)-1]
				}
			},
			"snapshot": func(t *rapid.T) {
				b := table.AppendSnapshot(nil)
				var other Table
				if !other.Load(b, 0) || !bytes.Equal(other.AppendSnapshot(nil), b) {
					t.Fatal("a snapshot does not load as what it was")
				}
			},
		})
	})
}

func TestASequenceWrapsFromTheGreatestToZero(t *testing.T) {
	var table Table
	table.Update(batch(7, 0, 1<<31-2, 2, 0), 0)
	if v := table.Check(batch(7, 0, 0, 1, 2), 0); v.Code != kerr.None {
		t.Fatalf("sequence 0 after 2^31-1: %+v", v)
	}
	if v := table.Check(batch(7, 0, 1<<31-2, 2, 2), 0); !v.Duplicate || v.Base != 0 {
		t.Fatalf("the batch before the wrap, repeated: %+v", v)
	}
	table.Update(batch(7, 0, 0, 3, 2), 0)
	if v := table.Check(batch(7, 0, 3, 1, 5), 0); v.Code != kerr.None {
		t.Fatalf("sequence 3 after the wrap: %+v", v)
	}
}

func TestADuplicateIsKnownAfterItsSegmentIsGone(t *testing.T) {
	var table Table
	table.Update(batch(7, 0, 0, 2, 10), 0)
	table.Start = 100
	if v := table.Check(batch(7, 0, 0, 2, 0), 0); !v.Duplicate || v.Base != 10 || v.Last != 11 || v.LogAppendTime != 1010 {
		t.Fatalf("got %+v, want a duplicate of 10", v)
	}
}

func TestProducersExpireByTheTimeTheyWereSeenNotByTheirRecords(t *testing.T) {
	var table Table
	table.Update(batch(1, 0, 0, 1, 0), 1000)
	table.Update(batch(2, 0, 0, 1, 1), 2000)
	if n := table.Expire(11_000, 10_000); n != 1 || table.Len() != 1 {
		t.Fatalf("%d expired, %d left", n, table.Len())
	}
	if v := table.Check(batch(1, 0, 5, 1, 2), 0); v.Code != kerr.None {
		t.Fatalf("an expired producer goes on with %+v", v)
	}
}

func TestASnapshotHasKafkasBytes(t *testing.T) {
	var table Table
	table.Update(batch(0x1122, 3, 5, 2, 10), 0)
	got := hex.EncodeToString(table.AppendSnapshot(nil))
	const want = "0001" + "efa5c689" + "00000001" + "0000000000001122" + "0003" + "00000006" + "000000000000000b" + "00000001" + "00000000000003f2" + "ffffffff" + "ffffffffffffffff"
	if got != want {
		t.Fatalf("\n got %s\nwant %s", got, want)
	}
}

func FuzzLoadNeverPanicsAndAcceptsOnlyWholeSnapshots(f *testing.F) {
	var table Table
	table.Update(batch(1, 0, 0, 1, 0), 0)
	f.Add(table.AppendSnapshot(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x Table
		if x.Load(b, 0) && x.Len() > len(b)/snapshotEntry {
			t.Fatal("more producers than bytes")
		}
	})
}

// A disk that stalls, and then is full, takes batches back when their producers may have expired.
func TestABatchOfAProducerThatHasExpiredCanBeTakenBack(t *testing.T) {
	var table Table
	table.Update(batch(7, 0, 0, 3, 0), 1000)
	before, _, _ := table.Update(batch(7, 0, 3, 3, 3), 2000)
	fresh, _, _ := table.Update(batch(8, 0, 0, 1, 6), 2000)
	if n := table.Expire(5000, 1000); n != 2 {
		t.Fatalf("%d producers expired", n)
	}
	again, _, _ := table.Update(batch(7, 0, 6, 3, 7), 5000)
	for _, u := range []Undo{again, fresh, before} {
		table.Restore(u)
	}
	if table.Len() != 0 {
		t.Errorf("%d producers are known again", table.Len())
	}
	table.Update(batch(7, 0, 3, 3, 3), 6000)
	if table.Len() != 1 {
		t.Errorf("%d producers are known", table.Len())
	}
}
