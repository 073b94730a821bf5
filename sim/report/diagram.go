package report

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

type laneView struct {
	X      int
	Name   string
	Client bool
}

type arrowView struct {
	X1, Y1, X2, Y2 int
	Class          string // lost, early
}

type dotView struct {
	X, Y, TextX int
	Time, Text  string
	Full        string // the text, where Text is cut
	Class       string
}

// gapView is a row that stands for moments which are left out.
type gapView struct {
	Y    int
	Text string
}

// Sizes of a diagram, in pixels.
const (
	timeWidth = 84
	laneWidth = 152
	rowHeight = 21
	gapHeight = 26
	laneTop   = 40
	textRunes = 58
	runeWidth = 7 // of a text, at most on the average
)

// lanes places a lane for the cluster, for each node, and for each client that has a part.
func (s *story) lanes(r *Run, rows []moment) map[int]int {
	x := map[int]int{}
	var clients []int
	for i := range rows {
		if rows[i].class == "gap" {
			continue
		}
		for _, p := range r.placesOf(&rows[i]) {
			if p < 0 && !slices.Contains(clients, p) {
				clients = append(clients, p)
			}
		}
	}
	slices.Sort(clients)
	slices.Reverse(clients)
	s.lane(x, aside, "cluster")
	for n := range r.Nodes {
		s.lane(x, n+1, nodeName(n+1))
	}
	for _, p := range clients {
		s.lane(x, p, r.clientName(-1-p))
	}
	s.Width = timeWidth + laneWidth*len(s.Lanes)
	return x
}

// clientName is a client's number and what it does.
func (r *Run) clientName(id int) string {
	name := fmt.Sprintf("c%d", id)
	for _, role := range r.Roles {
		if role.ID == id {
			name += " " + role.Name
		}
	}
	return name
}

func (s *story) lane(x map[int]int, place int, name string) {
	x[place] = timeWidth + 30 + laneWidth*len(s.Lanes)
	s.Lanes = append(s.Lanes, laneView{X: x[place], Name: name, Client: place < 0})
}

// rows places the moments one below the other, and the arrows between them.
func (s *story) rows(r *Run, rows []moment, x map[int]int) {
	sent, taken := map[int]int{}, map[int]int{} // by message: its row's y
	y, last := laneTop+6, ""
	for i := range rows {
		m := &rows[i]
		if m.class == "gap" {
			y += gapHeight
			s.Gaps = append(s.Gaps, gapView{Y: y, Text: m.text})
			y += 4
			continue
		}
		y += rowHeight
		switch {
		case m.message > 0 && m.out:
			sent[m.message] = y
		case m.message > 0:
			taken[m.message] = y
		}
		d := dotView{X: x[m.place], Y: y, Time: Seconds6(m.at), Text: short(m.text, textRunes), Class: m.class, TextX: x[m.place] + 9}
		if d.Text != m.text {
			d.Full = m.text
		}
		if d.Time == last {
			d.Time = ""
		} else {
			last = d.Time
		}
		s.Dots = append(s.Dots, d)
	}
	y += rowHeight
	v := r.Violation
	s.Dots = append(s.Dots, dotView{X: x[aside], Y: y, Time: Seconds6(v.At), Text: v.Property + " is broken: " + short(v.Is, 100), Class: "broken", TextX: x[aside] + 9})
	s.Top, s.Bottom, s.Height = laneTop, y, y+24
	for _, d := range s.Dots {
		s.Width = max(s.Width, d.TextX+utf8.RuneCountInString(d.Text)*runeWidth+20)
	}
	for i := range r.Messages {
		from, isSent := sent[i+1]
		to, isTaken := taken[i+1]
		a := arrowView{X1: x[r.Messages[i].From], X2: x[r.Messages[i].To], Y1: from, Y2: to}
		switch {
		case isSent && isTaken:
		case isTaken:
			a.Y1, a.Class = laneTop, "early"
		case isSent: // never taken, or only afterwards
			a.Y2, a.Class = min(from+rowHeight, y), "lost"
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
