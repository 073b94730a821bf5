package fault

import (
	"slices"
	"strings"
)

// ways are how a class may act, for those that act in several: what Ledger.Note and Hit are told ends in one of them. Of two that do the longer stands first.
var ways = [Count][]string{
	N2: {"in a request", "resets its links"},
	N5: {"isolate", "halves", "bridge", "ring", "controller", "client", "link", "deaf", "unheard"},
	N6: {"in", "out", "both", "swizzle"},
	N8: {"cut", "half-close"},
	D2: {"failed sync", "lying sync"},
	D3: {"a directory's EIO", "EIO", "ENOSPC"},
	D4: {".index", ".timeindex", ".snapshot", "checkpoint", ".log", "partition.metadata"},
	D6: {"slow", "stall"},
	P2: {"pause", "freeze", "pause of a shard", "freeze of a shard"},
	C1: {"skew", "rate"},
	L1: {"records deleted", "segments rolled"},
	L2: {"producers", "offsets"},
	M1: {"add", "remove", "swap", "any", "order", "cancel", "grow", "preferred", "recreate", "unclean"},
	M2: {"minisr", "segment", "retention", "policy"},
	M3: {"voter", "killed", "pause of the controller", "isolate"},
}

// Kinds gives all kinds of fault: the classes, and where a class acts in several ways, each of these ("F:N5 ring").
func Kinds() (all []string) {
	for c := None + 1; c < Count; c++ {
		if len(ways[c]) == 0 {
			all = append(all, c.String())
		}
		for _, w := range ways[c] {
			all = append(all, c.String()+" "+w)
		}
	}
	return all
}

// count counts one of the ways of a class.
func (l *Ledger) count(c Class, what string) {
	l.hits[c]++
	if i := slices.IndexFunc(ways[c], func(w string) bool { return strings.HasSuffix(what, w) }); i >= 0 {
		l.ways[c][i]++
	}
}

// mostWays bounds how many a class has.
const mostWays = 10

// Kinds gives how often each kind that fired did so.
func (l *Ledger) Kinds() map[string]int64 {
	m := map[string]int64{}
	for c := None + 1; c < Count; c++ {
		if len(ways[c]) == 0 && l.hits[c] > 0 {
			m[c.String()] = l.hits[c]
		}
		for i, w := range ways[c] {
			if n := l.ways[c][i]; n > 0 {
				m[c.String()+" "+w] = n
			}
		}
	}
	return m
}
