package report

import (
	"fmt"
	"slices"
)

// gridView draws a grid: a line for what producers were told, and one a reader.
type gridView struct {
	Key, Sum, Label string
	Open            bool
	Width, Height   int
	Lines           []gridLine
	MarkX           int // of the violation; 0: none
	Ticks           []tickView
}

type gridLine struct {
	Y     int
	Name  string
	Cells []cellView
}

// cellView is a stretch of cells that are alike.
type cellView struct {
	X, Y, W      int
	Class, Title string
}

type tickView struct {
	X, Y int
	Name string
}

// Sizes of a grid, in pixels.
const (
	gridLeft  = 150
	gridWide  = 1000 // at most
	gridLine1 = 16
)

// told are the letters of Told: the class of a cell, and its words.
var told = map[byte][2]string{
	ToldAll: {"a", "acknowledged (acks=all)"}, ToldLeader: {"l", "acknowledged by the leader alone"}, ToldUnknown: {"u", "outcome unknown to its producer"}, ToldRefused: {"r", "refused"},
	ToldOpen: {"u", "of a transaction without a known outcome"}, ToldCommitted: {"a", "committed"}, ToldAborted: {"r", "aborted"}, ToldNothing: {"n", "nothing known"},
	ToldTwice: {"e", "acknowledged, and another record at the same offset too"},
}

// seen are the letters of Saw.
var seen = map[byte][2]string{SawAll: {"s", "seen"}, SawSome: {"p", "seen in part"}, SawElse: {"e", "seen as another value than others saw"}, SawNone: {"n", "not seen"}}

func (r *Run) gridViews() (all []gridView) {
	shown := 0
	for i := range r.Grids {
		g := &r.Grids[i]
		v := r.gridView(g)
		v.Open = r.Violation != nil && g.Key == r.Violation.Key || shown < 2 && (r.Violation == nil || r.Violation.Key == "") && !internal(g.Key)
		if v.Open {
			shown++
		}
		all = append(all, v)
	}
	return all
}

func (r *Run) gridView(g *Grid) gridView {
	v := gridView{Key: g.Key, Label: "Who knows of which record of " + g.Key}
	n := len(g.Told)
	wide := min(gridWide/max(1, n), 24)
	v.Width = gridLeft + n*wide + 16
	unit := "offsets"
	if g.ByRead {
		unit = "records, in the order in which they were read"
	}
	v.Sum = fmt.Sprintf("%s, %s", count(g.Records, "record", "records"), count(int64(len(g.Readers)), "reader", "readers"))
	if g.Step > 1 {
		v.Sum += fmt.Sprintf("; a cell is %s %s", Number(g.Step), unit)
	} else if g.ByRead {
		v.Sum += "; in the order in which they were read"
	}
	line := func(name, letters string, words map[byte][2]string) {
		l := gridLine{Y: 2 + len(v.Lines)*gridLine1, Name: short(name, 22)}
		if len(v.Lines) > 0 {
			l.Y += 6
		}
		for i := 0; i < len(letters); {
			k := i + 1
			for k < len(letters) && letters[k] == letters[i] {
				k++
			}
			w := words[letters[i]]
			l.Cells = append(l.Cells, cellView{X: gridLeft + i*wide, Y: l.Y, W: (k-i)*wide - 1, Class: w[0], Title: g.span(i, k) + ": " + w[1]})
			i = k
		}
		v.Lines = append(v.Lines, l)
	}
	line("producers were told", g.Told, told)
	for _, x := range g.Readers {
		line(r.clientName(x.Client), x.Saw, seen)
	}
	v.Height = 2 + len(v.Lines)*gridLine1 + 6 + 16
	for i := 0; i < n; i += max(1, n/8) {
		v.Ticks = append(v.Ticks, tickView{X: gridLeft + i*wide, Y: v.Height - 3, Name: Number(g.Begin + int64(i)*g.Step)})
	}
	if x := r.Violation; x != nil && x.Record && x.Key == g.Key && !g.ByRead {
		cell := (x.Offset - g.Begin) / g.Step
		v.MarkX = gridLeft + int(min(max(cell, 0), int64(n)))*wide + wide/2
	}
	return v
}

// span names the records of some cells.
func (g *Grid) span(from, to int) string {
	a, b := g.Begin+int64(from)*g.Step, g.Begin+int64(to)*g.Step-1
	if g.ByRead {
		b = min(b, g.Records-1)
	}
	what := "offset"
	if g.ByRead {
		what = "record"
	}
	if a == b {
		return fmt.Sprintf("%s %s", what, Number(a))
	}
	return fmt.Sprintf("%ss %s to %s", what, Number(a), Number(b))
}

// nearView is a row of the records around the one in question.
type nearView struct {
	Offset      string
	Value, Told string
	Here        bool
	Sent        momentView
	Saw         []momentView
}

type nameView struct{ Name string }

// nearViews gives the rows, and the readers that are their columns.
func (r *Run) nearViews() (rows []nearView, readers []nameView) {
	if r.Violation == nil {
		return nil, nil
	}
	var clients []int
	for i := range r.Near {
		for _, s := range r.Near[i].Saw {
			if !slices.Contains(clients, s.Client) {
				clients = append(clients, s.Client)
			}
		}
	}
	slices.Sort(clients)
	for _, c := range clients {
		readers = append(readers, nameView{fmt.Sprintf("c%d read it", c)})
	}
	for i := range r.Near {
		n := &r.Near[i]
		row := nearView{Offset: Number(n.Offset), Value: n.Value, Here: n.Offset == r.Violation.Offset, Sent: momentView{At: -1}, Saw: make([]momentView, len(clients))}
		if n.Told != "" {
			row.Told = told[n.Told[0]][1]
		}
		if n.SentAt >= 0 {
			row.Sent = momentView{n.SentAt, fmt.Sprintf("c%d, %s", n.Sender, Seconds(n.SentAt))}
		}
		for k := range row.Saw {
			row.Saw[k].At = -1
		}
		for _, s := range n.Saw {
			m := momentAt(s.At)
			if s.Value != n.Value {
				m.Text += " as " + s.Value
			}
			k := slices.Index(clients, s.Client)
			if row.Saw[k].At >= 0 {
				m.Text = row.Saw[k].Text + ", " + m.Text
			}
			row.Saw[k] = m
		}
		rows = append(rows, row)
	}
	return rows, readers
}
