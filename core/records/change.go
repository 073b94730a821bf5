package records

import "github.com/seedlog/seedlog/core/records/compress"

// SetLogAppendTime marks the batch as stamped by the broker at ts, in milliseconds, and recomputes the CRC. The records'
// own timestamps stay as they are; readers take maxTimestamp for each (DefaultRecordBatch.setMaxTimestamp).
func SetLogAppendTime(v View, ts int64) {
	be.PutUint16(v[posAttributes:], uint16(v.Attributes())|AttrLogAppendTime)
	be.PutUint64(v[posMaxTimestamp:], uint64(ts))
	v.SetCRC()
}

// Recompress gives a batch of the same records under another codec, for a topic whose compression.type names one. v was
// validated. The result lies in s and is valid until s is next used. The error is the client's: v does not decompress,
// or to more than s.Max.
func Recompress(v View, codec int8, s *Scratch) ([]byte, error) {
	s.trim()
	plain := []byte(v[HeaderSize:])
	var err error
	if v.Codec() != compress.None {
		if s.plain, err = s.dec.Append(s.plain[:0], v.Codec(), plain, s.max()); err != nil {
			return nil, err
		}
		plain = s.plain
	}
	s.batch = append(s.batch[:0], v[:HeaderSize]...)
	if s.batch, err = s.enc.Append(s.batch, codec, s.Level, plain); err != nil {
		return nil, err
	}
	out := View(s.batch)
	be.PutUint32(out[posLength:], uint32(len(out)-LogOverhead))
	be.PutUint16(out[posAttributes:], uint16(v.Attributes())&^AttrCodec|uint16(codec))
	out.SetCRC()
	return out, nil
}
