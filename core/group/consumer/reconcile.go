package consumer

import "github.com/seedlog/seedlog/core/kerr"

// Owned is what a member says that it owns, partitions of one topic.
type Owned struct {
	TopicID [16]byte
	Numbers []int32
}

// move is one step of a member towards its target.
type move struct {
	m          Member // as it stands, with its new subscription
	epoch      int32  // the target's
	target     Assignment
	subscribed func(id [16]byte) bool
	free       func(id [16]byte, p int32) bool // nobody has it
	changed    bool                            // the subscription changed: what is no longer subscribed to must go at once
	owned      []Owned                         // what the member says that it owns
	said       bool                            // it said so
}

// run gives the member after the step. Source: CurrentAssignmentBuilder.build.
func (s *move) run() (Member, kerr.Code) {
	switch s.m.State {
	case Stable:
		switch {
		case s.m.Epoch != s.epoch:
			return s.next(s.m.Epoch), kerr.None
		case s.changed:
			return s.shrink(), kerr.None
		}
		return s.m, kerr.None
	case UnrevokedPartitions:
		switch {
		case !s.owns(s.m.Revoking):
			return s.next(s.m.Epoch), kerr.None
		case s.changed:
			return s.shrink(), kerr.None
		}
		return s.m, kerr.None
	case UnreleasedPartitions:
		return s.next(s.m.Epoch), kerr.None
	}
	if !s.said || len(s.owned) > 0 {
		return s.m, kerr.FencedMemberEpoch
	}
	return s.next(s.epoch), kerr.None
}

// owns says whether the member may still own any of a. A member that says nothing may own all.
func (s *move) owns(a Assignment) bool {
	if !s.said {
		return true
	}
	for i := range s.owned {
		t := a.Topic(s.owned[i].TopicID)
		for _, p := range s.owned[i].Numbers {
			if t.has(p) {
				return true
			}
		}
	}
	return false
}

// shrink takes topics away that the member no longer subscribes to, without moving it to another epoch.
func (s *move) shrink() Member {
	var keep, gone Assignment
	for _, t := range s.m.Assigned {
		if s.subscribed(t.TopicID) {
			keep = append(keep, t)
		} else {
			gone = append(gone, t)
		}
	}
	if len(gone) == 0 {
		return s.m
	}
	m := s.m
	revoking := s.m.Revoking.Plus(gone)
	m.moveTo(m.Epoch)
	m.Assigned = keep
	if s.owns(revoking) {
		m.State, m.Revoking = UnrevokedPartitions, revoking
	}
	return m
}

// next works out what the member keeps, what it must let go of, and what it gets.
func (s *move) next(epoch int32) Member {
	keep, gone := s.split()
	m := s.m
	if len(gone) > 0 && s.owns(gone) {
		m.moveTo(epoch)
		m.State, m.Assigned, m.Revoking = UnrevokedPartitions, keep, gone
		return m
	}
	got, unreleased := s.available(keep)
	m.moveTo(s.epoch)
	m.State, m.Assigned, m.Revoking = Stable, keep.Plus(got), nil
	if unreleased {
		m.State = UnreleasedPartitions
	}
	return m
}

// split divides what the member has: what is in its target too, and what is not.
func (s *move) split() (keep, gone Assignment) {
	var k, g maker
	for _, t := range s.m.Assigned {
		wanted := s.target.Topic(t.TopicID)
		if !s.subscribed(t.TopicID) {
			wanted = nil
		}
		for i, p := range t.Numbers {
			if wanted.has(p) {
				k.add(t.TopicID, p, t.Epochs[i])
			} else {
				g.add(t.TopicID, p, t.Epochs[i])
			}
		}
	}
	return k.done(), g.done()
}

// available gives what of the target the member does not have and nobody else has. What it was to revoke is its own.
func (s *move) available(keep Assignment) (got Assignment, unreleased bool) {
	var m maker
	for _, t := range s.target {
		if !s.subscribed(t.TopicID) {
			continue
		}
		have, mine := keep.Topic(t.TopicID), s.m.Revoking.Topic(t.TopicID)
		for _, p := range t.Numbers {
			switch {
			case have.has(p):
			case s.free(t.TopicID, p) || mine.has(p):
				m.add(t.TopicID, p, s.epoch)
			default:
				unreleased = true
			}
		}
	}
	return m.done(), unreleased
}
