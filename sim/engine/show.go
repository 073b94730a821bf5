package engine

import "slices"

// Upcoming renders the next n events in the order in which they would fire now, each as the trace would have it. It changes nothing. Cold.
func (e *Engine) Upcoming(n int) []string {
	next := slices.Clone(e.heap)
	slices.SortFunc(next, func(x, y event) int {
		switch {
		case x.before(&y):
			return -1
		case y.before(&x):
			return 1
		}
		return 0
	})
	var out []string
	for i := range next[:min(n, len(next))] {
		ev := &next[i]
		out = append(out, e.Render(&Line{At: ev.at, Who: ev.who, Kind: ev.kind, A: ev.a, B: ev.b}))
	}
	return out
}
