package commitlog

import (
	"github.com/seedlog/seedlog/core/env"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/buf"
	"github.com/seedlog/seedlog/io/disk"

	"hash/crc32"
)

// Windows that a scanner reads through, in bytes.
const (
	headerWindow = 4 << 10   // when batches are hopped over
	hopWindow    = 64 << 10  // when they are hopped over and many lie in a window: the most that a driver may read at once, without a thread
	scanWindow   = 256 << 10 // when all is read
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scanner reads the batches of a file one after another through one leased window. Its memory does not grow with what a
// batch announces: the CRC is computed window by window.
type scanner struct {
	t     *task.Task
	file  disk.File
	size  int64 // bytes of the file that may be read
	lease *buf.Lease
	hops  bool // only headers are looked at: read no more than the batches' sizes make worth while
	small bool // hops: the last batch was so small that the next ones lie in the same window
	win   []byte
	off   int64 // of win
	err   disk.Err
}

func newScanner(t *task.Task, e *env.Env, f disk.File, size int64, window int) *scanner {
	return &scanner{t: t, file: f, size: size, lease: e.Pool.Get(window)}
}

// newHopper makes a scanner for headers alone. A reader far behind the tail has every byte of the log passed over once, so what is read
// beside the headers is paid for each byte that is fetched.
func newHopper(t *task.Task, e *env.Env, f disk.File, size int64) *scanner {
	s := newScanner(t, e, f, size, hopWindow)
	s.hops = true
	return s
}

// close gives the window back. Bytes that the scanner handed out are gone.
func (s *scanner) close() {
	s.lease.Release()
	s.lease, s.win = nil, nil
}

// fill makes the bytes at pos present, at least min of them, and gives all that the window has from there.
func (s *scanner) fill(pos int64, least int) ([]byte, bool) {
	if d := pos - s.off; d >= 0 && d+int64(least) <= int64(len(s.win)) {
		return s.win[d:], true
	}
	n := min(s.size-pos, int64(len(s.lease.Bytes)))
	if s.hops && !s.small {
		n = min(n, headerWindow)
	}
	if n < int64(least) || pos < 0 {
		return nil, false
	}
	c := s.t.Disk(disk.Request{Kind: disk.Read, File: s.file, Off: pos, Bytes: s.lease.Bytes[:n]})
	if c.Err != disk.OK {
		s.err = c.Err
	}
	if c.Err != disk.OK || s.t.Stopped() {
		s.win = nil
		return nil, false
	}
	s.win, s.off = s.lease.Bytes[:c.N], pos
	return s.win, len(s.win) >= least
}

// header gives the header of the batch at pos, if one stands there whole and its fields make sense. Its bytes are valid until
// the next call.
func (s *scanner) header(pos int64) (records.View, bool) {
	b, ok := s.fill(pos, records.HeaderSize)
	if !ok {
		return nil, false
	}
	v := records.View(b[:records.HeaderSize])
	if v.Magic() != 2 || v.Length() < records.HeaderSize-records.LogOverhead || v.LastOffsetDelta() < 0 || v.BaseOffset() < 0 ||
		v.BaseOffset() > maxOffset || int64(v.Length())+records.LogOverhead > s.size-pos {
		return nil, false
	}
	s.small = v.Size() <= hopWindow/8
	return v, true
}

// batch is header, but gives a control batch whole if it may be a marker.
func (s *scanner) batch(pos int64) (records.View, bool) {
	v, ok := s.header(pos)
	if !ok || !v.IsControl() || v.Size() > records.MarkerMax {
		return v, ok
	}
	size := v.Size()
	b, ok := s.fill(pos, size)
	if !ok {
		return nil, false
	}
	return records.View(b[:size]), true
}

// maxOffset keeps sums of offsets from wrapping, whatever a damaged header says.
const maxOffset = 1 << 62

// crcStart is where the part of a batch that the CRC covers begins.
const crcStart = 21

// intact says whether the CRC of the batch at pos is right. The header v is gone afterwards.
func (s *scanner) intact(pos int64, v records.View) bool {
	end, want, sum := pos+int64(v.Size()), v.CRC(), uint32(0)
	for at := pos + crcStart; at < end; {
		b, ok := s.fill(at, 1)
		if !ok {
			return false
		}
		b = b[:min(int64(len(b)), end-at)]
		sum = crc32.Update(sum, castagnoli, b)
		at += int64(len(b))
	}
	return sum == want || plant.On(plant.S7)
}

// walk hops from header to header, from pos to the batch that holds offset or comes after it.
func (s *scanner) walk(pos, offset int64) (records.View, int64, bool) {
	for {
		v, ok := s.header(pos)
		if !ok || v.LastOffset() >= offset {
			return v, pos, ok
		}
		pos += int64(v.Size())
	}
}
