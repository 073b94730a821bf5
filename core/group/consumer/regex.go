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

// resolveWork is about how much one part of a resolution does, in steps of programs times bytes of names. A hostile regular expression takes 20 ns for each.
const resolveWork = 50_000

// Resolution matches the regular expressions that a group's members subscribe to with the topics that there are. There may be many topics, and a regular
// expression may be slow, so it is done in parts.
type Resolution struct {
	all     []resolving
	version int64
	at      int    // all[at] is matched now,
	last    string // with the topics after this one
}

type resolving struct {
	regex   string
	pattern *assign.Pattern // of the one at hand
	bad     bool            // of a version that understood it
	topics  []string
}

// Resolution begins one.
func (g *Group) Resolution(topics Topics) *Resolution {
	r := &Resolution{version: max(topics.Changed(), topics.Created())}
	for _, regex := range sortedKeys(g.regexMembers) {
		r.all = append(r.all, resolving{regex: regex})
	}
	return r
}

// Part does some more, and says whether that was all.
func (r *Resolution) Part(topics Topics) (done bool) {
	for work := 0; r.at < len(r.all); r.at, r.last = r.at+1, "" {
		x := &r.all[r.at]
		if x.pattern == nil {
			var err error
			if x.pattern, err = assign.Compile(x.regex); err != nil {
				x.bad = true
				continue
			}
			work += x.pattern.Effort()
		}
		whole := true
		topics.TopicsAfter(r.last, func(name string) bool {
			if whole = work < resolveWork; !whole {
				return false
			}
			if x.pattern.Match(name) {
				x.topics = append(x.topics, name)
			}
			work += x.pattern.Steps() * len(name)
			r.last = name
			return true
		})
		if !whole {
			return false
		}
		x.pattern = nil
	}
	return true
}

// Resolved takes over what a resolution found that is done. If a regular expression matches others than before the group goes to the next epoch. Source:
// handleRegularExpressionsResult.
func (c *Change) Resolved(r *Resolution) {
	var names [][]string
	bump := false
	for i := range r.all {
		x := &r.all[i]
		if x.bad || c.g.regexMembers[x.regex] == 0 {
			continue
		}
		before := c.g.regexes[x.regex]
		bump = bump || before == nil && len(x.topics) > 0 || before != nil && !equalNames(before.Topics, x.topics)
		c.add(regexRecord(c.g.ID, x.regex, &Resolved{Version: r.version, AtMS: c.nowMS, Topics: x.topics}))
		names = append(names, x.topics)
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
