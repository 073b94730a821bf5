package consumer

import (
	"github.com/seedlog/seedlog/core/group/assign"
	"github.com/seedlog/seedlog/core/kerr"
)

// Subscribe follows the member's regular expression: one that nobody subscribes to any more is forgotten, a new one must compile. Whether the
// group's are to be resolved now is in Resolve. Source: maybeUpdateRegularExpressions.
func (c *Change) Subscribe(old, m *Member) kerr.Code {
	fresh := false
	if old.Regex != m.Regex {
		c.RegexChanged = true
		if old.Regex != "" && c.g.regexMembers[old.Regex] == 1 {
			c.add(tombstone(KeyRegex, c.g.ID, old.Regex))
		}
		switch {
		case m.Regex == "":
			c.RegexResolved = true
		case c.g.regexMembers[m.Regex] == 0:
			if _, err := assign.Compile(m.Regex); err != nil {
				return kerr.InvalidRegularExpression
			}
			fresh = true
		default:
			c.RegexResolved = c.g.regexes[m.Regex] != nil
		}
	}
	c.Resolve = c.mustResolve(fresh)
	return kerr.None
}

// mustResolve: not more often than the interval says, and only if one is not resolved yet, topics were created since, or it is long ago.
func (c *Change) mustResolve(fresh bool) bool {
	if !fresh && len(c.g.regexMembers) == 0 {
		return false
	}
	at, version, ok := c.g.lastResolved()
	if ok && !elapsed(c.nowMS, at, c.cfg.RegexIntervalMS+1) {
		return false
	}
	n := c.subscribed()
	return n > 0 && (fresh || n != len(c.g.regexes) || version < c.topics.Created() || ok && c.nowMS > at+c.cfg.RegexRefreshMS)
}

// subscribed is the number of regular expressions that members will subscribe to.
func (c *Change) subscribed() int {
	seen := map[string]bool{}
	for _, m := range c.members {
		if m.Regex != "" {
			seen[m.Regex] = true
		}
	}
	return len(seen)
}

// ResolveAll matches the group's regular expressions with the topics that there are. If one matches others than before the group goes to the
// next epoch. Source: handleRegularExpressionsResult.
func (c *Change) ResolveAll() {
	type resolving struct {
		regex   string
		pattern *assign.Pattern
		out     *Resolved
	}
	var all []resolving
	version := max(c.topics.Changed(), c.topics.Created())
	for _, r := range sortedKeys(c.g.regexMembers) {
		p, err := assign.Compile(r)
		if err != nil {
			continue // of a version that understood it
		}
		all = append(all, resolving{r, p, &Resolved{Version: version, AtMS: c.nowMS}})
	}
	c.topics.EachTopic(func(name string) {
		for i := range all {
			if all[i].pattern.Match(name) {
				all[i].out.Topics = append(all[i].out.Topics, name)
			}
		}
	})
	names, bump := [][]string{}, false
	for i := range all {
		r := &all[i]
		before := c.g.regexes[r.regex]
		bump = bump || before == nil && len(r.out.Topics) > 0 || before != nil && !equalNames(before.Topics, r.out.Topics)
		c.add(regexRecord(c.g.ID, r.regex, r.out))
		names = append(names, r.out.Topics)
	}
	c.bumpResolved(names, bump)
}

func (c *Change) bumpResolved(names [][]string, bump bool) {
	var all []string
	for _, m := range c.members {
		all = append(all, m.Topics...)
	}
	for _, n := range names {
		all = append(all, n...)
	}
	h := hash(c.topics, sortedTopics(all))
	if h != c.g.MetadataHash || bump {
		c.epoch++
		c.add(metadataRecord(c.g.ID, c.epoch, h))
		c.checked = true
	}
}

func equalNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
