package group

import (
	"slices"

	"github.com/seedlog/seedlog/core/group/consumer"
	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/timer"
	"github.com/seedlog/seedlog/io/clock"
)

// resolvePauseMS is between two parts of resolutions: what else the shard has to do goes on.
const resolvePauseMS = 2

// resolver matches the regular expressions of groups with the topics, one group after the other, in parts. The first part is done at once, and is mostly all.
type resolver struct {
	waiting []string             // ids, each once; the first one's turn it is
	now     *consumer.Resolution // of the first one, nil: not begun
	pause   timer.Timer
}

// resolveRegexes matches a group's regular expressions with the topics, and records what they match, unless it is being done.
func (c *Coordinator) resolveRegexes(id string) {
	if slices.Contains(c.resolver.waiting, id) {
		return
	}
	if c.resolver.waiting = append(c.resolver.waiting, id); len(c.resolver.waiting) == 1 {
		c.resolvePart()
	}
}

func (c *Coordinator) resolvePart() {
	r := &c.resolver
	g := c.consumers[r.waiting[0]]
	if g != nil && r.now == nil {
		r.now = g.Resolution(c.topics)
	}
	if g == nil || r.now.Part(c.topics) {
		done := r.now
		r.now, r.waiting = nil, r.waiting[1:]
		if g != nil {
			c.resolved(g, done)
		}
	}
	if len(r.waiting) > 0 {
		c.env.After(&r.pause, clock.MS(resolvePauseMS))
	}
}

// resolved records what a group's regular expressions match.
func (c *Coordinator) resolved(g *consumer.Group, r *consumer.Resolution) {
	ch := c.change(g, nil)
	ch.Resolved(r)
	if code := c.apply(g.ID, ch); code != kerr.None {
		c.env.Warnf("group %s: what its regular expressions match could not be recorded: %s", g.ID, code)
	}
}

// stopResolving forgets what is not resolved: the next instance does it anew.
func (c *Coordinator) stopResolving() {
	c.env.Timers.Cancel(&c.resolver.pause)
	c.resolver.now, c.resolver.waiting = nil, nil
}
