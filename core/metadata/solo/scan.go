package solo

import (
	"encoding/binary"
	"fmt"

	"github.com/seedlog/seedlog/core/records"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// scanner reads a file batch by batch, in windows.
type scanner struct {
	t    *task.Task
	r    *recovery
	name string
	file disk.File
	size int64
	pos  int64 // end of the last whole batch
	buf  []byte
	at   int64 // position of buf[0] in the file
}

const window = 1 << 20

func (r *recovery) open(name string, flags disk.Flags) (*scanner, error) {
	s := &scanner{t: r.t, r: r, name: name, file: r.l.env.File()}
	c := r.t.Disk(disk.Request{Kind: disk.Open, File: s.file, Path: r.l.dir + "/" + name, Flags: flags})
	if c.Err != disk.OK {
		r.l.env.FreeFile(s.file)
		return nil, r.broken(r.l.dir+"/"+name, &c)
	}
	s.size = c.N
	return s, nil
}

func (s *scanner) close() {
	s.t.Disk(disk.Request{Kind: disk.Close, File: s.file})
	if !s.t.Stopped() {
		s.r.l.env.FreeFile(s.file)
	}
}

// next gives the batch at pos and moves past it; nil if there is no whole one. It is valid until the next call.
func (s *scanner) next() (records.View, error) {
	b, err := s.bytes(s.pos, records.HeaderSize)
	if err != nil || len(b) < records.HeaderSize {
		return nil, err
	}
	n := int64(records.View(b).Length()) + records.LogOverhead
	if n < records.HeaderSize || n > maxBatch || n > s.size-s.pos {
		return nil, nil
	}
	if b, err = s.bytes(s.pos, n); err != nil {
		return nil, err
	}
	v, ok := header(b)
	if !ok {
		return nil, nil
	}
	s.pos += n
	return v, nil
}

// bytes gives at least n bytes from pos on, or what there is.
func (s *scanner) bytes(pos, n int64) ([]byte, error) {
	if pos >= s.at && pos+n <= s.at+int64(len(s.buf)) {
		return s.buf[pos-s.at:], nil
	}
	want := min(max(n, window), s.size-pos)
	if int64(cap(s.buf)) < want {
		s.buf = make([]byte, want)
	}
	s.buf, s.at = s.buf[:want], pos
	c := s.t.Disk(disk.Request{Kind: disk.Read, File: s.file, Off: pos, Bytes: s.buf})
	if c.Err != disk.OK {
		return nil, s.r.broken(s.r.l.dir+"/"+s.name, &c)
	}
	s.buf = s.buf[:c.N]
	return s.buf, nil
}

// checkTail refuses a tail from pos on in which a whole batch with a later index stands.
func (s *scanner) checkTail(next int64) error {
	size := min(s.size-s.pos, 2*maxBatch)
	b := make([]byte, size)
	c := s.t.Disk(disk.Request{Kind: disk.Read, File: s.file, Off: s.pos, Bytes: b})
	if c.Err != disk.OK {
		return s.r.broken(s.r.l.dir+"/"+s.name, &c)
	}
	b = b[:c.N]
	for i := 1; i+records.HeaderSize <= len(b); i++ {
		if b[i+16] != 2 {
			continue
		}
		if base := int64(binary.BigEndian.Uint64(b[i:])); base < next || base > next+MaxQueued {
			continue
		}
		if _, ok := header(b[i:]); ok {
			return fmt.Errorf("%s/%s is damaged at byte %d, before batches that are whole; restore the directory from a copy, or start with an empty one", s.r.l.dir, s.name, s.pos)
		}
	}
	return nil
}
