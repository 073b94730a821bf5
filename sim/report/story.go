package report

import (
	"cmp"
	"fmt"
	"slices"
)

// story is a diagram of the last things before a violation: a vertical lane for each node and client, time downwards, an arrow for each message.
type story struct {
	Width, Height int
	Top, Bottom   int // of the lanes
	Lanes         []laneView
	Arrows        []arrowView
	Dots          []dotView
	Left          int64 // things of the same time that are not shown
}

type laneView struct {
	X      int
	Name   string
	Client bool
}

type arrowView struct {
	X1, Y1, X2, Y2 int
	Class          string // about, lost, early
}

type dotView struct {
	X, Y       int
	Time, Text string
	Class      string
	Anchor     string // start or end
	TextX      int
}

// moment is one row: something at a place.
type moment struct {
	at      int64
	place   int // as in Message; 0: no lane
	text    string
	class   string
	message int // index + 1 of the message that is sent (out) or taken here; 0: none
	out     bool
	toRight bool
}

const (
	storyRows = 56 // moments at most
	timeWidth = 96
	nodeWidth = 184
	rowHeight = 21
	laneTop   = 44
)

// story tells what came before the violation, nil if there is none. Where the violation names a partition, it is about that one.
func (r *Run) story() *story {
	if r.Violation == nil || r.Nodes == 0 || r.System != "" {
		return nil
	}
	all := r.moments()
	s := &story{Left: int64(max(0, len(all)-storyRows))}
	shown := all[s.Left:]
	if len(shown) == 0 {
		return nil
	}
	x := s.lanes(r, shown)
	s.rows(r, shown, x)
	return s
}

// moments are all that the story may tell, in order.
func (r *Run) moments() (all []moment) {
	v := r.Violation
	before := func(m moment) {
		if m.at <= v.At {
			all = append(all, m)
		}
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.Quiet || !m.About && (m.Idle || v.Key != "") {
			continue
		}
		before(moment{at: m.Sent, place: m.From, text: fmt.Sprintf("%s, %s B", m.What, Number(m.Size)), class: "send", message: i + 1, out: true})
		if m.Taken >= 0 {
			before(moment{at: m.Taken, place: m.To, class: "take", message: i + 1})
		}
	}
	for i := range r.Ops {
		o := &r.Ops[i]
		if v.Key != "" && o.Key != v.Key {
			continue
		}
		if len(r.Messages) == 0 { // else a message says so
			before(moment{at: o.Begin, place: -1 - o.Client, text: "asks: " + o.F + " " + o.Key, class: "op"})
		}
		if o.Type != "open" {
			before(moment{at: o.End, place: -1 - o.Client, text: o.F + ", " + o.Type + ": " + o.Text, class: "op " + o.Type})
		}
	}
	r.around(before)
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	return all
}

// ending are the classes of fault that end a process.
var ending = map[string]bool{"F:P1": true, "F:P3": true, "F:P4": true, "F:D1": true}

// around adds what became of nodes and partitions.
func (r *Run) around(before func(moment)) {
	for n := range r.Lanes {
		for i, l := range r.Lanes[n].Lives {
			before(moment{at: l.Begin, place: n + 1, text: fmt.Sprintf("process %d starts", i+1), class: "life"})
			if l.End < r.End {
				before(moment{at: l.End, place: n + 1, text: l.Text, class: "death"})
			}
		}
	}
	for i := range r.Spans {
		s := &r.Spans[i]
		if ending[s.Class] && s.Node > 0 {
			continue // the end of a process says it
		}
		before(moment{at: s.Begin, place: s.Node, text: s.Class + " " + s.Text, class: "fault"})
		if s.End > s.Begin && s.End < r.End {
			before(moment{at: s.End, place: s.Node, text: s.Class + " is over", class: "fault"})
		}
	}
	for i := range r.Parts {
		p := &r.Parts[i]
		if r.Violation.Key != "" && p.Key != r.Violation.Key || r.Violation.Key == "" && internal(p.Key) {
			continue
		}
		for _, l := range p.Leaders {
			before(moment{at: l.Begin, place: l.Node, text: fmt.Sprintf("leads %s, epoch %d", p.Key, l.Epoch), class: "lead"})
		}
	}
}

// lanes places a lane for each node and each client that has a part.
func (s *story) lanes(r *Run, shown []moment) map[int]int {
	x := map[int]int{}
	var clients []int
	for _, m := range shown {
		places := []int{m.place}
		if m.message > 0 {
			places = append(places, r.Messages[m.message-1].From, r.Messages[m.message-1].To)
		}
		for _, p := range places {
			if p < 0 && !slices.Contains(clients, p) {
				clients = append(clients, p)
			}
		}
	}
	slices.Sort(clients)
	slices.Reverse(clients)
	for n := range r.Nodes {
		s.lane(x, n+1, fmt.Sprintf("n%d", n+1))
	}
	for _, p := range clients {
		name := fmt.Sprintf("c%d", -1-p)
		for _, role := range r.Roles {
			if role.ID == -1-p {
				name += " " + role.Name
			}
		}
		s.lane(x, p, name)
	}
	s.Width = timeWidth + nodeWidth*len(s.Lanes) + 60
	return x
}

func (s *story) lane(x map[int]int, place int, name string) {
	x[place] = timeWidth + 24 + nodeWidth*len(s.Lanes)
	s.Lanes = append(s.Lanes, laneView{X: x[place], Name: name, Client: place < 0})
}

// rows places the moments one below the other, and the arrows between them.
func (s *story) rows(r *Run, shown []moment, x map[int]int) {
	sent, taken := map[int]int{}, map[int]int{} // by message: its row's y
	y := laneTop + 10
	for _, m := range shown {
		y += rowHeight
		switch {
		case m.message > 0 && m.out:
			sent[m.message] = y
		case m.message > 0:
			taken[m.message] = y
		}
		d := dotView{X: x[m.place], Y: y, Time: Seconds6(m.at), Text: short(m.text, 52), Class: m.class, Anchor: "start", TextX: x[m.place] + 9}
		if m.place == 0 {
			d.X, d.TextX = timeWidth+4, timeWidth+14
		}
		s.Dots = append(s.Dots, d)
	}
	y += rowHeight
	s.Dots = append(s.Dots, dotView{X: timeWidth + 4, Y: y, Time: Seconds6(r.Violation.At), Text: r.Violation.Property + " is broken", Class: "broken", Anchor: "start", TextX: timeWidth + 14})
	s.Top, s.Bottom, s.Height = laneTop, y, y+24
	for i := range r.Messages {
		from, isSent := sent[i+1]
		to, isTaken := taken[i+1]
		a := arrowView{X1: x[r.Messages[i].From], X2: x[r.Messages[i].To], Y1: from, Y2: to}
		switch {
		case isSent && isTaken:
		case isTaken:
			a.Y1, a.Class = laneTop, "early"
		case isSent: // never taken, or only afterwards
			a.Y2, a.Class = min(from+3*rowHeight, y), "lost"
			a.X2 = a.X1 + (a.X2-a.X1)*2/3
		default:
			continue
		}
		s.Arrows = append(s.Arrows, a)
	}
}

// Seconds6 writes a virtual time to the microsecond.
func Seconds6(ns int64) string { return fmt.Sprintf("%d.%06d", ns/1e9, ns%1e9/1e3) }

func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

func internal(key string) bool { return len(key) > 1 && key[:2] == "__" }
