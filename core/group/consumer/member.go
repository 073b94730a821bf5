package consumer

import (
	"bytes"
	"slices"

	"github.com/seedlog/seedlog/core/group/classic"
)

// State is where a member stands between what it owns and its target; see the package's drawing. The numbers are Kafka's.
type State int8

// The states.
const (
	Stable               State = 0
	UnrevokedPartitions  State = 1
	UnreleasedPartitions State = 2
	Unknown              State = 127 // of a newer broker
)

// Epochs that say something else.
const (
	JoinEpoch        = 0  // of a request: (re-)joining
	LeaveEpoch       = -1 // leaving
	StaticLeaveEpoch = -2 // leaving for a while (KIP-345)
)

// Member is what is durable of one member. It is a value: whoever changes it copies it, and what it points to is not changed.
type Member struct {
	ID                 string
	Epoch              int32 // 0 before its first target; StaticLeaveEpoch: a static member that is away
	PreviousEpoch      int32
	State              State
	InstanceID         string // "": a dynamic member
	RackID             string // "": not known
	ClientID           string
	ClientHost         string
	RebalanceTimeoutMS int32
	Topics             []string // names, ascending, each once
	Regex              string   // "": none
	Assignor           string   // that it asks for, "": any
	Classic            *Classic // not nil: it speaks the classic protocol
	Assigned           Assignment
	Revoking           Assignment // what it is to let go of, and has until then
}

// Classic is what a member of the classic protocol said in JoinGroup.
type Classic struct {
	SessionTimeoutMS int32
	Protocols        []classic.Protocol // at least one, in order of preference
}

// newMember is a member of which nothing is known yet.
func newMember(id string) Member { return Member{ID: id, PreviousEpoch: -1, RebalanceTimeoutMS: -1} }

// reached says whether the member has arrived at a target.
func (m *Member) reached(epoch int32) bool { return m.State == Stable && m.Epoch == epoch }

// moveTo changes the epoch.
func (m *Member) moveTo(epoch int32) { m.PreviousEpoch, m.Epoch = m.Epoch, epoch }

// sameSubscription compares what a member says of itself.
func (m *Member) sameSubscription(o *Member) bool {
	return m.InstanceID == o.InstanceID && m.RackID == o.RackID && m.ClientID == o.ClientID && m.ClientHost == o.ClientHost &&
		m.RebalanceTimeoutMS == o.RebalanceTimeoutMS && slices.Equal(m.Topics, o.Topics) && m.Regex == o.Regex && m.Assignor == o.Assignor &&
		m.Classic.equal(o.Classic)
}

// samePlace compares where a member stands.
func (m *Member) samePlace(o *Member) bool {
	return m.Epoch == o.Epoch && m.PreviousEpoch == o.PreviousEpoch && m.State == o.State && m.Assigned.Equal(o.Assigned) && m.Revoking.Equal(o.Revoking)
}

func (c *Classic) equal(o *Classic) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.SessionTimeoutMS == o.SessionTimeoutMS && slices.EqualFunc(c.Protocols, o.Protocols, func(a, b classic.Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// sortedTopics gives names ascending, each once.
func sortedTopics(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}
