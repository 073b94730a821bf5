package quorum

import (
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/plant"
)

// logStore is raft.LogStore. Entries since the last snapshot, and some before it, are kept in memory; files are read at the start only.
type logStore struct {
	node *Node
	gate chan struct{} // one change at a time
	segs segments      // guarded by gate

	mu     sync.Mutex
	log    entries
	base   boundary // the newest snapshot
	ghosts uint64   // above base.index: the last index of entries that a snapshot took away and raft still believes in
}

// boundary is where the newest snapshot ends; index 0: there is none.
type boundary struct{ index, term uint64 }

// IsMonotonic implements raft.MonotonicLogStore: entries are dense, and all go when a snapshot is installed.
func (s *logStore) IsMonotonic() bool { return true }

// FirstIndex implements raft.LogStore.
func (s *logStore) FirstIndex() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log.logs) == 0 {
		return 0, nil
	}
	return s.log.first, nil
}

// LastIndex implements raft.LogStore.
func (s *logStore) LastIndex() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log.logs) == 0 {
		return 0, nil
	}
	return s.log.last(), nil
}

// GetLog implements raft.LogStore. What it gives is never changed.
//
// After a snapshot was installed over a longer log, raft goes on believing in the end of that log: it looks for the entry before the one
// that the leader sends, and for what it thinks conflicts, and would refuse both for ever. So it finds the snapshot's last entry, and
// after it entries of term 0, which conflict with everything and which it then deletes.
func (s *logStore) GetLog(index uint64, log *raft.Log) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.log.get(index); l != nil {
		*log = *l
		return nil
	}
	switch {
	case index == s.base.index && index > 1: // the first entry could be sent as one, since nothing stands before it
		*log = raft.Log{Index: index, Term: s.base.term, Type: raft.LogNoop}
	case index > s.base.index && index <= s.ghosts:
		*log = raft.Log{Index: index, Type: raft.LogNoop}
	default:
		return raft.ErrLogNotFound
	}
	return nil
}

// StoreLog implements raft.LogStore.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore: the entries are synced when it returns. They follow the last one, or the newest snapshot.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	s.gate <- struct{}{}
	defer func() { <-s.gate }()
	for len(logs) > 0 {
		if err := s.follows(logs[0].Index); err != nil {
			return err
		}
		n, size := 1, sizeOf(logs[0])
		for n < len(logs) && size+sizeOf(logs[n]) <= segmentSize {
			size += sizeOf(logs[n])
			n++
		}
		if err := s.append(logs[:n], plant.On(plant.K2)); err != nil {
			return err
		}
		logs = logs[n:]
	}
	return nil
}

func (s *logStore) follows(index uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, last := uint64(1), s.base.index
	if len(s.log.logs) > 0 {
		first, last = s.log.first, s.log.last()
	}
	if index < first || index > last+1 {
		return fmt.Errorf("entry %d does not follow %d", index, last)
	}
	return nil
}

func (s *logStore) append(logs []*raft.Log, lazy bool) error {
	kept := make([]*raft.Log, len(logs))
	b := s.segs.frame()
	for i, l := range logs {
		b = appendEntry(b, l)
		c := *l // raft goes on using its own
		c.Data, c.Extensions = append([]byte(nil), l.Data...), append([]byte(nil), l.Extensions...)
		kept[i] = &c
	}
	if err := s.write(b, lazy); err != nil {
		return err
	}
	s.mu.Lock()
	s.ghosts = 0
	for _, l := range kept {
		s.log.add(l, s.segs.active())
	}
	s.mu.Unlock()
	s.node.lead.stored()
	return nil
}

// write puts a frame into the log and syncs it. A disk that fails ends the node, and raft never learns that nothing was stored.
func (s *logStore) write(frame []byte, lazy bool) error {
	endFrame(frame)
	err := s.segs.write(frame, lazy)
	if err == nil {
		return nil
	}
	s.node.unstored(err)
	return err
}

// DeleteRange implements raft.LogStore: from the end, if another leader's entries conflict, or from the front, once a snapshot holds them.
// It is synced when it returns.
func (s *logStore) DeleteRange(from, to uint64) error {
	s.gate <- struct{}{}
	defer func() { <-s.gate }()
	s.mu.Lock()
	first, last, n, base, ghosts := s.log.first, s.log.last(), len(s.log.logs), s.base.index, s.ghosts
	s.mu.Unlock()
	if n == 0 {
		if ghosts >= from {
			s.mu.Lock()
			s.ghosts = 0
			s.mu.Unlock()
		}
		return nil
	}
	switch {
	case to >= last && from > first:
		return s.cut(from)
	case to >= last && base >= first: // all of it: what was installed replaces it
		return s.drop(last, max(last, base))
	case to >= last:
		return s.cut(first)
	case from <= first:
		return s.drop(to, 0)
	}
	return fmt.Errorf("entries %d to %d are neither at the front nor at the end", from, to)
}

func (s *logStore) cut(from uint64) error {
	if err := s.write(appendMark(s.segs.frame(), changeCut, from), plant.On(plant.K2)); err != nil {
		return err
	}
	s.mu.Lock()
	s.log.cut(from)
	s.mu.Unlock()
	return nil
}

func (s *logStore) drop(to, ghosts uint64) error {
	if err := s.write(appendMark(s.segs.frame(), changeDrop, to), false); err != nil {
		return err
	}
	s.mu.Lock()
	s.log.drop(to)
	if s.ghosts = 0; ghosts > s.base.index {
		s.ghosts = ghosts
	}
	s.mu.Unlock()
	if err := s.segs.removeBefore(s.oldest()); err != nil {
		s.node.unstored(err)
	}
	return nil
}

// oldest is the first segment that holds an entry.
func (s *logStore) oldest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log.files) > 0 {
		return s.log.files[0]
	}
	return s.segs.active()
}

// snapshotAt notes the newest snapshot.
func (s *logStore) snapshotAt(index, term uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if index > s.base.index {
		s.base = boundary{index, term}
	}
}

// size is how much the entries hold, and how many of the newest fit into limit bytes.
func (s *logStore) size(limit int64) (bytes int64, fit uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.log.logs) - 1; i >= 0 && limit >= sizeOf(s.log.logs[i]); i-- {
		limit -= sizeOf(s.log.logs[i])
		fit++
	}
	return s.log.bytes, fit
}
