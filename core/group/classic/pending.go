package classic

import (
	"github.com/seedlog/seedlog/core/assert"
	"github.com/seedlog/seedlog/io/clock"
)

// AddPending notes a member id that was given out; it expires after timeoutMS.
func (g *Group) AddPending(id string, timeoutMS int32) {
	assert.That(g.byID[id] == nil && !g.IsPending(id), "classic: a member id was given out twice")
	p := &pending{id: id, group: g}
	p.session.Owner = p
	g.pending = append(g.pending, p)
	g.env.After(&p.session, clock.MS(int64(timeoutMS)))
}

// IsPending says whether the id was given out and has not joined.
func (g *Group) IsPending(id string) bool {
	for _, p := range g.pending {
		if p.id == id {
			return true
		}
	}
	return false
}

// Pending is the number of such ids.
func (g *Group) Pending() int { return len(g.pending) }

func (g *Group) dropPending(id string) {
	for i, p := range g.pending {
		if p.id == id {
			g.env.Timers.Cancel(&p.session)
			g.pending = append(g.pending[:i], g.pending[i+1:]...)
			return
		}
	}
}
