package quorum

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync"
	"time"

	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/io/disk"
)

// The file quorum-state is two slots of slotSize bytes, written in turns, so that one of them is whole whenever a crash comes:
//
//	slot = magic:4 | crc32c of what follows:4 | size:4 | sequence:8 | term:8 | voteTerm:8 | candidate[size-24]
//
// The slot with the higher sequence counts. All integers are big-endian.
const (
	stableName  = "quorum-state"
	stableMagic = 0x53515331
	slotSize    = 4096
	slotHead    = 12
	maxVote     = slotSize - slotHead - 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// vote is what raft must not forget.
type vote struct {
	sequence  uint64
	term      uint64 // CurrentTerm
	voteTerm  uint64 // LastVoteTerm
	candidate []byte // LastVoteCand
}

func encodeVote(v *vote) []byte {
	b := make([]byte, slotHead, slotSize)
	b = binary.BigEndian.AppendUint64(b, v.sequence)
	b = binary.BigEndian.AppendUint64(b, v.term)
	b = binary.BigEndian.AppendUint64(b, v.voteTerm)
	b = append(b, v.candidate...)
	binary.BigEndian.PutUint32(b[0:], stableMagic)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-slotHead))
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b[:slotSize]
}

// decodeVote reads one slot; false if it is not whole.
func decodeVote(b []byte) (v vote, ok bool) {
	if len(b) < slotHead+24 || binary.BigEndian.Uint32(b) != stableMagic {
		return v, false
	}
	size := binary.BigEndian.Uint32(b[8:])
	if size < 24 || int64(size) > int64(len(b)-slotHead) {
		return v, false
	}
	b = b[:slotHead+int(size)]
	if binary.BigEndian.Uint32(b[4:]) != crc32.Checksum(b[8:], castagnoli) {
		return v, false
	}
	v.sequence = binary.BigEndian.Uint64(b[12:])
	v.term = binary.BigEndian.Uint64(b[20:])
	v.voteTerm = binary.BigEndian.Uint64(b[28:])
	v.candidate = append([]byte(nil), b[36:]...)
	return v, true
}

// stableStore is raft.StableStore. What was set is synced when the call returns.
type stableStore struct {
	node *Node
	path string
	file disk.File
	gate chan struct{} // one write at a time; a channel, since a goroutine waits for the disk while it holds it

	terms sync.Mutex // held while a term is stored, and while one must stay

	mu   sync.Mutex
	vote vote
}

var errNotFound = errors.New("not found") // the text that raft looks for

// openStable reads or makes the file. fresh: nothing was ever set.
func openStable(n *Node) (s *stableStore, fresh bool, err error) {
	s = &stableStore{node: n, path: n.dir + "/" + stableName, gate: make(chan struct{}, 1)}
	f, size, e := n.disk.open(s.path, disk.Create)
	if e != nil {
		return nil, false, errors.New(e.advice())
	}
	s.file = f
	// What a killed process left unsynced can be seen and yet be lost later: it is synced before anybody acts on it.
	if e := n.disk.sync(s.path, f); e != nil {
		return nil, false, errors.New(e.advice())
	}
	b, e := n.disk.readAll(s.path, f, min(size, 2*slotSize))
	if e != nil {
		return nil, false, errors.New(e.advice())
	}
	found := false
	for at := 0; at < len(b); at += slotSize {
		if v, ok := decodeVote(b[at:min(at+slotSize, len(b))]); ok && (!found || v.sequence > s.vote.sequence) {
			s.vote, found = v, true
		}
	}
	if !found && size > slotSize {
		return nil, false, errors.New(s.path + " is damaged; restore it from a copy, or empty the directory and add this node to the cluster again")
	}
	return s, !found, nil
}

func (s *stableStore) get() vote {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vote
}

// Set implements raft.StableStore.
func (s *stableStore) Set(key, val []byte) error {
	if string(key) != "LastVoteCand" {
		return errors.New("unknown key " + string(key))
	}
	if len(val) > maxVote {
		return errors.New("candidate's address is too long")
	}
	return s.update(func(v *vote) { v.candidate = append([]byte(nil), val...) }, plant.On(plant.K3))
}

// SetUint64 implements raft.StableStore.
func (s *stableStore) SetUint64(key []byte, val uint64) error {
	switch string(key) {
	case "CurrentTerm":
		return s.setTerm(val)
	case "LastVoteTerm":
		return s.update(func(v *vote) { v.voteTerm = val }, false)
	}
	return errors.New("unknown key " + string(key))
}

// update changes the vote on the disk and then in memory. A disk that fails ends the node, and the caller never learns that it was not
// stored: raft would panic, or vote again.
func (s *stableStore) update(f func(*vote), lazy bool) error {
	select {
	case s.gate <- struct{}{}:
	case <-s.node.dead:
		return nil
	}
	defer func() { <-s.gate }()
	v := s.get()
	f(&v)
	v.sequence++
	if err := s.store(&v, lazy); err != nil {
		s.node.unstored(err)
	}
	s.mu.Lock()
	s.vote = v
	s.mu.Unlock()
	return nil
}

func (s *stableStore) store(v *vote, lazy bool) *diskError {
	d := &s.node.disk
	off := int64((v.sequence+1)&1) * slotSize // the first one goes to the first slot: torn, it leaves a file of one
	err := retryFull(s.node, func() *diskError { return d.write(s.path, s.file, off, encodeVote(v)) })
	if err != nil || lazy {
		return err
	}
	return d.sync(s.path, s.file)
}

// Get implements raft.StableStore.
func (s *stableStore) Get(key []byte) ([]byte, error) {
	v := s.get()
	if string(key) != "LastVoteCand" || v.candidate == nil {
		return nil, errNotFound
	}
	return v.candidate, nil
}

// GetUint64 implements raft.StableStore.
func (s *stableStore) GetUint64(key []byte) (uint64, error) {
	v := s.get()
	switch string(key) {
	case "CurrentTerm":
		return v.term, nil
	case "LastVoteTerm":
		return v.voteTerm, nil
	}
	return 0, errNotFound
}

// close closes the file and keeps the gate: a heartbeat that came in raft's last moment may want to note a term still. Where the disk
// stalls somebody has the gate, and the end of the process closes the file.
func (s *stableStore) close() {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case s.gate <- struct{}{}:
		s.node.disk.close(s.path, s.file)
	case <-t.C:
	}
}
