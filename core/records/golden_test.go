package records

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/records/compress"
)

// golden are batches that Kafka 4.3.1's MemoryRecords wrote: three records in each codec, the same from an idempotent and
// a transactional producer, and the two end markers of a transaction.
var golden = map[string]string{
	"none":          "00000000000000000000007fffffffff0232a2e4de0000000000020000018bcfe568000000018bcfe9fbe0ffffffffffffffffffffffffffff0000000374000000046b3044612076616c75652c20612076616c75652c20612076616c75652c20612076616c7565040a747261636506616263086e6f6e65011200cf0f02046b3101001000c0cf2404010000",
	"gzip":          "00000000000000000000007cffffffff02aa10a4010001000000020000018bcfe568000000018bcfe9fbe0ffffffffffffffffffffffffffff000000031f8b08000000000000ff2b61606060c936704954284bcc294dd551c0c960e12a294a4c4e654b4c4ae6c8cbcf4b65146238cfcfc4926dc8c820c070e0bc0a0b23030300b34f0e7e4e000000",
	"snappy":        "000000000000000000000080ffffffff023d56f64c0002000000020000018bcfe568000000018bcfe9fbe0ffffffffffffffffffffffffffff0000000382534e415050590000000001000000010000003b4e4074000000046b3044612076616c75652c206209008c040a747261636506616263086e6f6e65011200cf0f02046b3101001000c0cf2404010000",
	"lz4":           "00000000000000000000007cffffffff022b9d40a40003000000020000018bcfe568000000018bcfe9fbe0ffffffffffffffffffffffffffff0000000304224d186040823c000000ff0274000000046b3044612076616c75652c20090006f015040a747261636506616263086e6f6e65011200cf0f02046b3101001000c0cf240401000000000000",
	"zstd":          "000000000000000000000079ffffffff02adb57b860004000000020000018bcfe568000000018bcfe9fbe0ffffffffffffffffffffffffffff0000000328b52ffd0058e40100540374000000046b3044612076616c75652c20040a747261636506616263086e6f6e65011200cf0f02046b3101001000c0cf24040100000100b99425010000",
	"idempotent":    "00000000000000000000007fffffffff028ba3ffc10000000000020000018bcfe568000000018bcfe9fbe0000000000000126700037ffffffe0000000374000000046b3044612076616c75652c20612076616c75652c20612076616c75652c20612076616c7565040a747261636506616263086e6f6e65011200cf0f02046b3101001000c0cf2404010000",
	"transactional": "00000000000000000000007fffffffff0210b005e70010000000020000018bcfe568000000018bcfe9fbe000000000000012670003000000090000000374000000046b3044612076616c75652c20612076616c75652c20612076616c75652c20612076616c7565040a747261636506616263086e6f6e65011200cf0f02046b3101001000c0cf2404010000",
	"commit":        "00000000000000000000004200000005020a0bb5080030000000000000018bcfe568000000018bcfe5680000000000000012670003ffffffff000000012000000008000000010c00000000001100",
	"abort":         "0000000000000000000000420000000502fe3563400030000000000000018bcfe568000000018bcfe5680000000000000012670003ffffffff000000012000000008000000000c00000000001100",
}

func goldenBatch(t testing.TB, name string) View {
	b, err := hex.DecodeString(golden[name])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func addGolden(b *Builder) {
	b.Add([]byte("k0"), []byte("a value, a value, a value, a value"), 1_700_000_000_000, HeaderField{"trace", []byte("abc")}, HeaderField{"none", nil})
	b.Add([]byte("k1"), nil, 1_699_999_999_000)
	b.Add(nil, []byte{}, 1_700_000_300_000)
}

func TestKafkasBatchesPassAndReadAsWritten(t *testing.T) {
	var s Scratch
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd", "idempotent", "transactional"} {
		v := goldenBatch(t, name)
		l := limits()
		l.NeedKeys, l.Scratch = false, &s
		code, text, _ := Check(v, l)
		want(t, kerr.None, code, "%s: %s", name, text)
		r := NewReader(v, &s)
		b := NewBuilder(Options{LeaderEpoch: -1})
		for {
			rec, ok, err := r.Next()
			want(t, nil, err, "%s", name)
			if !ok {
				break
			}
			var headers []HeaderField
			for k, v := range rec.Headers() {
				headers = append(headers, HeaderField{string(k), v})
			}
			want(t, b.Count(), rec.OffsetDelta)
			b.Add(rec.Key, rec.Value, v.BaseTimestamp()+rec.TimestampDelta, headers...)
		}
		want(t, golden["none"], hex.EncodeToString(b.Build()), "%s, read and written again", name)
	}
}

func TestTheBuilderWritesKafkasBytes(t *testing.T) {
	producer := Options{LeaderEpoch: -1, HasProducer: true, ProducerID: 4711, ProducerEpoch: 3, BaseSequence: 1<<31 - 2}
	b := NewBuilder(producer)
	addGolden(b)
	want(t, golden["idempotent"], hex.EncodeToString(b.Build()))
	want(t, int32(0), View(b.Build()).LastSequence(), "the sequence wraps")
	producer.Transactional, producer.BaseSequence = true, 9
	b.Reset(producer)
	addGolden(b)
	want(t, golden["transactional"], hex.EncodeToString(b.Build()))
	marker := Options{LeaderEpoch: 5, HasProducer: true, ProducerID: 4711, ProducerEpoch: 3, BaseSequence: -1, Transactional: true, Control: true}
	for kind, name := range []string{ControlAbort: "abort", ControlCommit: "commit"} {
		b.Reset(marker)
		b.AddMarker(int16(kind), 17, 1_700_000_000_000)
		want(t, golden[name], hex.EncodeToString(b.Build()))
		code, _, _ := Check(b.Build(), limits())
		want(t, kerr.InvalidRecord, code, "clients may not write markers")
	}
}

// TestFranzGosBatchesPass builds batches with kmsg's encoders and kgo's compressors, which share no code with ours.
func TestFranzGosBatchesPass(t *testing.T) {
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		var recs []byte
		const n = 3000
		for j := range n {
			rec := kmsg.Record{OffsetDelta: int32(j), TimestampDelta64: int64(j), Key: []byte("key"), Value: bytes.Repeat([]byte("v"), j%300)}
			if j%7 == 0 {
				rec.Headers = []kmsg.Header{{Key: "h", Value: []byte("x")}}
			}
			body := rec.AppendTo(nil)
			_, at := varint32(body, 0)
			rec.Length = int32(len(body) - at)
			recs = rec.AppendTo(recs)
		}
		if i > 0 {
			c, err := kgo.DefaultCompressor(codec)
			want(t, nil, err)
			out, used := c.Compress(new(bytes.Buffer), recs)
			want(t, int8(i), int8(used))
			recs = out
		}
		batch := kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(i), LastOffsetDelta: n - 1, FirstTimestamp: 1_700_000_000_000,
			MaxTimestamp: 1_700_000_000_000 + n - 1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: n, Records: recs}
		batch.Length = int32(len(batch.AppendTo(nil)) - LogOverhead)
		v := View(batch.AppendTo(nil))
		v.SetCRC()
		code, text, _ := Check(v, limits())
		want(t, kerr.None, code, "codec %d: %s", i, text)
		if i > 0 {
			plain, err := kgo.DefaultDecompressor().Decompress(v[HeaderSize:], kgo.CompressionCodecType(i))
			want(t, nil, err)
			ours, err := compress.Decompress(nil, int8(i), v[HeaderSize:], 1<<30)
			want(t, nil, err)
			want(t, true, bytes.Equal(plain, ours), "kgo and we decompress alike")
			again, err := compress.Compress(nil, int8(i), 0, plain)
			want(t, nil, err)
			back, err := kgo.DefaultDecompressor().Decompress(again, kgo.CompressionCodecType(i))
			want(t, nil, err)
			want(t, true, bytes.Equal(plain, back), "kgo reads what we compress with codec %d", i)
		}
	}
}

// twin is a record as the property test keeps it.
type twin struct {
	key, value []byte
	ts         int64
	headers    []HeaderField
}

func drawTwin(t *rapid.T) twin {
	blob := rapid.Custom(func(t *rapid.T) []byte {
		if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
			return nil
		}
		b := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "bytes")
		return append([]byte{}, bytes.Repeat(b, rapid.SampledFrom([]int{1, 1, 1, 100, 3000}).Draw(t, "times"))...)
	})
	return twin{key: blob.Draw(t, "key"), value: blob.Draw(t, "value"), ts: rapid.Int64Range(-1, 1<<40).Draw(t, "ts"),
		headers: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) HeaderField {
			return HeaderField{rapid.String().Draw(t, "header"), blob.Draw(t, "value")}
		}), 0, 3).Draw(t, "headers")}
}

func TestWhatIsBuiltIsReadBackFromEachCodec(t *testing.T) {
	var s Scratch
	b := NewBuilder(Options{})
	rapid.Check(t, func(t *rapid.T) {
		twins := rapid.SliceOfN(rapid.Custom(drawTwin), 1, 20).Draw(t, "records")
		codec := rapid.SampledFrom(everyCodec).Draw(t, "codec")
		b.Reset(Options{Codec: codec})
		for _, w := range twins {
			b.Add(w.key, w.value, w.ts, w.headers...)
		}
		v := View(bytes.Clone(b.Build()))
		l := limits()
		l.NeedKeys, l.CreateTime, l.Scratch, l.MaxMessageBytes = false, false, &s, 0
		if code, text, _ := Check(v, l); code != kerr.None {
			t.Fatalf("codec %d: %v %s", codec, code, text)
		}
		sameRecords(t, v, twins, &s)
		to := rapid.SampledFrom(everyCodec).Draw(t, "to")
		out, err := Recompress(v, to, &s)
		if err != nil {
			t.Fatal(err)
		}
		again := View(bytes.Clone(out))
		if code, text, _ := Check(again, l); code != kerr.None || again.Codec() != to {
			t.Fatalf("recompressed from %d to %d: %v %s", codec, to, code, text)
		}
		sameRecords(t, again, twins, &s)
		SetLogAppendTime(again, 77)
		if again.ComputeCRC() != again.CRC() || again.MaxTimestamp() != 77 || !again.IsLogAppendTime() || again.Codec() != to {
			t.Fatal("SetLogAppendTime left a batch that is not whole")
		}
	})
}

func sameRecords(t *rapid.T, v View, twins []twin, s *Scratch) {
	r := NewReader(v, s)
	for i, w := range twins {
		rec, ok, err := r.Next()
		if !ok || err != nil || int(rec.OffsetDelta) != i || v.BaseTimestamp()+rec.TimestampDelta != w.ts || int(rec.HeaderCount) != len(w.headers) {
			t.Fatalf("record %d: %+v, %v, %v", i, rec, ok, err)
		}
		same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
		if !same(w.key, rec.Key) || !same(w.value, rec.Value) {
			t.Fatalf("record %d: key %q, want %q; value %q, want %q", i, rec.Key, w.key, rec.Value, w.value)
		}
		j := 0
		for k, value := range rec.Headers() {
			if string(k) != w.headers[j].Key || !same(value, w.headers[j].Value) {
				t.Fatalf("record %d, header %d: %q=%q", i, j, k, value)
			}
			j++
		}
	}
	if _, ok, err := r.Next(); ok || err != nil {
		t.Fatalf("after the last record: %v, %v", ok, err)
	}
}

// TestAStreamThatIsDamagedAfterItsLastRecordIsRefused cuts and changes the codecs' trailers, under a right CRC.
func TestAStreamThatIsDamagedAfterItsLastRecordIsRefused(t *testing.T) {
	for _, codec := range []int8{compress.Gzip, compress.LZ4, compress.Zstd} {
		v := sample(Options{Codec: codec}, 20)
		v = v[:len(v)-2]
		be.PutUint32(v[posLength:], uint32(len(v)-LogOverhead))
		v.SetCRC()
		code, text, _ := Check(v, limits())
		want(t, kerr.InvalidRecord, code, "codec %d: %s", codec, text)
	}
}

func TestSplitWalksConcatenatedBatches(t *testing.T) {
	a, b := sample(Options{}, 3), sample(Options{Codec: compress.LZ4, BaseOffset: 3}, 5)
	all := append(append(bytes.Clone(a), b...), a[:40]...)
	first, rest, ok := Split(all)
	want(t, true, ok && bytes.Equal(first, a))
	second, rest, ok := Split(rest)
	want(t, true, ok && bytes.Equal(second, b))
	_, left, ok := Split(rest)
	want(t, false, ok)
	want(t, 40, len(left))
}

func TestWhatCompactionLeavesOfABatchReads(t *testing.T) {
	v := sample(Options{Codec: compress.Gzip}, 1)[:HeaderSize]
	be.PutUint32(v[posLength:], HeaderSize-LogOverhead)
	copy(v[posCount:], []byte{0, 0, 0, 0})
	_, ok, err := NewReader(v, nil).Next()
	want(t, false, ok)
	want(t, nil, err)
}

func FuzzReader(f *testing.F) {
	for name := range golden {
		f.Add([]byte(goldenBatch(f, name)))
	}
	s := &Scratch{Max: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte) {
		for range 100 {
			v, rest, ok := Split(b)
			if !ok {
				return
			}
			b = rest
			r := NewReader(v, s)
			for {
				rec, ok, err := r.Next()
				if !ok || err != nil {
					break
				}
				n := 0
				for range rec.Headers() {
					n++
				}
				if n != int(rec.HeaderCount) {
					t.Fatalf("%d headers of %d", n, rec.HeaderCount)
				}
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for _, codec := range everyCodec {
		builder := NewBuilder(Options{Codec: codec})
		for range 64 {
			builder.Add(nil, bytes.Repeat([]byte("0123456789abcdef"), 64), 1_700_000_000_000)
		}
		v := View(bytes.Clone(builder.Build()))
		l := limits()
		l.NeedKeys, l.Scratch = false, new(Scratch)
		b.Run(compress.Name(codec), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(64 << 10)
			for b.Loop() {
				Check(v, l)
			}
		})
	}
}
