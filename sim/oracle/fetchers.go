package oracle

import "fmt"

// fetchers: a replica that follows is fetched by one fetcher, from the leader that it follows; any other by none (I:I11).
type fetchers struct {
	quiet
	r *replicas
}

func (f *fetchers) Name() string { return "I:I11" }
func (f *fetchers) Due() bool    { return len(f.r.order) > 0 }

func (f *fetchers) Step(v View) error {
	if v.Nodes() == 1 {
		return nil
	}
	for _, k := range f.r.touched {
		x := f.r.parts[k]
		for n := range x.nodes {
			p := x.shown(v, n)
			if p == nil || p.Closing || p.Cutting && p.Follows < 0 { // it takes up the role of a new epoch once the cut counts
				continue
			}
			f.checks++
			want := 0
			if p.Follows >= 0 {
				want = 1
			}
			what := fmt.Sprintf("fetchers of %s on node %d, which follows %d (leads: %v)", x.name, n+1, p.Follows, p.Leader)
			switch {
			case p.Fetchers != want:
				return fail(f.Name(), what, -1, want, p.Fetchers)
			case want == 1 && p.FetchedFrom != p.Follows:
				return fail(f.Name(), what, -1, fmt.Sprintf("from %d", p.Follows), fmt.Sprintf("from %d", p.FetchedFrom))
			}
		}
	}
	return nil
}
