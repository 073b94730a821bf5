package classic

import (
	"github.com/seedlog/seedlog/core/coordinator"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ParkJoin makes m wait for the join phase to end. An earlier join of the same member is told to try again: its connection has
// most likely gone, and its id must not be lost if it has not.
func (g *Group) ParkJoin(m *Member, w coordinator.Waiter, resp *kmsg.JoinGroupResponse) {
	if old := m.join; old != nil {
		old.resp.MemberID = m.ID
		old.resp.ErrorCode = int16(kerr.CoordinatorLoadInProgress)
		m.join = nil
		g.joined--
		coordinator.Reply(old.w, old.resp)
	}
	m.join = &waitJoin{w, resp}
	g.joined++
}

// AnswerJoin ends m's wait, if it waits: fill completes the response.
func (g *Group) AnswerJoin(m *Member, fill func(*kmsg.JoinGroupResponse)) bool {
	j := m.join
	if j == nil {
		return false
	}
	m.join = nil
	g.joined--
	fill(j.resp)
	coordinator.Reply(j.w, j.resp)
	return true
}

// RefuseJoin ends m's wait, if it waits, with a code; memberID is what the response names.
func (g *Group) RefuseJoin(m *Member, memberID string, code kerr.Code) {
	g.AnswerJoin(m, func(r *kmsg.JoinGroupResponse) { r.MemberID, r.ErrorCode = memberID, int16(code) })
}

// JoinVersion is the version of m's parked join.
func (m *Member) JoinVersion() int16 { return m.join.resp.Version }

// ParkSync makes m wait for its assignment. An earlier sync of the same member is told to join again.
func (g *Group) ParkSync(m *Member, w coordinator.Waiter, resp *kmsg.SyncGroupResponse) {
	g.RefuseSync(m, kerr.RebalanceInProgress)
	m.sync = &waitSync{w, resp}
}

// AnswerSync ends m's wait, if it waits: fill completes the response.
func (g *Group) AnswerSync(m *Member, fill func(*kmsg.SyncGroupResponse)) bool {
	s := m.sync
	if s == nil {
		return false
	}
	m.sync = nil
	fill(s.resp)
	coordinator.Reply(s.w, s.resp)
	return true
}

// RefuseSync ends m's wait, if it waits, with a code.
func (g *Group) RefuseSync(m *Member, code kerr.Code) {
	g.AnswerSync(m, func(r *kmsg.SyncGroupResponse) { r.ErrorCode = int16(code) })
}

// AwaitingJoin is the number of members whose join is parked.
func (g *Group) AwaitingJoin() int { return g.joined }

// AllJoined says whether nobody is missing for the next generation.
func (g *Group) AllJoined() bool { return len(g.Members) == g.joined && len(g.pending) == 0 }

// ExpectSync notes that the member's sync is to come within the sync phase.
func (g *Group) ExpectSync(m *Member) { g.unsynced[m.ID] = true }

// Synced notes that it came.
func (g *Group) Synced(m *Member) { delete(g.unsynced, m.ID) }

// Unsynced gives the members whose sync has not come.
func (g *Group) Unsynced() []*Member {
	var ms []*Member
	for _, m := range g.Members {
		if g.unsynced[m.ID] {
			ms = append(ms, m)
		}
	}
	return ms
}

// ExpireSync sets when the sync phase ends.
func (g *Group) ExpireSync(timeoutMS int32) { g.env.After(&g.sync, ms(timeoutMS)) }

// StopSync ends it without effect.
func (g *Group) StopSync() {
	clear(g.unsynced)
	g.env.Timers.Cancel(&g.sync)
}
