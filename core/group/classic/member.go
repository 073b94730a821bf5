package classic

import (
	"bytes"

	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Protocol is an assignment strategy that a member offers, with its subscription in that strategy's form.
type Protocol struct {
	Name     string
	Metadata []byte
}

// Member is one member of the current generation, or of the one that is being formed.
type Member struct {
	ID                 string
	InstanceID         *string // not nil: a static member (KIP-345)
	ClientID           string
	ClientHost         string
	RebalanceTimeoutMS int32
	SessionTimeoutMS   int32
	ProtocolType       string
	Protocols          []Protocol // in order of preference; no name twice
	Assignment         []byte
	IsNew              bool // has not been in a generation yet: its session does not wait for its join to end

	join    *waitJoin
	sync    *waitSync
	session timer.Timer
	group   *Group
}

// A join or a sync that is parked. Its waiter may be nil, that of a connection that has died; it is parked all the same.
type waitJoin struct {
	w    coordinator.Waiter
	resp *kmsg.JoinGroupResponse
}

type waitSync struct {
	w    coordinator.Waiter
	resp *kmsg.SyncGroupResponse
}

// AwaitsJoin says whether a JoinGroup of the member is parked.
func (m *Member) AwaitsJoin() bool { return m.join != nil }

// AwaitsSync says whether a SyncGroup of the member is parked.
func (m *Member) AwaitsSync() bool { return m.sync != nil }

// Static says whether the member has an instance id.
func (m *Member) Static() bool { return m.InstanceID != nil }

// SatisfiesHeartbeat says whether an expired session may pass: who waits for the others cannot send heartbeats. Not so a new
// member, which may have gone away while it waited.
func (m *Member) SatisfiesHeartbeat() bool { return !m.IsNew && (m.AwaitsJoin() || m.AwaitsSync()) }

// Metadata gives the subscription under a protocol, nil if the member does not offer it.
func (m *Member) Metadata(protocol string) []byte {
	for i := range m.Protocols {
		if m.Protocols[i].Name == protocol {
			return m.Protocols[i].Metadata
		}
	}
	return nil
}

// Offers says whether ps is what the member offers already, in the same order.
func (m *Member) Offers(ps []Protocol) bool {
	if len(ps) != len(m.Protocols) {
		return false
	}
	for i := range ps {
		if ps[i].Name != m.Protocols[i].Name || !bytes.Equal(ps[i].Metadata, m.Protocols[i].Metadata) {
			return false
		}
	}
	return true
}

// TimerFired is the shard's call: the session ended.
func (m *Member) TimerFired(*timer.Timer) { m.group.rules.SessionExpired(m.group, m) }

// pending is a member id that was given out and has not joined yet (KIP-394).
type pending struct {
	id      string
	group   *Group
	session timer.Timer
}

// TimerFired is the shard's call: the id was not taken up in time.
func (p *pending) TimerFired(*timer.Timer) { p.group.rules.PendingExpired(p.group, p.id) }
