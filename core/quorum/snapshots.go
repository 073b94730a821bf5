package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/seedlog/seedlog/core/step"
	"github.com/seedlog/seedlog/io/disk"
)

const (
	snapshotSuffix = ".snapshot"
	partSuffix     = ".part" // not finished
	keepSnapshots  = 2
)

func snapshotName(index, term uint64) string {
	return fmt.Sprintf("%020d-%020d%s", index, term, snapshotSuffix)
}

// snapshotStore is raft.SnapshotStore. A snapshot has its name only once it is synced; the newest keepSnapshots stay.
type snapshotStore struct {
	node *Node
	gate chan struct{} // one finishes at a time

	mu    sync.Mutex
	list  []*raft.SnapshotMeta // newest first
	parts uint64               // temporary files so far
}

// openSnapshots reads what the directory has, and the data of the newest that is whole. Damage of the newest is told; the log may still
// reach back to an older one.
func openSnapshots(n *Node, names []string) (s *snapshotStore, data []byte, err error) {
	s = &snapshotStore{node: n, gate: make(chan struct{}, 1)}
	for i := len(names) - 1; i >= 0; i-- {
		name := names[i]
		switch {
		case strings.HasSuffix(name, partSuffix) && strings.Contains(name, snapshotSuffix):
			if e := n.disk.path(disk.Remove, s.path(name), ""); e != nil {
				return nil, nil, errors.New(e.advice())
			}
		case strings.HasSuffix(name, snapshotSuffix):
			m, d, e := s.load(name)
			if e != nil {
				return nil, nil, errors.New(e.advice())
			}
			if m == nil || m.ID != name {
				n.out.log(step.Error, s.path(name)+" is damaged; check the disk")
				continue
			}
			if s.list = append(s.list, m); len(s.list) == 1 {
				data = bytes.Clone(d)
			}
		}
	}
	// What was removed before a crash may be back.
	return s, data, s.removeOld()
}

func (s *snapshotStore) path(name string) string { return s.node.dir + "/" + name }

// load reads a file; m is nil if it is damaged.
func (s *snapshotStore) load(name string) (m *raft.SnapshotMeta, data []byte, err *diskError) {
	d, path := &s.node.disk, s.path(name)
	f, size, err := d.open(path, disk.ReadOnly)
	if err != nil {
		return nil, nil, err
	}
	defer d.close(path, f)
	b, err := d.readAll(path, f, size)
	if err != nil {
		return nil, nil, err
	}
	m, data, e := decodeSnapshot(b)
	if e != nil {
		return nil, nil, nil
	}
	return m, data, nil
}

// newest gives the newest snapshot, or nil.
func (s *snapshotStore) newest() *raft.SnapshotMeta {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return nil
	}
	return s.list[0]
}

// List implements raft.SnapshotStore.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list), nil
}

// Open implements raft.SnapshotStore. The file is read and checked as a whole.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	m, data, err := s.load(id)
	if err != nil {
		return nil, nil, err
	}
	if m == nil {
		return nil, nil, errSnapshot
	}
	s.node.machine.configurationIs(m.ConfigurationIndex, m.Configuration)
	return m, io.NopCloser(bytes.NewReader(data)), nil
}

// Create implements raft.SnapshotStore.
func (s *snapshotStore) Create(_ raft.SnapshotVersion, index, term uint64, c raft.Configuration, configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	m := &raft.SnapshotMeta{Version: 1, ID: snapshotName(index, term), Index: index, Term: term, Configuration: c, ConfigurationIndex: configurationIndex}
	s.mu.Lock()
	s.parts++
	part := s.path(fmt.Sprintf("%s-%d.part", m.ID, s.parts))
	s.mu.Unlock()
	f, _, err := s.node.disk.open(part, disk.Create|disk.Exclusive)
	if err != nil {
		return nil, err
	}
	k := &sink{store: s, meta: m, part: part, file: f}
	if err := k.append(encodeSnapshotHead(m)); err != nil {
		_ = k.Cancel()
		return nil, err
	}
	return k, nil
}

// sink is a snapshot that is being written.
type sink struct {
	store *snapshotStore
	meta  *raft.SnapshotMeta
	part  string
	file  disk.File
	pos   int64
	crc   uint32
	ended bool
}

// ID implements raft.SnapshotSink.
func (k *sink) ID() string { return k.meta.ID }

// Write implements raft.SnapshotSink.
func (k *sink) Write(b []byte) (int, error) {
	k.meta.Size += int64(len(b))
	if err := k.append(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (k *sink) append(b []byte) error {
	if err := k.store.node.disk.write(k.part, k.file, k.pos, b); err != nil {
		return k.broken(err)
	}
	k.pos += int64(len(b))
	k.crc = crc32.Update(k.crc, castagnoli, b)
	return nil
}

// broken ends the node, unless only space is missing: then the log goes on growing until there is some, and raft tries again.
func (k *sink) broken(err *diskError) error {
	if err.err != disk.ErrNoSpace && !k.store.node.isDead() {
		k.store.node.fail(err.advice())
	}
	return err
}

// Cancel implements raft.SnapshotSink.
func (k *sink) Cancel() error {
	if k.ended {
		return nil
	}
	k.ended = true
	d := &k.store.node.disk
	d.close(k.part, k.file)
	if err := d.path(disk.Remove, k.part, ""); err != nil && err.err != disk.ErrNotExist {
		return k.broken(err)
	}
	return nil
}

// Close implements raft.SnapshotSink: the snapshot is durable when it returns.
func (k *sink) Close() error {
	if k.ended {
		return nil
	}
	s, d := k.store, &k.store.node.disk
	if err := k.append(encodeSnapshotTrailer(k.meta.Size, k.crc)); err != nil {
		return errors.Join(err, k.Cancel())
	}
	k.ended = true
	err := d.sync(k.part, k.file)
	d.close(k.part, k.file)
	s.gate <- struct{}{}
	defer func() { <-s.gate }()
	if err == nil {
		err = d.path(disk.Rename, k.part, s.path(k.meta.ID))
	}
	if err == nil {
		err = d.path(disk.SyncDir, s.node.dir, "")
	}
	if err != nil {
		return k.broken(err)
	}
	s.add(k.meta)
	return s.removeOld()
}

func (s *snapshotStore) add(m *raft.SnapshotMeta) {
	s.mu.Lock()
	s.list = slices.DeleteFunc(s.list, func(o *raft.SnapshotMeta) bool { return o.ID == m.ID })
	i, _ := slices.BinarySearchFunc(s.list, m.ID, func(o *raft.SnapshotMeta, id string) int { return strings.Compare(id, o.ID) })
	s.list = slices.Insert(s.list, i, m)
	s.mu.Unlock()
	s.node.logs.snapshotAt(m.Index, m.Term)
}

// removeOld removes all but the newest. One that is being sent has been read already.
func (s *snapshotStore) removeOld() error {
	s.mu.Lock()
	old := slices.Clone(s.list[min(len(s.list), keepSnapshots):])
	s.list = s.list[:min(len(s.list), keepSnapshots)]
	s.mu.Unlock()
	for _, m := range old {
		if err := s.node.disk.path(disk.Remove, s.path(m.ID), ""); err != nil && err.err != disk.ErrNotExist {
			return err
		}
	}
	return nil
}
