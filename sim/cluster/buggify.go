package cluster

import (
	"github.com/seedlog/seedlog/core/prng"
	"github.com/seedlog/seedlog/io/clock"
	"github.com/seedlog/seedlog/sim/fault"
)

// site is a place in the drivers where, under F:B1, something is done that a driver may do and hardly ever does. Which sites a run has is
// drawn for each by itself, a quarter of them; those that it has act as often as the knob says, until healing.
type site uint8

const (
	roundOfOne     site = iota // a round takes a single input
	roundLate                  // a shard has work and is not run for a while
	roundEmpty                 // a round without input: a Flush alone
	frameLater                 // a frame waits behind all other input
	completionLate             // so does the completion of a disk request
	mailLate                   // mail takes long
	deadlineLate               // a timer fires late
	unsentSmall                // a connection with anything unsent is not read
	sites
)

var siteNames = [sites]string{"round-of-one", "round-late", "round-empty", "frame-later", "completion-late", "mail-late", "deadline-late", "unsent-small"}

// activePermille is how likely a run has a site.
const activePermille = 250

// buggify is the sites of a run.
type buggify struct {
	often int // ‰
	sites [sites]struct {
		on   bool
		rand *prng.Source
	}
}

func newBuggify(seed uint64, s fault.Swarm) (b buggify) {
	k, on := s.Knob(fault.B1, -1)
	b.often = k.P
	for i := range b.sites {
		x := &b.sites[i]
		x.rand = prng.Keyed(seed, "F:B1/"+siteNames[i])
		x.on = x.rand.Permille(activePermille) && on
	}
	return b
}

// on says whether a site acts now.
func (c *Cluster) on(s site) bool {
	x := &c.buggify.sites[s]
	if !x.on || c.healed != 0 || !x.rand.Permille(c.buggify.often) {
		return false
	}
	c.ledger.Hit(fault.B1, "")
	return true
}

// late gives how much later something happens at a site, mostly 0.
func (c *Cluster) late(s site, most clock.Duration) clock.Duration {
	if !c.on(s) {
		return 0
	}
	return clock.Duration(c.buggify.sites[s].rand.Int63n(int64(most)))
}
