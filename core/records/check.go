package records

import (
	"math"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records/compress"
)

// Limits is what a topic and its broker ask of a produced batch.
type Limits struct {
	MaxMessageBytes int32    // max.message.bytes: the largest batch as it came, header included; 0 means no limit
	NeedKeys        bool     // cleanup.policy=compact: each record needs a key
	NowMS           int64    // wall time
	BeforeMaxMS     int64    // message.timestamp.before.max.ms
	AfterMaxMS      int64    // message.timestamp.after.max.ms
	CreateTime      bool     // message.timestamp.type=CreateTime: the two bounds hold; with LogAppendTime they do not
	MaxDecompressed int64    // the most bytes that the records may decompress to; 0 means DefaultMaxDecompressed
	Scratch         *Scratch // reused codec state; nil makes it anew for a compressed batch
	SkipCRC         bool     // the CRC was verified already
}

// Check validates b, which must be one whole batch as a producer sends it, record by record, and gives the answer's
// error code and text: kerr.None and "" for a good one; record is the position in the batch of the one to blame, -1 where Kafka names
// none (KIP-467). Compressed records are streamed through a window, so memory is
// bounded by it and the codec's own, whatever they decompress to, and time by MaxDecompressed.
//
// One thing is corrected rather than refused, as Kafka does: under CreateTime a maxTimestamp that is not the largest of
// the records is set to it, and the CRC with it.
func Check(b []byte, lim Limits) (code kerr.Code, text string, record int32) {
	v, f := frame(b, &lim)
	if f == fine {
		f = header(v)
	}
	if f != fine {
		code, text = f.verdict()
		return code, text, -1
	}
	w := newWalk(v, &lim)
	if v.Codec() == compress.None {
		f = w.plain(v[HeaderSize:], v.Count())
	} else {
		f = w.compressed(v, &lim)
	}
	if f == fine && lim.CreateTime && w.maxTS != v.MaxTimestamp() {
		be.PutUint64(v[posMaxTimestamp:], uint64(w.maxTS))
		v.SetCRC()
	}
	code, text = f.verdict()
	return code, text, w.blamed(f)
}

// blamed gives the record that f is about.
func (w *walk) blamed(f fault) int32 {
	switch f {
	case faultOffsetDelta:
		return w.next
	case faultNoKey, faultTimestamp: // next has moved on
		return w.next - 1
	}
	return -1
}

// frame checks what says where the batch begins and ends, and that its bytes are what was sent.
func frame(b []byte, lim *Limits) (View, fault) {
	if len(b) <= posMagic {
		return nil, faultNoBatch
	}
	v := View(b)
	switch magic := v.Magic(); {
	case v.Length() < posMagic+1-LogOverhead:
		return nil, faultLength
	case magic < 0 || magic > 2:
		return nil, faultMagicUnknown
	case magic < 2:
		return nil, faultMagicOld
	case v.Size() < HeaderSize:
		return nil, faultLength
	case v.Size() > len(b):
		return nil, faultNoBatch
	case v.Size() < len(b):
		return nil, faultSeveral
	case v.BaseOffset() != 0:
		return nil, faultBaseOffset
	case lim.MaxMessageBytes > 0 && v.Size() > int(lim.MaxMessageBytes):
		return nil, faultTooLarge
	}
	if !lim.SkipCRC && !plant.On(plant.P10) && v.ComputeCRC() != v.CRC() {
		return nil, faultCRC
	}
	return v, fine
}

// header checks the fields that the CRC covers.
func header(v View) fault {
	switch {
	case v.Codec() >= compress.Count:
		return faultCodec
	case v.Count() <= 0:
		return faultCount
	case v.LastOffsetDelta() != v.Count()-1:
		return faultOffsetRange
	case v.IsControl():
		return faultControl
	case v.IsLogAppendTime():
		return faultTimestampType
	case v.ProducerID() < 0:
		if v.IsTransactional() {
			return faultTransactional
		}
	case v.BaseSequence() < 0:
		return faultSequence
	case v.ProducerEpoch() < 0:
		return faultEpoch
	}
	return fine
}

// walk is the state of one pass over a batch's records.
type walk struct {
	next     int32 // the offset delta of the next record, 0 <= next <= count
	needKeys bool
	baseTS   int64
	minTS    int64 // minTS <= a timestamp <= limTS, or noTimestamp
	limTS    int64
	maxTS    int64 // the largest timestamp seen, noTimestamp at first
}

// noTimestamp is a record's way of having none.
const noTimestamp = -1

func newWalk(v View, lim *Limits) walk {
	w := walk{needKeys: lim.NeedKeys, baseTS: v.BaseTimestamp(), minTS: math.MinInt64, limTS: math.MaxInt64, maxTS: noTimestamp}
	if lim.CreateTime {
		// Sums saturate: the settings' defaults are as large as an int64 goes.
		w.minTS = max(0, lim.NowMS-lim.BeforeMaxMS)
		if lim.BeforeMaxMS < 0 || lim.BeforeMaxMS > lim.NowMS {
			w.minTS = 0
		}
		if lim.AfterMaxMS <= math.MaxInt64-max(0, lim.NowMS) {
			w.limTS = lim.NowMS + lim.AfterMaxMS
		}
	}
	return w
}

// plain walks uncompressed records, the hot path: no allocation, one pass, and record bytes are skipped, not read.
func (w *walk) plain(b []byte, count int32) fault {
	i := 0
	for w.next < count {
		size, at := varint32(b, i)
		if at < 0 {
			if i == len(b) {
				return faultRecordsMissing
			}
			return faultVarint
		}
		if size < 0 || int(size) > len(b)-at {
			return faultRecordSize
		}
		i = at + int(size)
		if f := w.record(b[at:i]); f != fine {
			return f
		}
	}
	if i != len(b) {
		return faultRecordsExcess
	}
	return fine
}

// record checks one record's body, without the size before it, and moves next on.
func (w *walk) record(b []byte) fault {
	ts, i := varint64(b, 1) // after the attributes byte, of which no bit is in use
	delta, i := varint32(b, i)
	key, i := varint32(b, i)
	if i < 0 {
		return faultVarint
	}
	if f := w.fields(ts, delta, key); f != fine {
		return f
	}
	if int(key) > len(b)-i {
		return faultKeySize
	}
	i += int(max(0, key))
	value, i := varint32(b, i)
	if i < 0 {
		return faultVarint
	}
	if value < -1 || int(value) > len(b)-i {
		return faultValueSize
	}
	i += int(max(0, value))
	headers, i := varint32(b, i)
	if headers != 0 && i >= 0 {
		i = skipHeaders(b, i, headers)
	}
	if i < 0 {
		return faultHeaders
	}
	if i != len(b) {
		return faultRecordSize
	}
	return fine
}

// fields checks what stands before a record's key.
func (w *walk) fields(tsDelta int64, delta, key int32) fault {
	if delta != w.next {
		return faultOffsetDelta
	}
	w.next++
	if key < 0 {
		if key < -1 {
			return faultKeySize
		}
		if w.needKeys {
			return faultNoKey
		}
	}
	ts := w.baseTS + tsDelta
	if (ts < w.minTS || ts > w.limTS) && ts != noTimestamp {
		return faultTimestamp
	}
	w.maxTS = max(w.maxTS, ts)
	return fine
}

// skipHeaders gives the position after n headers at b[i], or bad.
func skipHeaders(b []byte, i int, n int32) int {
	// A header takes at least two bytes, so a count that cannot be is not looped over.
	if n < 0 || int(n) > (len(b)-i)/2 {
		return bad
	}
	for ; n > 0; n-- {
		var key, value int32
		if key, i = varint32(b, i); i < 0 || key < 0 || int(key) > len(b)-i {
			return bad
		}
		if value, i = varint32(b, i+int(key)); i < 0 || value < -1 || int(value) > len(b)-i {
			return bad
		}
		i += int(max(0, value))
	}
	return i
}
