package assign

import "sort"

// lowest hands out those who have least, one after the other, as if each were given one partition each time:
//
//	▲        █        members come by load. All those at the lowest level get one; the level rises by one, those who
//	│  level █        were there already join them, and it goes on from the first
//	│   ┌▶▶▶┐███
//	└─ [ in  ] rest
type lowest struct {
	load    []int32 // the problem's
	members []int32 // by load, by index
	level   int32   // what those in have, once all have been served in this round
	in, at  int     // members[:in] share the level; members[at] is served next
}

func (l *lowest) start(members []int32) {
	l.members = append(l.members[:0], members...)
	sort.SliceStable(l.members, func(i, j int) bool { return l.load[l.members[i]] < l.load[l.members[j]] })
	l.level, l.in, l.at = l.load[l.members[0]]-1, 0, 0
}

func (l *lowest) next() int32 {
	if l.at >= l.in {
		l.level++
		for l.in < len(l.members) && l.load[l.members[l.in]] == l.level {
			l.in++
		}
		l.at = 0
	}
	l.at++
	return l.members[l.at-1]
}

// highest hands out those who have most, one after the other, as if each gave one partition away each time. Those who have none to give are dropped.
type highest struct {
	load     []int32
	members  []int32 // by load, by index
	level    int32
	from, to int // members[from:to] share the level; behind them are those who were dropped
	at       int // members[at] is asked next, downwards
}

// start takes members that are sorted.
func (h *highest) start(members []int32) {
	h.members = append(h.members[:0], members...)
	n := len(h.members)
	h.level, h.from, h.to, h.at = h.load[h.members[n-1]]+1, n, n, n-1
}

// next gives no member if nobody is left.
func (h *highest) next() (int32, bool) {
	if h.at < h.from {
		h.level--
		if h.to == h.from && h.from > 0 {
			h.level = h.load[h.members[h.from-1]] // the range is empty, or all were dropped
		}
		for h.from > 0 && h.load[h.members[h.from-1]] == h.level {
			h.from--
		}
		h.at = h.to - 1
	}
	if h.at < 0 {
		return 0, false
	}
	h.at--
	return h.members[h.at+1], true
}

// drop takes out the one that next gave.
func (h *highest) drop() {
	h.to--
	h.members[h.at+1], h.members[h.to] = h.members[h.to], h.members[h.at+1]
}
