package quorum

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"
)

// The log is a sequence of frames over segment files. A frame is one write, and synced before the next is written, so that only the last
// frame of the last segment can be torn. All integers are big-endian:
//
//	frame = magic:4 | crc32c of what follows:4 | size:4 | sequence:8 | change*   (size counts the bytes after itself)
//	change = 1 | index:8 | term:8 | type:1 | appendedAt:8 | n:4 | data[n] | m:4 | extensions[m]     an entry; the log ends with it
//	       | 2 | index:8                                                                          entries from index on are cut
//	       | 3 | index:8                                                                          entries up to index are dropped
const (
	frameMagic = 0x534c4631
	frameHead  = 20
	maxFrame   = 256 << 20 // far above what a batch of raft can hold
)

const (
	changeEntry = 1 + iota
	changeCut
	changeDrop
)

const entryHead = 1 + 8 + 8 + 1 + 8 + 4 + 4 // of an entry without its bytes

// beginFrame appends an empty frame; endFrame fills in its head.
func beginFrame(dst []byte, sequence uint64) []byte {
	dst = append(dst, make([]byte, frameHead)...)
	h := dst[len(dst)-frameHead:]
	binary.BigEndian.PutUint32(h, frameMagic)
	binary.BigEndian.PutUint64(h[12:], sequence)
	return dst
}

func endFrame(frame []byte) {
	binary.BigEndian.PutUint32(frame[8:], uint32(len(frame)-12))
	binary.BigEndian.PutUint32(frame[4:], crc32.Checksum(frame[8:], castagnoli))
}

func appendEntry(dst []byte, l *raft.Log) []byte {
	dst = append(dst, changeEntry)
	dst = binary.BigEndian.AppendUint64(dst, l.Index)
	dst = binary.BigEndian.AppendUint64(dst, l.Term)
	dst = append(dst, byte(l.Type))
	dst = binary.BigEndian.AppendUint64(dst, uint64(appendedAt(l)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(l.Data)))
	dst = append(dst, l.Data...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(l.Extensions)))
	return append(dst, l.Extensions...)
}

// appendedAt is in nanoseconds since the Unix epoch, 0: none.
func appendedAt(l *raft.Log) int64 {
	if l.AppendedAt.IsZero() {
		return 0
	}
	return l.AppendedAt.UnixNano()
}

func appendMark(dst []byte, kind byte, index uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, kind), index)
}

// frameAt gives the changes of the frame at the front of b, its sequence and its size; ok is false if it is not whole.
func frameAt(b []byte) (changes []byte, sequence uint64, size int, ok bool) {
	if len(b) < frameHead || binary.BigEndian.Uint32(b) != frameMagic {
		return nil, 0, 0, false
	}
	n := uint64(binary.BigEndian.Uint32(b[8:])) + 12
	if n < frameHead || n > maxFrame || n > uint64(len(b)) {
		return nil, 0, 0, false
	}
	b = b[:n]
	if binary.BigEndian.Uint32(b[4:]) != crc32.Checksum(b[8:], castagnoli) {
		return nil, 0, 0, false
	}
	return b[frameHead:], binary.BigEndian.Uint64(b[12:]), int(n), true
}

// change is one of a frame.
type change struct {
	kind  byte
	index uint64
	entry *raft.Log // of changeEntry; shares nothing with the frame
}

// nextChange takes a change off the front of b; false if there is none that is whole.
func nextChange(b []byte) (c change, rest []byte, ok bool) {
	if len(b) < 9 {
		return c, nil, false
	}
	c.kind, c.index = b[0], binary.BigEndian.Uint64(b[1:])
	switch {
	case c.kind == changeCut || c.kind == changeDrop:
		return c, b[9:], true
	case c.kind != changeEntry || len(b) < entryHead:
		return c, nil, false
	}
	l := &raft.Log{Index: c.index, Term: binary.BigEndian.Uint64(b[9:]), Type: raft.LogType(b[17])}
	if at := int64(binary.BigEndian.Uint64(b[18:])); at != 0 {
		l.AppendedAt = time.Unix(0, at).UTC()
	}
	data, rest, ok := sized(b[26:])
	if !ok || l.Type > raft.LogConfiguration {
		return c, nil, false
	}
	ext, rest, ok := sized(rest)
	if !ok {
		return c, nil, false
	}
	l.Data, l.Extensions = data, ext
	c.entry = l
	return c, rest, true
}

// sized takes a copy of bytes after their length; nil for none.
func sized(b []byte) (v, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n > uint64(len(b)) {
		return nil, nil, false
	}
	return append([]byte(nil), b[:n]...), b[n:], true
}
