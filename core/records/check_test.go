package records

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records/compress"
)

// sample builds a batch of n records with keys, values and headers.
func sample(o Options, n int) View {
	b := NewBuilder(o)
	for i := range n {
		var headers []HeaderField
		if i%3 == 0 {
			headers = []HeaderField{{"trace", []byte("abc")}, {"empty", nil}}
		}
		b.Add(fmt.Appendf(nil, "key-%d", i), bytes.Repeat([]byte{byte('a' + i%26)}, 20+i%200), 1_700_000_000_000+int64(i), headers...)
	}
	return View(bytes.Clone(b.Build()))
}

var everyCodec = []int8{compress.None, compress.Gzip, compress.Snappy, compress.LZ4, compress.Zstd}

func limits() Limits {
	return Limits{NowMS: 1_700_000_100_000, BeforeMaxMS: math.MaxInt64, AfterMaxMS: 3_600_000, CreateTime: true, MaxMessageBytes: 1 << 20, NeedKeys: true}
}

func TestABatchOfEachCodecPasses(t *testing.T) {
	for _, codec := range everyCodec {
		for _, n := range []int{1, 2, 127, 5000} {
			v := sample(Options{Codec: codec}, n)
			sent := bytes.Clone(v)
			code, text, _ := Check(v, limits())
			want(t, kerr.None, code, "%s %d: %s", compress.Name(codec), n, text)
			want(t, sent, []byte(v), "a good batch is not changed")
		}
	}
}

// TestEachMistakeHasItsCode changes one thing of a good batch, mends the CRC unless told not to, and wants Kafka's answer.
func TestEachMistakeHasItsCode(t *testing.T) {
	put := func(pos int, b ...byte) func(v View) View {
		return func(v View) View { copy(v[pos:], b); v.SetCRC(); return v }
	}
	producer := Options{HasProducer: true, ProducerID: 7, ProducerEpoch: 1, BaseSequence: 5}
	cases := []struct {
		name string
		opt  Options
		edit func(v View) View
		lim  func(l *Limits)
		want fault
	}{
		{name: "a good batch of an idempotent producer", opt: producer, edit: func(v View) View { return v }, want: fine},
		{name: "no bytes", edit: func(v View) View { return nil }, want: faultNoBatch},
		{name: "a header cut off", edit: func(v View) View { return v[:16] }, want: faultNoBatch},
		{name: "a batch cut off", edit: func(v View) View { return v[:len(v)-1] }, want: faultNoBatch},
		{name: "one byte after the batch", edit: func(v View) View { return append(v, 0) }, want: faultSeveral},
		{name: "two batches", edit: func(v View) View { return append(v, v...) }, want: faultSeveral},
		{name: "a negative length", edit: func(v View) View { v[posLength] = 0xff; return v }, want: faultLength},
		{name: "a length below the header", edit: func(v View) View { copy(v[posLength:], []byte{0, 0, 0, 48}); return v }, want: faultLength},
		{name: "magic 0", edit: func(v View) View { v[posMagic] = 0; return v }, want: faultMagicOld},
		{name: "magic 1", edit: func(v View) View { v[posMagic] = 1; return v }, want: faultMagicOld},
		{name: "magic 3", edit: func(v View) View { v[posMagic] = 3; return v }, want: faultMagicUnknown},
		{name: "a base offset", edit: func(v View) View { v.SetBaseOffset(1); return v }, want: faultBaseOffset},
		{name: "larger than max.message.bytes", edit: func(v View) View { return v }, lim: func(l *Limits) { l.MaxMessageBytes = 100 }, want: faultTooLarge},
		{name: "a flipped bit in a value", edit: func(v View) View { v[len(v)-5] ^= 1; return v }, want: faultCRC},
		{name: "codec 5", edit: put(posAttributes, 0, 5), want: faultCodec},
		{name: "codec 7", edit: put(posAttributes, 0, 7), want: faultCodec},
		{name: "count 0", edit: put(posCount, 0, 0, 0, 0), want: faultCount},
		{name: "a negative count", edit: put(posCount, 0xff), want: faultCount},
		{name: "a last offset delta that is off", edit: put(posLastOffsetDelta, 0, 0, 0, 9), want: faultOffsetRange},
		{name: "a control batch", opt: Options{Control: true}, edit: put(posBaseOffset), want: faultControl},
		{name: "a timestamp type of LogAppendTime", opt: Options{LogAppendTime: true}, edit: put(posBaseOffset), want: faultTimestampType},
		{name: "a transaction without a producer id", opt: Options{Transactional: true}, edit: put(posBaseOffset), want: faultTransactional},
		{name: "a negative sequence", opt: producer, edit: put(posBaseSequence, 0xff), want: faultSequence},
		{name: "a negative epoch", opt: producer, edit: put(posProducerEpoch, 0xff), want: faultEpoch},
		{name: "more records than the count", edit: put(posLastOffsetDelta, 0, 0, 0, 1), want: faultRecordsExcess,
			lim: func(l *Limits) {}},
		{name: "too old", edit: put(posBaseOffset), lim: func(l *Limits) { l.BeforeMaxMS = 1000 }, want: faultTimestamp},
		{name: "too far ahead", edit: put(posBaseOffset), lim: func(l *Limits) { l.NowMS = 1_600_000_000_000 }, want: faultTimestamp},
		{name: "out of bounds under LogAppendTime", edit: put(posBaseOffset), lim: func(l *Limits) { l.NowMS, l.CreateTime = 0, false }, want: fine},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := c.edit(sample(c.opt, 3))
			if c.want == faultRecordsExcess {
				copy(v[posCount:], []byte{0, 0, 0, 2})
				v.SetCRC()
			}
			l := limits()
			if c.lim != nil {
				c.lim(&l)
			}
			code, text, _ := Check(v, l)
			wantCode, wantText := c.want.verdict()
			want(t, wantCode, code, text)
			want(t, wantText, text)
		})
	}
}

const posBaseOffset = 0

// batchOf wraps record bytes, as they are, in a batch of the given count under the codec.
func batchOf(codec int8, count int, recs []byte) View {
	b := NewBuilder(Options{})
	for range count {
		b.Add([]byte("k"), nil, 1_700_000_000_000)
	}
	v := append(View(nil), b.Build()[:HeaderSize]...)
	v, err := compress.Compress(v, codec, 0, recs)
	if err != nil {
		panic(err)
	}
	be.PutUint32(v[posLength:], uint32(len(v)-LogOverhead))
	v[posAttributes+1] = byte(codec)
	v.SetCRC()
	return v
}

// TestEachMalformedRecordIsRefused feeds records byte by byte, in the clear and through the window of each codec.
func TestEachMalformedRecordIsRefused(t *testing.T) {
	huge := bytes.Repeat([]byte{'v'}, windowSize+1000)
	long := func(f func(body []byte) []byte) []byte {
		body := f([]byte{0, 0, 0, 2, 'k'})
		return append(appendVarint(nil, int64(len(body))), body...)
	}
	value := func(b []byte) []byte { return append(appendVarint(b, int64(len(huge))), huge...) }
	cases := []struct {
		name  string
		count int
		recs  []byte
		want  fault
		cut   bool
	}{
		{"one good record", 1, []byte{14, 0, 0, 0, 2, 'k', 1, 0}, fine, false},
		{"no record", 1, nil, faultRecordsMissing, false},
		{"the second record is missing", 2, []byte{14, 0, 0, 0, 2, 'k', 1, 0}, faultRecordsMissing, false},
		{"a byte follows", 1, []byte{14, 0, 0, 0, 2, 'k', 1, 0, 0}, faultRecordsExcess, false},
		{"a size without end", 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, faultVarint, false},
		{"a size of 33 bits", 1, []byte{0x8e, 0x80, 0x80, 0x80, 0x10, 0, 0, 0, 2, 'k', 1, 0}, faultVarint, false},
		{"a negative size", 1, []byte{1, 0, 0, 0, 2, 'k', 1, 0}, faultRecordSize, false},
		{"an empty body", 1, []byte{0}, faultVarint, false},
		{"a size beyond the batch", 1, []byte{16, 0, 0, 0, 2, 'k', 1, 0}, faultRecordSize, false},
		{"a size that is one short", 1, []byte{12, 0, 0, 0, 2, 'k', 1, 0}, faultHeaders, false},
		{"a size that is one long", 1, []byte{16, 0, 0, 0, 2, 'k', 1, 0, 0}, faultRecordSize, false},
		{"a timestamp delta of 11 bytes", 1, []byte{38, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 2, 'k', 1, 0, 0, 0}, faultVarint, false},
		{"a timestamp delta of 65 bits", 1, []byte{34, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2, 0, 2, 'k', 1, 0, 0}, faultVarint, false},
		{"a wrong offset delta", 1, []byte{14, 0, 0, 2, 2, 'k', 1, 0}, faultOffsetDelta, false},
		{"a null key", 1, []byte{12, 0, 0, 0, 1, 1, 0}, faultNoKey, false},
		{"a key size of -2", 1, []byte{12, 0, 0, 0, 3, 1, 0}, faultKeySize, false},
		{"a key beyond the record", 1, []byte{14, 0, 0, 0, 20, 'k', 1, 0}, faultKeySize, false},
		{"a value size of -2", 1, []byte{14, 0, 0, 0, 2, 'k', 3, 0}, faultValueSize, false},
		{"a value beyond the record", 1, []byte{14, 0, 0, 0, 2, 'k', 20, 0}, faultValueSize, false},
		{"a negative header count", 1, []byte{14, 0, 0, 0, 2, 'k', 1, 1}, faultHeaders, false},
		{"more headers than bytes", 1, []byte{14, 0, 0, 0, 2, 'k', 1, 20}, faultHeaders, false},
		{"two billion headers", 1, []byte{22, 0, 0, 0, 2, 'k', 1, 0xfe, 0xff, 0xff, 0xff, 0x0f}, faultHeaders, false},
		{"one header", 1, []byte{20, 0, 0, 0, 2, 'k', 1, 2, 2, 'h', 1}, fine, false},
		{"a null header key", 1, []byte{18, 0, 0, 0, 2, 'k', 1, 2, 1, 1}, faultHeaders, false},
		{"a header value size of -2", 1, []byte{20, 0, 0, 0, 2, 'k', 1, 2, 2, 'h', 3}, faultHeaders, false},
		{"a header value beyond the record", 1, []byte{20, 0, 0, 0, 2, 'k', 1, 2, 2, 'h', 4}, faultHeaders, false},
		{"a good record beyond the window", 1, long(func(b []byte) []byte { return append(value(b), 0) }), fine, false},
		{"a record beyond the window with a header", 1, long(func(b []byte) []byte { return append(value(b), 2, 2, 'h', 1) }), fine, false},
		{"a record beyond the window without a header count", 1, long(value), faultHeaders, false},
		{"a record beyond the window, a byte too long", 1, long(func(b []byte) []byte { return append(value(b), 0, 0) }), faultRecordSize, false},
		{"a record beyond the window, a header cut off", 1, long(func(b []byte) []byte { return append(value(b), 4, 2, 'h', 1) }), faultHeaders, false},
		{"a record beyond the window, with too large a value", 1, long(func(b []byte) []byte { return append(append(appendVarint(b, 1<<30), huge...), 0) }), faultValueSize, false},
		{"a record beyond the window, with too large a key", 1, long(func(b []byte) []byte { return append(append(appendVarint(b[:3], 1<<30), huge...), 0) }), faultKeySize, false},
		{"a record beyond the window with a null key", 1, long(func(b []byte) []byte { return append(value(append(b[:3], 1)), 0) }), faultNoKey, false},
		{"a record beyond the window, cut off", 1, long(func(b []byte) []byte { return append(value(b), 0) })[:windowSize+10], faultRecordSize, true},
	}
	var s Scratch
	for _, c := range cases {
		for _, codec := range everyCodec {
			t.Run(c.name+"/"+compress.Name(codec), func(t *testing.T) {
				l := limits()
				l.Scratch = &s
				v := batchOf(codec, c.count, c.recs)
				_, text, _ := Check(v, l)
				_, wantText := c.want.verdict()
				if c.cut && codec != compress.None {
					// The stream finds out within the record what the whole batch shows before it.
					_, wantText = faultValueSize.verdict()
				}
				want(t, wantText, text)
			})
		}
	}
}

func TestAWrongMaxTimestampIsMended(t *testing.T) {
	for _, codec := range everyCodec {
		v := sample(Options{Codec: codec}, 10)
		good := bytes.Clone(v)
		be.PutUint64(v[posMaxTimestamp:], 5)
		v.SetCRC()
		code, _, _ := Check(v, limits())
		want(t, kerr.None, code)
		want(t, good, []byte(v))
	}
}

func TestRecordsWithoutTimestampPass(t *testing.T) {
	b := NewBuilder(Options{})
	b.Add([]byte("k"), nil, -1)
	code, text, _ := Check(b.Build(), limits())
	want(t, kerr.None, code, text)
	b.Reset(Options{})
	b.Add([]byte("k"), nil, -2)
	code, _, _ = Check(b.Build(), limits())
	want(t, kerr.InvalidTimestamp, code)
}

// TestABombEndsAtTheBoundInBoundedMemory sends 400 MiB in each codec that can pack them small.
func TestABombEndsAtTheBoundInBoundedMemory(t *testing.T) {
	value := make([]byte, 400<<20)
	b := NewBuilder(Options{Codec: compress.Gzip})
	b.Add([]byte("k"), value, 1_700_000_000_000)
	plain := b.b[HeaderSize:]
	for _, codec := range []int8{compress.Gzip, compress.LZ4, compress.Zstd, compress.Snappy} {
		bomb := batchOf(codec, 1, plain)
		for _, bound := range []int64{8 << 20, 512 << 20} {
			l := limits()
			l.MaxMessageBytes, l.MaxDecompressed, l.Scratch = 0, bound, new(Scratch)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			code, text, _ := Check(bomb, l)
			runtime.ReadMemStats(&after)
			wantCode := kerr.None
			if bound < 400<<20 {
				wantCode = kerr.MessageTooLarge
			}
			want(t, wantCode, code, "%s: %s", compress.Name(codec), text)
			spent := after.TotalAlloc - before.TotalAlloc
			want(t, true, spent < 20<<20, "%d bytes were allocated for %s at a bound of %d", spent, compress.Name(codec), bound)
		}
	}
}

func TestCheckStartsNoGoroutineAndAllocatesNothingWhenWarm(t *testing.T) {
	for _, codec := range everyCodec {
		v := sample(Options{Codec: codec}, 500)
		l := limits()
		l.Scratch = new(Scratch)
		before := runtime.NumGoroutine()
		allocs := testing.AllocsPerRun(50, func() {
			if code, text, _ := Check(v, l); code != kerr.None {
				t.Fatal(text)
			}
		})
		want(t, before, runtime.NumGoroutine(), "%s", compress.Name(codec))
		want(t, 0, int(allocs), "%s", compress.Name(codec))
	}
}

func FuzzCheck(f *testing.F) {
	for _, codec := range everyCodec {
		f.Add([]byte(sample(Options{Codec: codec}, 3)), true)
		f.Add([]byte(sample(Options{Codec: codec, HasProducer: true, ProducerID: 1}, 40)), false)
		for magic := range byte(4) { // those before 2 have other places for everything but the length and this byte
			v := sample(Options{Codec: codec}, 2)
			v[posMagic] = magic
			f.Add([]byte(v), true)
		}
	}
	s := new(Scratch)
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if v, ok := Header(b); ok && mend { // get past the CRC, to the records
			v.SetCRC()
		}
		l := limits()
		l.Scratch, l.MaxDecompressed = s, 1<<20
		code, text, _ := Check(b, l)
		if (code == kerr.None) != (text == "") {
			t.Fatalf("code %v with text %q", code, text)
		}
		if code != kerr.None {
			return
		}
		// What passed reads back whole, with exactly the deltas and the count that the header states.
		v, ok := Header(b)
		if !ok {
			t.Fatal("a batch that passed has no header")
		}
		s.Max = 2 << 20
		r := NewReader(v, s)
		for i := range v.Count() {
			rec, ok, err := r.Next()
			if !ok || err != nil || rec.OffsetDelta != i {
				t.Fatalf("record %d of %d: delta %d, %v, %v", i, v.Count(), rec.OffsetDelta, ok, err)
			}
		}
		if _, ok, err := r.Next(); ok || err != nil {
			t.Fatalf("after the last record: %v, %v", ok, err)
		}
	})
}

func TestARefusalNamesTheRecordThatIsToBlame(t *testing.T) {
	for _, codec := range everyCodec {
		for _, at := range []int{0, 2, 4} {
			keyless, old := NewBuilder(Options{Codec: codec}), NewBuilder(Options{Codec: codec})
			for i := range 5 {
				key, ts := []byte("k"), int64(1_700_000_000_000)
				if i == at {
					key, ts = nil, 1
				}
				keyless.Add(key, nil, 1_700_000_000_000)
				old.Add([]byte("k"), nil, ts)
			}
			l := limits()
			l.NeedKeys = true
			code, _, record := Check(keyless.Build(), l)
			want(t, kerr.InvalidRecord, code)
			want(t, int32(at), record)
			l.NowMS, l.BeforeMaxMS = 1_700_000_000_000, 1000
			code, _, record = Check(old.Build(), l)
			want(t, kerr.InvalidTimestamp, code)
			want(t, int32(at), record)
		}
	}
	twice := sample(Options{}, 1)[HeaderSize:]
	_, text, record := Check(batchOf(0, 2, append(bytes.Clone(twice), twice...)), limits())
	want(t, int32(1), record, text)
	v := sample(Options{}, 3)
	v[len(v)-1] ^= 1
	_, _, record = Check(v, limits())
	want(t, int32(-1), record, "of a batch that does not match its CRC")
}
