package offsets

import "sort"

// transaction is what one producer's open transaction would commit.
type transaction struct {
	producerID int64
	offsets    Store
}

func (s *Store) transaction(producerID int64) (int, bool) {
	i := sort.Search(len(s.pending), func(i int) bool { return s.pending[i].producerID >= producerID })
	return i, i < len(s.pending) && s.pending[i].producerID == producerID
}

// PutPending notes an offset that counts once the producer's transaction commits.
func (s *Store) PutPending(producerID int64, group, topic string, partition int32, o Offset) {
	i, ok := s.transaction(producerID)
	if !ok {
		s.pending = append(s.pending, nil)
		copy(s.pending[i+1:], s.pending[i:])
		s.pending[i] = &transaction{producerID: producerID}
	}
	s.pending[i].offsets.Put(group, topic, partition, o)
}

// End ends a producer's transaction. A pending offset replaces a committed one only if its record is the later of the two:
// a commit outside of the transaction may have come between the record and the marker.
func (s *Store) End(producerID int64, commit bool) {
	i, ok := s.transaction(producerID)
	if !ok {
		return
	}
	p := &s.pending[i].offsets
	s.pending = append(s.pending[:i], s.pending[i+1:]...)
	if !commit {
		return
	}
	for _, id := range p.Groups() {
		for _, t := range p.groups[id].Topics {
			for _, o := range t.Partitions {
				if old := s.Get(id, t.Name, o.Partition); old == nil || o.RecordAt > old.RecordAt {
					s.Put(id, t.Name, o.Partition, o.Offset)
				}
			}
		}
	}
}

// Unstable says whether an open transaction would commit this partition's offset (KIP-447).
func (s *Store) Unstable(group, topic string, partition int32) bool {
	for _, t := range s.pending {
		if t.offsets.Get(group, topic, partition) != nil {
			return true
		}
	}
	return false
}

// Open says whether a transaction with offsets of the group is open.
func (s *Store) Open(group string) bool {
	for _, t := range s.pending {
		if t.offsets.groups[group] != nil {
			return true
		}
	}
	return false
}

// Pending gives what each open transaction would commit in the group, by producer id, ascending.
func (s *Store) Pending(group string, each func(producerID int64, g *Group)) {
	for _, t := range s.pending {
		if g := t.offsets.groups[group]; g != nil {
			each(t.producerID, g)
		}
	}
}

// PendingGroups gives the groups that a producer's open transaction would commit offsets of, ascending.
func (s *Store) PendingGroups(producerID int64) []string {
	if i, ok := s.transaction(producerID); ok {
		return s.pending[i].offsets.Groups()
	}
	return nil
}

// Transactions gives what each open transaction would commit, by producer id, ascending.
func (s *Store) Transactions(each func(producerID int64, pending *Store)) {
	for _, t := range s.pending {
		each(t.producerID, &t.offsets)
	}
}
