package group

import (
	"github.com/seedlog/seedlog/core/group/classic"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/sometimes"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// minJoinPhaseMS is how long a join phase that nobody joined goes on at least. A client may ask for a rebalance timeout of zero,
// and would have the timer fire again and again.
const minJoinPhaseMS = 1000

// rebalanceOrComplete begins a rebalance, or ends the join phase of one that was waiting for this.
func (c *Coordinator) rebalanceOrComplete(g *classic.Group) {
	if g.CanRebalance() {
		c.prepareRebalance(g)
		return
	}
	c.maybeCompleteJoin(g)
}

// prepareRebalance begins the join phase. The first one of a group waits a while for more members to come.
func (c *Coordinator) prepareRebalance(g *classic.Group) {
	if g.State == classic.CompletingRebalance {
		sometimes.Hit("group: a rebalance begins before the last has given assignments")
		c.resetAssignment(g, kerr.RebalanceInProgress)
	}
	g.StopSync()
	initial := g.State == classic.Empty
	if initial {
		g.InitialDelayMS = c.cfg.InitialRebalanceDelayMS
		g.InitialRemainingMS = max(g.RebalanceTimeoutMS()-g.InitialDelayMS, 0)
		g.ExpireJoin(g.InitialDelayMS)
	}
	g.To(classic.PreparingRebalance)
	switch {
	case initial:
	case g.AllJoined():
		c.completeJoin(g)
	default:
		g.ExpireJoin(g.RebalanceTimeoutMS())
	}
}

// maybeCompleteJoin ends the join phase if all are there, unless it is the first one: that takes its time.
func (c *Coordinator) maybeCompleteJoin(g *classic.Group) {
	if g.State == classic.PreparingRebalance && g.Previous != classic.Empty && g.AllJoined() {
		c.completeJoin(g)
	}
}

// JoinExpired is the group's timer. During the first rebalance each new member extends the delay, up to the rebalance timeout.
func (c *Coordinator) JoinExpired(g *classic.Group) {
	if g.Previous == classic.Empty && g.NewMemberAdded && g.InitialRemainingMS > 0 {
		g.NewMemberAdded = false
		delay := g.InitialDelayMS
		g.InitialDelayMS = min(c.cfg.InitialRebalanceDelayMS, g.InitialRemainingMS)
		g.InitialRemainingMS = max(g.InitialRemainingMS-delay, 0)
		g.ExpireJoin(g.InitialDelayMS)
		return
	}
	c.completeJoin(g)
	c.check(g.ID)
}

// completeJoin ends the join phase. Dynamic members that did not join are out; static ones stay until their session ends.
func (c *Coordinator) completeJoin(g *classic.Group) {
	g.StopJoin()
	for _, m := range absent(g) {
		sometimes.Hit("group: a member misses the join phase")
		c.remove(g, m)
	}
	if !g.ElectLeader() && len(g.Members) > 0 {
		// Only static members are left and none has joined: wait for one, or for their sessions to end.
		sometimes.Hit("group: only static members are left and none has joined")
		g.ExpireJoin(max(g.RebalanceTimeoutMS(), minJoinPhaseMS))
		return
	}
	g.NewMemberAdded = false
	g.NextGeneration()
	if g.State == classic.Empty {
		// Should this write be refused, the generation before stays on record. It has no live members: they time out.
		if _, code := c.write(g.ID, generationRecord(g)); code != kerr.None {
			c.env.Warnf("group %s: its being empty could not be recorded: %s", g.ID, code)
		}
		return
	}
	for _, m := range g.Members {
		g.AnswerJoin(m, func(r *kmsg.JoinGroupResponse) { fillJoin(g, m, r) })
		g.KeepAlive(m, m.SessionTimeoutMS)
		m.IsNew = false
		g.ExpectSync(m)
	}
	g.ExpireSync(g.RebalanceTimeoutMS())
}

func absent(g *classic.Group) []*classic.Member {
	var ms []*classic.Member
	for _, m := range g.Members {
		if !m.AwaitsJoin() && !m.Static() {
			ms = append(ms, m)
		}
	}
	return ms
}

// remove takes a member out; whatever it waits for ends with UNKNOWN_MEMBER_ID, upon which a client that lives joins anew.
func (c *Coordinator) remove(g *classic.Group, m *classic.Member) {
	g.RefuseJoin(m, "", kerr.UnknownMemberID)
	g.RefuseSync(m, kerr.UnknownMemberID)
	g.Remove(m.ID)
}

// SessionExpired is a member's timer.
func (c *Coordinator) SessionExpired(g *classic.Group, m *classic.Member) {
	if m.SatisfiesHeartbeat() {
		return // the end of what it waits for starts its session anew
	}
	c.remove(g, m)
	switch g.State {
	case classic.Stable, classic.CompletingRebalance:
		c.prepareRebalance(g)
	case classic.PreparingRebalance:
		if g.AllJoined() {
			c.completeJoin(g)
		}
	}
	c.check(g.ID)
}

// PendingExpired is the timer of a member id that was not taken up.
func (c *Coordinator) PendingExpired(g *classic.Group, memberID string) {
	g.Remove(memberID)
	if g.State == classic.PreparingRebalance && g.AllJoined() {
		c.completeJoin(g)
	}
	c.check(g.ID)
}

// SyncExpired is the group's timer: members that did not ask for their assignment are out.
func (c *Coordinator) SyncExpired(g *classic.Group) {
	if g.State != classic.CompletingRebalance && g.State != classic.Stable {
		return
	}
	late := g.Unsynced()
	if len(late) == 0 {
		return
	}
	for _, m := range late {
		sometimes.Hit("group: a member does not fetch its assignment in time")
		c.remove(g, m)
	}
	c.prepareRebalance(g)
	c.check(g.ID)
}
