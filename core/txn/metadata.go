package txn

import (
	"math"
	"sort"

	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/plant"
	"github.com/seedlog/seedlog/core/sometimes"
)

// Versions of the protocol that a client, or the cluster, speaks (feature transaction.version).
const (
	Version0 int16 = 0 // KIP-98
	Version2 int16 = 2 // KIP-890: the epoch is bumped at each end, partitions are added by those who lead them
)

const (
	noID    int64 = -1
	noEpoch int16 = -1
)

// Metadata is what a record says of a transactional id. Values are never changed in place: each transition makes another.
type Metadata struct {
	ProducerID int64
	PreviousID int64 // the producer id before the last transition; it differs from ProducerID right after a rotation alone
	NextID     int64 // of a Prepare state: the id of the next transaction where the epochs of this one are used up; else -1
	Epoch      int16
	TimeoutMS  int32
	State      State
	Partitions Partitions
	StartMS    int64 // wall clock of the first partition; -1: none was added since InitProducerId
	UpdatedMS  int64 // wall clock of the last record
	ClientVer  int16 // version of the protocol that the client spoke at the transition

	// lastEpoch is the epoch before the last bump, -1 where nobody may go on from it. It is not on the log.
	lastEpoch int16
}

// Partitions is a set of partitions by topic, ascending, each with ascending numbers.
type Partitions []TopicPartitions

// TopicPartitions is one topic's part of a set.
type TopicPartitions struct {
	Topic   string
	Numbers []int32
}

// Len is the number of partitions.
func (ps Partitions) Len() int {
	n := 0
	for i := range ps {
		n += len(ps[i].Numbers)
	}
	return n
}

// Has says whether a partition is in the set.
func (ps Partitions) Has(topic string, number int32) bool {
	i := sort.Search(len(ps), func(i int) bool { return ps[i].Topic >= topic })
	if i == len(ps) || ps[i].Topic != topic {
		return false
	}
	ns := ps[i].Numbers
	j := sort.Search(len(ns), func(j int) bool { return ns[j] >= number })
	return j < len(ns) && ns[j] == number
}

// With gives the set with a topic's partitions added. What it does not change it shares.
func (ps Partitions) With(topic string, numbers []int32) Partitions {
	i := sort.Search(len(ps), func(i int) bool { return ps[i].Topic >= topic })
	out := make(Partitions, 0, len(ps)+1)
	out = append(out, ps[:i]...)
	t := TopicPartitions{Topic: topic}
	if i < len(ps) && ps[i].Topic == topic {
		t.Numbers = ps[i].Numbers
		i++
	}
	t.Numbers = merged(t.Numbers, numbers)
	return append(append(out, t), ps[i:]...)
}

func merged(a, b []int32) []int32 {
	out := append(append(make([]int32, 0, len(a)+len(b)), a...), b...)
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	n := 0
	for i := range out {
		if i == 0 || out[i] != out[n-1] {
			out[n] = out[i]
			n++
		}
	}
	return out[:n]
}

// exhausted says that an epoch is the last one that a client may be given: one above it is kept for fencing.
func exhausted(epoch int16) bool { return epoch >= math.MaxInt16-1 && !plant.On(plant.I7) }

// to begins the transition to a state: everything stays as it is but the previous producer id. Source: TransitionData.
func (m Metadata) to(s State, nowMS int64) Metadata {
	assert.That(Legal(m.State, s) || m.Epoch == noEpoch, "txn: an illegal transition")
	m.PreviousID, m.State, m.UpdatedMS = m.ProducerID, s, nowMS
	return m
}

// expected is the producer id and epoch that an InitProducerId names (KIP-360).
type expected struct {
	given bool
	id    int64
	epoch int16
}

// mayInit says whether the producer that e names may go on with this id. Source: isValidProducerId.
func (m *Metadata) mayInit(e expected) bool {
	return !e.given || m.Epoch == noEpoch || e.id == m.ProducerID || e.id == m.PreviousID && exhausted(e.epoch)
}

// mustRotate says that InitProducerId needs another producer id: no epoch is left.
func (m *Metadata) mustRotate(e expected) bool {
	return exhausted(m.Epoch) && (!e.given || e.epoch == m.Epoch)
}

// init begins anew under the same producer id. Source: prepareIncrementProducerEpoch.
func (m Metadata) init(e expected, timeoutMS int32, nowMS int64) (Metadata, kerr.Code) {
	next := m.to(Empty, nowMS)
	next.TimeoutMS, next.Partitions, next.StartMS, next.NextID = timeoutMS, nil, -1, noID
	switch {
	case !e.given && !exhausted(m.Epoch):
		next.Epoch, next.lastEpoch = m.Epoch+1, noEpoch
	case e.given && !exhausted(m.Epoch) && (m.Epoch == noEpoch || e.epoch == m.Epoch):
		next.Epoch, next.lastEpoch = m.Epoch+1, m.Epoch
	case e.given && e.epoch == m.lastEpoch: // the answer to a call that succeeded was lost
		sometimes.Hit("txn: InitProducerId is repeated since its answer was lost")
	default:
		return m, kerr.ProducerFenced
	}
	return next, kerr.None
}

// rotate begins anew under another producer id. Source: prepareProducerIdRotation.
func (m Metadata) rotate(id int64, e expected, timeoutMS int32, nowMS int64) Metadata {
	next := m.to(Empty, nowMS)
	next.ProducerID, next.Epoch, next.lastEpoch, next.NextID = id, 0, noEpoch, noID
	if e.given {
		next.lastEpoch = m.Epoch
	}
	next.TimeoutMS, next.Partitions, next.StartMS = timeoutMS, nil, -1
	return next
}

// add begins or extends a transaction. Source: prepareAddPartitions.
func (m Metadata) add(ps Partitions, version int16, nowMS int64) Metadata {
	next := m.to(Ongoing, nowMS)
	if m.State != Ongoing {
		next.StartMS = nowMS
	}
	next.Partitions, next.ClientVer = ps, version
	return next
}

// fenced is an Ongoing transaction whose producer may not go on. In the second version the abort does that by itself. Source:
// prepareFenceProducerEpoch.
func (m Metadata) fenced() Metadata {
	if m.Epoch < math.MaxInt16 {
		m.Epoch++
	}
	m.lastEpoch = noEpoch
	return m
}

// end decides a transaction. nextID, if not -1, takes over when it is complete. Source: prepareAbortOrCommit.
func (m Metadata) end(commit bool, version int16, nextID, nowMS int64) Metadata {
	s := PrepareAbort
	if commit {
		s = PrepareCommit
	}
	next := m.to(s, nowMS)
	if version >= Version2 {
		next.lastEpoch = m.Epoch
		if m.Epoch < math.MaxInt16 && !plant.On(plant.T1) {
			next.Epoch = m.Epoch + 1
		}
	}
	if m.State != Ongoing {
		next.StartMS = nowMS
	}
	next.NextID, next.ClientVer = nextID, version
	return next
}

// complete ends what was decided. Source: prepareComplete.
func (m Metadata) complete(nowMS int64) Metadata {
	s := CompleteAbort
	if m.State == PrepareCommit {
		s = CompleteCommit
	}
	next := m.to(s, nowMS)
	if m.ClientVer >= Version2 && m.NextID != noID {
		next.ProducerID, next.Epoch = m.NextID, 0
	}
	next.NextID, next.Partitions = noID, nil
	return next
}

// after is the producer id and epoch under which the next transaction will be.
func (m *Metadata) after() (int64, int16) {
	if m.State.Preparing() && m.ClientVer >= Version2 && m.NextID != noID {
		return m.NextID, 0
	}
	return m.ProducerID, m.Epoch
}
