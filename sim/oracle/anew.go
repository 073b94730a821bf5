package oracle

import (
	"strings"

	"github.com/seedlog/seedlog/sim/history"
)

// renewed is a group that began anew, and the memberships that somebody was told of since, by an answer that was asked for since. What a member
// owns by another one is of generations that are over.
type renewed struct {
	at   int64
	told map[ownership]bool
}

// renew notes that a group begins anew.
func (g *ghosts) renew(e *history.Event, group string) {
	if g.renewed == nil {
		g.renewed = map[string]*renewed{}
	}
	g.renewed[group] = &renewed{at: e.I, told: map[ownership]bool{}}
}

// joined notes a membership.
func (g *ghosts) joined(e *history.Event, o *history.Op) {
	if r := g.renewed[strings.TrimSuffix(o.Key, "+")]; r != nil && g.begun[e.Process] > r.at {
		r.told[ownership{o.Generation, o.Member}] = true
	}
}

// outlived says that an Own is of a membership from before its group began anew.
func (g *ghosts) outlived(o *history.Op) bool {
	group, _, _ := strings.Cut(o.Key, "|")
	r := g.renewed[group]
	return r != nil && !r.told[ownership{o.Generation, o.Member}]
}
