package records

import (
	"slices"

	"github.com/seedlog/seedlog/core/records/compress"
)

// HasDeleteHorizon says whether compaction has noted in the batch until when its tombstones, or its marker, stay (KIP-534).
func (v View) HasDeleteHorizon() bool { return v.Attributes()&AttrDeleteHorizon != 0 }

// DeleteHorizon is that time, in milliseconds; it stands in the place of the base timestamp.
func (v View) DeleteHorizon() int64 { return v.BaseTimestamp() }

// IsFiller says whether the batch only holds the place of what compaction has taken: it has no records and says nothing of a producer.
func (v View) IsFiller() bool { return v.Count() == 0 && v.ProducerID() < 0 && !v.IsControl() }

// AppendFiller adds a batch without records that holds the place of the offsets from first to last. Its timestamps are none.
func AppendFiller(dst []byte, first, last int64, leaderEpoch int32) []byte {
	from := len(dst)
	dst = append(dst, emptyHeader[:]...)
	v := View(dst[from:])
	v.SetBaseOffset(first)
	v.SetLeaderEpoch(leaderEpoch)
	be.PutUint32(v[posLastOffsetDelta:], uint32(last-first))
	v.SetCRC()
	return dst
}

// emptyHeader is a batch of magic 2 without records, producer and timestamps.
var emptyHeader = func() (b [HeaderSize]byte) {
	be.PutUint32(b[posLength:], HeaderSize-LogOverhead)
	b[posMagic] = 2
	for i := posBaseTimestamp; i < posCount; i++ {
		b[i] = 0xff
	}
	return b
}()

// TrimFiller makes a filler begin at an offset within it.
func (v View) TrimFiller(first int64) {
	last := v.LastOffset()
	v.SetBaseOffset(first)
	be.PutUint32(v[posLastOffsetDelta:], uint32(last-first))
	v.SetCRC()
}

// AppendEmpty adds what is left of a batch whose records are gone, but whose producer is known by it: the header, as Kafka's
// writeEmptyHeader makes it.
func AppendEmpty(dst []byte, v View) []byte {
	from := len(dst)
	dst = append(dst, v[:HeaderSize]...)
	out := View(dst[from:])
	be.PutUint32(out[posLength:], HeaderSize-LogOverhead)
	be.PutUint16(out[posAttributes:], uint16(v.Attributes())&^(AttrCodec|AttrDeleteHorizon))
	be.PutUint64(out[posBaseTimestamp:], uint64(v.MaxTimestamp()))
	be.PutUint32(out[posCount:], 0)
	out.SetCRC()
	return dst
}

// Keeper says of each record of a batch whether it stays.
type Keeper interface {
	Keep(offset int64, rec *Record) bool
}

// Sieve takes records out of batches. Its memory is used again from batch to batch; the zero value is ready.
type Sieve struct {
	Scratch Scratch
	// Pace is told of each piece of the work on a batch: of plain bytes that were decompressed, looked at or compressed. The batch must stay as it is
	// meanwhile. If it lets the work not go on, that ends with compress.ErrStopped.
	Pace    compress.Pace
	unpaced int // bytes looked at of which Pace was not told
	spans   []span
	body    []byte
}

// span is a range of the decompressed records, of which all stay.
type span struct{ from, to int }

// Kept says what a Sieve has left of a batch.
type Kept struct {
	Records int32
	Same    bool // every byte
}

// NoHorizon has Sieve.Batch set none.
const NoHorizon = -1

// Batch adds to dst what is left of v, which is whole: nothing if no record stays, the same bytes if all do, else a batch of the same offsets, codec
// and producer with fewer records. If a tombstone stays, or always is set, a batch without a delete horizon gets this one (KIP-534). An error says that v cannot be read.
func (s *Sieve) Batch(dst []byte, v View, horizon int64, always bool, k Keeper) ([]byte, Kept, error) {
	plain, err := s.plain(v)
	if err != nil {
		return dst, Kept{}, err
	}
	n, tombstone, maxTS, err := s.choose(v, plain, k)
	if err != nil || n == 0 {
		return dst, Kept{}, err
	}
	set := horizon >= 0 && !v.HasDeleteHorizon() && (tombstone || always)
	if n == v.Count() && !set {
		return append(dst, v...), Kept{n, true}, nil
	}
	dst, err = s.build(dst, v, plain, n, set, horizon, maxTS)
	return dst, Kept{Records: n}, err
}

// Scan shows the records of a whole batch, and makes nothing of it.
func (s *Sieve) Scan(v View, k Keeper) error {
	plain, err := s.plain(v)
	if err == nil {
		_, _, _, err = s.choose(v, plain, k)
	}
	return err
}

// plain gives a batch's records, decompressed.
func (s *Sieve) plain(v View) ([]byte, error) {
	x := &s.Scratch
	x.trim()
	if v.Codec() == compress.None || v.Count() == 0 {
		return v[HeaderSize:], nil
	}
	var err error
	x.plain, err = x.dec.AppendPaced(x.plain[:0], v.Codec(), v[HeaderSize:], x.max(), s.Pace)
	return x.plain, err
}

// choose asks of each record whether it stays, and notes where those stand.
func (s *Sieve) choose(v View, plain []byte, k Keeper) (n int32, tombstone bool, maxTS int64, err error) {
	s.spans = s.spans[:0]
	pos, base, maxTS := 0, v.BaseOffset(), int64(noTimestamp)
	var rec Record
	for left := v.Count(); left > 0; left-- {
		size, at := varint32(plain, pos)
		if at < 0 || size < 0 || int(size) > len(plain)-at {
			return 0, false, 0, faultRecordSize
		}
		end := at + int(size)
		if f := rec.parse(plain[at:end]); f != fine {
			return 0, false, 0, f
		}
		if rec.OffsetDelta < 0 || rec.OffsetDelta > v.LastOffsetDelta() {
			return 0, false, 0, faultOffsetDelta
		}
		if k.Keep(base+int64(rec.OffsetDelta), &rec) {
			if m := len(s.spans); m > 0 && s.spans[m-1].to == pos {
				s.spans[m-1].to = end
			} else {
				s.spans = append(s.spans, span{pos, end})
			}
			n++
			tombstone = tombstone || rec.Value == nil
			maxTS = max(maxTS, v.BaseTimestamp()+rec.TimestampDelta)
		}
		if !s.looked(end - pos) {
			return 0, false, 0, compress.ErrStopped
		}
		pos = end
	}
	if pos != len(plain) {
		return 0, false, 0, faultRecordsExcess
	}
	return n, tombstone, maxTS, nil
}

// looked counts bytes that were looked at, and says whether to go on.
func (s *Sieve) looked(n int) bool {
	if s.unpaced += n; s.unpaced < lookStep || s.Pace == nil {
		return true
	}
	n, s.unpaced = s.unpaced, 0
	return s.Pace(n)
}

// lookStep is how many bytes of records are looked at between two calls of Pace.
const lookStep = 4 << 10

// build adds the batch of the records that stay.
func (s *Sieve) build(dst []byte, v View, plain []byte, n int32, set bool, horizon, maxTS int64) ([]byte, error) {
	s.body = s.body[:0]
	if cap(s.body) > keepPlain {
		s.body = nil
	}
	shift, size := int64(0), 0
	if set {
		shift = v.BaseTimestamp() - horizon
	}
	for _, x := range s.spans {
		size += x.to - x.from
	}
	s.body = slices.Grow(s.body, size) // at once: to grow a large one piece by piece moves it as often
	for _, x := range s.spans {
		if !set {
			s.body = append(s.body, plain[x.from:x.to]...)
			if !s.looked(x.to - x.from) {
				return dst, compress.ErrStopped
			}
			continue
		}
		for pos := x.from; pos < x.to; {
			size, at := varint32(plain, pos)
			pos = at + int(size)
			s.body = appendShifted(s.body, plain[at:pos], shift)
			if !s.looked(pos - at) {
				return dst, compress.ErrStopped
			}
		}
	}
	from := len(dst)
	dst = append(dst, v[:HeaderSize]...)
	dst, err := s.Scratch.enc.AppendPaced(dst, v.Codec(), s.Scratch.Level, s.body, s.Pace)
	if err != nil {
		return dst[:from], err
	}
	out := View(dst[from:])
	be.PutUint32(out[posLength:], uint32(len(out)-LogOverhead))
	be.PutUint32(out[posCount:], uint32(n))
	if set {
		be.PutUint16(out[posAttributes:], uint16(v.Attributes())|AttrDeleteHorizon)
		be.PutUint64(out[posBaseTimestamp:], uint64(horizon))
	}
	if !v.IsLogAppendTime() {
		be.PutUint64(out[posMaxTimestamp:], uint64(maxTS))
	}
	out.SetCRC()
	return dst, nil
}

// appendShifted adds a record, of which body is what stands behind its size, with a timestamp delta that is greater by shift.
func appendShifted(dst, body []byte, shift int64) []byte {
	delta, i := varint64(body, 1)
	delta += shift
	dst = appendVarint(dst, int64(1+varintSize(delta)+len(body)-i))
	dst = append(dst, body[0])
	dst = appendVarint(dst, delta)
	return append(dst, body[i:]...)
}
