package records

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestAFillerHasTheBytesOfABatchWithoutRecordsProducerAndTime(t *testing.T) {
	v := View(AppendFiller(nil, 7, 11, 3))
	const want = "0000000000000007" + "00000031" + "00000003" + "02" + "0aeb7e58" + "0000" + "00000004" + "ffffffffffffffff" + "ffffffffffffffff" + "ffffffffffffffff" + "ffff" + "ffffffff" + "00000000"
	if got := hex.EncodeToString(v); got[:34] != want[:34] || got[42:] != want[42:] || v.CRC() != v.ComputeCRC() {
		t.Fatalf("\n got %s\nwant %s", got, want)
	}
	if !v.IsFiller() || v.LastOffset() != 11 {
		t.Fatalf("filler %v to %d", v.IsFiller(), v.LastOffset())
	}
	v.TrimFiller(9)
	if v.BaseOffset() != 9 || v.LastOffset() != 11 || v.CRC() != v.ComputeCRC() {
		t.Fatalf("trimmed to %d-%d", v.BaseOffset(), v.LastOffset())
	}
}

// only keeps the offsets that it names.
type only map[int64]bool

func (o only) Keep(offset int64, _ *Record) bool { return o[offset] }

func TestASieveLeavesTheRecordsThatStayAsTheyAre(t *testing.T) {
	var s Sieve
	rapid.Check(t, func(t *rapid.T) {
		opt := Options{BaseOffset: 100, LeaderEpoch: 4, HasProducer: true, ProducerID: 9, BaseSequence: 5, Codec: int8(rapid.IntRange(0, 4).Draw(t, "codec")),
			LogAppendTime: rapid.Bool().Draw(t, "logAppendTime")}
		b := NewBuilder(opt)
		keep, n := only{}, rapid.IntRange(1, 20).Draw(t, "n")
		var want []string
		tombstone := false
		maxTS := int64(-1)
		for i := range n {
			var value []byte
			if rapid.Bool().Draw(t, "value") {
				value = bytes.Repeat([]byte("v"), rapid.IntRange(0, 300).Draw(t, "size"))
			}
			ts := int64(5000) + rapid.Int64Range(0, 1<<40).Draw(t, "ts")
			b.Add([]byte(fmt.Sprint("k", i)), value, ts, HeaderField{Key: "h", Value: []byte("x")})
			if keep[100+int64(i)] = rapid.Bool().Draw(t, "keep"); keep[100+int64(i)] {
				want = append(want, fmt.Sprint(i, ts, value == nil, len(value)))
				tombstone = tombstone || value == nil
				maxTS = max(maxTS, ts)
			}
		}
		v := View(bytes.Clone(b.Build()))
		horizon := int64(NoHorizon)
		if rapid.Bool().Draw(t, "horizon") {
			horizon = 1 << 41
		}
		out, kept, err := s.Batch([]byte("before"), v, horizon, false, keep)
		if err != nil || int(kept.Records) != len(want) || !bytes.HasPrefix(out, []byte("before")) {
			t.Fatalf("%+v %v, want %d records", kept, err, len(want))
		}
		out = out[len("before"):]
		if len(want) == 0 {
			if len(out) > 0 {
				t.Fatal("nothing stays, and something is there")
			}
			return
		}
		set := tombstone && horizon >= 0
		if same := len(want) == n && !set; kept.Same != same || same && !bytes.Equal(out, v) {
			t.Fatalf("the same: %v, want %v", kept.Same, same)
		}
		got, ok := Header(out)
		if !ok || len(got) != len(out) || got.CRC() != got.ComputeCRC() || got.BaseOffset() != 100 || got.LastOffset() != v.LastOffset() || got.LastSequence() != v.LastSequence() ||
			got.LeaderEpoch() != 4 || got.Codec() != v.Codec() || got.HasDeleteHorizon() != set || set && got.DeleteHorizon() != horizon {
			t.Fatalf("the header is %x", got[:HeaderSize])
		}
		if w := v.MaxTimestamp(); got.IsLogAppendTime() && got.MaxTimestamp() != w || !got.IsLogAppendTime() && got.MaxTimestamp() != maxTS {
			t.Fatalf("max timestamp %d, want %d or %d", got.MaxTimestamp(), w, maxTS)
		}
		var scratch Scratch
		r := NewReader(got, &scratch)
		for _, w := range want {
			rec, ok, err := r.Next()
			if is := fmt.Sprint(rec.OffsetDelta, got.BaseTimestamp()+rec.TimestampDelta, rec.Value == nil, len(rec.Value)); !ok || err != nil || is != w || rec.HeaderCount != 1 {
				t.Fatalf("got %s (%v %v), want %s", is, ok, err, w)
			}
		}
		if _, ok, err := r.Next(); ok || err != nil {
			t.Fatalf("more is there: %v %v", ok, err)
		}
		again := View(AppendEmpty(nil, v))
		if again.CRC() != again.ComputeCRC() || again.Count() != 0 || again.LastSequence() != v.LastSequence() || again.LastOffset() != v.LastOffset() || again.ProducerID() != 9 {
			t.Fatalf("the empty batch is %x", again)
		}
	})
}

func FuzzSieveNeverPanics(f *testing.F) {
	b := NewBuilder(Options{})
	b.Add([]byte("k"), nil, 5)
	b.Add([]byte("l"), []byte("v"), 6, HeaderField{Key: "h"})
	f.Add([]byte(b.Build()))
	f.Fuzz(func(t *testing.T, in []byte) {
		v, ok := Header(bytes.Clone(in))
		if !ok {
			return
		}
		s := Sieve{Scratch: Scratch{Max: 1 << 20}}
		if out, kept, err := s.Batch(nil, v, 1<<41, true, only{0: true, 1: true}); err == nil && kept.Records > 0 {
			if w, ok := Header(out); !ok || w.ComputeCRC() != w.CRC() && !kept.Same {
				t.Fatal("not a whole batch")
			}
		}
	})
}
