package quorum

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

// segmentSize is how large a segment may grow before the next one begins, in bytes, and about what one frame holds at most.
const segmentSize = 4 << 20

const segmentSuffix = ".raft"

// segments are the files of the log. Each is named after the sequence of its first frame; the last one is written.
type segments struct {
	node *Node
	all  []uint64 // first sequences, rising; the last is open
	file disk.File
	pos  int64  // end of the synced frames of file
	next uint64 // sequence of the next frame
	buf  []byte
}

func segmentName(sequence uint64) string { return fmt.Sprintf("%020d%s", sequence, segmentSuffix) }

func (s *segments) path(sequence uint64) string { return s.node.dir + "/" + segmentName(sequence) }

// active is the segment that the next frame goes to.
func (s *segments) active() uint64 { return s.all[len(s.all)-1] }

// frame begins the next frame.
func (s *segments) frame() []byte { return beginFrame(s.buf[:0], s.next) }

// write writes a finished frame at the end and syncs it, unless lazy.
func (s *segments) write(frame []byte, lazy bool) *diskError {
	d, path := &s.node.disk, s.path(s.active())
	err := retryFull(s.node, func() *diskError {
		err := d.write(path, s.file, s.pos, frame)
		if err != nil && err.err == disk.ErrNoSpace { // half a frame must not stay behind what follows
			if e := d.truncate(path, s.file, s.pos); e != nil {
				return e
			}
		}
		return err
	})
	if err == nil && !lazy {
		err = d.sync(path, s.file)
	}
	if err != nil {
		return err
	}
	s.pos += int64(len(frame))
	s.next++
	if s.buf = frame; cap(frame) > 1<<20 {
		s.buf = nil
	}
	if s.pos >= segmentSize {
		return s.roll()
	}
	return nil
}

// roll begins the next segment. Its name is durable before anything is written to it.
func (s *segments) roll() *diskError {
	d := &s.node.disk
	if len(s.all) > 0 {
		d.close(s.path(s.active()), s.file)
	}
	var f disk.File
	var size int64
	err := retryFull(s.node, func() (err *diskError) {
		f, size, err = d.open(s.path(s.next), disk.Create)
		return err
	})
	if err != nil {
		return err
	}
	if size > 0 { // a crash took the log back behind this name
		if err := d.truncate(s.path(s.next), f, 0); err != nil {
			return err
		}
	}
	s.file, s.pos, s.all = f, 0, append(s.all, s.next)
	return d.path(disk.SyncDir, s.node.dir, "")
}

// removeBefore removes the segments before one. Their entries are dropped, durably.
func (s *segments) removeBefore(sequence uint64) *diskError {
	for len(s.all) > 1 && s.all[0] < sequence {
		if err := s.node.disk.path(disk.Remove, s.path(s.all[0]), ""); err != nil && err.err != disk.ErrNotExist {
			return err
		}
		s.all = s.all[1:]
	}
	return nil
}

// openLog reads the segments and gives the store.
func openLog(n *Node, names []string) (*logStore, error) {
	s := &logStore{node: n, gate: make(chan struct{}, 1), segs: segments{node: n, next: 1}}
	var found []uint64
	for _, name := range names {
		if v, ok := segmentOf(name); ok {
			found = append(found, v)
		}
	}
	for i, v := range found {
		if err := s.load(v, i == len(found)-1); err != nil {
			return nil, err
		}
	}
	if len(s.segs.all) == 0 {
		if err := s.segs.roll(); err != nil {
			return nil, errors.New(err.advice())
		}
	}
	// What was removed before a crash may be back.
	if err := s.segs.removeBefore(s.oldest()); err != nil {
		return nil, errors.New(err.advice())
	}
	return s, nil
}

func segmentOf(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	v, err := strconv.ParseUint(digits, 10, 64)
	return v, ok && len(digits) == 20 && err == nil && v > 0
}

// load reads one segment. Segments before a gap are what a removal left behind, since a removal does not wait for its name to go.
func (s *logStore) load(sequence uint64, last bool) error {
	d, path := &s.node.disk, s.segs.path(sequence)
	if len(s.segs.all) > 0 && sequence != s.segs.next {
		for _, v := range s.segs.all {
			if err := d.path(disk.Remove, s.segs.path(v), ""); err != nil {
				return errors.New(err.advice())
			}
		}
		s.segs.all, s.log = nil, entries{}
	}
	f, size, err := d.open(path, 0)
	if err != nil {
		return errors.New(err.advice())
	}
	b, err := d.readAll(path, f, size)
	if err != nil {
		return errors.New(err.advice())
	}
	s.segs.all, s.segs.next = append(s.segs.all, sequence), sequence
	end, ok := s.scan(b, sequence)
	if !ok || !last && end < int64(len(b)) {
		return s.damaged(path, end)
	}
	if !last {
		d.close(path, f)
		return nil
	}
	return s.settle(f, path, end, size)
}

// settle makes the last segment ready to be written, without the frame that a crash tore. What a killed process left unsynced can be seen
// and yet be lost later: it is synced before anybody acts on it.
func (s *logStore) settle(f disk.File, path string, end, size int64) error {
	d := &s.node.disk
	if end < size {
		s.node.out.log(step.Warn, fmt.Sprintf("cut %d bytes from the end of %s, which a crash left unfinished", size-end, path))
		if err := d.truncate(path, f, end); err != nil {
			return errors.New(err.advice())
		}
	}
	if err := d.sync(path, f); err != nil {
		return errors.New(err.advice())
	}
	s.segs.file, s.segs.pos = f, end
	return nil
}

// scan does what the frames of a segment say, and gives where the whole ones end. It fails if a frame does not fit what is known, or if a
// later frame follows one that is not whole: the one that is not whole was synced before the other was written.
func (s *logStore) scan(b []byte, file uint64) (end int64, ok bool) {
	for {
		changes, sequence, size, whole := frameAt(b[end:])
		if !whole || sequence != s.segs.next {
			return end, !s.follower(b[end:])
		}
		for len(changes) > 0 {
			c, rest, ok := nextChange(changes)
			if !ok || !s.log.change(c, file) {
				return end, false
			}
			changes = rest
		}
		end += int64(size)
		s.segs.next++
	}
}

// follower says whether a whole frame of a later sequence stands somewhere in b.
func (s *logStore) follower(b []byte) bool {
	for i := 0; i+frameHead <= len(b); i++ {
		if b[i] != frameMagic>>24 || b[i+1] != frameMagic>>16&0xff {
			continue
		}
		if _, sequence, _, ok := frameAt(b[i:]); ok && sequence > s.segs.next {
			return true
		}
	}
	return false
}

func (s *logStore) damaged(path string, at int64) error {
	return fmt.Errorf("%s is damaged at byte %d; restore the directory from a copy, or empty it and add this node to the cluster again", path, at)
}

func (s *logStore) close() {
	s.node.disk.close(s.segs.path(s.segs.active()), s.segs.file)
}
