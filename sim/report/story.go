package report

import (
	"slices"
	"strings"
)

// story is a diagram of what led to a violation: a vertical lane for each node and client, time downwards, an arrow for each message.
type story struct {
	Width, Height int
	Top, Bottom   int // of the lanes
	Lanes         []laneView
	Arrows        []arrowView
	Dots          []dotView
	Gaps          []gapView
	Left          int64 // moments that are not shown
	Shown         int
}

// storyRows is how many moments a story has; each row of the table says how many there may be once those of its weight were chosen, the latest
// first. So what happened to the record, to processes and to logs comes first, and there is room for what was said last.
const storyRows = 46

var rooms = []struct{ weight, room int }{{must, 24}, {turn, 34}, {event, 38}, {said, storyRows}, {noise, 30}}

// storyClients is how many clients have lanes, beside those who had to do with the record.
const storyClients = 4

// story tells what came before the violation, nil if there is none. Where the violation names a partition, it is about that one.
func (r *Run) story() *story {
	if r.Violation == nil || r.Nodes == 0 || r.System != "" {
		return nil
	}
	all := r.moments()
	chosen := r.choose(all)
	if len(chosen) == 0 {
		return nil
	}
	s := &story{Left: int64(len(all) - len(chosen)), Shown: len(chosen)}
	rows := withGaps(all, chosen)
	x := s.lanes(r, rows)
	s.rows(r, rows, x)
	return s
}

// choose gives the indexes of the moments that are shown, in order.
func (r *Run) choose(all []moment) (chosen []int) {
	pair := map[int][]int{} // by message: its moments
	for i := range all {
		if m := all[i].message; m > 0 {
			pair[m] = append(pair[m], i)
		}
	}
	taken := map[int]bool{}
	clients := map[int]bool{}
	for _, x := range rooms {
		for i := len(all) - 1; i >= 0 && len(taken) < x.room; i-- {
			m := &all[i]
			if m.weight != x.weight || taken[i] || !r.admits(m, clients) {
				continue
			}
			taken[i] = true
			for _, k := range pair[m.message] {
				taken[k] = true
			}
		}
	}
	for i := range taken {
		chosen = append(chosen, i)
	}
	slices.Sort(chosen)
	return chosen
}

// admits says that there are lanes for a moment: only so many clients have one.
func (r *Run) admits(m *moment, clients map[int]bool) bool {
	for _, p := range r.placesOf(m) {
		if p < 0 && !clients[p] && m.weight < turn && len(clients) >= storyClients {
			return false
		}
	}
	for _, p := range r.placesOf(m) {
		if p < 0 {
			clients[p] = true
		}
	}
	return true
}

// placesOf gives the ends of a moment.
func (r *Run) placesOf(m *moment) []int {
	if m.message > 0 {
		return []int{r.Messages[m.message-1].From, r.Messages[m.message-1].To}
	}
	return []int{m.place}
}

// A gap is shown where so many moments are left out, or so much time goes by without one.
const (
	gapMoments = 6
	gapTime    = int64(500e6)
)

// withGaps gives the chosen moments, and gaps between them.
func withGaps(all []moment, chosen []int) (rows []moment) {
	for k, i := range chosen {
		if k > 0 {
			skipped, idle := i-chosen[k-1]-1, all[i].at-all[chosen[k-1]].at
			if skipped >= gapMoments || idle >= gapTime {
				rows = append(rows, moment{class: "gap", text: gapText(skipped, idle)})
			}
		}
		rows = append(rows, all[i])
	}
	return rows
}

func gapText(skipped int, idle int64) string {
	var parts []string
	if idle >= 1e6 {
		parts = append(parts, Seconds(idle)+" later")
	}
	if skipped > 0 {
		parts = append(parts, count(int64(skipped), "moment", "moments")+" left out")
	}
	return strings.Join(parts, ", ")
}
