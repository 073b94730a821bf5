package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The bytes of an entry, all integers big-endian, u for unsigned LEB128:
//
//	entry   = version:1 (0) | term:8 | count:u | record*count
//	record  = tag:1 | version:1 | size:u | body[size]
//	string  = size:u | bytes          optional = 0 | 1 string
//	[]T     = count+1:u | T*count     (0: nil)
//
// A record of a newer version may append to a body: an older reader skips what it does not know. A newer tag is refused, since
// skipping it would make this node's image differ from the others'.

// ErrCorrupt says that bytes are no entry. Decode wraps it.
var ErrCorrupt = errors.New("corrupt metadata entry")

const entryVersion = 0

// Encode gives the bytes of an entry.
func Encode(e Entry) []byte { return AppendEntry(nil, e) }

// AppendEntry appends the bytes of an entry to dst.
func AppendEntry(dst []byte, e Entry) []byte {
	return AppendRecords(AppendHead(dst, e.Term, len(e.Records)), e.Records)
}

// MaxHeadBytes bounds what AppendHead appends.
const MaxHeadBytes = 1 + 8 + binary.MaxVarintLen64

// AppendHead appends what stands before the n records of an entry.
func AppendHead(dst []byte, term int64, n int) []byte {
	dst = append(dst, entryVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(term))
	return binary.AppendUvarint(dst, uint64(n))
}

// AppendRecords appends the bytes of records, as they follow the head of an entry.
func AppendRecords(dst []byte, records []Record) []byte {
	var body []byte
	for _, r := range records {
		w := writer{b: body[:0]}
		r.encode(&w)
		body = w.b
		dst = append(dst, byte(r.tag()), bodyVersion(r))
		dst = binary.AppendUvarint(dst, uint64(len(body)))
		dst = append(dst, body...)
	}
	return dst
}

// Decode reads an entry. What it returns shares nothing with b.
func Decode(b []byte) (Entry, error) {
	r := reader{b: b}
	if v := r.u8(); v != entryVersion && !r.bad {
		return Entry{}, fmt.Errorf("%w: version %d", ErrCorrupt, v)
	}
	e := Entry{Term: r.i64()}
	n := r.count(3)
	if n > 0 {
		e.Records = make([]Record, 0, n)
	}
	for range n {
		tag, version, body := Tag(r.u8()), r.u8(), r.bytes()
		if r.bad {
			break
		}
		rec := blank(tag)
		if rec == nil {
			return Entry{}, fmt.Errorf("%w: unknown record %d", ErrCorrupt, tag)
		}
		br := reader{b: body, tag: tag, version: version}
		rec.decode(&br)
		if br.bad || version == 0 && len(br.b) > 0 {
			return Entry{}, fmt.Errorf("%w: bad body of record %d", ErrCorrupt, tag)
		}
		e.Records = append(e.Records, rec)
	}
	if r.bad || len(r.b) > 0 {
		return Entry{}, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(b))
	}
	return e, nil
}

func blank(t Tag) Record {
	switch t {
	case tagNoOp:
		return &NoOpRecord{}
	case tagCluster:
		return &ClusterRecord{}
	case tagFeatureLevel:
		return &FeatureLevelRecord{}
	case tagRegisterBroker, tagRegisterBroker2:
		return &RegisterBrokerRecord{}
	case tagTopic:
		return &TopicRecord{}
	case tagPartition, tagPartition2:
		return &PartitionRecord{}
	case tagPartitionChange, tagPartitionChange2:
		return &PartitionChangeRecord{}
	case tagRemoveTopic:
		return &RemoveTopicRecord{}
	case tagConfig:
		return &ConfigRecord{}
	case tagProducerIDs:
		return &ProducerIDsRecord{}
	case tagBrokerChange:
		return &BrokerChangeRecord{}
	case tagUnregisterBroker:
		return &UnregisterBrokerRecord{}
	}
	return nil
}

type writer struct{ b []byte }

func (w *writer) u8(v uint8)    { w.b = append(w.b, v) }
func (w *writer) i16(v int16)   { w.b = binary.BigEndian.AppendUint16(w.b, uint16(v)) }
func (w *writer) i32(v int32)   { w.b = binary.BigEndian.AppendUint32(w.b, uint32(v)) }
func (w *writer) i64(v int64)   { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }
func (w *writer) id(v [16]byte) { w.b = append(w.b, v[:]...) }

func (w *writer) text(s string) {
	w.b = binary.AppendUvarint(w.b, uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) optional(s *string) {
	if s == nil {
		w.u8(0)
		return
	}
	w.u8(1)
	w.text(*s)
}

func (w *writer) flag(v bool) {
	if v {
		w.u8(1)
		return
	}
	w.u8(0)
}

// tri writes 0 for nil, 1 for false, 2 for true.
func (w *writer) tri(v *bool) {
	switch {
	case v == nil:
		w.u8(0)
	case *v:
		w.u8(2)
	default:
		w.u8(1)
	}
}

func list[T any](w *writer, v []T, one func(T)) {
	if v == nil {
		w.u8(0)
		return
	}
	w.b = binary.AppendUvarint(w.b, uint64(len(v))+1)
	for _, x := range v {
		one(x)
	}
}

// reader takes bytes off the front of b. After a mistake it is bad and gives zeros.
type reader struct {
	b       []byte
	tag     Tag  // of the record whose body this is: some records have two forms
	version byte // of that body
	bad     bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) || n < 0 || r.bad {
		r.bad = true
		r.b = nil
		return make([]byte, min(max(n, 0), 16))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() uint8    { return r.take(1)[0] }
func (r *reader) i16() int16   { return int16(binary.BigEndian.Uint16(r.take(2))) }
func (r *reader) i32() int32   { return int32(binary.BigEndian.Uint32(r.take(4))) }
func (r *reader) i64() int64   { return int64(binary.BigEndian.Uint64(r.take(8))) }
func (r *reader) id() [16]byte { return [16]byte(r.take(16)) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || r.bad {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of things of at least size bytes each; a number that cannot be present is a mistake, so nothing is
// allocated by announced length.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.count(1)
	if r.bad {
		return nil
	}
	return r.take(n)
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) optional() *string {
	switch r.u8() {
	case 0:
		return nil
	case 1:
		s := r.text()
		return &s
	}
	r.bad, r.b = true, nil
	return nil
}

func (r *reader) small(max uint8) uint8 {
	v := r.u8()
	if v > max {
		r.bad, r.b = true, nil
		return 0
	}
	return v
}

func (r *reader) flag() bool { return r.small(1) == 1 }

func (r *reader) tri() *bool {
	v := r.small(2)
	if v == 0 {
		return nil
	}
	b := v == 2
	return &b
}

func readList[T any](r *reader, size int, one func() T) []T {
	n := r.uvarint()
	if n == 0 || r.bad {
		return nil
	}
	if n--; n > uint64(len(r.b)/size) {
		r.bad, r.b = true, nil
		return nil
	}
	out := make([]T, 0, n)
	for range n {
		out = append(out, one())
	}
	return out
}
